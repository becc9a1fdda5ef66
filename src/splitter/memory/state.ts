/** All memory of a splitter, laid out in one buffer: owners, counters, events, then each family's tables. */
import { type Address, type Family, familyOf } from '../../packet/address';
import { SIDES } from '../../packet/batch';
import { type ServerWatch } from '../health/server-watch';
import { EventLog } from './events';
import { FamilyState } from './family-state';
import { Owners } from './owners';
import { REASONS } from '../reasons';
import { type TableName } from '../table-list';
import { type ActivationMode, DEFAULT_LIVES, families, type Lives, type Topology } from '../topology';

export interface SplitterOptions {
  topology: Topology;
  activation: ActivationMode;
  /** In seconds; those left out are as in DEFAULT_LIVES. */
  lives?: Partial<Lives>;
  /** Entries of each table, per family. */
  capacityEntries: number;
  /** int32 seed of the hashes: random in live use, fixed for repeatable runs. */
  seed: number;
  /** Memory of `Splitter.bufferBytes` bytes, zeroed or from an earlier run; allocated if absent. */
  buffer?: ArrayBuffer;
  /**
   * A read-only view while another process decides over the same `buffer`. `state` and `counters` may be read; do not
   * call `decide` or `sweep`.
   */
  isReader?: boolean;
  /** Judges the servers; a collector that is down then gets no sessions. Absent: nobody does. */
  health?: ServerWatch;
}

export interface Counters {
  /** Packets by Reason. */
  byReason: Float64Array;
  /** Packets by Side. */
  byQueue: Float64Array;
}

/** A table as status shows it, with all families' entries added up. */
export interface TableCounts {
  count: number;
  capacityEntries: number;
  /** How often a new entry was refused because the table was full. */
  full: number;
}

export class SplitterState {
  readonly owners: Owners;
  readonly counters: Counters;
  readonly events: EventLog;
  /** The families in the topology; at least one. */
  readonly ipv4: FamilyState | undefined;
  readonly ipv6: FamilyState | undefined;
  readonly families: readonly FamilyState[];

  static bytes(capacityEntries: number, carried: readonly Family[]): number {
    const common = Owners.BYTES + (REASONS.length + SIDES.length) * 8 + EventLog.BYTES;
    return carried.reduce((bytes, family) => bytes + FamilyState.bytes(capacityEntries, family), common);
  }

  constructor(options: SplitterOptions) {
    const { topology, capacityEntries } = options;
    const carried = families(topology);
    if (carried.length === 0) throw new RangeError('the ACS address has neither an IPv4 nor an IPv6 address');
    const bytes = SplitterState.bytes(capacityEntries, carried);
    const buffer = options.buffer ?? new ArrayBuffer(bytes);
    if (buffer.byteLength < bytes) throw new RangeError(`table memory of ${buffer.byteLength} bytes, ${bytes} needed`);
    let at = 0;
    const take = (size: number) => {
      const from = at;
      at += size;
      return from;
    };
    this.owners = new Owners(buffer, take(Owners.BYTES));
    this.counters = {
      byReason: new Float64Array(buffer, take(REASONS.length * 8), REASONS.length),
      byQueue: new Float64Array(buffer, take(SIDES.length * 8), SIDES.length),
    };
    this.events = new EventLog(buffer, take(EventLog.BYTES));
    const lives = { ...DEFAULT_LIVES, ...options.lives };
    this.families = carried.map((family) => {
      const familyAt = take(FamilyState.bytes(capacityEntries, family));
      return new FamilyState({ ...options, family, lives }, buffer, familyAt, this.owners, this.events);
    });
    this.ipv4 = this.families.find(({ family }) => family === 'ipv4');
    this.ipv6 = this.families.find(({ family }) => family === 'ipv6');
  }

  /** The state of an address's family; `undefined` when the topology does not have it. */
  familyOf(address: Address): FamilyState | undefined {
    return this[familyOf(address)];
  }

  /** The three tables by their public names. */
  get tables(): Record<TableName, TableCounts> {
    return {
      connectionRequests: added(this.families.map(({ connectionRequests }) => connectionRequests.table)),
      activatedCpes: added(this.families.map(({ activatedCpes }) => activatedCpes.table)),
      reportConnections: added(this.families.map(({ reportConnections }) => reportConnections.table)),
    };
  }

  advance(nowMs: number): void {
    this.events.advance(nowMs);
    for (let i = 0; i < this.families.length; i++) this.families[i].advance(nowMs);
  }

  sweep(slots: number): void {
    for (let i = 0; i < this.families.length; i++) this.families[i].sweep(slots);
  }
}

function added(tables: readonly TableCounts[]): TableCounts {
  const sum = { count: 0, capacityEntries: 0, full: 0 };
  for (const { count, capacityEntries, full } of tables) {
    sum.count += count;
    sum.capacityEntries += capacityEntries;
    sum.full += full;
  }
  return sum;
}
