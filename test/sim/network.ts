/**
 * The network: from a host to the splitter and on to another host, with loss, duplication, reordering, corruption,
 * delay, and interrupted lines. CPEs have lines of their own; servers are next to the splitter.
 */
import { Cause, type Connection, type Ledger } from './ledger';
import { CPE, lineOf, serverAt } from './parties';
import { type Prng } from './prng';
import { type Due, type Timeline } from './timeline';
import { ACK, destinationOf, PACKET_BYTES, SYN, tcpAtOf } from './wire';

/** A packet in flight. Packets are reused: the code that ends its trip returns it. */
export class Packet implements Due {
  readonly bytes = new Uint8Array(PACKET_BYTES);
  length = 0;
  /** The connection that the sender meant; undefined for noise. */
  connection: Connection | undefined = undefined;
  /** A server's number, or CPE. */
  sender = CPE;
  /** A bit was flipped on the way to the splitter. */
  isCorrupt = false;
  isPastSplitter = false;

  constructor(private readonly network: Network) {}

  due(): void {
    if (this.isPastSplitter) this.network.deliver(this);
    else this.network.reachSplitter(this);
  }
}

/** Where packets end: a host. It does not keep the packet. */
export interface Receiver {
  readonly isUp: boolean;
  receive(packet: Packet): void;
}

/** A CPE's access line, which keeps its address when the CPE behind it changes. */
export interface Line {
  cpe: Receiver | undefined;
  delayMs: number;
  outageUntilMs: number;
  /** No packet overtakes another, unless the network reorders them. */
  lastUpMs: number;
  lastDownMs: number;
}

export interface NetworkFaults {
  /** Each is a share of the packets on a line. */
  loss: number;
  duplication: number;
  reordering: number;
  corruption: number;
}

const SERVER_DELAY_MS = 0.4;
const JITTER_MS = 3;
const REORDER_MS = 400;
const POOL_PACKETS = 50_000;

export class Network {
  readonly lines: Line[] = [];
  readonly servers: Receiver[] = [];
  /** Where packets meet the splitter. */
  splitter: { arrive(packet: Packet): void } = { arrive: () => {} };
  sent = 0;
  private readonly pool: Packet[] = [];

  constructor(
    private readonly timeline: Timeline,
    private readonly prng: Prng,
    private readonly ledger: Ledger,
    readonly faults: NetworkFaults,
    readonly isIpv6: boolean,
  ) {}

  addLine(): Line {
    const line = { cpe: undefined, delayMs: this.prng.between(2, 60), outageUntilMs: 0, lastUpMs: 0, lastDownMs: 0 };
    this.lines.push(line);
    return line;
  }

  take(): Packet {
    return this.pool.pop() ?? new Packet(this);
  }

  release(packet: Packet): void {
    packet.connection = undefined;
    packet.isCorrupt = false;
    packet.isPastSplitter = false;
    if (this.pool.length < POOL_PACKETS) this.pool.push(packet);
  }

  /** A host sends. @param line the CPE's own; undefined where a server sends */
  send(packet: Packet, line: Line | undefined): void {
    this.sent++;
    if (line === undefined) this.timeline.at(this.timeline.nowMs + SERVER_DELAY_MS, packet);
    else this.cross(packet, line, true);
  }

  reachSplitter(packet: Packet): void {
    this.splitter.arrive(packet);
  }

  /** The splitter lets a packet go. */
  forward(packet: Packet): void {
    packet.isPastSplitter = true;
    const destination = destinationOf(packet.bytes);
    if (serverAt(destination) >= 0) {
      this.timeline.at(this.timeline.nowMs + SERVER_DELAY_MS, packet);
      return;
    }
    const line = this.lines[lineOf(destination)];
    if (line === undefined) this.release(packet);
    else this.cross(packet, line, false);
  }

  /** The last hop has been made. */
  deliver(packet: Packet): void {
    const destination = destinationOf(packet.bytes);
    const server = serverAt(destination);
    const receiver = server >= 0 ? this.servers[server] : this.lines[lineOf(destination)]?.cpe;
    if (receiver === undefined || !receiver.isUp) {
      if (packet.connection !== undefined) packet.connection.causes |= Cause.Down;
    } else if (packet.isCorrupt) {
      if (packet.connection !== undefined) packet.connection.lost++;
    } else {
      if (server >= 0 && packet.connection !== undefined) {
        const isSyn = (packet.bytes[tcpAtOf(packet.bytes) + 13]! & (SYN | ACK)) === SYN;
        this.ledger.atServer(packet.connection, server, isSyn);
      }
      receiver.receive(packet);
    }
    this.release(packet);
  }

  /** A CPE's line, upwards before the splitter, downwards behind it. */
  private cross(packet: Packet, line: Line, isUp: boolean): void {
    const { timeline, prng, faults } = this;
    if (line.outageUntilMs > timeline.nowMs) {
      if (packet.connection !== undefined) packet.connection.causes |= Cause.Outage;
      this.release(packet);
      return;
    }
    let fate = prng.unit();
    if (fate < faults.loss) {
      if (packet.connection !== undefined) packet.connection.lost++;
      this.release(packet);
      return;
    }
    fate -= faults.loss;
    let arriveMs = timeline.nowMs + line.delayMs + prng.unit() * JITTER_MS;
    if (fate < faults.duplication) {
      timeline.at(arriveMs + prng.unit() * REORDER_MS, this.copy(packet));
    } else if (fate < faults.duplication + faults.reordering) {
      timeline.at(arriveMs + prng.unit() * REORDER_MS, packet);
      return;
    } else if (isUp && fate < faults.duplication + faults.reordering + faults.corruption) {
      packet.isCorrupt = true;
      // Behind the headers' addresses and ports: numbers, flags, checksum, data.
      const at = prng.integer(tcpAtOf(packet.bytes) + 4, packet.length - 1);
      packet.bytes[at] = packet.bytes[at]! ^ (1 << prng.integer(0, 7));
    }
    if (isUp) line.lastUpMs = arriveMs = Math.max(arriveMs, line.lastUpMs);
    else line.lastDownMs = arriveMs = Math.max(arriveMs, line.lastDownMs);
    timeline.at(arriveMs, packet);
  }

  private copy(packet: Packet): Packet {
    const copy = this.take();
    copy.bytes.set(packet.bytes.subarray(0, packet.length));
    copy.length = packet.length;
    copy.connection = packet.connection;
    copy.sender = packet.sender;
    copy.isCorrupt = packet.isCorrupt;
    copy.isPastSplitter = packet.isPastSplitter;
    return copy;
  }
}
