/**
 * A connection to Valkey or Redis: RESP 2 (https://valkey.io/topics/protocol), as much as the cluster needs. Why no
 * library: docs/decisions/cluster.md. The number of waiting commands is bounded, and a missing answer ends the connection.
 */
import { readFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type StoreSettings } from '../shared/cluster-protocol';

export type Reply = string | number | null | Reply[] | StoreError;

/** The store refuses a command. */
export class StoreError extends Error {}

const MAX_WAITING = 64;
const MAX_REPLY_BYTES = 64 * 1024 * 1024;
const MAX_ELEMENTS = 1_000_000;
/** Lists in lists: XREAD's answer has four. */
const MAX_DEPTH = 6;
/** Below TCP's second SYN: a link that has just come up loses the first. */
const CONNECT_MS = 900;
const ANSWER_MS = 3000;

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class Connection {
  private received: Buffer[] = [];
  private receivedBytes = 0;
  /** Bytes without which no reply is complete. */
  private neededBytes = 1;
  private readonly waiting: Waiting[] = [];
  private failure: Error | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.hear(bytes));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the store has closed the connection')));
  }

  /** @throws Error, one line */
  static async open(settings: StoreSettings): Promise<Connection> {
    const connection = new Connection(await connected(settings));
    try {
      const { user, passwordFile } = settings;
      if (passwordFile !== undefined) {
        const password = readFileSync(passwordFile, 'utf8').split('\n')[0];
        await connection.ask(user === undefined ? ['AUTH', password] : ['AUTH', user, password]);
      }
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** @throws StoreError when the store refuses; another Error ends the connection */
  ask(words: readonly (string | number)[], timeoutMs = ANSWER_MS): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      if (this.waiting.length >= MAX_WAITING) return reject(new Error('too many commands wait'));
      const timer = setTimeout(() => this.fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      this.waiting.push({ resolve, reject, timer });
      this.socket.write(encode(words));
    });
  }

  close(): void {
    this.fail(new Error('closed'));
  }

  private hear(bytes: Buffer): void {
    this.received.push(bytes);
    this.receivedBytes += bytes.length;
    if (this.receivedBytes < this.neededBytes) return;
    if (this.receivedBytes > MAX_REPLY_BYTES) return this.fail(new Error('an answer is too long'));
    const all = this.received.length === 1 ? bytes : Buffer.concat(this.received);
    let at = 0;
    try {
      const reader = new Reader(all);
      for (;;) {
        const reply = reader.next();
        if (reply === undefined) break;
        at = reader.at;
        const first = this.waiting.shift();
        if (first === undefined) throw new Error('an answer came without a command');
        clearTimeout(first.timer);
        if (reply instanceof StoreError) first.reject(reply);
        else first.resolve(reply);
      }
      this.neededBytes = Math.max(1, reader.neededBytes - at);
    } catch (error) {
      return this.fail(error as Error);
    }
    const rest = all.subarray(at);
    this.received = rest.length > 0 ? [rest] : [];
    this.receivedBytes = rest.length;
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.socket.destroy();
    for (const { reject, timer } of this.waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}

function connected({ address, tls }: StoreSettings): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const place = placeOf(address);
    const ca = tls?.ca === undefined ? undefined : readFileSync(tls.ca);
    const socket = tls
      ? connectTls({ ...place, ...(ca && { ca }), ...('host' in place && { servername: '' }) })
      : connectPlain(place);
    const timer = setTimeout(() => socket.destroy(new Error('no connection')), CONNECT_MS);
    const settle = () => clearTimeout(timer);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      settle();
      socket.removeListener('error', reject);
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', reject);
    socket.once('close', settle);
  });
}

function placeOf(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith('/')) return { path: address };
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

function encode(words: readonly (string | number)[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    const one = String(word);
    text += `$${Buffer.byteLength(one)}\r\n${one}\r\n`;
  }
  return text;
}

/** Reads replies from bytes that may end in the middle of one. */
export class Reader {
  /** Behind the last complete reply. */
  at = 0;
  /** The next one ends behind this at the earliest. */
  neededBytes = 0;

  constructor(private readonly bytes: Buffer) {}

  /** Undefined: not complete yet. @throws Error on what is no reply */
  next(): Reply | undefined {
    const before = this.at;
    const reply = this.read();
    if (reply === undefined) this.at = before;
    return reply;
  }

  private read(depth = 0): Reply | undefined {
    const end = this.bytes.indexOf('\r\n', this.at);
    if (end < 0) return this.lacks(this.bytes.length + 1);
    const line = this.bytes.toString('utf8', this.at + 1, end);
    const type = String.fromCharCode(this.bytes[this.at]);
    this.at = end + 2;
    switch (type) {
      case '+':
        return line;
      case '-':
        return new StoreError(line);
      case ':':
        return numberIn(line);
      case '$':
        return this.readText(numberIn(line));
      case '*':
        return this.readList(numberIn(line), depth + 1);
      default:
        throw notAStore();
    }
  }

  private readText(length: number): string | null | undefined {
    if (length < 0) return null;
    if (length > MAX_REPLY_BYTES) throw new Error('an answer is too long');
    const end = this.at + length;
    if (this.bytes.length < end + 2) return this.lacks(end + 2);
    const text = this.bytes.toString('utf8', this.at, end);
    this.at = end + 2;
    return text;
  }

  private readList(length: number, depth: number): Reply[] | null | undefined {
    if (length < 0) return null;
    if (length > MAX_ELEMENTS || depth > MAX_DEPTH) throw new Error('an answer is too long');
    const list: Reply[] = [];
    for (let i = 0; i < length; i++) {
      const one = this.read(depth);
      if (one === undefined) return undefined;
      list.push(one);
    }
    return list;
  }

  private lacks(bytes: number): undefined {
    this.neededBytes = bytes;
    return undefined;
  }
}

/** The error for an answer that Valkey and Redis do not give. */
export function notAStore(): Error {
  return new Error('the server is neither Valkey nor Redis');
}

function numberIn(line: string): number {
  const number = Number(line);
  if (!Number.isSafeInteger(number)) throw notAStore();
  return number;
}
