/** SYNs of CPEs to the report port: which go to a collector, and what a SYN does to an existing connection. */
import { isAsked, phaseAt, stands } from './activations';
import { type Context, type Decision, ITMS } from './context';
import { type Connection, find, isOverForCpe, makeRoom, opened, remove, REPORT_UNANSWERED_MS } from './memory';
import { openedByCpe } from './numbers';

/** While a collector has been silent for this long, the CPE's other SYNs go to the ITMS. */
const SILENT_MS = 3_000;
/** TCP's rate limit of challenge ACKs, with a margin. */
const CHALLENGE_MS = 1_000;
/** Provisional entries of a CPE. */
const MOST_PROVISIONAL = 4;

export class Reports {
  constructor(private readonly context: Context) {}

  open(): Decision {
    const { context } = this;
    const { source, sourcePort, destinationPort, sequence, isChecksumRight } = context.packet;
    const reports = context.memory.of(source).reports(context.nowMs);
    const known = find(reports, sourcePort, destinationPort);
    if (!isChecksumRight) return context.to(known?.owner ?? ITMS, 'checksum-wrong');
    if (!known) return this.decideAfresh();
    if (known.isn === sequence) {
      if (!known.isAnswered) known.touchedMs = context.nowMs;
      return context.to(known.owner, 'syn-repeated');
    }
    if (isOverForCpe(known)) {
      remove(reports, known);
      return this.decideAfresh();
    }
    // The SYN of the entry was forged: the CPE is opening a connection with the ITMS.
    if (!known.isAnswered && this.isPinned()) return this.toItms('pinned');
    return this.openOnto(known);
  }

  /** TCP's own half-open discovery settles it; silence of the collector does as well. */
  private openOnto(known: Connection): Decision {
    const { context } = this;
    const { nowMs } = context;
    const reports = context.memory.of(known.cpe).reports(nowMs);
    const silentMs = known.unheardMs === undefined ? -1 : nowMs - known.unheardMs;
    if (!known.isAnswered && silentMs >= SILENT_MS) {
      remove(reports, known);
      return this.newToItms('collector-silent');
    }
    if (silentMs >= REPORT_UNANSWERED_MS) {
      remove(reports, known);
      return this.decideAfresh();
    }
    known.hasPendingSyn = true;
    // A collector that has just spoken may owe its next challenge ACK.
    if (!known.isAnswered || nowMs - known.touchedMs >= CHALLENGE_MS) known.unheardMs ??= nowMs;
    return context.to(known.owner, 'syn-onto-live');
  }

  private decideAfresh(): Decision {
    const { context } = this;
    const { nowMs, packet } = context;
    const standing = context.activation(packet.source);
    const isStanding = standing !== undefined && stands(standing, nowMs);
    const isWaiting = isStanding || (standing !== undefined && isAsked(standing, nowMs));
    if (isWaiting && this.isPinned()) return this.toItms(isStanding ? 'pinned' : 'to-itms');
    if (!isStanding) return this.newToItms('to-itms');
    const objection = this.objection();
    if (objection !== undefined) return this.newToItms(objection);
    const { source, sourcePort, destinationPort, sequence } = packet;
    const reports = context.memory.of(source).reports(nowMs);
    const isGone = (one: Connection) => context.tables?.hasReport(one.cpe, one.cpePort, one.port) === false;
    if (!makeRoom(reports, MOST_PROVISIONAL, isGone)) return this.newToItms('report-bound');
    if (!this.hasRoom()) return this.newToItms('report-table-full');
    const ends = { cpe: source, cpePort: sourcePort, port: destinationPort, ownPort: destinationPort };
    const entry = opened({ ...ends, owner: standing.owner }, sequence, nowMs);
    openedByCpe(entry.numbers, packet);
    entry.unheardMs = nowMs;
    standing.unheardMs ??= nowMs;
    reports.push(entry);
    context.diverted++;
    return context.to(standing.owner, phaseAt(standing, nowMs) === 'grace' ? 'diverted-in-grace' : 'diverted');
  }

  /** Why an existing activation diverts nothing. */
  private objection(): string | undefined {
    const { context } = this;
    const { nowMs, isPaused, mode } = context;
    const { source } = context.packet;
    const { owner, phase, unheardMs } = context.activation(source)!;
    if (!context.isConfigured(owner)) return 'owner-gone';
    // Pausing tears no session.
    if (mode === 'off' || (isPaused && phase !== 'grace')) {
      context.endActivation(source);
      return isPaused ? 'paused' : 'would-divert';
    }
    const silentMs = unheardMs === undefined ? -1 : nowMs - unheardMs;
    if (silentMs >= REPORT_UNANSWERED_MS) context.endActivation(source);
    if (silentMs >= SILENT_MS) return 'collector-silent';
    if (!context.unusable.has(owner)) return undefined;
    context.endActivation(source);
    return 'collector-down';
  }

  /** This SYN went to the ITMS before: its retransmission must as well. */
  private isPinned(): boolean {
    const { context } = this;
    const { source, sourcePort, destinationPort, sequence } = context.packet;
    return context.isPinned(source, sourcePort, destinationPort, sequence, context.wentToItms());
  }

  /** A new session with the ITMS: where the CPE is asked, it is the one that was asked for. */
  private newToItms(reason: string): Decision {
    const { context } = this;
    const standing = context.activation(context.packet.source);
    if (standing && isAsked(standing, context.nowMs)) standing.sessionMs = context.nowMs;
    return this.toItms(reason);
  }

  private toItms(reason: string): Decision {
    const { context } = this;
    const { source, sourcePort, destinationPort, sequence } = context.packet;
    const pin = { isn: sequence, atMs: context.nowMs, serial: context.pins++ };
    context.memory.of(source).pin(sourcePort, destinationPort, pin);
    return context.to(ITMS, reason);
  }

  private hasRoom(): boolean {
    const { context } = this;
    if (context.room) return !context.room.reports || !context.wentToItms();
    return context.memory.reports(context.nowMs).length < context.capacity;
  }
}
