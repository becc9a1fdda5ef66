/**
 * Writes the history: sessions and events into the files of their day (UTC), bounded by days and bytes. New rows are
 * appended to the day's recent rows; every hour, or every SEGMENT_ROWS, these become a segment. A day is deleted whole.
 *
 * A write that fails leaves the files as they were, and the rows in memory for the next attempt, as long as there is
 * room. A reader needs no lock: a segment names the recent rows that it was made from.
 * docs/decisions/history.md
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { beginningOf, dayOf, DAY_MS, deleteDay, listDays, pathOf } from './day-names';
import { beginningLine, progressLine, type Progress, readRecent, rowLine } from './recent';
import { decodeHeader, encodeSegment, HEADER_BYTES, type SegmentHeader } from './segment';
import { type SessionRow } from './session';

export const SEGMENT_ROWS = 1 << 17;
const SEGMENT_MS = 3600 * 1000;
/** Rows in memory that could not be written. */
const MAX_PENDING = 1 << 17;
/** Recent rows that cannot become a segment, because the disk is full. */
const MAX_RECENT = 4 * SEGMENT_ROWS;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export interface DayFilesOptions {
  directory: string;
  keepDays: number;
  maxBytes: number;
  /** Identifies the run of the engine whose rows are counted. */
  run: string;
  /** What this run has stored so far, as far as it was counted: a recorder may be killed between the two. */
  already?: Tally;
  /** Sync after each flush, against loss of power. */
  sync?: boolean;
  /** Recent rows that become a segment. */
  segmentRows?: number;
}

/** Rows, and the diverted SYNs that they count. */
export interface Tally {
  rows: number;
  connections: number;
}

export class DayFiles {
  /** Of this run: in the files, and given up. */
  readonly written: Tally;
  readonly dropped: Tally = { rows: 0, connections: 0 };
  /** Why the last flush failed; undefined when it did not. */
  failure: string | undefined;
  /** Of all files, at the last flush. */
  bytes = 0;
  private day = '';
  private id = '';
  /** Open while there are recent rows. */
  private fd = -1;
  private recentBytes = 0;
  private recent: SessionRow[] = [];
  private recentSinceMs = 0;
  private pending: SessionRow[] = [];

  /** Touches no file before the first flush. */
  constructor(private readonly options: DayFilesOptions) {
    this.written = { rows: 0, connections: 0, ...options.already };
  }

  add(row: SessionRow): void {
    if (this.pending.length < MAX_PENDING) this.pending.push(row);
    else this.drop(row);
  }

  /** Rows that are in memory only. */
  get waiting(): Tally {
    return { rows: this.pending.length, connections: connectionsOf(this.pending) };
  }

  /** Writes what was added. Returns whether it is in the files. */
  flush(nowMs: number): boolean {
    try {
      mkdirSync(this.options.directory, { recursive: true, mode: DIRECTORY_MODE });
      const day = dayOf(nowMs);
      if (this.day === '') this.open(day, nowMs);
      else if (day !== this.day) this.turn(day);
      this.bound(nowMs);
      if (this.pending.length > 0) this.append(nowMs);
      if (this.isDue(nowMs)) this.seal();
      this.failure = undefined;
      return true;
    } catch (error) {
      this.failure = (error as Error).message;
      return false;
    }
  }

  /** Appends lines to the day's events; after the first flush. @throws Error, and the file is as it was */
  addEvents(events: readonly object[], nowMs: number): void {
    if (this.bytes > this.options.maxBytes) throw new Error(TOO_LARGE);
    const path = pathOf(this.options.directory, dayOf(nowMs), 'events');
    const fd = openSync(path, APPENDING, FILE_MODE);
    try {
      const { size } = fstatSync(fd);
      // After a loss of power the last line may lack its end.
      const gap = size > 0 && lastByte(fd, size) !== NEWLINE ? '\n' : '';
      writeAll(fd, Buffer.from(gap + events.map((event) => `${JSON.stringify(event)}\n`).join('')), size);
      if (this.options.sync) fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  // ---- recent rows ----

  /** Takes over what an earlier recorder left. */
  private open(today: string, nowMs: number): void {
    for (const { day } of listDays(this.options.directory)) if (day !== today) this.inherit(day, today, nowMs);
    this.inherit(today, today, nowMs);
    this.day = today;
  }

  /** Takes over the recent rows of a day: ours if it is today's, else they become a segment. */
  private inherit(day: string, today: string, nowMs: number): void {
    const { directory, run } = this.options;
    const path = pathOf(directory, day, 'recent');
    const found = readRecent(path);
    if (found === undefined) return;
    if (found.progress?.run === run) {
      const { written } = this;
      written.rows = Math.max(written.rows, found.progress.rows);
      written.connections = Math.max(written.connections, found.progress.connections);
    }
    const isSealed =
      found.id === '' || segmentsOf(pathOf(directory, day, 'sessions')).some(({ id }) => id === found.id);
    if (isSealed || found.rows.length === 0) return remove(path);
    if (day !== today) {
      this.write(day, found.rows, found.id);
      return remove(path);
    }
    this.id = found.id;
    this.recent = found.rows;
    this.recentSinceMs = nowMs;
    this.recentBytes = found.bytes;
    this.fd = openSync(path, APPENDING, FILE_MODE);
    ftruncateSync(this.fd, found.bytes);
  }

  private append(nowMs: number): void {
    if (this.recent.length >= MAX_RECENT) throw new Error('no segment can be written');
    if (this.fd < 0) this.begin(nowMs);
    const { pending, written } = this;
    const rows = written.rows + pending.length;
    const connections = written.connections + connectionsOf(pending);
    const text = pending.map(rowLine).join('') + progressLine({ run: this.options.run, rows, connections });
    const bytes = Buffer.from(text);
    writeAll(this.fd, bytes, this.recentBytes);
    this.recentBytes += bytes.length;
    for (const row of pending) this.recent.push(row);
    this.pending = [];
    Object.assign(written, { rows, connections } satisfies Omit<Progress, 'run'>);
    if (this.options.sync) fdatasyncSync(this.fd);
  }

  private begin(nowMs: number): void {
    const id = randomBytes(8).toString('hex');
    const fd = openSync(pathOf(this.options.directory, this.day, 'recent'), APPENDING | constants.O_TRUNC, FILE_MODE);
    try {
      const line = Buffer.from(beginningLine(id));
      writeAll(fd, line, 0);
      this.recentBytes = line.length;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.fd = fd;
    this.id = id;
    this.recentSinceMs = nowMs;
  }

  // ---- segments ----

  private isDue(nowMs: number): boolean {
    const { length } = this.recent;
    const isLong = length >= (this.options.segmentRows ?? SEGMENT_ROWS);
    return isLong || (length > 0 && nowMs - this.recentSinceMs >= SEGMENT_MS);
  }

  private turn(day: string): void {
    if (this.recent.length > 0) this.seal();
    this.day = day;
  }

  private seal(): void {
    this.write(this.day, this.recent, this.id);
    this.close();
    this.recent = [];
    remove(pathOf(this.options.directory, this.day, 'recent'));
  }

  private write(day: string, rows: readonly SessionRow[], id: string): void {
    const path = pathOf(this.options.directory, day, 'sessions');
    const end = segmentsOf(path).at(-1)?.end ?? 0;
    const fd = openSync(path, APPENDING, FILE_MODE);
    try {
      // What follows the last whole segment was cut short.
      ftruncateSync(fd, end);
      writeAll(fd, encodeSegment(rows, beginningOf(day), id), end);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  // ---- bounds ----

  /** Deletes days that are too old or too large together, except today. @throws Error when today alone is too large */
  private bound(nowMs: number): void {
    const { directory, keepDays, maxBytes } = this.options;
    const days = listDays(directory);
    const oldest = dayOf(nowMs - (keepDays - 1) * DAY_MS);
    let bytes = days.reduce((sum, one) => sum + one.bytes, 0);
    for (const one of days) {
      if (one.day === this.day || (one.day >= oldest && bytes <= maxBytes)) continue;
      deleteDay(directory, one.day);
      bytes -= one.bytes;
    }
    this.bytes = bytes;
    if (bytes > maxBytes) throw new Error(TOO_LARGE);
  }

  private drop(row: SessionRow): void {
    this.dropped.rows++;
    this.dropped.connections += row.connections;
  }
}

const TOO_LARGE = 'the history of today alone has reached history.maxMiB';
const NEWLINE = 0x0a;
const APPENDING = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** Headers of the whole segments of a file, in order. */
export function segmentsOf(path: string): (SegmentHeader & { at: number; end: number })[] {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const found: (SegmentHeader & { at: number; end: number })[] = [];
    for (let at = 0; ;) {
      const bytes = Buffer.alloc(HEADER_BYTES);
      const header = decodeHeader(bytes.subarray(0, readSync(fd, bytes, 0, HEADER_BYTES, at)));
      if (header === undefined) return found;
      const end = at + HEADER_BYTES + header.indexBytes + header.chunkBytes;
      if (end > size) return found;
      found.push({ ...header, at, end });
      at = end;
    }
  } finally {
    closeSync(fd);
  }
}

/** @throws SystemError, and the file has its old length */
function writeAll(fd: number, bytes: Buffer, at: number): void {
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  } catch (error) {
    ftruncateSync(fd, at);
    throw error;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function lastByte(fd: number, size: number): number {
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, size - 1);
  return byte[0];
}

function connectionsOf(rows: readonly SessionRow[]): number {
  return rows.reduce((sum, { connections }) => sum + connections, 0);
}
