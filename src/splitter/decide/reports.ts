/**
 * Report connections: those that CPEs open to the ACS address on a report port, and the servers' answers on them. [P7,
 * P8, P10] How a diversion is followed, proven and ended is ours [D].
 *
 * A diverted SYN creates a provisional entry. The CPE's valid ACK of the collector's SYN+ACK confirms it, and only then
 * is the activation used up: a forged SYN cannot use it up, nor can a dead collector [2].
 */
import { Seen, Word } from '../../tables/connection-table';
import { Grace } from '../../tables/activated-cpes';
import { Cause } from '../../tables/flow-port';
import { TcpFlag } from '../../packet/tcp';
import { isChecksumRight } from '../../packet/verify';
import { type PacketView } from '../../packet/view';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { type Forward } from './forward';
import { asked, Head, headOf, isAlert, isReading, isWithinSegments, MAX_SEGMENT_BYTES } from './http-head';
import { readHead, withSegment } from './http-head';
import { ITMS, MAX_OWNERS } from '../memory/owners';
import { Reason } from '../reasons';
import { type Settings } from '../settings';

/** While a diverted SYN has waited this long for its collector, the CPE's other SYNs go to the ITMS. [2] */
const SILENT_MS = 3000;
/** Most unconfirmed report connections of one CPE. [2] */
const MAX_PROVISIONAL = 4;
/**
 * Linux sends no two challenge ACKs within half a second (tcp_invalid_ratelimit): a SYN this soon after a packet of the
 * collector may stay without an answer though the collector is alive. [2]
 */
const CHALLENGE_MS = 1000;
/** A server that closes this long after the last data has closed an idle connection. [2] */
const IDLE_MS = 1000;

export class ReportDecisions {
  /** Sessions diverted to each owner in the second given by `second`. */
  private readonly diverted = new Int32Array(MAX_OWNERS);
  private second = 0;

  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly settings: Settings,
    private readonly forward: Forward,
  ) {}

  // ---- a CPE opens ----

  /** SYN of a CPE. [P10] */
  open(): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const known = this.slotOfCpe();
    if (!isChecksumRight(view)) {
      return this.forward.toOwner(known < 0 ? ITMS : reports.owner(known), Reason.ChecksumWrong);
    }
    if (known < 0) return this.steer();
    const isProvisional = !reports.isAnswered(known);
    // Neither waiting nor answered: a worker was killed while it opened this entry.
    if (isProvisional && !reports.has(known, Seen.Waiting | Seen.Learned)) this.begin(known);
    if (reports.isn(known) === view.sequence) {
      if (isProvisional) reports.touch(known);
      return this.forward.toOwner(reports.owner(known), Reason.SynRepeated);
    }
    if (reports.isOverForCpe(known)) {
      reports.remove(known, Cause.Replaced);
      return this.steer();
    }
    return this.openOnto(known, isProvisional);
  }

  /**
   * A SYN with another ISN on an established connection. TCP's half-open discovery (RFC 9293 section 3.5.1) settles it:
   * the collector sends a challenge ACK, and a CPE that has rebooted answers with a RST. A forged SYN ends nothing. [2]
   */
  private openOnto(known: number, isProvisional: boolean): Reason {
    const { reportConnections: reports } = this.state;
    const silentMs = reports.has(known, Seen.Waiting) ? reports.table.sinceMs(reports.word(known, Word.Since)) : -1;
    if (isProvisional && silentMs >= SILENT_MS) {
      reports.remove(known, Cause.Silent);
      return this.sessionToItms(Reason.CollectorSilent);
    }
    if (silentMs >= this.state.reportUnansweredMs) {
      this.ended(known, Cause.Silent);
      return this.steer();
    }
    reports.mark(known, Seen.PendingSyn);
    if (silentMs < 0 && (isProvisional || reports.idleMs(known) >= CHALLENGE_MS)) {
      reports.setWord(known, Word.Since, reports.table.tick);
      reports.mark(known, Seen.Waiting);
    }
    return this.forward.toOwner(reports.owner(known), Reason.SynOntoLive);
  }

  /** A new connection: does an activation apply? [P10] */
  private steer(): Reason {
    const { view } = this;
    const { activatedCpes, pins, reportConnections: reports } = this.state;
    const slot = activatedCpes.find(view.source);
    if (slot < 0) return this.synToItms(Reason.ToItms);
    const stands = activatedCpes.stands(slot);
    if (!stands && !activatedCpes.isAsked(slot)) return this.synToItms(Reason.ToItms);
    if (pins.isPinned(view.source, view.sourcePort, view.destinationPort, view.sequence)) {
      return this.synToItms(stands ? Reason.Pinned : Reason.ToItms);
    }
    const objection = stands ? this.objection(slot) : Reason.ToItms;
    if (objection !== undefined) return this.sessionToItms(objection);
    if (!reports.makeRoom(view.source, MAX_PROVISIONAL)) return this.sessionToItms(Reason.ReportBound);
    const owner = activatedCpes.owner(slot);
    const opened = reports.open(view.source, view.sourcePort, view.destinationPort, owner, view.sequence);
    if (opened < 0) return this.sessionToItms(Reason.ReportTableFull);
    this.begin(opened);
    return this.divertedBy(slot, owner);
  }

  /** Why an existing activation does not divert; undefined when it does. */
  private objection(slot: number): Reason | undefined {
    const { view } = this;
    const { activatedCpes, events, servers } = this.state;
    const owner = activatedCpes.owner(slot);
    if (!servers.isConfigured(owner)) return Reason.OwnerGone;
    const { isPaused, activation, unusable } = this.settings;
    // A pause breaks no session: its further connections, in grace, stay with the collector. [2]
    if (activation === 'off' || (isPaused && !activatedCpes.isGrace(slot))) {
      // The session meant by this activation goes to the ITMS, so it must not divert a later one.
      activatedCpes.end(slot, Cause.NotDiverting);
      if (isPaused) return Reason.Paused;
      events.add(Event.WouldDivert, view.source, view.sourcePort, view.destinationPort, owner);
      return Reason.WouldDivert;
    }
    const silentMs = activatedCpes.silentMs(slot);
    const isDead = silentMs >= this.state.reportUnansweredMs;
    if (isDead) activatedCpes.end(slot, Cause.Silent);
    if (isDead || silentMs >= SILENT_MS) return Reason.CollectorSilent;
    if (!servers.mayServe(owner, view.source)) return Reason.OutsideCanary;
    if (unusable[owner] !== 0) return Reason.CollectorDown;
    return this.isAtLimit(owner) ? Reason.CollectorBusy : undefined;
  }

  private isAtLimit(owner: number): boolean {
    const { servers, reportConnections: reports } = this.state;
    const second = Math.floor(reports.table.tick / 1000);
    if (second !== this.second) {
      this.second = second;
      this.diverted.fill(0);
    }
    return this.diverted[owner] >= servers.maxPerSecond(owner);
  }

  private begin(slot: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    reports.openedByCpe(slot, view);
    reports.setWord(slot, Word.Since, reports.table.tick);
    reports.mark(slot, Seen.Waiting);
    reports.begin(slot, view.sequence);
    reports.begun(slot);
  }

  /** @param slot of the activation */
  private divertedBy(slot: number, owner: number): Reason {
    const { view } = this;
    const { activatedCpes, events } = this.state;
    const inGrace = activatedCpes.isGrace(slot);
    activatedCpes.tried(slot);
    this.diverted[owner]++;
    const event = inGrace ? Event.DivertedInGrace : Event.Diverted;
    events.add(event, view.source, view.sourcePort, view.destinationPort, owner);
    return this.forward.toOwner(owner, inGrace ? Reason.DivertedInGrace : Reason.Diverted);
  }

  /** A new session. For an asked CPE it is either the one that the request caused, or one before it. [2] */
  private sessionToItms(reason: Reason): Reason {
    const { activatedCpes } = this.state;
    const slot = activatedCpes.find(this.view.source);
    if (slot >= 0 && activatedCpes.isAsked(slot)) activatedCpes.sessionBegan(slot);
    return this.synToItms(reason);
  }

  private synToItms(reason: Reason): Reason {
    const { view } = this;
    this.state.pins.pin(view.source, view.sourcePort, view.destinationPort, view.sequence);
    return this.forward.toOwner(ITMS, reason);
  }

  // ---- a CPE on its connection ----

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
    if (isFin) this.closed(slot, Seen.FinOfCpe);
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
      this.closed(slot, Seen.RstOfCpe);
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
    this.endActivation(slot, Cause.Booted);
    this.ended(slot, Cause.Booted);
  }

  private spokenByCpe(slot: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    if (!reports.isAnswered(slot)) this.confirm(slot);
    this.lift(slot, Seen.RstOfServer, Seen.RstOfCpe);
    if (reports.has(slot, Seen.PendingSyn | Seen.Waiting)) reports.unmark(slot, Seen.PendingSyn | Seen.Waiting);
    if (!reports.isNewOfCpe(slot, view) || isAlert(view.bytes, view.payloadAt, view.payloadLength)) return;
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
    return this.forward.toOwner(reports.isAnswered(slot) ? reports.owner(slot) : ITMS, Reason.ReportUnproven);
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

  // ---- a collector on a report connection ----

  /** SYN+ACK of a collector from the report port. [P7] */
  accept(sender: number, serves: boolean): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = this.slotOfServer();
    if (!this.isOwn(slot, sender, serves)) return Reason.NotOwner;
    if (!isChecksumRight(view)) return this.forward.asAcs(Reason.ChecksumWrong);
    const isPending = reports.has(slot, Seen.PendingSyn);
    const isAnswered = reports.isAnswered(slot);
    if (!reports.acknowledgesSyn(slot, view)) {
      // It had acknowledged data and now accepts a SYN: it has forgotten the connection. [2]
      if (isAnswered && isPending) {
        this.ended(slot, Cause.Forgotten);
        return Reason.ReportForgotten;
      }
      if (isAnswered) return this.forward.asAcs(Reason.ReportUnproven);
      // It never saw the first SYN.
      reports.begin(slot, (view.acknowledgement - 1) | 0);
      reports.begun(slot);
    }
    this.heard(slot);
    this.lift(slot, Seen.RstOfCpe, Seen.RstOfServer);
    // A server that is still opening has reset a stray packet, not its connection. RFC 9293 section 3.10.7.4
    this.lift(slot, Seen.RstOfServer, Seen.RstOfCpe);
    if (isAnswered) reports.spokenByServer(slot, view, (view.sequence + view.sentLength + 1) | 0);
    else reports.acceptedByServer(slot, view);
    reports.keep(slot);
    return this.forward.asAcs(Reason.ReportAnswered);
  }

  /** ACK or data of a collector from the report port. [P7] */
  serve(sender: number, serves: boolean): Reason {
    const slot = this.slotOfServer();
    if (!this.isOwn(slot, sender, serves)) return Reason.NotOwner;
    this.spokenByServer(slot, 0);
    return this.forward.asAcs(Reason.ReportAnswered);
  }

  /** FIN of a collector from the report port. [P8] */
  finish(sender: number, serves: boolean): Reason {
    const slot = this.slotOfServer();
    if (!this.isOwn(slot, sender, serves)) return Reason.NotOwner;
    if (!isChecksumRight(this.view)) return this.forward.asAcs(Reason.ChecksumWrong);
    this.spokenByServer(slot, 1);
    return this.forward.asAcs(Reason.ReportFinished);
  }

  /** RST of a collector from the report port. Before its SYN+ACK, the RST refuses the connection. [D] */
  reset(sender: number, serves: boolean): Reason {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = this.slotOfServer();
    if (!this.isOwn(slot, sender, serves)) return Reason.NotOwner;
    if (!isChecksumRight(view)) return this.forward.asAcs(Reason.ChecksumWrong);
    const isAnswered = reports.isAnswered(slot);
    if (isAnswered && reports.isRstOfServer(slot, view)) {
      this.closed(slot, Seen.RstOfServer);
    } else if (this.isRefusal(slot, isAnswered)) {
      this.endActivation(slot, Cause.Refused);
      this.ended(slot, Cause.Refused);
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
    if (reports.isRefusal(slot, view)) return true;
    return reports.has(slot, Seen.Learned) && reports.isRstOfServer(slot, view);
  }

  /** @param fin 1 for a FIN */
  private spokenByServer(slot: number, fin: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const end = (view.sequence + view.sentLength + fin) | 0;
    this.heard(slot);
    this.lift(slot, Seen.RstOfCpe, Seen.RstOfServer);
    if (view.payloadLength > 0) this.read(slot, (end - fin) | 0);
    if (!reports.has(slot, Seen.FinOfCpe) && reports.acknowledgesFin(slot, view)) this.closed(slot, Seen.FinOfCpe);
    if (fin > 0) this.closed(slot, Seen.FinOfServer);
    reports.spokenByServer(slot, view, end);
    reports.keep(slot);
  }

  /** The collector's answer: its head decides whether the session may continue on another connection. [2] */
  private read(slot: number, end: number): void {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    if (isAlert(view.bytes, view.payloadAt, view.payloadLength)) return;
    if (reports.isNewOfServer(slot, end)) reports.setWord(slot, Word.DataAt, reports.table.tick);
    let head = reports.head(slot);
    if (!isReading(head)) return;
    const isFirst = ((view.acknowledgement - reports.word(slot, Word.ServerAck)) | 0) > 0;
    head = withSegment(head, isFirst);
    const length = Math.min(view.payloadLength, MAX_SEGMENT_BYTES);
    const skip = (reports.word(slot, Word.HeadAt) - view.sequence) | 0;
    if (!isWithinSegments(head) || skip < 0 || skip >= length) return reports.setHead(slot, head);
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

  private slotOfServer(): number {
    const { view } = this;
    const { reportConnections: reports } = this.state;
    const slot = reports.find(view.destination, view.destinationPort, view.sourcePort);
    if (slot >= 0) reports.learn(slot);
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
    const slot = this.slotOfServer();
    const isCollectors =
      slot >= 0 &&
      // Provisional: the ITMS may have a connection on these ports, and somebody forged a SYN for it.
      reportConnections.isAnswered(slot) &&
      !reportConnections.isClosed(slot) &&
      this.forward.servers.isConfigured(reportConnections.owner(slot));
    return isCollectors ? Reason.NotOwner : this.forward.asAcs(Reason.ItmsForwarded);
  }

  // ---- ends ----

  /** A RST did not end the connection: undo what it began. */
  private lift(slot: number, mark: Seen.RstOfCpe | Seen.RstOfServer, other: Seen): void {
    const { reportConnections: reports, activatedCpes } = this.state;
    if (!reports.has(slot, mark)) return;
    // The activation first, so that a crash loses neither.
    if (!reports.has(slot, other | Seen.FinOfCpe | Seen.FinOfServer)) {
      const activation = this.activationOf(slot);
      if (activation >= 0) activatedCpes.resumed(activation);
    }
    reports.lift(slot, mark);
  }

  /**
   * A proven FIN or RST of a report connection has passed: set its life [P8]; its last head decides whether grace
   * begins [2].
   */
  private closed(slot: number, mark: Seen): void {
    const { reportConnections: reports, events } = this.state;
    const wasClosed = reports.isReset(slot) || reports.isFinished(slot);
    if (!reports.isClosing(slot)) this.beginGrace(slot, mark);
    // Touch first: a crash in between must not leave a shorter life that is already over.
    reports.touch(slot);
    reports.mark(slot, mark);
    if (!wasClosed && (reports.isReset(slot) || reports.isFinished(slot))) {
      events.add(
        Event.Closed,
        reports.cpe(slot),
        reports.cpePort(slot),
        reports.visiblePort(slot),
        reports.owner(slot),
      );
    }
  }

  private beginGrace(slot: number, mark: Seen): void {
    const { activatedCpes } = this.state;
    const activation = this.activationOf(slot);
    if (activation < 0) return;
    const grace = this.graceAfter(slot, mark);
    if (grace === undefined) activatedCpes.end(activation, Cause.Over);
    else activatedCpes.finished(activation, grace);
  }

  /** Undefined: the session is over. [2] */
  private graceAfter(slot: number, mark: Seen): Grace | undefined {
    const { reportConnections: reports } = this.state;
    switch (headOf(reports.head(slot))) {
      case Head.Body:
      case Head.Unanswered:
        return Grace.Unfinished;
      case Head.Retry:
        return Grace.Retry;
      case Head.Unreadable: {
        const isIdle = mark === Seen.FinOfServer && reports.table.sinceMs(reports.word(slot, Word.DataAt)) >= IDLE_MS;
        return isIdle ? Grace.Unfinished : Grace.Short;
      }
      default:
        return undefined;
    }
  }

  /** Slot of the activation whose last report connection this is, or -1. */
  private activationOf(slot: number): number {
    const { reportConnections: reports, activatedCpes } = this.state;
    return activatedCpes.findConsumed(reports.cpe(slot), reports.cpePort(slot), reports.visiblePort(slot));
  }

  /** Ends activation and grace of the entry's CPE, if they belong to the entry's owner. */
  private endActivation(slot: number, cause: Cause): void {
    const { reportConnections: reports, activatedCpes } = this.state;
    const activation = activatedCpes.find(reports.cpe(slot));
    if (activation >= 0 && activatedCpes.owner(activation) === reports.owner(slot))
      activatedCpes.end(activation, cause);
  }

  /** Removes the entry; the CPE's next SYN is decided without it. */
  private ended(slot: number, cause: Cause): void {
    const { reportConnections: reports, events } = this.state;
    events.add(Event.Closed, reports.cpe(slot), reports.cpePort(slot), reports.visiblePort(slot), reports.owner(slot));
    reports.remove(slot, cause);
  }
}
