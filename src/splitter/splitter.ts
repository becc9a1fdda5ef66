/**
 * The splitter: decides each packet of a batch, rewrites it in place and keeps the three tables.
 *
 * Pure: knows no clock, socket or log; time is an argument, memory is handed in. Live queue, replay, simulation and
 * benchmark all drive this one class. Cites CN104618491B as [P n], our own rules as [D] (docs/patent-map.md).
 */
import { Parsed, PacketView } from '../packet/view';
import { type PacketBatch, PacketFlag } from '../packet/batch';
import { type TtlTable } from '../tables/ttl-table';
import { Activation } from './activation';
import { Event } from './events';
import { Forward } from './forward';
import { ITMS } from './owners';
import { Reason, VERDICTS } from './reasons';
import { ReportRules } from './report-rules';
import { RequestRules } from './request-rules';
import { Action, actionFor, Origin, PacketType, packetType } from './rules';
import { PortClass, type Servers } from './servers';
import { type Counters, type SplitterOptions, SplitterState } from './state';
import { type ActivationMode } from './topology';

export { type SplitterOptions };

/** Slots of each table that one `sweep` looks at: all expired, that is some 50 µs in which no packet is decided. */
export const SWEEP_SLOTS = 512;

export class Splitter {
  readonly state: SplitterState;
  private readonly view = new PacketView();
  private readonly servers: Servers;
  private readonly forward: Forward;
  private readonly judge: Activation;
  private readonly reports: ReportRules;
  private readonly requests: RequestRules;
  /** Owner id of the server that the packet in hand comes from. */
  private sender = ITMS;

  static bufferBytes(capacityEntries: number): number {
    return SplitterState.bytes(capacityEntries);
  }

  /** Throws RangeError on a topology that cannot be, and when the buffer is too small. */
  constructor(options: SplitterOptions) {
    this.state = new SplitterState(options);
    this.servers = this.state.servers;
    const { requests, activated, events } = this.state;
    this.forward = new Forward(this.view, this.servers);
    this.judge = new Activation(options.activation, requests, activated, events, this.servers);
    this.reports = new ReportRules(this.view, this.state, this.judge, this.forward);
    this.requests = new RequestRules(this.view, this.state, this.judge, this.forward);
  }

  get counters(): Counters {
    return this.state.counters;
  }

  /** The three tables by their public names: count, capacityEntries, full. */
  get tables(): Record<'connectionRequests' | 'activatedCpes' | 'reportConnections', TtlTable> {
    const { requests, activated, reports } = this.state;
    return { connectionRequests: requests.table, activatedCpes: activated.table, reportConnections: reports.table };
  }

  /** Ends all new diverting while true. */
  get paused(): boolean {
    return this.reports.paused;
  }

  set paused(paused: boolean) {
    this.reports.paused = paused;
  }

  get activation(): ActivationMode {
    return this.judge.mode;
  }

  set activation(mode: ActivationMode) {
    this.judge.mode = mode;
  }

  /**
   * Gives every packet of the batch a verdict and a reason, rewriting in place those that leave rewritten.
   *
   * @param nowMs CLOCK_BOOTTIME, capture time or virtual time; ms, one per batch
   */
  decide(batch: PacketBatch, nowMs: number): void {
    this.state.advance(nowMs);
    const { byReason, byQueue } = this.state.counters;
    const count = batch.count;
    for (let i = 0; i < count; i++) {
      const reason = this.decideOne(batch, i);
      batch.reason[i] = reason;
      batch.verdict[i] = VERDICTS[reason];
      byReason[reason]++;
      byQueue[batch.queue[i] & 3]++;
    }
  }

  /** One bounded step of freeing what has expired; to be called some forty times a second. */
  sweep(nowMs: number): void {
    this.state.advance(nowMs);
    this.state.sweep(SWEEP_SLOTS);
  }

  /** The operator's hand: arms `collector` for a CPE. False when the table is full. Throws RangeError on a stranger. */
  activate(cpe: number, collector: string, nowMs: number): boolean {
    const owner = this.servers.collectorNamed(collector);
    if (owner < 0) throw new RangeError(`no collector is named '${collector}'`);
    this.state.advance(nowMs);
    const armed = this.state.activated.arm(cpe, owner) >= 0;
    this.state.events.add(armed ? Event.ArmedByHand : Event.ActivationTableFull, cpe, 0, 0, owner);
    return armed;
  }

  /** The operator's hand: the CPE's next session is the ITMS's. False when no activation stood. */
  deactivate(cpe: number, nowMs: number): boolean {
    this.state.advance(nowMs);
    const { activated, events } = this.state;
    const slot = activated.find(cpe);
    if (slot < 0 || !activated.stands(slot)) return false;
    events.add(Event.EndedByHand, cpe, 0, 0, activated.owner(slot));
    activated.remove(slot);
    return true;
  }

  private decideOne(batch: PacketBatch, i: number): Reason {
    const { view } = this;
    const flags = batch.flags[i];
    const cut = (flags & (PacketFlag.Truncated | PacketFlag.Snapped)) !== 0;
    const parsed = view.parse(batch.bytes, batch.offset[i], batch.length[i], cut);
    if (parsed === Parsed.NotIp) return Reason.NotIp;
    if (parsed === Parsed.MalformedIp) return Reason.MalformedIp;
    if (parsed === Parsed.NotTcp) return Reason.NotTcp;

    const fromCpe = batch.queue[i] === 0;
    if (!(fromCpe ? this.isFromCpe() : this.isFromServer())) return Reason.NotOurs;
    if (parsed === Parsed.Fragment) return Reason.Fragment;
    if (parsed === Parsed.MalformedTcp) return Reason.MalformedTcp;
    const type = packetType(view.flags);
    if (type === PacketType.Malformed) return Reason.MalformedFlags;
    if (flags & PacketFlag.Truncated) return Reason.Truncated;
    return this.apply(actionFor(fromCpe ? this.originOfCpe() : this.originOfServer(), type), type);
  }

  private apply(action: Action, type: PacketType): Reason {
    switch (action) {
      case Action.OpenReport:
        return this.reports.open();
      case Action.FollowReport:
        return this.reports.follow(type);
      case Action.ToItms:
        return this.forward.toOwner(ITMS, Reason.ItmsPort);
      case Action.RefuseSyn:
        return Reason.SynOtherPort;
      case Action.FollowAnswer:
        return this.requests.answer(type);
      case Action.OpenRequest:
        return this.requests.open(this.sender);
      case Action.FollowRequest:
        return this.requests.follow(type, this.sender);
      case Action.ServeReport:
        return this.reports.serve(type, this.sender);
      case Action.RefuseServerSyn:
        return Reason.SynFromReportPort;
      case Action.ServeItms:
        return this.reports.serveItms();
    }
  }

  // ---- which side ----

  private isFromCpe(): boolean {
    return this.view.destination === this.servers.acsAddress;
  }

  private isFromServer(): boolean {
    this.sender = this.servers.ownerAt(this.view.source);
    return this.sender >= 0 && this.servers.isCpe(this.view.destination);
  }

  private originOfCpe(): Origin {
    const port = this.servers.portClass(this.view.destinationPort);
    if (port === PortClass.Report) return Origin.CpeReportPort;
    return port === PortClass.Itms ? Origin.CpeItmsPort : Origin.CpeOtherPort;
  }

  private originOfServer(): Origin {
    const isReport = this.servers.portClass(this.view.sourcePort) === PortClass.Report;
    if (this.sender === ITMS) return isReport ? Origin.ItmsReportPort : Origin.ItmsOtherPort;
    return isReport ? Origin.CollectorReportPort : Origin.CollectorOtherPort;
  }
}
