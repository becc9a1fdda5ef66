/**
 * A CPE opens a report connection: its SYN goes to the collector that has woken it, or to the ITMS. [P10]
 *
 * A diverted SYN creates a provisional entry. The CPE's valid ACK of the collector's SYN+ACK confirms it, and only then
 * is the activation used up: a forged SYN cannot use it up, nor can a dead collector [2].
 */
import { Seen, Word } from '../../tables/connection-row';
import { Cause } from '../../tables/flow-port';
import { isChecksumRight } from '../../packet/verify';
import { type PacketView } from '../../packet/view';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { type Forward } from './forward';
import { ITMS, MAX_OWNERS } from '../memory/owners';
import { Reason } from '../reasons';
import { type ReportEnds } from './report-ends';
import { type Settings } from '../settings';

/** While a diverted SYN has waited this long for its collector, the CPE's other SYNs go to the ITMS. [2] */
export const SILENT_MS = 3000;
/** Most unconfirmed report connections of one CPE. [2] */
const MAX_PROVISIONAL = 4;
/**
 * Linux sends no two challenge ACKs within half a second (tcp_invalid_ratelimit): a SYN this soon after a packet of the
 * collector may stay without an answer though the collector is alive. [2]
 */
const CHALLENGE_MS = 1000;

export class ReportOpening {
  /** Sessions diverted to each owner in the second given by `second`. */
  private readonly diverted = new Int32Array(MAX_OWNERS);
  private second = 0;

  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly settings: Settings,
    private readonly forward: Forward,
    private readonly ends: ReportEnds,
  ) {}

  /** SYN of a CPE. [P10] @param known slot of the entry with its addresses and ports, or -1 */
  open(known: number): Reason {
    const { view } = this;
    const { pins, reportConnections: reports } = this.state;
    if (!isChecksumRight(view)) {
      return this.forward.toOwner(known < 0 ? ITMS : reports.owner(known), Reason.ChecksumWrong);
    }
    if (known < 0) return this.steer();
    const isProvisional = !reports.isAnswered(known);
    // Neither waiting nor answered: a worker was killed while it opened this entry.
    if (isProvisional && !reports.has(known, Seen.Waiting | Seen.Learned | Seen.Accepted)) this.begin(known);
    if (reports.isn(known) === view.sequence) {
      if (isProvisional) reports.touch(known);
      return this.forward.toOwner(reports.owner(known), Reason.SynRepeated);
    }
    if (reports.isOverForCpe(known)) {
      reports.remove(known, Cause.Replaced);
      return this.steer();
    }
    // The recorded SYN was forged onto a connection that the CPE is opening with the ITMS.
    if (isProvisional && pins.isPinned(view.source, view.sourcePort, view.destinationPort, view.sequence)) {
      return this.synToItms(Reason.Pinned);
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
      this.ends.ended(known, Cause.Silent);
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
    if (!reports.isCarried(opened)) {
      reports.remove(opened, Cause.NotCarried);
      return this.sessionToItms(Reason.ReportNotCarried);
    }
    return this.divertedBy(slot, owner);
  }

  /** Why an existing activation does not divert; undefined when it does. */
  private objection(slot: number): Reason | undefined {
    const { view } = this;
    const { activatedCpes, events, servers } = this.state;
    const owner = activatedCpes.owner(slot);
    if (!servers.isConfigured(owner)) return Reason.OwnerGone;
    const { isPaused, activation } = this.settings;
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
    if (this.isDown(owner)) return this.passOver(slot, owner);
    return this.isAtLimit(owner) ? Reason.CollectorBusy : undefined;
  }

  private isDown(owner: number): boolean {
    const { watch } = this.settings;
    return watch !== undefined && watch.turnsAway(owner, this.view.source);
  }

  /** The session meant by this activation goes to the ITMS, so it must not divert a later one. */
  private passOver(slot: number, owner: number): Reason {
    const { view } = this;
    const { activatedCpes, events } = this.state;
    activatedCpes.end(slot, Cause.CollectorDown);
    events.add(Event.CollectorDown, view.source, view.sourcePort, view.destinationPort, owner);
    return Reason.CollectorDown;
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
    const { pins, syns } = this.state;
    const isRepeated = pins.pin(view.source, view.sourcePort, view.destinationPort, view.sequence);
    // Where an activation stands, this router knew it, and a later session may still be its own.
    if (syns !== undefined && !isRepeated && reason === Reason.ToItms) syns.note(view.source);
    return this.forward.toOwner(ITMS, reason);
  }
}
