/**
 * Report connections: those that CPEs open to the ACS address on a report port, and the servers' answers on them.
 * [P7, P8, P10]; following and ending a diversion is ours [D].
 */
import { Seen } from '../../tables/connection-table';
import { type PacketView } from '../../packet/view';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { type Forward } from './forward';
import { ITMS } from '../memory/owners';
import { Reason } from '../reasons';
import { isRefusal } from './decision-table';
import { type Settings } from '../settings';

/** A live report connection that was silent for this long may be taken over by a new SYN. [D] */
const SILENT_MS = 30_000;

export class ReportDecisions {
  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly settings: Settings,
    private readonly forward: Forward,
  ) {}

  /** SYN of a CPE. [P10] */
  open(): Reason {
    const { view } = this;
    const { reportConnections, activatedCpes } = this.state;
    const known = reportConnections.find(view.source, view.sourcePort, view.destinationPort);
    if (known < 0) return this.steer();
    if (this.wasInterrupted(known)) return this.divert(activatedCpes.find(view.source), known);
    if (reportConnections.isn(known) === view.sequence) {
      if (!reportConnections.isAnswered(known)) {
        reportConnections.touch(known);
        activatedCpes.repeated(view.source, view.sourcePort, view.destinationPort);
      }
      return this.forward.toOwner(reportConnections.owner(known), Reason.SynRepeated);
    }
    // TCP's own half-open discovery settles a new SYN onto a live connection; a forged one must not kill it.
    if (!reportConnections.isClosing(known) && reportConnections.idleMs(known) < SILENT_MS) {
      return this.forward.toOwner(reportConnections.owner(known), Reason.SynOntoLive);
    }
    reportConnections.remove(known);
    return this.steer();
  }

  /** A new connection: does an activation stand? [P10] */
  private steer(): Reason {
    const { view } = this;
    const { activatedCpes, pins, events, reportConnections } = this.state;
    const slot = activatedCpes.find(view.source);
    if (slot < 0 || !activatedCpes.stands(slot)) return this.synToItms(Reason.ToItms);
    const owner = activatedCpes.owner(slot);
    if (!this.forward.servers.isConfigured(owner)) return this.synToItms(Reason.OwnerGone);
    if (pins.isPinned(view.source, view.sourcePort, view.destinationPort, view.sequence)) {
      return this.synToItms(Reason.Pinned);
    }
    const { isPaused, activation } = this.settings;
    if (isPaused || activation === 'off') {
      // The session that this activation stood for is the ITMS's now: it must not divert a later one.
      activatedCpes.remove(slot);
      if (isPaused) return this.synToItms(Reason.Paused);
      events.add(Event.WouldDivert, view.source, view.sourcePort, view.destinationPort, owner);
      return this.synToItms(Reason.WouldDivert);
    }
    const before = activatedCpes.reserve(slot, view.sourcePort, view.destinationPort);
    const opened = reportConnections.open(view.source, view.sourcePort, view.destinationPort, owner, view.sequence);
    if (opened >= 0) return this.divert(slot, opened);
    activatedCpes.unreserve(slot, before);
    return this.synToItms(Reason.ReportTableFull);
  }

  /** A worker was killed between opening this entry and consuming the activation that was reserved for it. */
  private wasInterrupted(known: number): boolean {
    const { view } = this;
    const { reportConnections, activatedCpes } = this.state;
    const slot = activatedCpes.find(view.source);
    // In grace an activation is reserved for the connection that was closed.
    if (slot < 0 || reportConnections.isClosing(known)) return false;
    return activatedCpes.stands(slot) && activatedCpes.isReserved(slot, view.sourcePort, view.destinationPort);
  }

  /** @param opened the report connection's entry */
  private divert(slot: number, opened: number): Reason {
    const { view } = this;
    const { activatedCpes, events, reportConnections } = this.state;
    const owner = reportConnections.owner(opened);
    const inGrace = activatedCpes.isGrace(slot);
    reportConnections.begin(opened, view.sequence);
    activatedCpes.consume(slot, view.sourcePort, view.destinationPort);
    const event = inGrace ? Event.DivertedInGrace : Event.Diverted;
    events.add(event, view.source, view.sourcePort, view.destinationPort, owner);
    return this.forward.toOwner(owner, inGrace ? Reason.DivertedInGrace : Reason.Diverted);
  }

  private synToItms(reason: Reason): Reason {
    const { view } = this;
    this.state.pins.pin(view.source, view.sourcePort, view.destinationPort, view.sequence);
    return this.forward.toOwner(ITMS, reason);
  }

  /** A packet of the CPE that leaves the connection open. [D] */
  follow(): Reason {
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.ReportToItms);
    this.lift(slot, Seen.RstOfServer, Seen.RstOfCpe);
    return this.toOwner(slot);
  }

  /** FIN of the CPE. [D] */
  close(): Reason {
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.ReportToItms);
    this.lift(slot, Seen.RstOfServer, Seen.RstOfCpe);
    this.closeReport(slot, Seen.FinOfCpe);
    return this.toOwner(slot);
  }

  /** RST of the CPE. [D] */
  abort(): Reason {
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.ReportToItms);
    this.closeReport(slot, Seen.RstOfCpe);
    return this.toOwner(slot);
  }

  /** Of the connection that the CPE's packet belongs to; -1 where none is remembered. */
  private slotOfCpe(): number {
    const { view } = this;
    // Never recreated from data: a reused port would be hijacked. [D]
    return this.state.reportConnections.find(view.source, view.sourcePort, view.destinationPort);
  }

  private toOwner(slot: number): Reason {
    const { reportConnections } = this.state;
    reportConnections.keep(slot);
    return this.forward.toOwner(reportConnections.owner(slot), Reason.ReportToOwner);
  }

  /** SYN+ACK of a collector from the report port. [P7] */
  accept(sender: number): Reason {
    const { view } = this;
    const { reportConnections, activatedCpes } = this.state;
    const slot = this.slotOfServer();
    if (!this.isOwn(slot, sender)) return Reason.NotOwner;
    this.lift(slot, Seen.RstOfCpe, Seen.RstOfServer);
    // A server that is still opening has reset a stray packet, not its connection. RFC 9293 section 3.10.7.4
    this.lift(slot, Seen.RstOfServer, Seen.RstOfCpe);
    if (!reportConnections.isAnswered(slot)) {
      // In this order: killed in between, the next worker sees this answer as the first again.
      activatedCpes.answered(view.destination, view.destinationPort, view.sourcePort);
      reportConnections.mark(slot, Seen.Answer);
    }
    return this.asAcs(slot, Reason.ReportAnswered);
  }

  /** ACK or data of a collector from the report port. [P7] */
  serve(sender: number): Reason {
    const slot = this.slotOfServer();
    if (!this.isOwn(slot, sender)) return Reason.NotOwner;
    this.lift(slot, Seen.RstOfCpe, Seen.RstOfServer);
    return this.asAcs(slot, Reason.ReportAnswered);
  }

  /** FIN of a collector from the report port. [P8] */
  finish(sender: number): Reason {
    const slot = this.slotOfServer();
    if (!this.isOwn(slot, sender)) return Reason.NotOwner;
    this.lift(slot, Seen.RstOfCpe, Seen.RstOfServer);
    this.closeReport(slot, Seen.FinOfServer);
    return this.asAcs(slot, Reason.ReportFinished);
  }

  /** RST of a collector from the report port: before its SYN+ACK it refuses. [D] */
  reset(sender: number): Reason {
    const { reportConnections } = this.state;
    const slot = this.slotOfServer();
    if (slot >= 0 && !this.isOwn(slot, sender)) return Reason.NotOwner;
    if (slot >= 0 && reportConnections.isAnswered(slot)) this.closeReport(slot, Seen.RstOfServer);
    else if (slot >= 0 && isRefusal(this.view, reportConnections.isn(slot))) this.refused(slot);
    return this.forward.asAcs(Reason.ReportReset);
  }

  private slotOfServer(): number {
    const { view } = this;
    return this.state.reportConnections.find(view.destination, view.destinationPort, view.sourcePort);
  }

  /** The CPE must see one peer: narrower than [P7]. */
  private isOwn(slot: number, sender: number): boolean {
    return slot >= 0 && this.state.reportConnections.owner(slot) === sender;
  }

  private asAcs(slot: number, reason: Reason): Reason {
    this.state.reportConnections.keep(slot);
    return this.forward.asAcs(reason);
  }

  /** The collector takes no connection: its entry goes, and the CPE's next SYN is the ITMS's. [D] */
  private refused(slot: number): void {
    const { reportConnections, events } = this.state;
    events.add(
      Event.Closed,
      reportConnections.cpe(slot),
      reportConnections.cpePort(slot),
      reportConnections.visiblePort(slot),
      reportConnections.owner(slot),
    );
    reportConnections.remove(slot);
  }

  /** A packet of the ITMS from the report port. [D] */
  serveItms(): Reason {
    const { reportConnections } = this.state;
    const slot = this.slotOfServer();
    const isCollectors =
      slot >= 0 &&
      !reportConnections.isClosing(slot) &&
      this.forward.servers.isConfigured(reportConnections.owner(slot));
    return isCollectors ? Reason.NotOwner : this.forward.asAcs(Reason.ItmsForwarded);
  }

  /** A RST did not end the connection: it was a forgery, or answered one. The activation first, so that a crash loses neither. */
  private lift(slot: number, mark: Seen.RstOfCpe | Seen.RstOfServer, other: Seen): void {
    const { reportConnections, activatedCpes } = this.state;
    if (!reportConnections.has(slot, mark)) return;
    if (!reportConnections.has(slot, other)) {
      activatedCpes.lifted(
        reportConnections.cpe(slot),
        reportConnections.cpePort(slot),
        reportConnections.visiblePort(slot),
      );
    }
    reportConnections.lift(slot, mark);
  }

  /** A FIN or RST of a report connection passed: its time is set [P8], grace begins or ends [D]. */
  private closeReport(slot: number, mark: Seen): void {
    const { reportConnections, activatedCpes, events } = this.state;
    const cpe = reportConnections.cpe(slot);
    const cpePort = reportConnections.cpePort(slot);
    const port = reportConnections.visiblePort(slot);
    const wasClosed = reportConnections.isReset(slot) || reportConnections.isFinished(slot);
    // Touched first: a crash between the two must not leave a shorter life that is already over.
    reportConnections.touch(slot);
    reportConnections.mark(slot, mark);
    if (mark === Seen.FinOfCpe || mark === Seen.FinOfServer) activatedCpes.finished(cpe, cpePort, port);
    // A server that has said FIN has closed in order: a RST after that ends no session.
    else if (!reportConnections.has(slot, Seen.FinOfServer)) activatedCpes.reset(cpe, cpePort, port);
    if (!wasClosed && (reportConnections.isReset(slot) || reportConnections.isFinished(slot))) {
      events.add(Event.Closed, cpe, cpePort, port, reportConnections.owner(slot));
    }
  }
}
