/**
 * A segment: up to some hundred thousand rows in the order of their CPEs, compressed, with a sparse index, so that the
 * rows of one CPE are found with three reads. Bytes only; day-files.ts writes them, and read-day.ts reads them.
 *
 *     header    32 bytes: magic, version, rows, bytes of index and of all chunks, id
 *     index     gzip of JSON: names, and of each chunk its length, number of rows, and first CPE
 *     chunks    gzip of CHUNK_ROWS rows, column by column: its CRC tells a damaged chunk
 *
 * Numbers are little-endian.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Head } from '../../splitter/decide/http-head';
import { type Outcome, type SessionRow, type Woken } from './session';

/** `ACSH`. */
const MAGIC = 0x48534341;
const VERSION = 1;
export const HEADER_BYTES = 32;
const CHUNK_ROWS = 512;
/** Bytes of a CPE in keys: IPv4 as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). */
const KEY_BYTES = 16;
const MAPPED = 0xffff;
/** Instead of a time that is unknown. */
const NO_TIME = 0xffffffff;
/** More than compressed chunks ever need; bounds what a damaged header makes us read. */
const MAX_BYTES = 1 << 30;
const LEVEL = { level: 3 };

/** Column widths in bytes. Times are ms before the session's end, and its end is ms after the day's beginning. */
const COLUMNS = [...Array.from({ length: 4 }, () => 4), ...[4, 4, 4], ...[2, 2, 2, 2], ...[1, 1, 1, 1, 1]] as const;
const CPE_COLUMNS = [3, 2, 1, 0] as const;
/** Where each begins, in bytes for each row of the chunk. */
const COLUMN_AT = COLUMNS.map((_, i) => COLUMNS.slice(0, i).reduce<number>((sum, width) => sum + width, 0));
const ROW_BYTES = COLUMNS.reduce<number>((sum, width) => sum + width, 0);

export interface SegmentHeader {
  rows: number;
  indexBytes: number;
  chunkBytes: number;
  /** Of the recent rows that it was made from. */
  id: string;
}

interface Chunk {
  bytes: number;
  rows: number;
  /** Hexadecimal. */
  first: string;
}

export interface SegmentIndex {
  collectors: string[];
  chunks: Chunk[];
}

/** The CPE as a key: hexadecimal, so that keys sort as addresses do. */
export function keyOf(cpe: Int32Array): string {
  const bytes = Buffer.alloc(KEY_BYTES);
  for (let word = 0; word < 4; word++) bytes.writeInt32BE(wordOf(cpe, word), word * 4);
  return bytes.toString('hex');
}

/** In the order of their keys, then of their ends. */
function byCpe(one: SessionRow, other: SessionRow): number {
  for (let word = 0; word < 4; word++) {
    const difference = (wordOf(one.cpe, word) >>> 0) - (wordOf(other.cpe, word) >>> 0);
    if (difference !== 0) return difference;
  }
  return one.endedMs - other.endedMs;
}

function wordOf(cpe: Int32Array, word: number): number {
  if (cpe.length === 4) return cpe[word];
  return word === 3 ? cpe[0] : word === 2 ? MAPPED : 0;
}

function cpeOf(words: readonly number[]): Int32Array {
  const isIpv4 = words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
  return isIpv4 ? Int32Array.of(words[3]) : Int32Array.from(words);
}

/**
 * @param dayMs when the file's day begins
 * @param id 8 bytes, hexadecimal
 */
export function encodeSegment(rows: readonly SessionRow[], dayMs: number, id: string): Buffer {
  const sorted = [...rows].sort(byCpe);
  const collectors = [...new Set(rows.map(({ collector }) => collector))];
  const chunks: Chunk[] = [];
  const bodies: Buffer[] = [];
  for (let from = 0; from < sorted.length; from += CHUNK_ROWS) {
    const part = sorted.slice(from, from + CHUNK_ROWS);
    const body = gzipSync(encodeChunk(part, dayMs, collectors), LEVEL);
    chunks.push({ bytes: body.length, rows: part.length, first: keyOf(part[0].cpe) });
    bodies.push(body);
  }
  const index = gzipSync(JSON.stringify({ collectors, chunks } satisfies SegmentIndex), LEVEL);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(VERSION, 4);
  header.writeUInt32LE(rows.length, 8);
  header.writeUInt32LE(index.length, 12);
  header.writeUInt32LE(
    bodies.reduce((sum, { length }) => sum + length, 0),
    16,
  );
  header.write(id, 20, 8, 'hex');
  return Buffer.concat([header, index, ...bodies]);
}

/** Undefined where no segment begins. */
export function decodeHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== VERSION) {
    return undefined;
  }
  const [rows, indexBytes, chunkBytes] = [8, 12, 16].map((at) => bytes.readUInt32LE(at));
  if (indexBytes > MAX_BYTES || chunkBytes > MAX_BYTES) return undefined;
  return { rows, indexBytes, chunkBytes, id: bytes.toString('hex', 20, 28) };
}

/** @throws Error when it is damaged */
export function decodeIndex(bytes: Buffer): SegmentIndex {
  return JSON.parse(gunzipSync(bytes).toString()) as SegmentIndex;
}

/** Places of the chunks that may hold rows of a CPE, as offsets behind the index; all chunks without a key. */
export function chunksOf({ chunks }: SegmentIndex, key: string | undefined): (Chunk & { at: number })[] {
  const found: (Chunk & { at: number })[] = [];
  let at = 0;
  for (const [i, chunk] of chunks.entries()) {
    const isBefore = i + 1 < chunks.length && key !== undefined && chunks[i + 1].first < key;
    const isBehind = key !== undefined && chunk.first > key;
    if (!isBefore && !isBehind) found.push({ ...chunk, at });
    at += chunk.bytes;
  }
  return found;
}

function encodeChunk(rows: readonly SessionRow[], dayMs: number, collectors: readonly string[]): Buffer {
  const places = new Map(collectors.map((name, i) => [name, i]));
  const bytes = Buffer.alloc(ROW_BYTES * rows.length);
  let at = 0;
  const column = (width: number, valueOf: (row: SessionRow) => number) => {
    // Byte by byte: the high bytes of a column are alike, and compress to nothing.
    for (let i = 0; i < rows.length; i++) {
      const value = valueOf(rows[i]) >>> 0;
      for (let byte = 0; byte < width; byte++) bytes[at + byte * rows.length + i] = value >>> (8 * byte);
    }
    at += width * rows.length;
  };
  const before = (ms: number | undefined, endedMs: number) =>
    ms === undefined ? NO_TIME : Math.min(Math.max(0, Math.round(endedMs - ms)), NO_TIME - 1);
  for (let word = 0; word < 4; word++) column(4, ({ cpe }) => wordOf(cpe, word));
  column(4, ({ endedMs }) => Math.round(endedMs - dayMs));
  column(4, ({ armedMs, endedMs }) => before(armedMs, endedMs));
  column(4, ({ openedMs, endedMs }) => before(openedMs, endedMs));
  column(2, ({ cpePort }) => cpePort);
  column(2, ({ port }) => port);
  column(2, ({ connections }) => Math.min(connections, 0xffff));
  column(2, ({ collector }) => places.get(collector)!);
  column(1, ({ woken }) => woken);
  column(1, ({ outcome }) => outcome);
  column(1, ({ isConfirmed }) => (isConfirmed ? 1 : 0));
  column(1, ({ heads }) => heads);
  column(1, ({ lastHead }) => lastHead);
  return bytes;
}

/** @param cpe only rows of this CPE, of all if absent @throws Error when it is damaged */
export function decodeChunk(
  compressed: Buffer,
  rows: number,
  dayMs: number,
  { collectors }: SegmentIndex,
  cpe?: Int32Array,
): SessionRow[] {
  const bytes = gunzipSync(compressed);
  if (bytes.length !== ROW_BYTES * rows) throw new Error('a chunk has another length than its index says');
  const valueAt = (column: number, row: number): number => {
    const at = COLUMN_AT[column] * rows + row;
    let value = 0;
    for (let byte = 0; byte < COLUMNS[column]; byte++) value += bytes[at + byte * rows] * 2 ** (8 * byte);
    return value;
  };
  const found: SessionRow[] = [];
  for (let row = 0; row < rows; row++) {
    if (cpe !== undefined && !CPE_COLUMNS.every((word) => (wordOf(cpe, word) | 0) === (valueAt(word, row) | 0)))
      continue;
    const [
      w0,
      w1,
      w2,
      w3,
      ended,
      armed,
      opened,
      cpePort,
      port,
      connections,
      place,
      woken,
      outcome,
      flags,
      heads,
      last,
    ] = COLUMNS.map((_, column) => valueAt(column, row));
    const endedMs = dayMs + (ended | 0);
    found.push({
      cpe: cpeOf([w0, w1, w2, w3]),
      collector: collectors[place] ?? '',
      woken: woken as Woken,
      outcome: outcome as Outcome,
      endedMs,
      armedMs: armed === NO_TIME ? undefined : endedMs - armed,
      openedMs: opened === NO_TIME ? undefined : endedMs - opened,
      cpePort,
      port,
      connections,
      isConfirmed: (flags & 1) !== 0,
      heads,
      lastHead: last as Head,
    });
  }
  return found;
}
