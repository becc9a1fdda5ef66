/**
 * The splitter: decides each packet of a batch, rewrites it in place and maintains the three tables.
 *
 * Pure: it uses no clock, socket or log. Time is an argument, and memory comes from the caller. Live queue, replay,
 * simulation and benchmarks all use this one class. Cites CN104618491B as [P n] and our own additions as [D]
 * (docs/patent-map.md).
 */
import { type Address } from '../packet/address';
import { assert } from '../packet/assert';
import { Parsed, PacketView } from '../packet/view';
import { type PacketBatch, PacketFlag, Side } from '../packet/batch';
import { Cause, type FlowListener } from '../tables/flow-port';
import { Event } from './memory/events';
import { FamilyDecision } from './decide/family-decision';
import { type FamilyState } from './memory/family-state';
import { type WatchedServer } from './health/server-watch';
import { ITMS } from './memory/owners';
import { Reason, VERDICTS } from './reasons';
import { type Settings } from './settings';
import { type Counters, type SplitterOptions, SplitterState, type TableCounts } from './memory/state';
import { type TableName } from './table-list';
import { type ActivationMode, families, type Topology } from './topology';

export { type SplitterOptions };

/**
 * Slots of each table that one `sweep` checks. If all are expired, that takes some 50 µs in which no packet is decided.
 */
export const SWEEP_SLOTS = 512;

export class Splitter {
  readonly state: SplitterState;
  private readonly settings: Settings;
  private readonly view = new PacketView();
  private readonly ipv4: FamilyDecision | undefined;
  private readonly ipv6: FamilyDecision | undefined;
  private readonly collectors: ReadonlyMap<string, number>;
  private listener: FlowListener | undefined;

  /** Bytes of memory for `capacityEntries` entries in each table of each family that the topology has. */
  static bufferBytes(capacityEntries: number, topology: Topology): number {
    return SplitterState.bytes(capacityEntries, families(topology));
  }

  /** Throws RangeError on an impossible topology, and when the buffer is too small. */
  constructor(options: SplitterOptions) {
    this.state = new SplitterState(options);
    const { activation, health } = options;
    this.settings = { activation, isPaused: false, watch: health };
    health?.watch(watchedServers(this.state, options.topology));
    const { ipv4, ipv6, owners } = this.state;
    this.ipv4 = ipv4 && new FamilyDecision(this.view, ipv4, this.settings);
    this.ipv6 = ipv6 && new FamilyDecision(this.view, ipv6, this.settings);
    this.collectors = new Map(options.topology.collectors.map(({ name }) => [name, owners.idOf(name)]));
  }

  get counters(): Counters {
    return this.state.counters;
  }

  /** The three tables by their public names. */
  get tables(): Record<TableName, TableCounts> {
    return this.state.tables;
  }

  /** Ends all new diverting while true. */
  get paused(): boolean {
    return this.settings.isPaused;
  }

  set paused(paused: boolean) {
    this.settings.isPaused = paused;
  }

  get activation(): ActivationMode {
    return this.settings.activation;
  }

  set activation(mode: ActivationMode) {
    this.settings.activation = mode;
  }

  /**
   * Gives every packet of the batch a verdict and a reason, and rewrites packets in place.
   *
   * @param nowMs the engine's clock, capture time or virtual time; in ms, one value per batch
   */
  decide(batch: PacketBatch, nowMs: number): void {
    this.state.advance(nowMs);
    this.settings.watch?.advance(nowMs);
    const { byReason, byQueue } = this.state.counters;
    const count = batch.count;
    assert(count >= 0 && count <= batch.capacity, 'a batch holds no more packets than it has slots');
    for (let i = 0; i < count; i++) {
      const reason = this.decideOne(batch, i);
      batch.reason[i] = reason;
      batch.verdict[i] = VERDICTS[reason];
      byReason[reason]++;
      byQueue[batch.queue[i] & Side.Host]++;
    }
  }

  /**
   * Lets the tables learn from copies of packets that others have forwarded as this would have. No packet is counted;
   * verdicts and rewrites in the batch mean nothing.
   */
  overhear(batch: PacketBatch, nowMs: number): void {
    this.state.advance(nowMs);
    for (let i = 0; i < batch.count; i++) this.decideOne(batch, i);
  }

  /** Frees some expired entries in bounded time. Call it some forty times a second. */
  sweep(nowMs: number): void {
    this.state.advance(nowMs);
    this.state.sweep(SWEEP_SLOTS);
    this.settings.watch?.advance(nowMs);
    this.settings.watch?.sweep();
  }

  /** True for an address in one of the CPEs' networks. */
  isCpe(address: Address): boolean {
    return this.state.familyOf(address)?.servers.isCpe(address) ?? false;
  }

  /**
   * For the operator: arms `collector` for a CPE. False when the table is full. Throws RangeError for an unknown
   * collector.
   */
  activate(cpe: Address, collector: string, nowMs: number): boolean {
    const owner = this.collectors.get(collector);
    if (owner === undefined) throw new RangeError(`no collector is named '${collector}'`);
    const { activatedCpes } = this.familyState(cpe);
    this.state.advance(nowMs);
    const armed = activatedCpes.arm(cpe, owner, Cause.Hand) >= 0;
    this.state.events.add(armed ? Event.ArmedByHand : Event.ActivationTableFull, cpe, 0, 0, owner);
    return armed;
  }

  /** For the operator: the CPE's next session goes to the ITMS; an open one stays. False when nothing changed. */
  deactivate(cpe: Address, nowMs: number): boolean {
    const activatedCpes = this.state.familyOf(cpe)?.activatedCpes;
    if (!activatedCpes) return false;
    this.state.advance(nowMs);
    const slot = activatedCpes.find(cpe);
    if (slot < 0 || !(activatedCpes.stands(slot) || activatedCpes.isConsumed(slot))) return false;
    this.state.events.add(Event.EndedByHand, cpe, 0, 0, activatedCpes.owner(slot));
    activatedCpes.end(slot, Cause.Hand);
    return true;
  }

  /**
   * Ends every armed or asked entry. The kernel alone has sent CPEs to the ITMS for a while, perhaps including the
   * sessions these entries were waiting for. Walks the whole table.
   */
  endActivations(nowMs: number): void {
    this.state.advance(nowMs);
    for (const { activatedCpes } of this.state.families) activatedCpes.endStanding();
  }

  /** Reports the existing entries, and from then on every change, to `listener`; undefined: to nobody. */
  listen(listener: FlowListener | undefined): void {
    this.listener = listener;
    for (const family of this.state.families) family.listen(listener);
  }

  /** After a reload: takes over pause and listener from the splitter that had these tables. */
  continueFrom(before: Splitter): void {
    this.paused = before.paused;
    const { listener } = before;
    before.listen(undefined);
    if (listener !== undefined) this.listen(listener);
  }

  private familyState(address: Address): FamilyState {
    const state = this.state.familyOf(address);
    if (!state) throw new RangeError(`the ACS address has no address of the family of ${String(address)}`);
    return state;
  }

  private decideOne(batch: PacketBatch, i: number): Reason {
    const { view } = this;
    const flags = batch.flags[i];
    const cut = (flags & (PacketFlag.Truncated | PacketFlag.Snapped)) !== 0;
    const parsed = view.parse(batch.bytes, batch.offset[i], batch.length[i], cut);
    if (parsed === Parsed.NotIp) return Reason.NotIp;
    if (parsed === Parsed.MalformedIp) return Reason.MalformedIp;
    if (parsed === Parsed.NotTcp) return Reason.NotTcp;
    if (parsed === Parsed.Jumbogram) return Reason.Jumbogram;
    const decision = view.isIpv6 ? this.ipv6 : this.ipv4;
    return decision === undefined ? Reason.NotOurs : decision.decide(parsed, batch.queue[i], flags);
  }
}

/** The serving addresses of the ITMS and the collectors. */
function watchedServers({ families, owners }: SplitterState, { collectors }: Topology): WatchedServer[] {
  const ids = [ITMS, ...collectors.map(({ name }) => owners.idOf(name))];
  return families.flatMap(({ servers }) => ids.map((owner) => ({ owner, address: servers.addressOf(owner) })));
}
