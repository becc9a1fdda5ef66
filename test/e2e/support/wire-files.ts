/**
 * Captures on the splitter's own three interfaces, to files: one set of what comes in, one of what goes out.
 * dumpcap writes them, as an engineer in the field would; pcapng names the interface of every packet.
 */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { end, type Role, type World } from '../../../src/lab/world';
import { readCapture, type ReadPacket } from '../../support/capture-packets';
import { ADDRESSES } from './family';

export type Direction = 'inbound' | 'outbound';
/** The splitter's interfaces, who is behind each, and the addresses of both ends. */
const LINKS: readonly (readonly [name: string, role: Role, near: string, far: string])[] = [
  ['eth0', 'cpe', ADDRESSES.acs, '10.1.1.1'],
  ['eth1', 'itms', '10.2.0.1', ADDRESSES.itms],
  ['eth2', 'collector', '10.3.0.1', ADDRESSES.collector],
];
/** A datagram to this port (discard) shows that a capture has begun. */
const MARK_PORT = 9;
const TCP = 6;
const PATIENCE_MS = 30_000;
const POLL_MS = 100;
/** Ethernet, IPv4, TCP; the lab's hosts send no IP options. */
const IP_AT = 14;
const TCP_AT = 34;
const [FIN, ACK] = [0x01, 0x10];
/** The server or host that a packet not from a CPE is from. */
const SERVERS = new Set([ADDRESSES.acs, ADDRESSES.itms, ADDRESSES.collector]);

interface Capture {
  direction: Direction;
  path: string;
  child: ChildProcess;
  chunks: Buffer[];
}

export class WireFiles {
  private readonly captures: Capture[] = [];

  private constructor(private readonly world: World) {}

  /** Returns once a mark has been seen on every wire in both directions. */
  static async start(world: World): Promise<WireFiles> {
    const wires = new WireFiles(world);
    for (const direction of ['inbound', 'outbound'] as const) {
      for (const [name] of LINKS) wires.begin(direction, name);
    }
    const haveBegun = () => wires.captures.every(({ chunks }) => readCapture(Buffer.concat(chunks)).packets.length > 0);
    for (const deadline = Date.now() + PATIENCE_MS; !haveBegun(); await pause()) {
      if (Date.now() > deadline) throw new Error('dumpcap has captured nothing');
      await wires.mark();
    }
    return wires;
  }

  /** The captures of one direction, in the order of the interfaces. */
  files(direction: Direction): string[] {
    return this.of(direction).map(({ path }) => path);
  }

  /** TCP packets captured by now. */
  packets(direction: Direction): ReadPacket[] {
    const all = this.of(direction).flatMap(({ chunks }) => readCapture(Buffer.concat(chunks)).packets);
    return all.filter(isTcp);
  }

  /** Waits until every connection that was captured has been closed by both ends, down to the last ACK, on both its wires. */
  async untilClosed(): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS; ; await pause()) {
      const open = (['inbound', 'outbound'] as const).flatMap((direction) => openConnections(this.packets(direction)));
      if (open.length === 0) return;
      if (Date.now() > deadline) throw new Error(`still open: ${open.join()}`);
    }
  }

  /** Waits until as many packets were captured as the splitter says there were; then ends dumpcap, writes the files. */
  async finish(expected: Record<Direction, number>): Promise<void> {
    for (const direction of ['inbound', 'outbound'] as const) {
      for (
        const deadline = Date.now() + PATIENCE_MS;
        this.packets(direction).length < expected[direction];
        await pause()
      ) {
        if (Date.now() < deadline) continue;
        throw new Error(`${expected[direction]} packets ${direction}, ${this.packets(direction).length} captured`);
      }
    }
    await Promise.all(this.captures.map(({ child }) => end(child)));
    for (const { path, chunks } of this.captures) writeFileSync(path, Buffer.concat(chunks));
  }

  /** A datagram each way over each wire. */
  private async mark(): Promise<void> {
    const send = (to: string) => ['bash', '-c', `echo > /dev/udp/${to}/${MARK_PORT} || true`];
    for (const [, role, near, far] of LINKS) {
      await this.world.run(role, send(near));
      await this.world.run('split', send(far));
    }
  }

  private of(direction: Direction): Capture[] {
    return this.captures.filter((capture) => capture.direction === direction);
  }

  private begin(direction: Direction, name: string): void {
    const argv = ['dumpcap', '-q', '-i', name, '-f', `(tcp or udp port ${MARK_PORT}) and ${direction}`, '-w', '-'];
    const child = this.world.start('split', argv);
    const path = join(this.world.directory, `${direction}-${name}.pcapng`);
    const capture: Capture = { direction, path, child, chunks: [] };
    child.stdout!.on('data', (chunk: Buffer) => capture.chunks.push(chunk));
    this.captures.push(capture);
  }
}

/** What one end of a connection has sent: the sequence number behind its FIN, and what it acknowledged last. */
interface Way {
  finished?: number;
  acknowledged?: number;
}

/**
 * Connections of which a FIN is missing, or its ACK. One is known by the CPE's address and both ports, which are the same
 * on the CPE's wire and on its server's.
 */
function openConnections(packets: readonly ReadPacket[]): string[] {
  const connections = new Map<string, { cpe: Way; server: Way }>();
  for (const { bytes } of packets) {
    const [source, destination] = [IP_AT + 12, IP_AT + 16].map((at) => bytes.subarray(at, at + 4).join('.'));
    const [sourcePort, destinationPort] = [bytes.readUInt16BE(TCP_AT), bytes.readUInt16BE(TCP_AT + 2)];
    const isOfServer = SERVERS.has(source!);
    const [cpe, cpePort, port] = isOfServer
      ? [destination, destinationPort, sourcePort]
      : [source, sourcePort, destinationPort];
    const name = `${cpe}:${cpePort} ${port}`;
    const both = connections.get(name) ?? { cpe: {}, server: {} };
    connections.set(name, both);
    const way = isOfServer ? both.server : both.cpe;
    const flags = bytes[TCP_AT + 13]!;
    if (flags & ACK) way.acknowledged = bytes.readUInt32BE(TCP_AT + 8);
    const payloadBytes = bytes.readUInt16BE(IP_AT + 2) - (TCP_AT - IP_AT) - (bytes[TCP_AT + 12]! >> 4) * 4;
    if (flags & FIN) way.finished = (bytes.readUInt32BE(TCP_AT + 4) + payloadBytes + 1) >>> 0;
  }
  const isAcknowledged = (one: Way, other: Way) => one.finished !== undefined && one.finished === other.acknowledged;
  return [...connections]
    .filter(([, { cpe, server }]) => !isAcknowledged(cpe, server) || !isAcknowledged(server, cpe))
    .map(([name]) => name);
}

/**
 * What says which packet this is and what became of its addresses. Left out is what forwarding changes, TTL and the
 * IP header's checksum, and TCP's checksum, which hosts on one machine leave to a card that is not there.
 */
export function identity({ bytes }: ReadPacket): string {
  const addresses = bytes.toString('hex', IP_AT + 12, IP_AT + 20);
  const identification = bytes.toString('hex', IP_AT + 4, IP_AT + 6);
  const beforeChecksum = bytes.toString('hex', TCP_AT, TCP_AT + 16);
  return [addresses, identification, beforeChecksum, bytes.toString('hex', TCP_AT + 18)].join(' ');
}

export function isTcp({ bytes }: ReadPacket): boolean {
  return bytes[IP_AT + 9] === TCP;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
