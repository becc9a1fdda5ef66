/**
 * Servers on report connections: the CPE sees the ACS address, and only the connection's own server may speak. [P7, P8]
 */
import { Seen, Word } from '../../tables/connection-row';
import { Cause } from '../../tables/flow-port';
import { TcpFlag } from '../../packet/tcp';
import { isChecksumRight } from '../../packet/verify';
import { type PacketView } from '../../packet/view';
import { type FamilyState } from '../memory/family-state';
import { type Forward } from './forward';
import {
  isAlert,
  isReading,
  isWithinSegments,
  MAX_SEGMENT_BYTES,
  readHead,
  withoutSegments,
  withSegment,
} from './http-head';
import { ITMS } from '../memory/owners';
import { Reason } from '../reasons';
import { type ReportEnds } from './report-ends';

const SYN_ACK = TcpFlag.Syn | TcpFlag.Ack;

export class ReportServers {
  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly forward: Forward,
    private readonly ends: ReportEnds,
  ) {}

  /** SYN+ACK of a collector from the report port. [P7] */
  accept(sender: number, serves: boolean): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = this.slotOfServer(sender);
    if (!this.isOwn(slot, sender, serves)) return Reason.NotOwner;
    if (!isChecksumRight(view)) return this.forward.asAcs(Reason.ChecksumWrong);
    const isPending = reports.has(slot, Seen.PendingSyn);
    const isAnswered = reports.isAnswered(slot);
    const wasLearned = reports.has(slot, Seen.Learned);
    if (!reports.acknowledgesSyn(slot, view)) {
      // It had acknowledged data and now accepts a SYN: it has forgotten the connection. [2]
      if (isAnswered && isPending) {
        this.ends.ended(slot, Cause.Forgotten);
        return Reason.ReportForgotten;
      }
      if (isAnswered) return this.forward.asAcs(Reason.ReportUnproven);
      // It never saw the first SYN.
      reports.begin(slot, (view.acknowledgement - 1) | 0);
      reports.begun(slot);
    }
    this.heard(slot);
    this.ends.lift(slot, Seen.RstOfCpe, Seen.RstOfServer);
    // A server that is still opening has reset a stray packet, not its connection. RFC 9293 section 3.10.7.4
    this.ends.lift(slot, Seen.RstOfServer, Seen.RstOfCpe);
    if (isAnswered) reports.spokenByServer(slot, view, (view.sequence + view.sentLength + 1) | 0);
    else reports.acceptedByServer(slot, view);
    reports.keep(slot);
    if (!isAnswered && !wasLearned) reports.accepted(slot);
    return this.forward.asAcs(Reason.ReportAnswered);
  }

  /** ACK or data of a collector from the report port. [P7] */
  serve(sender: number, serves: boolean): Reason {
    const slot = this.slotOfServer(sender);
    if (!this.isOwn(slot, sender, serves) || this.isOfItmsConnection(slot)) return Reason.NotOwner;
    this.spokenByServer(slot, 0);
    return this.forward.asAcs(Reason.ReportAnswered);
  }

  /**
   * On a provisional entry, a collector that acknowledges a SYN of the ITMS is half-open: it once got that SYN too, and
   * the entry's SYN, forged on the same ports, draws its challenge. The CPE must not see it. [D]
   */
  private isOfItmsConnection(slot: number): boolean {
    const { view } = this;
    const { pins, reportConnections: reports } = this.state;
    if (reports.isAnswered(slot)) return false;
    return pins.isPinned(view.destination, view.destinationPort, view.sourcePort, (view.acknowledgement - 1) | 0);
  }

  /** FIN of a collector from the report port. [P8] */
  finish(sender: number, serves: boolean): Reason {
    const slot = this.slotOfServer(sender);
    if (!this.isOwn(slot, sender, serves)) return Reason.NotOwner;
    if (!isChecksumRight(this.view)) return this.forward.asAcs(Reason.ChecksumWrong);
    this.spokenByServer(slot, 1);
    return this.forward.asAcs(Reason.ReportFinished);
  }

  /** RST of a collector from the report port. Before its SYN+ACK, the RST refuses the connection. [D] */
  reset(sender: number, serves: boolean): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = this.slotOfServer(sender);
    if (!this.isOwn(slot, sender, serves)) return Reason.NotOwner;
    if (!isChecksumRight(view)) return this.forward.asAcs(Reason.ChecksumWrong);
    const isAnswered = reports.isAnswered(slot);
    if (isAnswered && reports.isRstOfServer(slot, view)) {
      this.ends.closed(slot, Seen.RstOfServer);
    } else if (this.isRefusal(slot, isAnswered)) {
      this.ends.refused(slot);
    } else {
      return this.forward.asAcs(Reason.ReportUnproven);
    }
    return this.forward.asAcs(Reason.ReportReset);
  }

  /** It refuses the connection. On an established one, it can only refer to the pending SYN. */
  private isRefusal(slot: number, isAnswered: boolean): boolean {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    if (isAnswered) return reports.has(slot, Seen.PendingSyn) && (view.flags & TcpFlag.Ack) !== 0;
    return reports.has(slot, Seen.Learned) ? reports.isRstOfServer(slot, view) : reports.isRefusal(slot, view);
  }

  /** @param fin 1 for a FIN */
  private spokenByServer(slot: number, fin: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const end = (view.sequence + view.sentLength + fin) | 0;
    this.heard(slot);
    this.ends.lift(slot, Seen.RstOfCpe, Seen.RstOfServer);
    this.countSegment(slot);
    if (view.sentLength > 0) this.read(slot, (end - fin) | 0);
    if (!reports.has(slot, Seen.FinOfCpe) && reports.acknowledgesFin(slot, view)) this.ends.closed(slot, Seen.FinOfCpe);
    if (fin > 0) this.ends.closed(slot, Seen.FinOfServer);
    reports.spokenByServer(slot, view, end);
    reports.keep(slot);
  }

  /** How many segments of data have come since the acknowledgement changed: as the fast path counts them. */
  private countSegment(slot: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const before = reports.head(slot);
    let head = before;
    if (((view.acknowledgement - reports.word(slot, Word.ServerAck)) | 0) > 0) head = withoutSegments(head);
    if (this.isData()) head = withSegment(head);
    if (head !== before) reports.countHead(slot, head);
  }

  /** Data, and no alert. */
  private isData(): boolean {
    const { view } = this;
    return view.sentLength > 0 && !isAlert(view.bytes, view.payloadAt, view.payloadLength, view.sentLength);
  }

  /** The collector's answer: its head decides whether the session may continue on another connection. [2] */
  private read(slot: number, end: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    if (!this.isData()) return;
    if (reports.isNewOfServer(slot, end)) reports.setWord(slot, Word.DataAt, reports.table.tick);
    const head = reports.head(slot);
    if (!isReading(head) || !isWithinSegments(head)) return;
    const length = Math.min(view.payloadLength, MAX_SEGMENT_BYTES);
    const skip = (reports.word(slot, Word.HeadAt) - view.sequence) | 0;
    if (skip < 0 || skip >= length) return;
    reports.setHead(slot, readHead(head, view.bytes, view.payloadAt + skip, length - skip));
    reports.setWord(slot, Word.HeadAt, (view.sequence + length) | 0);
  }

  /** The collector has sent something, so it is not silent. */
  private heard(slot: number): void {
    const { view } = this;
    const { reportConnections: reports, activatedCpes } = this.state;
    if (!reports.has(slot, Seen.Waiting)) return;
    const activation = activatedCpes.find(view.destination);
    if (activation >= 0) activatedCpes.heard(activation);
    reports.unmark(slot, Seen.Waiting);
  }

  private slotOfServer(sender: number): number {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = reports.find(view.destination, view.destinationPort, view.sourcePort);
    if (slot >= 0) reports.learn(slot, sender === reports.owner(slot));
    return slot;
  }

  /**
   * The CPE must see one peer, so this is stricter than [P7]. @param serves false for an address that only wakes CPEs
   */
  private isOwn(slot: number, sender: number, serves: boolean): boolean {
    return serves && slot >= 0 && this.state.reportConnections.owner(slot) === sender;
  }

  /** A packet of the ITMS from the report port. [D] */
  serveItms(serves: boolean): Reason {
    if (!serves) return Reason.NotOwner;
    const { reportConnections } = this.state;
    const slot = this.slotOfServer(ITMS);
    const isCollectors =
      slot >= 0 &&
      // Provisional: the ITMS may have a connection on these ports, and somebody forged a SYN for it.
      reportConnections.isAnswered(slot) &&
      !reportConnections.isClosed(slot) &&
      this.forward.servers.isConfigured(reportConnections.owner(slot));
    if (isCollectors) return Reason.NotOwner;
    this.pinAnswered();
    return this.forward.asAcs(Reason.ItmsForwarded);
  }

  /** A SYN+ACK of the ITMS says which SYN it has taken, and cannot be forged. */
  private pinAnswered(): void {
    const { view } = this;
    if ((view.flags & SYN_ACK) !== SYN_ACK || !isChecksumRight(view)) return;
    const isn = (view.acknowledgement - 1) | 0;
    this.state.pins.pinAnswered(view.destination, view.destinationPort, view.sourcePort, isn);
  }
}
