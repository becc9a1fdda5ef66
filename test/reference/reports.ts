/** Connections of CPEs to the report port: which are a collector's, and what keeps or ends them. */
import { type Context, type Decision, ITMS } from './context';
import {
  type Activation,
  type Connection,
  type CpeMemory,
  find,
  isClosing,
  opened,
  PIN_MS,
  remove,
  SILENT_MS,
  type Side,
  stands,
} from './memory';
import { refuses } from './proof';

/** After this many other SYNs the pin cache (65 536 places) may have forgotten one; before, hardly ever. */
const SURE_PINS = 400;

export class Reports {
  private serial = 0;

  constructor(private readonly context: Context) {}

  // ---- a SYN of the CPE ----

  open(): Decision {
    const { context } = this;
    const { source, sourcePort, destinationPort, sequence } = context.packet;
    const cpe = context.memory.of(source);
    const reports = cpe.reports(context.nowMs);
    const known = find(reports, sourcePort, destinationPort);
    if (!known) return this.decideAfresh(cpe);
    if (known.isn === sequence) {
      if (!known.isAnswered) {
        this.touch(known);
        const consumed = this.consumedBy(known);
        if (consumed) consumed.touchedMs = context.nowMs;
      }
      return context.to(known.owner);
    }
    if (!isClosing(known) && context.nowMs - known.touchedMs < SILENT_MS) return context.to(known.owner);
    remove(reports, known);
    return this.decideAfresh(cpe);
  }

  private decideAfresh(cpe: CpeMemory): Decision {
    const { context } = this;
    const { nowMs, mode, packet } = context;
    const standing = cpe.activation(nowMs);
    if (!standing || !stands(standing) || !context.isConfigured(standing.owner) || this.isPinned(cpe)) {
      return this.toItms(cpe);
    }
    if (context.isPaused || mode === 'off') {
      cpe.setActivation(undefined);
      return this.toItms(cpe);
    }
    if (!this.hasRoom()) return this.toItms(cpe);
    const { source, sourcePort, destinationPort, sequence } = packet;
    const ends = { cpe: source, cpePort: sourcePort, port: destinationPort, ownPort: destinationPort };
    cpe.reports(nowMs).push(opened({ ...ends, owner: standing.owner }, sequence, nowMs));
    const consumed = { isArmed: false, isAnswered: false, hasFin: false, isReset: false };
    Object.assign(standing, consumed, { cpePort: sourcePort, port: destinationPort, touchedMs: nowMs });
    context.diverted++;
    return context.to(standing.owner);
  }

  /** This SYN went to the ITMS before: its retransmission must as well. */
  private isPinned(cpe: CpeMemory): boolean {
    const { context } = this;
    const { sourcePort, destinationPort, sequence } = context.packet;
    const pin = cpe.pinOf(sourcePort, destinationPort);
    if (!pin || pin.isn !== sequence || context.nowMs - pin.atMs > PIN_MS) return false;
    if (this.serial - pin.serial < SURE_PINS || context.wentToItms()) return true;
    context.forgottenPins++;
    return false;
  }

  private toItms(cpe: CpeMemory): Decision {
    const { context } = this;
    const { sourcePort, destinationPort, sequence } = context.packet;
    cpe.pin(sourcePort, destinationPort, { isn: sequence, atMs: context.nowMs, serial: this.serial++ });
    return context.to(ITMS);
  }

  private hasRoom(): boolean {
    const { context } = this;
    if (context.room) return !context.room.reports || !context.wentToItms();
    return context.memory.reports(context.nowMs).length < context.capacity;
  }

  // ---- the rest ----

  fromCpe(): Decision {
    const { context } = this;
    const { source, sourcePort, destinationPort } = context.packet;
    const known = find(context.memory.of(source).reports(context.nowMs), sourcePort, destinationPort);
    if (!known) return context.to(ITMS);
    this.pass(known, 'cpe');
    return context.to(known.owner);
  }

  fromItms(): Decision {
    const { context } = this;
    const { destination, destinationPort, sourcePort } = context.packet;
    const known = find(context.memory.of(destination).reports(context.nowMs), destinationPort, sourcePort);
    const isCollectors = known && !isClosing(known) && context.isConfigured(known.owner);
    return isCollectors ? 'dropped' : context.asAcs();
  }

  fromCollector(sender: string): Decision {
    const { context } = this;
    const { destination, destinationPort, sourcePort, rst } = context.packet;
    const reports = context.memory.of(destination).reports(context.nowMs);
    const known = find(reports, destinationPort, sourcePort);
    if (!known) return rst ? context.asAcs() : 'dropped';
    if (known.owner !== sender) return 'dropped';
    if (!rst || known.isAnswered) this.pass(known, 'server');
    else if (refuses(context.packet, known.isn)) remove(reports, known);
    return context.asAcs();
  }

  /** A packet of either end of a diverted connection, but no SYN of the CPE. */
  private pass(known: Connection, sender: Side): void {
    const { syn, fin, rst } = this.context.packet;
    if (rst) {
      known.rsts.add(sender);
      this.touch(known);
      // A collector that has closed in order may see its session go on.
      if (!known.fins.has('server')) this.setReset(known, true);
      return;
    }
    const wasReset = known.rsts.size > 0;
    known.rsts.delete(sender === 'cpe' ? 'server' : 'cpe');
    // A SYN+ACK says that its sender is still there.
    if (sender === 'server' && syn) known.rsts.delete(sender);
    if (wasReset && known.rsts.size === 0) this.setReset(known, false);
    if (sender === 'server' && syn && !known.isAnswered) {
      known.isAnswered = true;
      const consumed = this.consumedBy(known);
      if (consumed) Object.assign(consumed, { isAnswered: true, touchedMs: this.context.nowMs });
    }
    if (fin) {
      known.fins.add(sender);
      this.touch(known);
      const consumed = this.consumedBy(known);
      if (consumed?.isAnswered) Object.assign(consumed, { hasFin: true, touchedMs: this.context.nowMs });
    }
    // One without an answer lives by its SYNs.
    if (known.isAnswered) this.touch(known);
  }

  /** There is no grace after a reset, unless it turns out to have been forged. */
  private setReset(known: Connection, isReset: boolean): void {
    const consumed = this.consumedBy(known);
    if (!consumed) return;
    consumed.isReset = isReset;
    if (!consumed.hasFin) consumed.touchedMs = this.context.nowMs;
  }

  /** The activation that a connection consumed. */
  private consumedBy({ cpe, cpePort, port }: Connection): Activation | undefined {
    const activation = this.context.memory.of(cpe).activation(this.context.nowMs);
    const isIt = activation && !activation.isArmed && activation.cpePort === cpePort && activation.port === port;
    return isIt ? activation : undefined;
  }

  private touch(known: Connection): void {
    known.touchedMs = this.context.nowMs;
  }
}
