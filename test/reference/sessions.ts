/** Connections of CPEs to the report port, except the SYN: what keeps or ends them. */
import { ahead, plus } from './arithmetic';
import { type Context, type Decision, ITMS } from './context';
import { isAlert, readHead } from './http';
import { type Connection, find, isClosed, remove } from './memory';
import {
  acceptedByServer,
  acknowledgesFin,
  answersSyn,
  endOf,
  isFinOfCpe,
  isNewOfCpe,
  isNewOfServer,
  isOfCpe,
  isRstOfCpe,
  isRstOfServer,
  refuses,
  spokenByCpe,
  spokenByServer,
  windowOfCpe,
} from './numbers';
import { SessionEnds } from './session-ends';

/** How many segments of a collector's answer are read. */
const MOST_SEGMENTS = 4;
const SEGMENT_BYTES = 255;

export class Sessions {
  private readonly ends: SessionEnds;

  constructor(private readonly context: Context) {
    this.ends = new SessionEnds(context);
  }

  // ---- the CPE ----

  fromCpe(): Decision {
    const { context } = this;
    const { source, sourcePort, destinationPort, rst, fin, isChecksumRight } = context.packet;
    const known = find(context.memory.of(source).reports(context.nowMs), sourcePort, destinationPort);
    if (!known) return context.to(ITMS, 'report-to-itms');
    const isProven = rst ? this.isRstOfCpe(known) : this.isOfCpe(known);
    if (!isProven || ((rst || fin) && !isChecksumRight)) return this.unproven(known);
    if (rst) this.abort(known);
    else this.spokenByCpe(known);
    return context.to(known.owner, 'report-to-owner');
  }

  /** A CPE that speaks otherwise than a SYN waits for has another connection there, which is the ITMS's. */
  private unproven({ owner, isAnswered }: Connection): Decision {
    return this.context.to(isAnswered ? owner : ITMS, 'report-unproven');
  }

  private isOfCpe({ numbers, isAnswered }: Connection): boolean {
    return isOfCpe(numbers, this.context.packet, isAnswered, windowOfCpe(numbers));
  }

  private isRstOfCpe({ numbers, isAnswered, fins }: Connection): boolean {
    const { packet } = this.context;
    if (numbers.areLearned) return isRstOfCpe(numbers, packet, fins.has('cpe'));
    // Its collector has sent nothing yet.
    return !isAnswered && packet.sequence === numbers.cpeNext;
  }

  private abort(known: Connection): void {
    const { context } = this;
    const { ack, sequence } = context.packet;
    // Provisional: the activation waits as before.
    if (!known.isAnswered) return remove(context.memory.of(known.cpe).reports(context.nowMs), known);
    const hasBooted = known.hasPendingSyn && !ack && sequence === known.numbers.serverAck;
    if (hasBooted) this.ends.end(known, true);
    else this.ends.closed(known, 'rsts', 'cpe');
  }

  private spokenByCpe(known: Connection): void {
    const { context } = this;
    const { packet, nowMs } = context;
    const { numbers } = known;
    const isFin = packet.fin && isFinOfCpe(numbers, packet);
    if (!known.isAnswered) this.ends.confirm(known);
    this.ends.lift(known, 'server');
    known.hasPendingSyn = false;
    known.unheardMs = undefined;
    if (isNewOfCpe(numbers, packet) && !isAlert(packet.payload)) {
      // A request: its answer begins at the byte that the CPE expects next.
      Object.assign(known.answer, { isAsked: true, text: '', at: packet.acknowledgement });
      known.dataMs = nowMs;
    }
    if (isFin) this.ends.closed(known, 'fins', 'cpe');
    spokenByCpe(numbers, packet, isFin ? 1 : 0);
    known.touchedMs = nowMs;
  }

  // ---- servers ----

  fromItms(): Decision {
    const { context } = this;
    const { destination, destinationPort, sourcePort, syn, ack, acknowledgement, isChecksumRight } = context.packet;
    const memory = context.memory.of(destination);
    const known = find(memory.reports(context.nowMs), destinationPort, sourcePort);
    const isCollectors = known?.isAnswered && !isClosed(known) && context.isConfigured(known.owner);
    if (isCollectors) return context.drop('not-owner');
    if (syn && ack && isChecksumRight) {
      const pin = { isn: plus(acknowledgement, -1), atMs: context.nowMs, serial: context.pins++ };
      memory.pinAnswered(destinationPort, sourcePort, pin);
    }
    return context.asAcs('itms-forwarded');
  }

  fromCollector(sender: string): Decision {
    const { context } = this;
    const { destination, destinationPort, sourcePort, syn, fin, rst, isChecksumRight } = context.packet;
    const known = find(context.memory.of(destination).reports(context.nowMs), destinationPort, sourcePort);
    if (known?.owner !== sender) return context.drop('not-owner');
    if ((syn || fin || rst) && !isChecksumRight) return context.asAcs('checksum-wrong');
    if (rst) return this.reset(known);
    if (syn) return this.accept(known);
    if (!fin && !known.isAnswered && this.acknowledgesItmsSyn()) return context.drop('not-owner');
    this.spokenByServer(known);
    return context.asAcs(fin ? 'report-finished' : 'report-answered');
  }

  /** A half-open collector acknowledges the SYN of a connection that is the ITMS's by now. */
  private acknowledgesItmsSyn(): boolean {
    const { context } = this;
    const { destination, destinationPort, sourcePort, acknowledgement } = context.packet;
    const isn = plus(acknowledgement, -1);
    return context.isPinned(destination, destinationPort, sourcePort, isn, context.observed === 'dropped');
  }

  /** SYN+ACK of the collector. */
  private accept(known: Connection): Decision {
    const { context } = this;
    const { packet } = context;
    if (!answersSyn(packet, known.isn)) {
      if (known.isAnswered && known.hasPendingSyn) {
        // It has forgotten the connection, and takes a SYN again.
        this.ends.end(known, false);
        return context.drop('report-forgotten');
      }
      if (known.isAnswered) return context.asAcs('report-unproven');
      // It answers a later SYN, so it never saw the first.
      known.isn = plus(packet.acknowledgement, -1);
    }
    this.heard(known);
    this.ends.lift(known, 'cpe');
    // One that is still opening has reset a stray packet, not its connection.
    this.ends.lift(known, 'server');
    if (known.isAnswered) {
      spokenByServer(known.numbers, packet, endOf(packet, 1), windowOfCpe(known.numbers));
      known.touchedMs = context.nowMs;
    } else {
      acceptedByServer(known.numbers, packet);
    }
    return context.asAcs('report-answered');
  }

  private reset(known: Connection): Decision {
    const { context } = this;
    const { packet } = context;
    const { isAnswered, numbers, fins, isn } = known;
    const isExact = isRstOfServer(numbers, packet, fins.has('server'));
    if (isAnswered && isExact) {
      this.ends.closed(known, 'rsts', 'server');
      return context.asAcs('report-reset');
    }
    // Onto an established connection, the SYN that waits is all that it can mean.
    const isRefusal = isAnswered
      ? known.hasPendingSyn && packet.ack
      : numbers.areLearned
        ? isExact
        : refuses(packet, isn);
    if (!isRefusal) return context.asAcs('report-unproven');
    this.ends.end(known, true);
    return context.asAcs('report-reset');
  }

  /** An ICMP error says that a server is not there. Only who saw the SYN knows its number. */
  unreachable(cpe: string, cpePort: number, port: number, server: string, sequence: number): string {
    const { context } = this;
    if (!context.isConfigured(server)) return 'icmp-not-ours';
    const known = find(context.memory.of(cpe).reports(context.nowMs), cpePort, port);
    const owner = known && context.isConfigured(known.owner) ? known.owner : ITMS;
    if (owner !== server) return 'icmp-not-ours';
    if (!known || owner === ITMS || known.isn !== sequence) return 'icmp-as-acs';
    if (known.isAnswered || known.numbers.areLearned) return 'icmp-as-acs';
    this.ends.end(known, true);
    return 'icmp-refused';
  }

  /** ACK, data or FIN of the collector. */
  private spokenByServer(known: Connection): void {
    const { context } = this;
    const { packet, nowMs } = context;
    this.heard(known);
    this.ends.lift(known, 'cpe');
    if (ahead(packet.acknowledgement, known.numbers.serverAck) > 0) known.answer.segments = 0;
    if (packet.payload !== '') this.read(known);
    if (!known.fins.has('cpe') && acknowledgesFin(known.numbers, packet)) this.ends.closed(known, 'fins', 'cpe');
    if (packet.fin) this.ends.closed(known, 'fins', 'server');
    spokenByServer(known.numbers, packet, endOf(packet, packet.fin ? 1 : 0), windowOfCpe(known.numbers));
    if (known.isAnswered) known.touchedMs = nowMs;
  }

  /** The collector's answer, read exactly from where it continues. */
  private read(known: Connection): void {
    const { packet, nowMs } = this.context;
    const { answer, numbers } = known;
    if (isAlert(packet.payload)) return;
    if (isNewOfServer(numbers, endOf(packet), windowOfCpe(numbers))) known.dataMs = nowMs;
    answer.segments++;
    if (!answer.isAsked || readHead(answer.text).isOver) return;
    const seen = packet.payload.slice(0, SEGMENT_BYTES);
    const skip = ahead(answer.at, packet.sequence);
    if (answer.segments > MOST_SEGMENTS || skip < 0 || skip >= seen.length) return;
    answer.text += seen.slice(skip);
    answer.at = plus(packet.sequence, seen.length);
  }

  /** The collector has sent something, so it is not silent. */
  private heard(known: Connection): void {
    if (known.unheardMs === undefined) return;
    known.unheardMs = undefined;
    const standing = this.context.activation(known.cpe);
    if (standing) standing.unheardMs = undefined;
  }
}
