/** A host with TCP: finds the end that a packet belongs to, opens, accepts, and resets what it does not know. */
import { Cause, type Connection, type Ledger } from './ledger';
import { type Line, type Network, type Packet, type Receiver } from './network';
import { CPE } from './parties';
import { type Prng } from './prng';
import { type App, type Ending, type Limits, TcpEnd, type TcpHost } from './tcp-end';
import { type Timeline } from './timeline';
import { ACK, decode, encode, FIN, NO_SCALE, type Payload, RST, Segment, SYN } from './wire';

/** What all hosts of a run share. */
export interface Surroundings {
  timeline: Timeline;
  prng: Prng;
  network: Network;
  ledger: Ledger;
}

/** What a host does with a SYN: an application for it, a reset, or silence. */
export type Welcome = App | 'refuse' | 'ignore';

const arrived = new Segment();
const leaving = new Segment();

export abstract class Host implements TcpHost, Receiver {
  isUp = true;
  readonly timeline: Timeline;
  protected readonly prng: Prng;
  protected readonly network: Network;
  protected readonly ledger: Ledger;
  /** The next packet leaves with a wrong checksum. */
  protected spoilsNext = false;
  /** The packet that is being received. */
  private current: Packet | undefined = undefined;

  /** @param party a server's number, or CPE */
  constructor(
    around: Surroundings,
    readonly party: number,
    public address: number,
    readonly limits: Limits,
  ) {
    this.timeline = around.timeline;
    this.prng = around.prng;
    this.network = around.network;
    this.ledger = around.ledger;
  }

  /** Where this host's packets enter the network. */
  protected abstract readonly line: Line | undefined;
  /** The live ends towards a remote address. */
  protected abstract endsWith(remote: number): TcpEnd[] | undefined;
  protected abstract keep(end: TcpEnd): void;
  protected abstract remove(end: TcpEnd): void;
  protected abstract welcome(syn: Segment): Welcome;
  /** Flags that this host's SYNs carry besides SYN. */
  protected readonly synFlags: number = 0;
  /** What its ends offer (RFC 7323). */
  readonly windowScale: number = NO_SCALE;

  connect(app: App, connection: Connection, remote: number, remotePort: number, localPort: number): TcpEnd {
    const isn = this.prng.int32();
    const end = TcpEnd.connect(this, app, connection, remote, remotePort, localPort, isn, this.synFlags);
    this.keep(end);
    return end;
  }

  receive(packet: Packet): void {
    decode(packet.bytes, arrived);
    this.current = packet;
    const end = this.find(arrived.source, arrived.sourcePort, arrived.destinationPort);
    const isSyn = (arrived.flags & (SYN | ACK | RST)) === SYN;
    if (end !== undefined && !(isSyn && end.yieldsTo(arrived))) {
      if (this.party === CPE && packet.connection !== undefined && packet.connection === end.connection) {
        this.ledger.atCpe(packet.connection, packet.sender);
      }
      end.receive(arrived, packet.bytes);
    } else if (isSyn) {
      if (end !== undefined) {
        end.vanish();
        this.remove(end);
      }
      this.receiveSyn(packet.connection);
    } else if ((arrived.flags & RST) === 0) {
      this.resetStranger();
    }
    this.current = undefined;
  }

  private receiveSyn(connection: Connection | undefined): void {
    const welcome = this.welcome(arrived);
    if (welcome === 'ignore') {
      if (connection !== undefined) connection.causes |= Cause.Busy;
    } else if (welcome === 'refuse') {
      if (connection !== undefined) {
        connection.causes |= Cause.Refused;
        if (this.party !== CPE) connection.refused |= 1 << this.party;
      }
      this.resetStranger();
    } else {
      if (connection !== undefined && this.party !== CPE) this.ledger.accept(connection, this.party);
      const end = TcpEnd.accept(this, welcome, connection, arrived, this.prng.int32());
      this.keep(end);
    }
  }

  // ---- what ends ask of their host ----

  transmit(end: TcpEnd, flags: number, sequence: number, acknowledgement: number, payload: Payload | undefined): void {
    leaving.destination = end.remote;
    leaving.sourcePort = end.localPort;
    leaving.destinationPort = end.remotePort;
    leaving.flags = flags;
    leaving.sequence = sequence;
    leaving.acknowledgement = flags & ACK ? acknowledgement : 0;
    leaving.window = end.windowField(flags);
    leaving.scale = end.offeredScale;
    this.sendLeaving(end.connection, payload);
  }

  refuse(end: TcpEnd, segment: Segment): void {
    leaving.destination = end.remote;
    leaving.sourcePort = end.localPort;
    leaving.destinationPort = end.remotePort;
    leaving.flags = RST;
    leaving.sequence = segment.acknowledgement;
    leaving.acknowledgement = 0;
    leaving.window = 0;
    this.sendLeaving(this.current?.connection, undefined);
  }

  forget(end: TcpEnd, how: Ending, attempts: number): void {
    this.remove(end);
    const { connection } = end;
    // A server that took a SYN which the CPE then gave to another one has no part in the connection.
    const isSpare = connection !== undefined && !this.ledger.isPartner(connection, this.party);
    if (connection !== undefined && !isSpare) {
      if (how === 'reset' && !end.isClosing) this.ledger.reset(connection);
      if (how === 'timeout') this.ledger.gaveUp(connection, attempts);
      if (how === 'dropped') connection.causes |= Cause.Aborted;
      if (how === 'closed') connection.isComplete = true;
      connection.isOver = true;
    }
    end.app.ended(end, how);
  }

  // ---- the rest ----

  protected find(remote: number, remotePort: number, localPort: number): TcpEnd | undefined {
    const ends = this.endsWith(remote);
    if (ends === undefined) return undefined;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i]!;
      if (end.remotePort === remotePort && end.localPort === localPort && end.remote === remote) return end;
    }
    return undefined;
  }

  /** RFC 9293 section 3.5.2: a reset in answer to the packet that has just arrived. */
  private resetStranger(): void {
    const { flags } = arrived;
    const length = arrived.payloadLength + (flags & SYN ? 1 : 0) + (flags & FIN);
    leaving.window = 0;
    leaving.destination = arrived.source;
    leaving.sourcePort = arrived.destinationPort;
    leaving.destinationPort = arrived.sourcePort;
    leaving.flags = flags & ACK ? RST : RST | ACK;
    leaving.sequence = flags & ACK ? arrived.acknowledgement : 0;
    leaving.acknowledgement = flags & ACK ? 0 : (arrived.sequence + length) | 0;
    this.sendLeaving(this.current?.connection, undefined);
  }

  private sendLeaving(connection: Connection | undefined, payload: Payload | undefined): void {
    if (!this.isUp) {
      if (connection !== undefined) connection.causes |= Cause.Down;
      return;
    }
    const packet = this.network.take();
    leaving.source = this.address;
    leaving.isIpv6 = this.network.isIpv6;
    packet.length = encode(leaving, payload, packet.bytes);
    packet.connection = connection;
    packet.sender = this.party;
    if (this.spoilsNext) {
      packet.isCorrupt = true;
      packet.bytes[packet.length - 1] ^= 0x5a;
    }
    this.network.send(packet, this.line);
  }
}

/** Takes an end from a list whose order means nothing. */
export function takeOut(ends: TcpEnd[], end: TcpEnd): void {
  const at = ends.indexOf(end);
  if (at < 0) return;
  ends[at] = ends[ends.length - 1]!;
  ends.pop();
}
