/**
 * ICMP errors about connections that cross the splitter: translated both ways, as a NAT must (RFC 5508 section 4), so
 * that path-MTU discovery works through it. [D] iptables/README.md explains which error appears where.
 *
 *     came in on          addressed to   quotes           becomes
 *     first interface     ACS            ACS -> CPE       to the server, quoting server -> CPE
 *     second, third       CPE            CPE -> server    quoting CPE -> ACS; of the server itself: from the ACS address
 *     this host's own     ACS            ACS -> CPE       as from the first interface
 *     this host's own     CPE            CPE -> server    as from the second or third
 *
 * The error's sender, a host or a router on the path, keeps its address, unless it is a server, which the CPE must not
 * see. Only the owner of the quoted connection gets the error.
 *
 * Anybody can forge an error, so it changes no state but in one case: "unreachable" from the servers' side that quotes a
 * diverted SYN, its initial sequence number included. Only somebody on the path has seen that number, so the error
 * refuses the connection as the collector's RST would. docs/decisions/proof.md
 */
import { isSameAddress } from '../../packet/address';
import { PacketFlag, Side } from '../../packet/batch';
import { IcmpError, Quote } from '../../packet/icmp';
import {
  rewriteOuterDestination,
  rewriteOuterSource,
  rewriteQuotedDestination,
  rewriteQuotedDestinationPort,
  rewriteQuotedSource,
  rewriteQuotedSourcePort,
} from '../../packet/rewrite-icmp';
import { isIcmpChecksumRight } from '../../packet/verify';
import { type PacketView } from '../../packet/view';
import { Seen } from '../../tables/connection-row';
import { type FamilyState } from '../memory/family-state';
import { ITMS, NOBODY } from '../memory/owners';
import { Reason } from '../reasons';
import { type ReportEnds } from './report-ends';
import { PortClass } from '../memory/servers';
import { type Settings } from '../settings';

/** The checksum is not final, or the packet is not whole. */
const UNSUMMED = PacketFlag.ChecksumNotReady | PacketFlag.Truncated | PacketFlag.Snapped;

export class IcmpErrors {
  private readonly error: IcmpError;

  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly settings: Settings,
    private readonly ends: ReportEnds,
  ) {
    this.error = new IcmpError(state.servers.acsAddress.length);
  }

  /** Decides the packet in the view, which has parsed as Icmp. @param flags PacketFlag bits */
  decide(side: Side, flags: number): Reason {
    const { error } = this;
    const quote = error.parse(this.view);
    if (quote === Quote.NotTcp) return Reason.NotTcp;
    if (quote === Quote.Unreadable) return Reason.IcmpUnreadable;
    const mayQuoteAcs = side === Side.Cpe || side === Side.Host;
    if (mayQuoteAcs && this.quotesAcs()) return this.toServer(flags);
    if (side !== Side.Cpe && this.quotesServer()) return this.toCpe(flags);
    return Reason.IcmpNotOurs;
  }

  private quotesAcs(): boolean {
    const { error } = this;
    const { servers } = this.state;
    return (
      servers.isAcs(error.destination) && servers.isAcs(error.quotedSource) && servers.isCpe(error.quotedDestination)
    );
  }

  private quotesServer(): boolean {
    const { error } = this;
    const { servers } = this.state;
    return (
      isSameAddress(error.destination, error.quotedSource) &&
      servers.isCpe(error.quotedSource) &&
      servers.ownerAt(error.quotedDestination) !== NOBODY
    );
  }

  /** About a packet that left from the ACS address: goes to the server that sent it. */
  private toServer(flags: number): Reason {
    const { error } = this;
    const { servers, connectionRequests, reportConnections } = this.state;
    const { quotedDestination: cpe, quotedDestinationPort: cpePort, quotedSourcePort: port } = error;
    let owner = ITMS;
    let ownPort = port;
    const portClass = servers.portClass(port);
    if (portClass === PortClass.Report) {
      const slot = reportConnections.find(cpe, cpePort, port);
      if (slot >= 0) owner = reportConnections.owner(slot);
    } else if (portClass === PortClass.Other) {
      const slot = connectionRequests.find(cpe, cpePort, port);
      if (slot >= 0) {
        owner = connectionRequests.owner(slot);
        ownPort = connectionRequests.ownPort(slot);
      }
    }
    // A server that is no longer configured has no address to send this to.
    if (!servers.isConfigured(owner)) return Reason.IcmpNotOurs;
    if (flags & PacketFlag.Truncated) return Reason.Truncated;
    const address = servers.addressOf(owner);
    rewriteQuotedSource(error, address);
    if (ownPort !== port) rewriteQuotedSourcePort(error, ownPort);
    rewriteOuterDestination(error, address);
    return Reason.IcmpToOwner;
  }

  /**
   * About a CPE's packet on its way to a server: made to look as if the packet had been on its way to the ACS address.
   */
  private toCpe(flags: number): Reason {
    const { error } = this;
    const { servers, connectionRequests } = this.state;
    const { quotedSource: cpe, quotedSourcePort: cpePort, quotedDestinationPort: ownPort } = error;
    const owner = servers.ownerAt(error.quotedDestination);
    let port = ownPort;
    let refused = -1;
    if (servers.portClass(ownPort) === PortClass.Report) {
      if (!this.hasReport(owner)) return Reason.IcmpNotOurs;
      refused = this.refused(owner, flags);
    } else {
      const slot = connectionRequests.peekOwned(cpe, cpePort, ownPort, owner, servers.tagOf(error.quotedDestination));
      if (slot >= 0) port = connectionRequests.visiblePort(slot);
    }
    if (flags & PacketFlag.Truncated) return Reason.Truncated;
    rewriteQuotedDestination(error, servers.acsAddress);
    if (port !== ownPort) rewriteQuotedDestinationPort(error, port);
    if (servers.ownerAt(error.source) !== NOBODY) rewriteOuterSource(error, servers.acsAddress);
    if (refused < 0) return Reason.IcmpAsAcs;
    this.settings.watch?.reset(owner, cpe, cpePort, port, error.quotedSequence, 0);
    this.ends.refused(refused);
    return Reason.IcmpRefused;
  }

  /** Slot of the diverted connection whose SYN this error refuses, or -1. */
  private refused(owner: number, flags: number): number {
    const { error } = this;
    const { reportConnections: reports, servers } = this.state;
    if (!error.isRefusal || owner === ITMS || !servers.serves(owner, error.quotedDestination)) return -1;
    const slot = reports.find(error.quotedSource, error.quotedSourcePort, error.quotedDestinationPort);
    if (slot < 0 || reports.isn(slot) !== error.quotedSequence) return -1;
    reports.learn(slot);
    // A collector that has answered is there.
    if (reports.isAnswered(slot) || reports.has(slot, Seen.Learned)) return -1;
    return (flags & UNSUMMED) !== 0 || isIcmpChecksumRight(error) ? slot : -1;
  }

  /** A collector owns the report connections recorded for it; the ITMS owns all others. */
  private hasReport(owner: number): boolean {
    const { error } = this;
    const { servers, reportConnections } = this.state;
    const slot = reportConnections.find(error.quotedSource, error.quotedSourcePort, error.quotedDestinationPort);
    if (slot < 0) return owner === ITMS;
    const recorded = reportConnections.owner(slot);
    return servers.isConfigured(recorded) ? recorded === owner : owner === ITMS;
  }
}
