/**
 * The figures of every server address in memory that the caller provides: one writer decides packets, readers in other
 * processes look at any time. A row is one server in one family: its serving address there.
 */
import { type Address, ADDRESS_WORDS, type Family } from '../../packet/address';
import { MAX_OWNERS } from '../memory/owners';

export const enum ServerState {
  Up,
  Degraded,
  Down,
}

/** In the order of ServerState. */
export const SERVER_STATES = ['up', 'degraded', 'down'] as const;
export type ServerStateName = (typeof SERVER_STATES)[number];

/** Why a server is not up. */
export const enum Trouble {
  None,
  Refused,
  Unanswered,
  /** Several CPEs failed or had to wait, while others were answered. */
  Partly,
  /** Some CPEs failed, and none was answered since. */
  Cut,
}

/** Columns of a row, float64. */
export const enum Col {
  State,
  /** When the state began, in the splitter's time; 0 before the first look. */
  Since,
  Trouble,
  /** How many CPEs or connections the trouble was judged by, and of how many. */
  Troubled,
  Attempts,
  /** SYNs of CPEs that went there, without retransmissions. */
  Opened,
  Answered,
  Refused,
  Unanswered,
  /** Answered, but only after SLOW_MS. */
  Slow,
  /** RSTs of the server on connections that it had accepted. */
  Resets,
  /** Sum of the times to answer, and their moving average. */
  AnswerSumMs,
  AnswerMs,
  // Of collectors.
  Armed,
  Finished,
  Unfinished,
  LoginsRefused,
  /** The address as int32 words. */
  Address,
}

const COLUMNS = 24;
/** Of the ring of changes. */
const CHANGES = 256;
/** The row, and the columns up to Attempts. */
const CHANGE_WORDS = 1 + Col.Attempts + 1;

/** What a server's state became. */
export interface StateChange {
  row: number;
  state: ServerState;
  trouble: Trouble;
  troubled: number;
  attempts: number;
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
export const ROWS = MAX_OWNERS * FAMILIES.length;

/** Row of a server in the family of an address with so many words. */
export function rowOf(owner: number, addressWords: number): number {
  return owner * 2 + (addressWords === ADDRESS_WORDS.ipv4 ? 0 : 1);
}

export class ServerRows {
  static readonly BYTES = (ROWS * COLUMNS + 1 + CHANGES * CHANGE_WORDS) * 8;
  /** The writer computes in place: a fraction that is handed on is an object on the heap. */
  readonly values: Float64Array;
  /** How many changes were written; then the latest, in a ring. */
  private readonly changes: Float64Array;

  /** @param buffer zeroed, or in use @param at a multiple of 8 */
  constructor(buffer: ArrayBuffer, at = 0) {
    this.values = new Float64Array(buffer, at, ROWS * COLUMNS);
    this.changes = new Float64Array(buffer, at + ROWS * COLUMNS * 8, 1 + CHANGES * CHANGE_WORDS);
  }

  get(row: number, column: Col): number {
    return this.values[placeOf(row, column)];
  }

  /** One more. */
  count(row: number, column: Col): void {
    this.values[placeOf(row, column)]++;
  }

  /** Notes that the row's state has changed. */
  changed(row: number): void {
    const { changes, values } = this;
    const at = 1 + (changes[0] % CHANGES) * CHANGE_WORDS;
    changes[at] = row;
    for (let column: Col = 0; column < CHANGE_WORDS - 1; column++) {
      changes[at + 1 + column] = values[placeOf(row, column)];
    }
    changes[0]++;
  }

  /** Visits the changes from number `since` on that are still in the ring; the number to continue from. */
  readChanges(since: number, visit: (change: StateChange) => void): number {
    const { changes } = this;
    const [written] = changes;
    for (let n = Math.max(since, written - CHANGES); n < written; n++) {
      const at = 1 + (n % CHANGES) * CHANGE_WORDS;
      const [row, state, , trouble, troubled, attempts] = changes.subarray(at, at + CHANGE_WORDS);
      visit({ row, state, trouble, troubled, attempts });
    }
    return written;
  }

  /** Gives a row its address. A new address is another server: its state and counts begin again. */
  claim(row: number, address: Address): void {
    const at = placeOf(row, Col.Address);
    if (address.every((word, i) => this.values[at + i] === word)) return;
    this.values.fill(0, placeOf(row, 0), placeOf(row + 1, 0));
    for (let i = 0; i < address.length; i++) this.values[at + i] = address[i];
  }
}

/** Index of a row's column in `values`. */
export function placeOf(row: number, column: Col | 0): number {
  return row * COLUMNS + column;
}
