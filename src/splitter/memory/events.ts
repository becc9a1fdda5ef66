/**
 * Events of activations and connections, besides the packets' reasons: counted, and the latest kept in a ring that a
 * reader may follow at its own pace. Memory is provided by the caller; the packet path only writes.
 */
import { type Address } from '../../packet/address';

export const enum Event {
  ArmedByResponse,
  ArmedByFin,
  /** A second collector succeeded while the first one's activation was still unused. */
  Contended,
  /** The ITMS's own request succeeded: the CPE's session is the ITMS's. */
  EndedByItms,
  /** The activation table was full. */
  ActivationTableFull,
  /** An answer's status line continues in another segment. */
  AnswerSplit,
  /** An answer that was already judged came again. */
  AnswerRepeated,
  Diverted,
  DivertedInGrace,
  /** Mode `off`: this session would have been diverted. */
  WouldDivert,
  /** A report connection was closed by both ends, reset, or refused. */
  Closed,
  Remapped,
  ArmedByHand,
  EndedByHand,
  /** The CPE opened its session with the ITMS before its 2xx passed: the woken session is the ITMS's. */
  SessionFirst,
  /** The collector is down: the session of the CPE that it woke is the ITMS's. */
  CollectorDown,
}

const NAMES = {
  [Event.ArmedByResponse]: 'armed-by-response',
  [Event.ArmedByFin]: 'armed-by-fin',
  [Event.Contended]: 'contended',
  [Event.EndedByItms]: 'ended-by-itms',
  [Event.ActivationTableFull]: 'activation-table-full',
  [Event.AnswerSplit]: 'answer-split',
  [Event.AnswerRepeated]: 'answer-repeated',
  [Event.Diverted]: 'diverted',
  [Event.DivertedInGrace]: 'diverted-in-grace',
  [Event.WouldDivert]: 'would-divert',
  [Event.Closed]: 'closed',
  [Event.Remapped]: 'remapped',
  [Event.ArmedByHand]: 'armed-by-hand',
  [Event.EndedByHand]: 'ended-by-hand',
  [Event.SessionFirst]: 'session-first',
  [Event.CollectorDown]: 'collector-down',
} as const satisfies Record<Event, string>;

export type EventName = (typeof NAMES)[Event];

/** Names by number. */
export const EVENTS: readonly string[] = Object.values(NAMES);

const RING_ROWS = 4096;
/** Event, and the words for address, ports, owner, address. */
const ROW_WORDS = 7;
const ADDRESS_AT = 3;
const EVENT_MASK = 0xff;
const ADDRESS_WORDS_SHIFT = 8;
const MAX_ADDRESS_WORDS = 4;
const WRITTEN = 0;

/** A row of the ring, for printing. */
export interface EventRow {
  event: Event;
  timeMs: number;
  cpe: Address;
  cpePort: number;
  port: number;
  /** Owner id of the server involved. */
  owner: number;
}

export class EventLog {
  readonly counts: Float64Array;
  private readonly head: Float64Array;
  private readonly rows: Int32Array;
  private readonly times: Float64Array;
  private nowMs = 0;

  static readonly BYTES = (EVENTS.length + 1 + RING_ROWS) * 8 + RING_ROWS * ROW_WORDS * 4;

  constructor(buffer: ArrayBuffer, at: number) {
    this.counts = new Float64Array(buffer, at, EVENTS.length);
    this.head = new Float64Array(buffer, at + EVENTS.length * 8, 1);
    this.times = new Float64Array(buffer, at + (EVENTS.length + 1) * 8, RING_ROWS);
    this.rows = new Int32Array(buffer, at + (EVENTS.length + 1 + RING_ROWS) * 8, RING_ROWS * ROW_WORDS);
  }

  advance(nowMs: number): void {
    this.nowMs = nowMs;
  }

  add(event: Event, cpe: Address, cpePort: number, port: number, owner: number): void {
    this.counts[event]++;
    const written = this.written;
    const row = (written % RING_ROWS) * ROW_WORDS;
    this.times[written % RING_ROWS] = this.nowMs;
    this.rows[row] = event | (cpe.length << ADDRESS_WORDS_SHIFT);
    this.rows[row + 1] = (cpePort << 16) | port;
    this.rows[row + 2] = owner;
    for (let word = 0; word < cpe.length; word++) this.rows[row + ADDRESS_AT + word] = cpe[word];
    this.head[WRITTEN] = written + 1;
  }

  /** Events written since the ring was created. */
  get written(): number {
    const written = this.head[WRITTEN];
    // A damaged count could make a reader loop for ever.
    return written >= 0 && written <= Number.MAX_SAFE_INTEGER && written % 1 === 0 ? written : 0;
  }

  /**
   * Calls `visit` for each event from number `since` on that is still in the ring; returns the number to continue from.
   */
  readSince(since: number, visit: (row: EventRow) => void): number {
    const written = this.written;
    for (let n = Math.max(since, written - RING_ROWS); n < written; n++) {
      const row = (n % RING_ROWS) * ROW_WORDS;
      visit({
        event: this.rows[row] & EVENT_MASK,
        timeMs: this.times[n % RING_ROWS],
        cpe: this.cpe(row),
        cpePort: this.rows[row + 1] >>> 16,
        port: this.rows[row + 1] & 0xffff,
        owner: this.rows[row + 2],
      });
    }
    return written;
  }
  /** The length is always one of the two, even in a damaged row. */
  private cpe(row: number): Address {
    const isIpv6 = this.rows[row] >>> ADDRESS_WORDS_SHIFT === MAX_ADDRESS_WORDS;
    const addressAt = row + ADDRESS_AT;
    return this.rows.slice(addressAt, addressAt + (isIpv6 ? MAX_ADDRESS_WORDS : 1));
  }
}
