/**
 * Scripted TCP conversations as they arrive at a splitter: a CPE sends to the ACS address, a server sends from its own
 * address to the CPE. Only packets arriving at the splitter are recorded, before any rewriting.
 */
import { buildTcp, type TcpPacket } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';

export const ACS = '10.1.0.1';
export const REPORT_PORT = 7547;

export type Party = 'cpe' | 'itms' | 'c1' | 'c2';
export const ADDRESSES = { itms: '10.2.0.2', c1: '10.3.0.2', c2: '10.3.0.3' } as const;
export const INTERFACES: Record<Party, string> = { cpe: 'cpe0', itms: 'itms0', c1: 'col0', c2: 'col0' };

/** 2014-05-13 16:53:20 UTC: any time will do, as long as it stays. */
export const BEGIN_SECONDS = 1_400_000_000;

/** Between a packet and the next one of a conversation, unless the script waits. */
const STEP_MICROS = 250;

export interface WirePacket {
  /** Where the splitter receives it. */
  interface: string;
  seconds: number;
  micros: number;
  /** From the IP header on. */
  ip: Uint8Array;
}

/** The splitter's three wires and their common clock. */
export class Wire {
  readonly packets: WirePacket[] = [];
  private micros = 0;
  private identification = 1;

  wait(ms: number): void {
    this.micros += ms * 1000;
  }

  /** Records a packet that `from` sends, and lets a little time pass. */
  send(from: Party, packet: TcpPacket): void {
    this.sendBytes(from, buildTcp({ identification: this.identification++, ...packet }));
  }

  sendBytes(from: Party, ip: Uint8Array): void {
    const seconds = BEGIN_SECONDS + Math.floor(this.micros / 1_000_000);
    this.packets.push({ interface: INTERFACES[from], seconds, micros: this.micros % 1_000_000, ip });
    this.micros += STEP_MICROS;
  }
}

interface End {
  party: Party;
  address: string;
  port: number;
  /** Where this end sends to: the other end as it knows it. */
  peerAddress: string;
  next: number;
  acknowledged: number;
}

export type Which = 'opener' | 'acceptor';

/** Maximum segment size 1460, SACK permitted, window scale 7: what a Linux host opens with, less its clock. */
const SYN_OPTIONS = Uint8Array.of(2, 4, 0x05, 0xb4, 4, 2, 1, 3, 3, 7, 0, 0);

/** One TCP connection; sequence numbers keep themselves. */
export class Conversation {
  private readonly ends: Record<Which, End>;

  constructor(
    private readonly wire: Wire,
    opener: Omit<End, 'next' | 'acknowledged'>,
    acceptor: Omit<End, 'next' | 'acknowledged'>,
    isn = 1000,
  ) {
    this.ends = {
      opener: { ...opener, next: isn, acknowledged: 0 },
      acceptor: { ...acceptor, next: isn + 500_000, acknowledged: 0 },
    };
  }

  /** The three-way handshake. */
  open(): this {
    return this.syn().answerSyn().acknowledge('opener');
  }

  /** @param extraFlags ECE and CWR of a SYN that asks for ECN (RFC 3168) */
  syn(extraFlags = 0): this {
    this.emit('opener', TcpFlag.Syn | extraFlags, '', SYN_OPTIONS);
    return this.counted('opener', 1);
  }

  /** Repeats the SYN unchanged. */
  repeatSyn(): this {
    this.ends.opener.next--;
    return this.syn();
  }

  answerSyn(extraFlags = 0): this {
    this.emit('acceptor', TcpFlag.Syn | TcpFlag.Ack | extraFlags, '', SYN_OPTIONS);
    return this.counted('acceptor', 1);
  }

  acknowledge(from: Which): this {
    this.emit(from, TcpFlag.Ack);
    return this;
  }

  /** Data and its acknowledgement. */
  say(from: Which, payload: string): this {
    return this.push(from, payload).acknowledge(other(from));
  }

  /** Data not yet acknowledged. */
  push(from: Which, payload: string): this {
    this.emit(from, TcpFlag.Psh | TcpFlag.Ack, payload);
    return this.counted(from, payload.length);
  }

  finish(from: Which, payload = ''): this {
    this.emit(from, TcpFlag.Fin | TcpFlag.Ack, payload);
    return this.counted(from, payload.length + 1);
  }

  /** FIN, FIN, ACK. */
  close(first: Which): this {
    return this.finish(first).finish(other(first)).acknowledge(first);
  }

  reset(from: Which): this {
    this.emit(from, TcpFlag.Rst | TcpFlag.Ack);
    return this;
  }

  private emit(from: Which, flags: number, payload = '', options?: Uint8Array): void {
    const end = this.ends[from];
    this.wire.send(end.party, {
      source: end.address,
      sourcePort: end.port,
      destination: end.peerAddress,
      destinationPort: this.ends[other(from)].port,
      flags,
      sequence: end.next,
      acknowledgement: flags & TcpFlag.Ack ? end.acknowledged : 0,
      payload,
      ...(options && { options }),
    });
  }

  private counted(from: Which, count: number): this {
    this.ends[from].next += count;
    this.ends[other(from)].acknowledged = this.ends[from].next;
    return this;
  }
}

function other(which: Which): Which {
  return which === 'opener' ? 'acceptor' : 'opener';
}

/** A CPE opens its session to the ACS address; `server` is the server that the script expects behind it. */
export function report(
  wire: Wire,
  cpe: string,
  port: number,
  server: keyof typeof ADDRESSES,
  isn?: number,
): Conversation {
  return new Conversation(
    wire,
    { party: 'cpe', address: cpe, port, peerAddress: ACS },
    { party: server, address: ADDRESSES[server], port: REPORT_PORT, peerAddress: cpe },
    isn,
  );
}

/** A server wakes a CPE, which sees the ACS address. */
export function connectionRequest(
  wire: Wire,
  server: keyof typeof ADDRESSES,
  port: number,
  cpe: string,
  isn?: number,
): Conversation {
  return new Conversation(
    wire,
    { party: server, address: ADDRESSES[server], port, peerAddress: cpe },
    { party: 'cpe', address: cpe, port: 7170, peerAddress: ACS },
    isn,
  );
}
