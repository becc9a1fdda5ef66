/** Connection Requests, and anything else that servers open to CPEs. */
import { plus } from './arithmetic';
import { type Arming } from './arming';
import { type Context, type Decision, ITMS } from './context';
import { type Connection, find, findOwned, isClosed, makeRoom, opened, remove, reopen } from './memory';
import {
  acceptedByCpe,
  acceptsSyn,
  acknowledgesFin,
  endOf,
  isFinOfCpe,
  isNewOfServer,
  isOfCpe,
  isRstOfCpe,
  isRstOfServer,
  openedByServer,
  refuses,
  spokenByCpe,
  spokenByServer,
} from './numbers';

const REMAP_FIRST = 61_000;
const REMAP_LAST = 65_535;
const MOST_REQUESTS = 16;

export class Requests {
  constructor(
    private readonly context: Context,
    private readonly arming: Arming,
  ) {}

  // ---- a server opens ----

  open(sender: string): Decision {
    const { context } = this;
    const { packet, nowMs } = context;
    const { destination, destinationPort: cpePort, sourcePort, sequence } = packet;
    if (!packet.isChecksumRight) return context.asAcs('checksum-wrong');
    const requests = context.memory.of(destination).requests(nowMs);
    const own = findOwned(requests, cpePort, sourcePort, sender);
    if (!own) return this.openNew(sender, requests);
    if (own.isn !== sequence) {
      reopen(own, sequence, nowMs);
      this.opened(own);
      return context.asAcs('request-opened', own.port);
    }
    if (!own.isAnswered) {
      own.touchedMs = nowMs;
      openedByServer(own.numbers, packet);
    }
    return context.asAcs('request-repeated', own.port);
  }

  private openNew(sender: string, requests: Connection[]): Decision {
    const { context } = this;
    const { destination, destinationPort: cpePort, sourcePort, sequence } = context.packet;
    const collides = find(requests, cpePort, sourcePort) !== undefined;
    const isGone = (one: Connection) => context.tables?.hasRequest(one.cpe, one.cpePort, one.port) === false;
    const isBound = !makeRoom(requests, MOST_REQUESTS, isGone, isClosed);
    if (isBound || !this.hasRoom(sender, collides)) {
      if (sender === ITMS) return context.asAcs('request-unrecorded');
      return context.drop(isBound ? 'request-bound' : 'request-table-full');
    }
    const port = collides ? this.remapped(requests) : sourcePort;
    const ends = { cpe: destination, cpePort, port, ownPort: sourcePort, owner: sender };
    const request = opened(ends, sequence, context.nowMs);
    requests.push(request);
    this.opened(request);
    return context.asAcs(collides ? 'request-remapped' : 'request-opened', port);
  }

  private opened(request: Connection): void {
    const { packet } = this.context;
    openedByServer(request.numbers, packet);
    if (packet.payload !== '') this.arming.requested(request, 0);
  }

  /** The port that the core has chosen, if it may; else one that it should have. */
  private remapped(requests: Connection[]): number {
    const { observed, packet } = this.context;
    const isFree = (port: number) => find(requests, packet.destinationPort, port) === undefined;
    const chosen = typeof observed === 'object' ? observed.sourcePort : 0;
    if (chosen >= REMAP_FIRST && chosen <= REMAP_LAST && isFree(chosen)) return chosen;
    for (let port = REMAP_FIRST; port <= REMAP_LAST; port++) if (isFree(port)) return port;
    throw new Error('no port of the remap range is free');
  }

  private hasRoom(sender: string, collides: boolean): boolean {
    const { context } = this;
    const { room, observed, packet } = context;
    if (!room) return context.memory.requests(context.nowMs).length < context.capacity;
    if (!room.requests) return true;
    if (sender !== ITMS) context.isLimited = observed === 'dropped';
    else if (collides) context.isLimited = typeof observed === 'object' && observed.sourcePort === packet.sourcePort;
    else context.isLimited = !room.hasRequest(packet.destination, packet.destinationPort, packet.sourcePort);
    return !context.isLimited;
  }

  // ---- a server continues ----

  fromServer(sender: string): Decision {
    const { context } = this;
    const { destination, destinationPort, sourcePort, fin, rst, isChecksumRight } = context.packet;
    const own = findOwned(context.memory.of(destination).requests(context.nowMs), destinationPort, sourcePort, sender);
    // It may belong to a connection that the CPE has opened to the server's own address.
    if (!own) return context.drop('request-unknown');
    if (rst) return this.reset(own);
    if (fin && !isChecksumRight) return context.asAcs('checksum-wrong', own.port);
    this.spokenByServer(own);
    if (fin && !own.fins.has('server')) {
      this.arming.finished(own);
      own.fins.add('server');
    }
    return context.asAcs(fin ? 'request-finished' : 'request-followed', own.port);
  }

  private reset(own: Connection): Decision {
    const { context } = this;
    const { packet, nowMs } = context;
    const isProven = isRstOfServer(own.numbers, packet, own.fins.has('server')) && packet.isChecksumRight;
    if (!isProven) return context.asAcs('request-unproven', own.port);
    own.rsts.add('server');
    own.touchedMs = nowMs;
    return context.asAcs('request-reset', own.port);
  }

  private spokenByServer(own: Connection): void {
    const { packet } = this.context;
    own.rsts.delete('cpe');
    this.keep(own);
    if (acknowledgesFin(own.numbers, packet)) own.fins.add('cpe');
    if (packet.payload !== '' && isNewOfServer(own.numbers, endOf(packet))) {
      this.arming.requested(own, packet.acknowledgement);
    }
    spokenByServer(own.numbers, packet, endOf(packet, packet.fin ? 1 : 0));
  }

  // ---- the CPE ----

  /** Anything but a SYN, of a CPE, to the server that opened. */
  fromCpe(): Decision {
    const { context } = this;
    const { source, sourcePort, destinationPort, syn, fin, rst, payload, isChecksumRight } = context.packet;
    const requests = context.memory.of(source).requests(context.nowMs);
    const known = find(requests, sourcePort, destinationPort);
    if (!known) return context.to(ITMS, 'answer-to-itms');
    if (!this.isProven(known) || ((syn || fin || rst) && !isChecksumRight)) {
      return context.to(known.owner, 'answer-unproven', known.ownPort);
    }
    if (rst && !known.isAnswered) {
      remove(requests, known);
    } else if (rst) {
      known.rsts.add('cpe');
      known.touchedMs = context.nowMs;
    } else {
      known.rsts.delete('server');
      if (syn) this.accept(known);
      const isFin = fin && isFinOfCpe(known.numbers, context.packet);
      if (isFin) known.fins.add('cpe');
      this.keep(known);
      if (payload !== '') this.arming.answered(known, plus(context.packet.sequence, syn ? 1 : 0));
      if (!syn) spokenByCpe(known.numbers, context.packet, isFin ? 1 : 0);
    }
    return context.to(known.owner, 'answer-to-owner', known.ownPort);
  }

  private isProven({ isn, isAnswered, numbers, fins }: Connection): boolean {
    const { packet } = this.context;
    const { syn, rst } = packet;
    if (rst) return isAnswered ? isRstOfCpe(numbers, packet, fins.has('cpe')) : refuses(packet, isn);
    return syn ? acceptsSyn(numbers, packet, isn) : isOfCpe(numbers, packet, isAnswered, 0);
  }

  /** SYN+ACK. */
  private accept(known: Connection): void {
    if (known.isAnswered) return;
    const { packet } = this.context;
    acceptedByCpe(known.numbers, packet);
    // A request on the SYN (RFC 7413): the answer begins with the first byte.
    if (known.answer.isAsked) known.answer.at = plus(packet.sequence, 1);
    known.isAnswered = true;
  }

  /** An unanswered connection lives by its SYNs. */
  private keep(known: Connection): void {
    if (known.isAnswered) known.touchedMs = this.context.nowMs;
  }
}
