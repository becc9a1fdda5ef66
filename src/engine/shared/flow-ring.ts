/**
 * Changes of table entries on their way from the worker to the recorder: a bounded ring in shared memory. The worker
 * never waits: a change that finds the ring full is lost, and counted. The ring outlives both processes. One writer, one
 * reader; the supervisor reads the counts.
 *
 *     header    4096 bytes: positions, what the worker counts, what the recorder counts
 *     names     of the servers, by owner id
 *     rows      SLOTS rows of ROW_WORDS words
 */
import { type Head } from '../../splitter/decide/http-head';
import { MAX_NAME_BYTES, MAX_OWNERS } from '../../splitter/memory/owners';
import { type Cause, type Change, type TableName } from '../../tables/flow-port';

/** A change as the recorder reads it. */
export interface FlowChange {
  /** Wall clock, ms since 1970. */
  timeMs: number;
  table: TableName;
  change: Change;
  cause: Cause;
  /** One word for IPv4, four for IPv6. */
  cpe: Int32Array;
  /** 0 in activations. */
  cpePort: number;
  port: number;
  /** The collector's name. */
  owner: string;
  /** Seen bits of a connection. */
  seen: number;
  head: Head;
}

/** A table was emptied. */
export interface FlowCleared {
  timeMs: number;
  table: TableName;
  /** Words of an address of the table's family. */
  words: number;
}

/** Changes that one second of a busy engine may bring. A power of two, since positions wrap at 2^32. */
export const SLOTS = 1 << 16;
/** Position of the writer, and that of the reader on a cache line of its own. */
const WRITTEN = 0;
const TAKEN = 16;
const COUNTS_AT = 128;
const NAMES_AT = 4096;
const NAME_BYTES = MAX_NAME_BYTES + 1;
const ROWS_AT = NAMES_AT + MAX_OWNERS * NAME_BYTES;
/** Kind, SYNs so far, time (two words), owner and marks, ports, address (four words). */
const ROW_WORDS = 10;
const OPENED_AT = 1;
const TIME_AT = 2;
const MARKS_AT = 4;
const PORTS_AT = 5;
const CPE_AT = 6;
const CAUSE_SHIFT = 8;
const TABLE_SHIFT = 16;
const WORDS_SHIFT = 20;
const HEAD_SHIFT = 8;
const OWNER_SHIFT = 16;
/** Instead of a change. */
const CLEARED = 0xff;
/** The bits of Seen that matter here. */
const SEEN_MASK = 0x3f;

const TABLE_NAMES: readonly TableName[] = ['connectionRequests', 'activatedCpes', 'reportConnections'];

/** Counted by the worker, then by the recorder. */
export const enum Count {
  /** Changes that were told, and those that found the ring full. */
  Told,
  Lost,
  /** Of these, SYNs that were diverted. */
  Opened,
  OpenedLost,
  /** Sessions in the history, and the diverted SYNs that they count. */
  Rows,
  Connections,
  /** The same of rows that could not be stored. */
  DroppedRows,
  DroppedConnections,
  /** Diverted SYNs of open sessions that a recorder took with it when it was killed. */
  Forgotten,
  /** SYNs told twice. */
  Repeated,
  OpenSessions,
  PendingConnections,
  Events,
  /** 1 while the day's file cannot be written. */
  Failing,
  /** Bytes of all files. */
  Bytes,
}
const COUNTS = 15;

export class FlowRing {
  static readonly BYTES = ROWS_AT + SLOTS * ROW_WORDS * 4;
  readonly counts: Float64Array;
  private readonly positions: Int32Array;
  private readonly rows: Int32Array;
  private readonly times: Float64Array;
  private readonly names: Uint8Array;
  /** SYNs that the ring holds or has held, modulo 2^32. */
  private opened = 0;

  /** @param buffer zeroed, or in use by other processes */
  constructor(buffer: ArrayBuffer) {
    this.positions = new Int32Array(buffer, 0, TAKEN + 1);
    this.counts = new Float64Array(buffer, COUNTS_AT, COUNTS);
    this.names = new Uint8Array(buffer, NAMES_AT, MAX_OWNERS * NAME_BYTES);
    this.rows = new Int32Array(buffer, ROWS_AT, SLOTS * ROW_WORDS);
    this.times = new Float64Array(buffer, ROWS_AT, (SLOTS * ROW_WORDS) / 2);
    this.opened = this.openedBefore(this.written);
  }

  // ---- the worker ----

  /** Call it before any change of that owner. */
  setName(owner: number, name: string): void {
    const at = owner * NAME_BYTES;
    this.names.fill(0, at, at + NAME_BYTES);
    new TextEncoder().encodeInto(name, this.names.subarray(at, at + MAX_NAME_BYTES));
  }

  /**
   * @param table position in HASH order: 0 to 2
   * @param marks see `marksOf`
   * @param ports CPE's port and visible port
   * @param isOpened a SYN was diverted
   */
  put(
    timeMs: number,
    table: number,
    change: Change,
    cause: Cause,
    marks: number,
    ports: number,
    cpe: Int32Array,
    isOpened: boolean,
  ): void {
    this.putKind(timeMs, change | (cause << CAUSE_SHIFT) | (table << TABLE_SHIFT), marks, ports, cpe, isOpened);
  }

  /** All entries of a table are gone. @param nowhere an address of its family */
  putCleared(timeMs: number, table: number, nowhere: Int32Array): void {
    this.putKind(timeMs, CLEARED | (table << TABLE_SHIFT), 0, 0, nowhere, false);
  }

  private putKind(
    timeMs: number,
    kind: number,
    marks: number,
    ports: number,
    cpe: Int32Array,
    isOpened: boolean,
  ): void {
    const { positions, counts, rows } = this;
    counts[Count.Told]++;
    if (isOpened) counts[Count.Opened]++;
    const written = positions[WRITTEN];
    // One slot stays free: the row that the reader took last tells a later reader how many SYNs were taken.
    if ((written - Atomics.load(positions, TAKEN)) >>> 0 >= SLOTS - 1) {
      counts[Count.Lost]++;
      if (isOpened) counts[Count.OpenedLost]++;
      return;
    }
    if (isOpened) this.opened = (this.opened + 1) | 0;
    const slot = written & (SLOTS - 1);
    const row = slot * ROW_WORDS;
    rows[row] = kind | (cpe.length << WORDS_SHIFT);
    rows[row + OPENED_AT] = this.opened;
    this.times[(row + TIME_AT) >> 1] = timeMs;
    rows[row + MARKS_AT] = marks;
    rows[row + PORTS_AT] = ports;
    for (let word = 0; word < cpe.length; word++) rows[row + CPE_AT + word] = cpe[word];
    Atomics.store(positions, WRITTEN, (written + 1) | 0);
  }

  // ---- the recorder ----

  /** Visits what is there, at most `limit` rows, and returns how many. They stay in the ring until they are released. */
  take(visit: (change: FlowChange) => void, cleared: (table: FlowCleared) => void, limit = SLOTS): number {
    const { positions } = this;
    // A position that cannot be: what is there is not legible.
    if (this.waiting >= SLOTS) Atomics.store(positions, TAKEN, this.written);
    const taken = positions[TAKEN];
    const count = Math.min(this.waiting, limit);
    for (let i = 0; i < count; i++) this.visit((taken + i) | 0, visit, cleared);
    return count;
  }

  /** Makes room for the writer. @param count what `take` returned */
  release(count: number): void {
    Atomics.store(this.positions, TAKEN, (this.positions[TAKEN] + count) | 0);
  }

  /** Rows that the recorder has not released. */
  get waiting(): number {
    return (this.written - Atomics.load(this.positions, TAKEN)) >>> 0;
  }

  /** Diverted SYNs among the rows that were released, by all recorders, modulo 2^32. */
  get openedTaken(): number {
    return this.openedBefore(this.positions[TAKEN]);
  }

  private get written(): number {
    return Atomics.load(this.positions, WRITTEN);
  }

  private openedBefore(position: number): number {
    return this.rows[((position - 1) & (SLOTS - 1)) * ROW_WORDS + OPENED_AT];
  }

  private visit(position: number, visit: (change: FlowChange) => void, cleared: (table: FlowCleared) => void): void {
    const { rows } = this;
    const row = (position & (SLOTS - 1)) * ROW_WORDS;
    const kind = rows[row];
    const timeMs = this.times[(row + TIME_AT) >> 1];
    const table = TABLE_NAMES[(kind >>> TABLE_SHIFT) & 3];
    const words = (kind >>> WORDS_SHIFT) & 7;
    if ((kind & 0xff) === CLEARED) return cleared({ timeMs, table, words });
    const marks = rows[row + MARKS_AT];
    visit({
      timeMs,
      table,
      change: kind & 0xff,
      cause: (kind >>> CAUSE_SHIFT) & 0xff,
      cpe: rows.slice(row + CPE_AT, row + CPE_AT + words),
      cpePort: rows[row + PORTS_AT] >>> 16,
      port: rows[row + PORTS_AT] & 0xffff,
      owner: this.nameOf(marks >>> OWNER_SHIFT),
      seen: marks & SEEN_MASK,
      head: (marks >>> HEAD_SHIFT) & 0xff,
    });
  }

  private nameOf(owner: number): string {
    const at = owner * NAME_BYTES;
    const bytes = this.names.subarray(at, at + NAME_BYTES);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
  }
}

/** Owner, head and seen bits in one word. */
export function marksOf(owner: number, head: Head, seen: number): number {
  return (owner << OWNER_SHIFT) | (head << HEAD_SHIFT) | (seen & SEEN_MASK);
}
