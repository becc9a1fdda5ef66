/**
 * The memory of one address family: its servers, the three tables and the pin cache. A family that is not in the
 * topology takes no memory. Owners and events are shared by all families (state.ts).
 */
import { ADDRESS_WORDS, type Family } from '../../packet/address';
import { ActivatedCpes } from '../../tables/activated-cpes';
import { type ActivationLives } from '../../tables/activation-row';
import { type ConnectionLives, Seen } from '../../tables/connection-row';
import { ConnectionTable } from '../../tables/connection-table';
import { ConnectionRequests, type RemapRange } from '../../tables/connection-requests';
import { type FlowListener, FlowPort } from '../../tables/flow-port';
import { PinCache } from '../../tables/pin-cache';
import { type RecentSyns } from '../../tables/recent-syns';
import { type EventLog } from './events';
import { type Owners } from './owners';
import { Servers } from './servers';
import { type TableName } from '../table-list';
import { type Lives, type Topology } from '../topology';

/** Outside Linux's default ephemeral range (32768 to 60999). */
export const REMAP_RANGE: RemapRange = { first: 61000, last: 65535 };

export interface FamilyOptions {
  family: Family;
  topology: Topology;
  lives: Lives;
  capacityEntries: number;
  seed: number;
  isReader?: boolean | undefined;
}

interface LivesMs {
  requests: ConnectionLives;
  reports: ConnectionLives;
  activations: ActivationLives;
}

export class FamilyState {
  readonly family: Family;
  readonly servers: Servers;
  readonly connectionRequests: ConnectionRequests;
  readonly activatedCpes: ActivatedCpes;
  readonly reportConnections: ConnectionTable;
  readonly pins: PinCache;
  /** In a cluster only. */
  syns: RecentSyns | undefined = undefined;
  /** ms */
  readonly lives: LivesMs;
  /** Life of a report connection whose collector has sent nothing. */
  readonly reportUnansweredMs: number;

  static bytes(capacityEntries: number, family: Family): number {
    const words = ADDRESS_WORDS[family];
    return (
      ConnectionRequests.bytes(capacityEntries, words) +
      ActivatedCpes.bytes(capacityEntries, words) +
      ConnectionTable.bytes(capacityEntries, words) +
      PinCache.bytes(words)
    );
  }

  /** @param buffer memory of `FamilyState.bytes` from `at` (8-aligned), zeroed or from an earlier run */
  constructor(
    options: FamilyOptions,
    buffer: ArrayBuffer,
    at: number,
    readonly owners: Owners,
    readonly events: EventLog,
  ) {
    const { family, capacityEntries, seed, isReader } = options;
    const addressWords = ADDRESS_WORDS[family];
    const lives = (this.lives = millisecondsOf(options.lives));
    const memory = (name: TableName, tableAt: number) => {
      const port = isReader ? undefined : new FlowPort({ name, family });
      return { buffer, at: tableAt, capacityEntries, addressWords, seed, isReader, port };
    };
    const activatedAt = at + ConnectionRequests.bytes(capacityEntries, addressWords);
    const reportsAt = activatedAt + ActivatedCpes.bytes(capacityEntries, addressWords);
    const pinsAt = reportsAt + ConnectionTable.bytes(capacityEntries, addressWords);
    this.family = family;
    this.reportUnansweredMs = lives.reports.unansweredMs;
    this.servers = new Servers(options.topology, owners, family);
    this.connectionRequests = new ConnectionRequests(memory('connectionRequests', at), lives.requests, REMAP_RANGE);
    this.activatedCpes = new ActivatedCpes(memory('activatedCpes', activatedAt), lives.activations);
    this.reportConnections = new ConnectionTable(memory('reportConnections', reportsAt), lives.reports);
    // The cache has no header; its lines can only be found with the seed stored in a table's header.
    this.pins = new PinCache(buffer, pinsAt, addressWords, this.reportConnections.table.hashSeed);
  }

  listen(listener: FlowListener | undefined): void {
    this.connectionRequests.listen(listener);
    this.activatedCpes.listen(listener);
    this.reportConnections.listen(listener);
  }

  /** Whether the CPE has confirmed this report connection, nobody knows any more: its owner keeps it. */
  confirmUnseen(slot: number): void {
    const { reportConnections: reports, activatedCpes } = this;
    const activation = activatedCpes.find(reports.cpe(slot));
    if (activation >= 0 && activatedCpes.owner(activation) === reports.owner(slot)) {
      activatedCpes.consume(activation, reports.cpePort(slot), reports.visiblePort(slot));
    }
    reports.touch(slot);
    reports.mark(slot, Seen.Answer);
  }

  advance(nowMs: number): void {
    this.connectionRequests.advance(nowMs);
    this.activatedCpes.table.advance(nowMs);
    this.reportConnections.table.advance(nowMs);
    this.pins.advance(nowMs);
    if (this.syns !== undefined) this.syns.advance(nowMs);
  }

  sweep(slots: number): void {
    this.connectionRequests.sweep(slots);
    this.activatedCpes.table.sweep(slots);
    this.reportConnections.table.sweep(slots);
  }
}

/** Converts the configured lives from seconds to the tables' milliseconds. */
function millisecondsOf(lives: Lives): LivesMs {
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
    activations: {
      armedMs: lives.armed * 1000,
      graceMs: lives.grace * 1000,
      unfinishedMs: lives.unfinished * 1000,
      retryMs: lives.retry * 1000,
      activationMs: lives.activation * 1000,
      askedMs: lives.requestUnanswered * 1000,
    },
  };
}
