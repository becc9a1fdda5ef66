/**
 * Why a packet got its verdict. Every exit of the decision gives exactly one reason, and each is counted. [P n] = the
 * patent's excerpt, [D] = derived from TCP and TR-069 (docs/patent-map.md).
 */
import { Verdict } from '../packet/batch';

export const enum Reason {
  // Not ours to judge: accepted unchanged.
  NotIp,
  NotTcp,
  NotOurs,
  Jumbogram,
  SourceRouted,
  IcmpNotOurs,
  IcmpUnreadable,
  // Bad input: dropped.
  MalformedIp,
  MalformedTcp,
  MalformedFlags,
  Fragment,
  Truncated,
  // CPE, report port.
  Diverted,
  DivertedInGrace,
  ToItms,
  Pinned,
  WouldDivert,
  Paused,
  ReportTableFull,
  ReportNotCarried,
  SynRepeated,
  SynOntoLive,
  ReportBound,
  CollectorSilent,
  CollectorDown,
  CollectorBusy,
  OutsideCanary,
  ReportToOwner,
  ReportToItms,
  ReportUnproven,
  // CPE, other ports.
  ItmsPort,
  SynOtherPort,
  AnswerToOwner,
  AnswerToItms,
  AnswerUnproven,
  OwnerGone,
  // Servers, towards a CPE's port.
  RequestOpened,
  RequestRepeated,
  RequestRemapped,
  RequestTableFull,
  RequestNoPort,
  RequestBound,
  RequestUnrecorded,
  RequestFollowed,
  RequestFinished,
  RequestReset,
  RequestUnknown,
  RequestUnproven,
  // Servers, from the report port.
  SynFromReportPort,
  ReportAnswered,
  ReportFinished,
  ReportReset,
  ReportForgotten,
  NotOwner,
  ItmsForwarded,
  // Any side.
  ChecksumWrong,
  // ICMP errors.
  IcmpToOwner,
  IcmpAsAcs,
  IcmpRefused,
}

type Row = readonly [name: string, verdict: Verdict, meaning: string];
const Drop = Verdict.Drop;
const Accept = Verdict.Accept;
const Rewritten = Verdict.AcceptRewritten;

/** Name, verdict and meaning. Each reason has one verdict. */
const ROWS: Readonly<Record<Reason, Row>> = {
  [Reason.NotIp]: ['not-ip', Accept, 'neither IPv4 nor IPv6 [D]'],
  [Reason.NotTcp]: ['not-tcp', Accept, 'neither TCP nor an ICMP error about TCP [D]'],
  [Reason.NotOurs]: ['not-ours', Accept, 'addresses that are not of this splitter [D]'],
  [Reason.Jumbogram]: ['jumbogram', Accept, 'longer than its length field can say [D]'],
  [Reason.SourceRouted]: ['source-routed', Accept, 'on its way to another destination than the one in its header [D]'],
  [Reason.IcmpNotOurs]: ['icmp-not-ours', Accept, 'ICMP error about a connection that is not of this splitter [D]'],
  [Reason.IcmpUnreadable]: [
    'icmp-unreadable',
    Accept,
    'ICMP error that quotes too little, lies or quotes a fragment [D]',
  ],
  [Reason.MalformedIp]: ['malformed-ip', Drop, 'IP header cut or lying, or extension headers without end [D]'],
  [Reason.MalformedTcp]: ['malformed-tcp', Drop, 'TCP header cut or lying [D]'],
  [Reason.MalformedFlags]: ['malformed-flags', Drop, 'SYN with FIN or RST, or no flags [D]'],
  [Reason.Fragment]: ['fragment', Drop, 'a fragment, where only whole packets are expected [D]'],
  [Reason.Truncated]: ['truncated', Drop, 'the kernel kept the tail back [D]'],
  [Reason.Diverted]: ['diverted', Rewritten, 'SYN of an activated CPE: to its collector [P10]'],
  [Reason.DivertedInGrace]: [
    'diverted-in-grace',
    Rewritten,
    'SYN that continues a session just closed: to its collector [D]',
  ],
  [Reason.ToItms]: ['to-itms', Rewritten, 'SYN of a CPE that nobody activated: to the ITMS [P10]'],
  [Reason.Pinned]: ['pinned', Rewritten, 'retransmission of a SYN that went to the ITMS: to the ITMS [D]'],
  [Reason.WouldDivert]: ['would-divert', Rewritten, 'activation is off: to the ITMS, would have been diverted [D]'],
  [Reason.Paused]: ['paused', Rewritten, 'diverting is paused: to the ITMS [D]'],
  [Reason.ReportTableFull]: ['report-table-full', Rewritten, 'no room to remember the connection: to the ITMS [D]'],
  [Reason.ReportNotCarried]: [
    'report-not-carried',
    Rewritten,
    'the kernel has no room to carry the connection: to the ITMS [D]',
  ],
  [Reason.SynRepeated]: ['syn-repeated', Rewritten, 'SYN of a diverted connection again: to the recorded server [P10]'],
  [Reason.SynOntoLive]: [
    'syn-onto-live',
    Rewritten,
    'new SYN onto a live diverted connection: to its collector, which knows better [D]',
  ],
  [Reason.ReportBound]: [
    'report-bound',
    Rewritten,
    'the CPE has as many connections as are remembered of one: to the ITMS [D]',
  ],
  [Reason.CollectorSilent]: [
    'collector-silent',
    Rewritten,
    'the collector has not answered the last SYN: to the ITMS [D]',
  ],
  [Reason.CollectorDown]: ['collector-down', Rewritten, 'the collector takes no session at present: to the ITMS [D]'],
  [Reason.CollectorBusy]: ['collector-busy', Rewritten, 'beyond the collector’s maxPerSecond: to the ITMS [D]'],
  [Reason.OutsideCanary]: [
    'outside-canary',
    Rewritten,
    'not in the networks whose CPEs the collector serves: to the ITMS [D]',
  ],
  [Reason.ReportToOwner]: ['report-to-owner', Rewritten, 'packet of a diverted connection: to its collector [D]'],
  [Reason.ReportToItms]: ['report-to-itms', Rewritten, 'packet of an undiverted connection: to the ITMS [D]'],
  [Reason.ReportUnproven]: [
    'report-unproven',
    Rewritten,
    'not proven to belong to the diverted connection: forwarded, changes nothing [D]',
  ],
  [Reason.ItmsPort]: ['itms-port', Rewritten, 'a port that is always the ITMS’s: to the ITMS [D]'],
  [Reason.SynOtherPort]: ['syn-other-port', Drop, 'SYN to a port that is not the report port: not forwarded [P11]'],
  [Reason.AnswerToOwner]: [
    'answer-to-owner',
    Rewritten,
    'answer to a Connection Request: to the server that asked [D]',
  ],
  [Reason.AnswerToItms]: ['answer-to-itms', Rewritten, 'answer to an unknown Connection Request: to the ITMS [D]'],
  [Reason.AnswerUnproven]: [
    'answer-unproven',
    Rewritten,
    'not proven to belong to the Connection Request: forwarded, changes nothing [D]',
  ],
  [Reason.OwnerGone]: ['owner-gone', Rewritten, 'the recorded server is no longer configured: to the ITMS [D]'],
  [Reason.RequestOpened]: ['request-opened', Rewritten, 'SYN of a Connection Request: recorded, as ACS [P6]'],
  [Reason.RequestRepeated]: ['request-repeated', Rewritten, 'SYN of a Connection Request again: as ACS [D]'],
  [Reason.RequestRemapped]: [
    'request-remapped',
    Rewritten,
    'another server has this port towards the CPE: as ACS, from another port [D]',
  ],
  [Reason.RequestTableFull]: ['request-table-full', Drop, 'no room for a collector’s Connection Request [D]'],
  [Reason.RequestNoPort]: ['request-no-port', Drop, 'no free port for a collector’s Connection Request [D]'],
  [Reason.RequestBound]: [
    'request-bound',
    Drop,
    'the CPE has as many Connection Requests as are remembered of one [D]',
  ],
  [Reason.RequestUnrecorded]: [
    'request-unrecorded',
    Rewritten,
    'no room or port for the ITMS’s Connection Request: as ACS all the same [D]',
  ],
  [Reason.RequestFollowed]: ['request-followed', Rewritten, 'packet of a Connection Request: as ACS [P7]'],
  [Reason.RequestFinished]: ['request-finished', Rewritten, 'FIN of a Connection Request: as ACS [P9]'],
  [Reason.RequestReset]: ['request-reset', Rewritten, 'RST of a Connection Request: as ACS [D]'],
  [Reason.RequestUnknown]: ['request-unknown', Drop, 'packet of an unknown Connection Request: not ours, dropped [D]'],
  [Reason.RequestUnproven]: [
    'request-unproven',
    Rewritten,
    'RST not proven to belong to the Connection Request: as ACS, changes nothing [D]',
  ],
  [Reason.SynFromReportPort]: ['syn-from-report-port', Drop, 'a collector opens from the report port [D]'],
  [Reason.ReportAnswered]: [
    'report-answered',
    Rewritten,
    'packet of the collector on its report connection: as ACS [P7]',
  ],
  [Reason.ReportFinished]: ['report-finished', Rewritten, 'FIN of the collector on its report connection: as ACS [P8]'],
  [Reason.ReportReset]: ['report-reset', Rewritten, 'RST of the collector on its report connection: as ACS [D]'],
  [Reason.ReportForgotten]: [
    'report-forgotten',
    Drop,
    'the collector has forgotten the connection and takes a new SYN: decided afresh [D]',
  ],
  [Reason.NotOwner]: ['not-owner', Drop, 'from the report port of a server that does not have the connection [D]'],
  [Reason.ItmsForwarded]: ['itms-forwarded', Rewritten, 'packet of the ITMS from the report port: as ACS [D]'],
  [Reason.ChecksumWrong]: ['checksum-wrong', Rewritten, 'wrong TCP checksum: forwarded, changes nothing [D]'],
  [Reason.IcmpToOwner]: [
    'icmp-to-owner',
    Rewritten,
    'ICMP error about a server’s packet: to the server, with its own address quoted [D]',
  ],
  [Reason.IcmpAsAcs]: [
    'icmp-as-acs',
    Rewritten,
    'ICMP error about a CPE’s packet: with the ACS address quoted, as the CPE sent it [D]',
  ],
  [Reason.IcmpRefused]: ['icmp-refused', Rewritten, 'the same, about a diverted SYN: the collector is not there [D]'],
};

/** By number. */
export const REASONS: readonly Row[] = Object.values(ROWS);

/** Verdict by reason, for the packet path. */
export const VERDICTS = Uint8Array.from(REASONS, (row) => row[1]);

export function reasonName(reason: number): string {
  return REASONS[reason]?.[0] ?? `reason-${reason}`;
}
