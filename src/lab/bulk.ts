/**
 * Bulk transfers that both ends can verify: a seeded stream of incompressible bytes, and the SHA-256 of what was really
 * sent and received.
 */
import { createCipheriv, createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export const BULK_PATH = '/bulk';

const BLOCK_BYTES = 256 << 10;

export interface Bulk {
  bytes: number;
  sha256: string;
}

/** `bytes` bytes that depend only on the seed: the key stream of AES-128 in counter mode. */
export function seededStream(bytes: number, seed: number): Readable {
  const key = createHash('md5').update(`acsplit ${seed}`).digest();
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(BLOCK_BYTES);
  let left = bytes;
  return new Readable({
    highWaterMark: 4 * BLOCK_BYTES,
    read(): void {
      if (left === 0) return void this.push(null);
      const take = Math.min(left, BLOCK_BYTES);
      left -= take;
      this.push(cipher.update(take === BLOCK_BYTES ? zeros : zeros.subarray(0, take)));
    },
  });
}

/** Sends a seeded stream into `to`, ends it, and returns what was sent. */
export async function sendBulk(to: Writable, bytes: number, seed: number): Promise<Bulk> {
  const meter = new Meter();
  await pipeline(seededStream(bytes, seed), meter, to);
  return meter.reading();
}

/**
 * Reads a stream to its end and returns what was received.
 * @param paceMs pause after each piece, so that a transfer lasts for a while
 */
export async function receiveBulk(from: Readable, paceMs = 0): Promise<Bulk> {
  const meter = new Meter();
  const swallow = (done: () => void): void => void (paceMs > 0 ? setTimeout(done, paceMs) : done());
  await pipeline(from, meter, new Writable({ write: (_chunk, _encoding, done) => swallow(done) }));
  return meter.reading();
}

/**
 * The server's end of both directions: POST returns what was received, GET ?bytes=&seed= sends.
 * Returns what was transferred, so that the server can report it.
 */
export async function serveBulk(request: IncomingMessage, response: ServerResponse): Promise<Bulk> {
  if (request.method === 'POST') {
    const received = await receiveBulk(request);
    response.end(JSON.stringify(received));
    return received;
  }
  const { searchParams } = new URL(request.url ?? '', 'http://acs');
  const bytes = Number(searchParams.get('bytes'));
  response.setHeader('Content-Length', bytes);
  return sendBulk(response, bytes, Number(searchParams.get('seed')));
}

/** Counts and hashes the bytes that pass through. */
class Meter extends Transform {
  private readonly hash = createHash('sha256');
  private bytes = 0;

  constructor() {
    super({ highWaterMark: 4 * BLOCK_BYTES });
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.hash.update(chunk);
    this.bytes += chunk.length;
    done(null, chunk);
  }

  reading(): Bulk {
    return { bytes: this.bytes, sha256: this.hash.digest('hex') };
  }
}
