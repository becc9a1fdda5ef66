/**
 * A CPE's packets on a report connection: they go to the server that has it. [P10] What proves them to be the CPE's, and
 * what they then change, is ours [D].
 */
import { Seen, Word } from '../../tables/connection-row';
import { Cause } from '../../tables/flow-port';
import { TcpFlag } from '../../packet/tcp';
import { isChecksumRight } from '../../packet/verify';
import { type PacketView } from '../../packet/view';
import { type FamilyState } from '../memory/family-state';
import { type Forward } from './forward';
import { asked, isAlert } from './http-head';
import { ITMS } from '../memory/owners';
import { Reason } from '../reasons';
import { type ReportEnds } from './report-ends';
import { ReportOpening } from './report-opening';
import { type Settings } from '../settings';

export class ReportDecisions {
  private readonly opening: ReportOpening;

  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    settings: Settings,
    private readonly forward: Forward,
    private readonly ends: ReportEnds,
  ) {
    this.opening = new ReportOpening(view, state, settings, forward, ends);
  }

  /** SYN of the CPE. [P10] */
  open(): Reason {
    return this.opening.open(this.slotOfCpe());
  }

  /** A packet of the CPE that leaves the connection open. [D] */
  follow(): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.ReportToItms);
    if (!reports.isOfCpe(slot, view)) return this.unproven(slot);
    this.spokenByCpe(slot);
    reports.spokenByCpe(slot, view);
    return this.toOwner(slot);
  }

  /** FIN of the CPE. [D] */
  close(): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.ReportToItms);
    if (!reports.isOfCpe(slot, view) || !isChecksumRight(view)) return this.unproven(slot);
    const isFin = reports.isFinOfCpe(slot, view);
    this.spokenByCpe(slot);
    if (isFin) this.ends.closed(slot, Seen.FinOfCpe);
    reports.spokenByCpe(slot, view, isFin ? 1 : 0);
    return this.toOwner(slot);
  }

  /** RST of the CPE. [D] */
  abort(): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.ReportToItms);
    if (!this.isRstOfCpe(slot) || !isChecksumRight(view)) return this.unproven(slot);
    const owner = reports.owner(slot);
    if (!reports.isAnswered(slot)) {
      // Provisional: the activation keeps waiting for the CPE's session. [2]
      reports.remove(slot, Cause.Refused);
    } else if (this.hasBooted(slot)) {
      this.booted(slot);
    } else {
      this.ends.closed(slot, Seen.RstOfCpe);
    }
    return this.forward.toOwner(owner, Reason.ReportToOwner);
  }

  private isRstOfCpe(slot: number): boolean {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    if (reports.has(slot, Seen.Learned)) return reports.isRstOfCpe(slot, view);
    return !reports.isAnswered(slot) && view.sequence === reports.word(slot, Word.CpeNext);
  }

  /**
   * A RST without ACK, exactly at the number of the collector's challenge: the CPE does not know the connection. [2]
   */
  private hasBooted(slot: number): boolean {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const isBare = (view.flags & TcpFlag.Ack) === 0;
    return reports.has(slot, Seen.PendingSyn) && isBare && view.sequence === reports.word(slot, Word.ServerAck);
  }

  /** The CPE has rebooted: its connection, activation and grace are void. */
  private booted(slot: number): void {
    this.ends.endActivation(slot, Cause.Booted);
    this.ends.ended(slot, Cause.Booted);
  }

  private spokenByCpe(slot: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    if (!reports.isAnswered(slot)) this.confirm(slot);
    this.ends.lift(slot, Seen.RstOfServer, Seen.RstOfCpe);
    if (reports.has(slot, Seen.PendingSyn | Seen.Waiting)) reports.unmark(slot, Seen.PendingSyn | Seen.Waiting);
    if (!reports.isNewOfCpe(slot, view) || isAlert(view.bytes, view.payloadAt, view.payloadLength, view.sentLength))
      return;
    // The answer begins at the byte that the CPE expects next.
    reports.setWord(slot, Word.HeadAt, view.acknowledgement);
    reports.setHead(slot, asked(reports.head(slot)));
    reports.setWord(slot, Word.DataAt, reports.table.tick);
  }

  /** The CPE has acknowledged the collector's SYN+ACK: this is its session. [2] */
  private confirm(slot: number): void {
    const { view } = this;
    const { reportConnections: reports, activatedCpes } = this.state;
    const owner = reports.owner(slot);
    let activation = activatedCpes.find(view.source);
    // It may have expired since the SYN.
    if (activation < 0) activation = activatedCpes.arm(view.source, owner, Cause.Packet);
    const isOwn = activation >= 0 && activatedCpes.owner(activation) === owner;
    // In this order: if the worker is killed in between, the next one confirms again.
    if (isOwn) activatedCpes.consume(activation, view.sourcePort, view.destinationPort);
    reports.touch(slot);
    reports.mark(slot, Seen.Answer);
  }

  /**
   * Not proven to be the CPE's: forward it, since its receiver knows better, and change nothing. [2] If the entry is
   * provisional and the CPE uses other numbers, the recorded SYN was forged, possibly on a connection of the ITMS.
   */
  private unproven(slot: number): Reason {
    const { reportConnections: reports } = this.state;
    const isOwners = reports.isAnswered(slot) || this.isAcceptedElsewhere(slot);
    return this.forward.toOwner(isOwners ? reports.owner(slot) : ITMS, Reason.ReportUnproven);
  }

  /** The collector's SYN+ACK has passed another router. Without its numbers we cannot tell whose packet this is. */
  private isAcceptedElsewhere(slot: number): boolean {
    const { reportConnections: reports } = this.state;
    return reports.has(slot, Seen.Accepted) && !reports.has(slot, Seen.Learned);
  }

  /** Slot of the connection that the CPE's packet belongs to; -1 when there is none. */
  private slotOfCpe(): number {
    const { view } = this;
    // Never recreated from data: that would hijack a reused port. [D]
    const { reportConnections: reports } = this.state;
    const slot = reports.find(view.source, view.sourcePort, view.destinationPort);
    if (slot >= 0) reports.learn(slot);
    return slot;
  }

  private toOwner(slot: number): Reason {
    const { reportConnections: reports } = this.state;
    reports.keep(slot);
    return this.forward.toOwner(reports.owner(slot), Reason.ReportToOwner);
  }
}
