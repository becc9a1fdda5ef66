/** How a report connection ends, and whether its session may continue on another one. [P8, D], grace [2] */
import { Grace } from '../../tables/activation-row';
import { Seen, Word } from '../../tables/connection-row';
import { Cause } from '../../tables/flow-port';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { Head, headOf, isUnauthorized } from './http-head';

/** A server that closes this long after the last data has closed an idle connection. [2] */
const IDLE_MS = 1000;

export class ReportEnds {
  constructor(private readonly state: FamilyState) {}

  /** A RST did not end the connection: undo what it began. */
  lift(slot: number, mark: Seen.RstOfCpe | Seen.RstOfServer, other: Seen): void {
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
  closed(slot: number, mark: Seen): void {
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
    if (grace === undefined) activatedCpes.end(activation, this.isOver(slot) ? Cause.Over : Cause.Failed);
    else activatedCpes.finished(activation, grace);
  }

  /** The collector's last answer says that the session is over. */
  private isOver(slot: number): boolean {
    return headOf(this.state.reportConnections.head(slot)) === Head.Empty;
  }

  /** Undefined: the session does not go on. [2] */
  private graceAfter(slot: number, mark: Seen): Grace | undefined {
    const { reportConnections: reports } = this.state;
    switch (headOf(reports.head(slot))) {
      case Head.Body:
      case Head.Unanswered:
        return Grace.Unfinished;
      case Head.Retry:
        return isUnauthorized(reports.head(slot)) ? Grace.Login : Grace.Retry;
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
  endActivation(slot: number, cause: Cause): void {
    const { reportConnections: reports, activatedCpes } = this.state;
    const activation = activatedCpes.find(reports.cpe(slot));
    if (activation >= 0 && activatedCpes.owner(activation) === reports.owner(slot))
      activatedCpes.end(activation, cause);
  }

  /** The collector, or an error about the SYN, refuses the connection: a dead collector costs one attempt. [2] */
  refused(slot: number): void {
    this.endActivation(slot, Cause.Refused);
    this.ended(slot, Cause.Refused);
  }

  /** Removes the entry; the CPE's next SYN is decided without it. */
  ended(slot: number, cause: Cause): void {
    const { reportConnections: reports, events } = this.state;
    events.add(Event.Closed, reports.cpe(slot), reports.cpePort(slot), reports.visiblePort(slot), reports.owner(slot));
    reports.remove(slot, cause);
  }
}
