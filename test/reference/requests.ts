/** Connection Requests, and whatever else servers open towards CPEs. */
import { type Arming } from './arming';
import { type Context, type Decision, ITMS } from './context';
import { type Connection, find, findOwned, opened, remove, reopen } from './memory';
import { refuses } from './proof';

const REMAP_FIRST = 61_000;
const REMAP_LAST = 65_535;

export class Requests {
  constructor(
    private readonly context: Context,
    private readonly arming: Arming,
  ) {}

  /** A SYN of a server. */
  open(sender: string): Decision {
    const { context } = this;
    const { destination, destinationPort: cpePort, sourcePort, sequence } = context.packet;
    const requests = context.memory.of(destination).requests(context.nowMs);
    const own = findOwned(requests, cpePort, sourcePort, sender);
    if (own) {
      if (own.isn !== sequence) reopen(own, sequence, context.nowMs);
      else if (!own.isAnswered) own.touchedMs = context.nowMs;
      return context.asAcs(own.port);
    }
    const collides = find(requests, cpePort, sourcePort) !== undefined;
    if (!this.hasRoom(sender, collides)) return sender === ITMS ? context.asAcs() : 'dropped';
    const port = collides ? this.remapped(requests) : sourcePort;
    requests.push(
      opened({ cpe: destination, cpePort, port, ownPort: sourcePort, owner: sender }, sequence, context.nowMs),
    );
    return context.asAcs(port);
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

  /** Anything but a SYN, of a server. */
  fromServer(sender: string): Decision {
    const { context } = this;
    const { destination, destinationPort, sourcePort, fin, rst } = context.packet;
    const own = findOwned(context.memory.of(destination).requests(context.nowMs), destinationPort, sourcePort, sender);
    if (!own) return context.asAcs();
    if (rst) {
      own.rsts.add('server');
      own.touchedMs = context.nowMs;
      return context.asAcs(own.port);
    }
    own.rsts.delete('cpe');
    if (fin && !own.fins.has('server')) {
      own.fins.add('server');
      this.arming.finished(own);
    }
    this.keep(own);
    return context.asAcs(own.port);
  }

  /** Anything but a SYN, of a CPE, to the server that opened. */
  fromCpe(): Decision {
    const { context } = this;
    const { source, sourcePort, destinationPort, syn, fin, rst, payload } = context.packet;
    const requests = context.memory.of(source).requests(context.nowMs);
    const known = find(requests, sourcePort, destinationPort);
    if (!known) return context.to(ITMS);
    if (rst && !known.isAnswered) {
      if (refuses(context.packet, known.isn)) remove(requests, known);
    } else if (rst) {
      known.rsts.add('cpe');
      known.touchedMs = context.nowMs;
    } else {
      known.rsts.delete('server');
      if (syn) known.isAnswered = true;
      if (fin) known.fins.add('cpe');
      this.keep(known);
      if (payload !== '') this.arming.answered(known);
    }
    return context.to(known.owner, known.ownPort);
  }

  /** One without an answer lives by its SYNs. */
  private keep(known: Connection): void {
    if (known.isAnswered) known.touchedMs = this.context.nowMs;
  }
}
