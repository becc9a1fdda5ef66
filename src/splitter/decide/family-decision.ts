/**
 * The decision for one address family: which side a packet comes from, its type, and what to do with it. Both families
 * run this code, each with its own tables: a CPE's IPv4 and IPv6 addresses count as two CPEs.
 */
import { PacketFlag, Side } from '../../packet/batch';
import { Parsed, type PacketView } from '../../packet/view';
import { Activation } from './activation';
import { type FamilyState } from '../memory/family-state';
import { Forward } from './forward';
import { IcmpErrors } from './icmp-errors';
import { ITMS } from '../memory/owners';
import { Reason } from '../reasons';
import { ReportEnds } from './report-ends';
import { ReportDecisions } from './reports';
import { ReportServers } from './report-servers';
import { RequestDecisions } from './requests';
import { Action, actionFor, Origin, PacketType, packetType } from './decision-table';
import { PortClass, type Servers } from '../memory/servers';
import { ServerSigns } from './server-signs';
import { type Settings } from '../settings';

/** The checksum is not final, or the packet is not whole. */
const UNSUMMED = PacketFlag.ChecksumNotReady | PacketFlag.Gso | PacketFlag.Truncated | PacketFlag.Snapped;

export class FamilyDecision {
  private readonly servers: Servers;
  private readonly forward: Forward;
  private readonly reports: ReportDecisions;
  private readonly reportServers: ReportServers;
  private readonly requests: RequestDecisions;
  private readonly icmp: IcmpErrors;
  private readonly signs: ServerSigns;
  /** Owner id of the server that sent the current packet. */
  private sender = ITMS;

  constructor(
    private readonly view: PacketView,
    state: FamilyState,
    settings: Settings,
  ) {
    this.servers = state.servers;
    this.forward = new Forward(view, this.servers);
    const activation = new Activation(view, settings, state);
    const ends = new ReportEnds(state);
    this.reports = new ReportDecisions(view, state, settings, this.forward, ends);
    this.reportServers = new ReportServers(view, state, this.forward, ends);
    this.requests = new RequestDecisions(view, state, activation, this.forward);
    this.icmp = new IcmpErrors(view, state, settings, ends);
    this.signs = new ServerSigns(view, this.servers, settings);
  }

  /** Decides the packet in the view. @param parsed the parser's result, Icmp or later @param flags PacketFlag bits */
  decide(parsed: Parsed, side: Side, flags: number): Reason {
    if (parsed === Parsed.Icmp) return this.icmp.decide(side, flags);
    const fromCpe = side === Side.Cpe;
    if (!(fromCpe ? this.isFromCpe() : this.isFromServer())) return Reason.NotOurs;
    if (parsed === Parsed.SourceRouted) return Reason.SourceRouted;
    if (parsed === Parsed.Fragment) return Reason.Fragment;
    if (parsed === Parsed.MalformedTcp) return Reason.MalformedTcp;
    this.view.isUnsummed = (flags & UNSUMMED) !== 0;
    this.view.isCaptured = (flags & PacketFlag.Captured) !== 0;
    const type = packetType(this.view.flags);
    if (type === PacketType.Malformed) return Reason.MalformedFlags;
    if (flags & PacketFlag.Truncated) return Reason.Truncated;
    const reason = this.apply(actionFor(fromCpe ? this.originOfCpe() : this.originOfServer(), type));
    this.signs.tell(type, fromCpe, reason, this.sender);
    return reason;
  }

  private apply(action: Action): Reason {
    switch (action) {
      case Action.OpenReport:
        return this.reports.open();
      case Action.FollowReport:
        return this.reports.follow();
      case Action.CloseReport:
        return this.reports.close();
      case Action.AbortReport:
        return this.reports.abort();
      case Action.ToItms:
        return this.forward.toOwner(ITMS, Reason.ItmsPort);
      case Action.RefuseSyn:
        return Reason.SynOtherPort;
      case Action.AcceptRequest:
        return this.requests.accept();
      case Action.AnswerRequest:
        return this.requests.answer();
      case Action.CloseRequest:
        return this.requests.close();
      case Action.AbortRequest:
        return this.requests.abort();
      case Action.OpenRequest:
        return this.requests.open(this.sender, this.servers.tagOf(this.view.source));
      case Action.FollowRequest:
        return this.requests.follow(this.sender, this.servers.tagOf(this.view.source));
      case Action.FinishRequest:
        return this.requests.finish(this.sender, this.servers.tagOf(this.view.source));
      case Action.ResetRequest:
        return this.requests.reset(this.sender, this.servers.tagOf(this.view.source));
      case Action.AcceptReport:
        return this.reportServers.accept(this.sender, this.servers.serves(this.sender, this.view.source));
      case Action.ServeReport:
        return this.reportServers.serve(this.sender, this.servers.serves(this.sender, this.view.source));
      case Action.FinishReport:
        return this.reportServers.finish(this.sender, this.servers.serves(this.sender, this.view.source));
      case Action.ResetReport:
        return this.reportServers.reset(this.sender, this.servers.serves(this.sender, this.view.source));
      case Action.ServeItmsPort:
        return this.forward.asAcs(Reason.ItmsForwarded);
      case Action.RefuseServerSyn:
        return Reason.SynFromReportPort;
      case Action.ServeItms:
        return this.reportServers.serveItms(this.servers.serves(ITMS, this.view.source));
    }
  }

  // ---- which side ----

  private isFromCpe(): boolean {
    return this.servers.isAcs(this.view.destination);
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
    const port = this.servers.portClass(this.view.sourcePort);
    if (this.sender === ITMS) {
      if (port === PortClass.Report) return Origin.ItmsReportPort;
      return port === PortClass.Itms ? Origin.ItmsItmsPort : Origin.ItmsOtherPort;
    }
    return port === PortClass.Other ? Origin.CollectorOtherPort : Origin.CollectorReportPort;
  }
}
