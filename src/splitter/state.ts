/** All memory of a splitter, laid out in one buffer: owners, counters, events, the three tables and the pin cache. */
import { ActivatedCpes } from '../tables/activated-cpes';
import { ConnectionTable } from '../tables/connection-table';
import { ConnectionRequests, type RemapRange } from '../tables/connection-requests';
import { PIN_CACHE_BYTES, PinCache } from '../tables/pin-cache';
import { EventLog } from './events';
import { Owners } from './owners';
import { REASONS } from './reasons';
import { Servers } from './servers';
import { type ActivationMode, DEFAULT_LIVES, type Lives, type Topology } from './topology';

/** Outside Linux' default ephemeral range (32768 to 60999). */
export const REMAP_RANGE: RemapRange = { first: 61000, last: 65535 };

export interface SplitterOptions {
  topology: Topology;
  activation: ActivationMode;
  /** Seconds; what is left out is as in DEFAULT_LIVES. */
  lives?: Partial<Lives>;
  /** Entries of each table. */
  capacityEntries: number;
  /** int32 seed of the hashes: random live, fixed where runs must repeat. */
  seed: number;
  /** Memory of `Splitter.bufferBytes(capacityEntries)` bytes, zeroed or of an earlier run; plain memory if absent. */
  buffer?: ArrayBuffer;
  /**
   * A view for one who looks on while another process decides over the same `buffer`: nothing is written. `state` and
   * `counters` show, `decide` and `sweep` are not to be called.
   */
  isReader?: boolean;
}

export interface Counters {
  /** Packets by Reason. */
  byReason: Float64Array;
  /** Packets by queue: CPE, ITMS, collector, ICMP errors of this host. */
  byQueue: Float64Array;
}

const QUEUES = 4;
const REPORT_EXTRA_WORDS = 0;

export class SplitterState {
  readonly owners: Owners;
  readonly servers: Servers;
  readonly counters: Counters;
  readonly events: EventLog;
  readonly requests: ConnectionRequests;
  readonly activated: ActivatedCpes;
  readonly reports: ConnectionTable;
  readonly pins: PinCache;

  static bytes(capacityEntries: number): number {
    return (
      Owners.BYTES +
      (REASONS.length + QUEUES) * 8 +
      EventLog.BYTES +
      ConnectionRequests.bytes(capacityEntries) +
      ActivatedCpes.bytes(capacityEntries) +
      ConnectionTable.bytes(capacityEntries, REPORT_EXTRA_WORDS) +
      PIN_CACHE_BYTES
    );
  }

  constructor(options: SplitterOptions) {
    const { capacityEntries, seed, isReader } = options;
    const bytes = SplitterState.bytes(capacityEntries);
    const buffer = options.buffer ?? new ArrayBuffer(bytes);
    if (buffer.byteLength < bytes) throw new RangeError(`table memory of ${buffer.byteLength} bytes, ${bytes} needed`);
    let at = 0;
    const take = (size: number) => {
      const from = at;
      at += size;
      return from;
    };
    const lives = millisecondsOf({ ...DEFAULT_LIVES, ...options.lives });
    this.owners = new Owners(buffer, take(Owners.BYTES));
    this.servers = new Servers(options.topology, this.owners);
    this.counters = {
      byReason: new Float64Array(buffer, take(REASONS.length * 8), REASONS.length),
      byQueue: new Float64Array(buffer, take(QUEUES * 8), QUEUES),
    };
    this.events = new EventLog(buffer, take(EventLog.BYTES));
    const requestsAt = take(ConnectionRequests.bytes(capacityEntries));
    this.requests = new ConnectionRequests(
      ...([buffer, requestsAt, capacityEntries, seed, lives.requests, REMAP_RANGE, isReader] as const),
    );
    const activatedAt = take(ActivatedCpes.bytes(capacityEntries));
    this.activated = new ActivatedCpes(buffer, activatedAt, capacityEntries, seed, lives.activations, isReader);
    const reportsAt = take(ConnectionTable.bytes(capacityEntries, REPORT_EXTRA_WORDS));
    this.reports = new ConnectionTable(
      ...([buffer, reportsAt, capacityEntries, REPORT_EXTRA_WORDS, seed, lives.reports, isReader] as const),
    );
    // The cache has no header: its lines are found again only by the seed that stands in a table's.
    this.pins = new PinCache(buffer, take(PIN_CACHE_BYTES), this.reports.table.hashSeed);
  }

  advance(nowMs: number): void {
    this.events.advance(nowMs);
    this.requests.advance(nowMs);
    this.activated.table.advance(nowMs);
    this.reports.table.advance(nowMs);
    this.pins.advance(nowMs);
  }

  sweep(slots: number): void {
    this.requests.sweep(slots);
    this.activated.table.sweep(slots);
    this.reports.table.sweep(slots);
  }
}

/** The lives in seconds that users configure, as the tables want them. */
function millisecondsOf(lives: Lives) {
  const common = {
    establishedMs: lives.established * 1000,
    finOneMs: lives.finOne * 1000,
    finBothMs: lives.finBoth * 1000,
    resetMs: lives.reset * 1000,
  };
  const reports = { ...common, unansweredMs: lives.reportUnanswered * 1000 };
  return {
    requests: { ...common, unansweredMs: lives.requestUnanswered * 1000 },
    reports,
    activations: { ...reports, armedMs: lives.armed * 1000, graceMs: lives.grace * 1000 },
  };
}
