/**
 * The two ways between the worker and the cluster process, in shared memory that outlives both: changes of the tables on
 * their way out, rows of other routers on their way in. Both are bounded, and the worker never waits: a change that finds
 * no room is lost, counted, and makes the cluster process ask for everything again.
 *
 *     header    4096 bytes: positions and counts
 *     names     of the servers, by owner id
 *     changes   CHANGES rows of ROW_WORDS words
 *     rows      ROWS rows of ROW_WORDS words
 */
import { MAX_NAME_BYTES, MAX_OWNERS } from '../../splitter/memory/owners';

const CHANGES = 1 << 15;
const ROWS = 1 << 13;
const ROW_WORDS = 32;
const NAMES_AT = 4096;
const NAME_BYTES = MAX_NAME_BYTES + 1;
const CHANGES_AT = NAMES_AT + MAX_OWNERS * NAME_BYTES;
const ROWS_AT = CHANGES_AT + CHANGES * ROW_WORDS * 4;

/** Positions; those of different writers on cache lines of their own. */
const enum At {
  ChangesPut = 0,
  ChangesTaken = 16,
  RowsPut = 32,
  RowsTaken = 48,
  /** Which tour through the tables is asked for, and which is done. */
  TourAsked = 64,
  TourDone = 80,
}
const COUNTS_AT = 512;

/** Counted by the worker. */
export const enum Tally {
  /** Changes that found no room. */
  Lost,
  /** Rows taken over into the tables. */
  Applied,
  /** Rows that the tables do not take: a CPE, port, family or collector that is not configured, or no room. */
  Refused,
  /** Rows that were older than a change of our own. */
  Crossed,
}
const TALLIES = 4;

/** Words of a row in either ring. */
export const enum Cell {
  /** Table, number of address words, What. */
  Kind,
  /** Change: rows taken over so far. Row: changes read so far. */
  Seen,
  /** CPE's port and visible port. */
  Ports,
  Step,
  /** Of a connection: bits of Seen. Of an activation: Phase and Grace (from bit 8). */
  State,
  Owner,
  /** Connection: ISN. Activation: ports of the last report connection. */
  Isn,
  /** Own port and tag of a Connection Request. */
  OwnPort,
  /** Window scales, and Head from bit 8. */
  Marks,
  /** 1: a new connection, request or arming. */
  Begins,
  Cpe = 12,
}
/** Wall clock ms of a row, in Float64 behind its words. */
export const enum Time {
  Deadline = 8,
  Phase,
  Armed,
  Asked,
  Session,
}

/** What a row of a ring says. */
export const enum What {
  Changed,
  /** Nothing changed: told because somebody asked, or time has passed. */
  Standing,
  /** The entry is gone. */
  Gone,
  /** All entries of the table and family are gone. */
  Cleared,
  /** To the worker: tell this entry again. */
  Tell,
}
const WORDS_SHIFT = 8;
const WHAT_SHIFT = 16;

/** Positions in HASH order. */
export const enum Table {
  Requests,
  Activated,
  Reports,
}

export function kindWord(table: Table, words: number, what: What): number {
  return table | (words << WORDS_SHIFT) | (what << WHAT_SHIFT);
}

export function tableOfKind(kind: number): Table {
  return kind & 0xff;
}

export function wordsOf(kind: number): number {
  return (kind >>> WORDS_SHIFT) & 0xff;
}

export function whatOf(kind: number): What {
  return kind >>> WHAT_SHIFT;
}

/** One ring: a writer, a reader, rows of numbers. */
export class Ring {
  /** Where the row that is being written or read begins, in words, and in Float64. */
  at = 0;
  timesAt = 0;
  private put: number;

  constructor(
    readonly words: Int32Array,
    readonly times: Float64Array,
    private readonly positions: Int32Array,
    private readonly putAt: number,
    private readonly takenAt: number,
    private readonly slots: number,
  ) {
    this.put = Atomics.load(positions, putAt);
  }

  // ---- the writer ----

  /** Points to the next free row; false when there is none. The row counts once `keep` and `publish` are called. */
  next(): boolean {
    if ((this.put - Atomics.load(this.positions, this.takenAt)) >>> 0 >= this.slots) return false;
    this.pointTo(this.put);
    return true;
  }

  /** The row is complete. @returns its number, from 1; wraps, and is never 0 */
  keep(): number {
    this.put = (this.put + 1) | 0;
    return this.put === 0 ? 1 : this.put;
  }

  /** Shows all kept rows to the reader. */
  publish(): void {
    if (this.put !== this.positions[this.putAt]) Atomics.store(this.positions, this.putAt, this.put);
  }

  /** Nothing has ever been written. */
  get isNew(): boolean {
    return this.put === 0 && this.taken === 0;
  }

  // ---- the reader ----

  get waiting(): number {
    return (Atomics.load(this.positions, this.putAt) - this.positions[this.takenAt]) >>> 0;
  }

  /** Rows read so far; wraps. */
  get taken(): number {
    return Atomics.load(this.positions, this.takenAt);
  }

  /** Points to the first unread row; false when there is none. */
  first(): boolean {
    const { waiting } = this;
    if (waiting === 0) return false;
    // A position that cannot be: what is there is not legible.
    if (waiting > this.slots) {
      Atomics.store(this.positions, this.takenAt, Atomics.load(this.positions, this.putAt));
      return false;
    }
    this.pointTo(this.positions[this.takenAt]);
    return true;
  }

  release(): void {
    Atomics.store(this.positions, this.takenAt, (this.positions[this.takenAt] + 1) | 0);
  }

  private pointTo(position: number): void {
    const slot = position & (this.slots - 1);
    this.at = slot * ROW_WORDS;
    this.timesAt = this.at >> 1;
  }
}

export class ClusterRings {
  static readonly BYTES = ROWS_AT + ROWS * ROW_WORDS * 4;
  readonly tallies: Float64Array;
  /** From the worker. */
  readonly changes: Ring;
  /** To the worker. */
  readonly rows: Ring;
  private readonly positions: Int32Array;
  private readonly names: Uint8Array;

  /** @param buffer zeroed, or in use by other processes */
  constructor(buffer: ArrayBuffer) {
    const positions = (this.positions = new Int32Array(buffer, 0, 128));
    this.tallies = new Float64Array(buffer, COUNTS_AT, TALLIES);
    this.names = new Uint8Array(buffer, NAMES_AT, MAX_OWNERS * NAME_BYTES);
    const ring = (from: number, slots: number, put: At, taken: At) =>
      new Ring(
        new Int32Array(buffer, from, slots * ROW_WORDS),
        new Float64Array(buffer, from, (slots * ROW_WORDS) / 2),
        ...([positions, put, taken, slots] as const),
      );
    this.changes = ring(CHANGES_AT, CHANGES, At.ChangesPut, At.ChangesTaken);
    this.rows = ring(ROWS_AT, ROWS, At.RowsPut, At.RowsTaken);
  }

  setName(owner: number, name: string): void {
    const at = owner * NAME_BYTES;
    this.names.fill(0, at, at + NAME_BYTES);
    new TextEncoder().encodeInto(name, this.names.subarray(at, at + MAX_NAME_BYTES));
  }

  /** All names by owner id; '' where there is none. */
  readNames(): string[] {
    return Array.from({ length: MAX_OWNERS }, (_, owner) => {
      const bytes = this.names.subarray(owner * NAME_BYTES, (owner + 1) * NAME_BYTES);
      return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
    });
  }

  /** The worker tells all entries again, bit by bit. @returns which tour that is */
  askTour(): number {
    return Atomics.add(this.positions, At.TourAsked, 1) + 1;
  }

  get tourAsked(): number {
    return Atomics.load(this.positions, At.TourAsked);
  }

  get tourDone(): number {
    return Atomics.load(this.positions, At.TourDone);
  }

  set tourDone(tour: number) {
    Atomics.store(this.positions, At.TourDone, tour);
  }
}
