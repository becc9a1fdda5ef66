/**
 * What really crossed an interface: dumpcap in the namespace, its pcap stream read here, by code that shares nothing
 * with the product. (tcpdump wants to change its user, which the root of a user namespace may not.)
 */
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { end, type Role, type World } from '../../../src/lab/world';

const PATIENCE_MS = 30_000;
/** A mark that was sent before the capture had begun is not seen: so often another is sent. */
const MARK_AGAIN_MS = 1000;
/** Sends a datagram for each line that it reads: a process for each would be most of the work of many a test. */
const MARKER = 'while read -r mark; do echo "$mark" >"/dev/udp/$0/$1"; done';
const GLOBAL_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_BYTES = 14;
const [IPV4, IPV6] = [0x0800, 0x86dd];
const IPV6_BYTES = 40;
const [TCP, UDP] = [6, 17];
const UDP_BYTES = 8;
const RST = 0x04;
/** A datagram to this port (discard) marks the end of what a reader waits for. */
const MARK_PORT = 9;

/** Every namespace but the splitter's own. */
export type Host = Exclude<Role, 'split'>;

/** A TCP packet's ends, flags and numbers. */
export interface Sight {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  /** With ECE and CWR, as in the header. */
  flags: number;
  sequence: number;
  acknowledgement: number;
  payloadBytes: number;
}

export class Capture {
  packets = 0;
  private marksSent = 0;
  private lastMark = 0;
  private rest: Buffer = Buffer.alloc(0);
  private headerRead = false;
  private said = '';
  /** What the marker could not send, and why. */
  private unsent = '';
  private readonly news = new EventEmitter();

  private constructor(
    private readonly role: Host,
    private readonly child: ChildProcess,
    private readonly marker: ChildProcess,
    private readonly onPacket: (sight: Sight) => void,
  ) {
    child.stdout!.on('data', (chunk: Buffer) => this.read(chunk));
    child.stderr!.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    child.once('exit', () => this.news.emit('news'));
    marker.stderr!.on('data', (chunk: Buffer) => {
      this.unsent += chunk.toString();
      this.news.emit('news');
    });
    this.news.setMaxListeners(0);
  }

  /** Captures on eth0 of a namespace from now on. @param filter which TCP packets, as tcpdump has it */
  static async start(world: World, role: Host, onPacket: (sight: Sight) => void, filter = 'tcp'): Promise<Capture> {
    const options = ['-q', '-P', '-B', '32', '-s', '96', '-w', '-'];
    const argv = ['dumpcap', '-i', 'eth0', ...options, '-f', `${filter} or udp port ${MARK_PORT}`];
    const { acs, routers } = world.places;
    // The other end of eth0.
    const gateway = role === 'cpe' ? acs : routers[role];
    const marker = world.start(role, ['bash', '--norc', '-c', MARKER, gateway, String(MARK_PORT)]);
    const capture = new Capture(role, world.start(role, argv), marker, onPacket);
    await capture.catchUp();
    return capture;
  }

  /** Waits until everything that crossed the interface before this call has been read. */
  async catchUp(): Promise<void> {
    const first = this.marksSent + 1;
    const deadline = Date.now() + PATIENCE_MS;
    this.unsent = '';
    do {
      // Repeated, because the first may cross before the capture has begun; numbered, because it may also come late.
      if (this.hasEnded || this.unsent !== '' || Date.now() > deadline)
        throw new Error(`capture in ${this.role}: ${this.unsent}${this.said.trim()}`);
      this.marker.stdin!.write(`${++this.marksSent}\n`);
      await this.untilMark(first);
    } while (this.lastMark < first);
  }

  async stop(): Promise<void> {
    await Promise.all([this.child, this.marker].map((child) => end(child)));
  }

  private get hasEnded(): boolean {
    return [this.child, this.marker].some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
  }

  /** Waits a while for this mark or a later one. */
  private async untilMark(mark: number): Promise<void> {
    const isOver = () => this.lastMark >= mark || this.unsent !== '' || this.hasEnded;
    await new Promise<void>((resolve) => {
      const stop = () => {
        clearTimeout(timer);
        this.news.off('news', look);
        resolve();
      };
      const look = () => (isOver() ? stop() : undefined);
      const timer = setTimeout(stop, MARK_AGAIN_MS);
      this.news.on('news', look);
      look();
    });
  }

  private read(chunk: Buffer): void {
    let bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    if (!this.headerRead) {
      if (bytes.length < GLOBAL_HEADER_BYTES) return void (this.rest = bytes);
      bytes = bytes.subarray(GLOBAL_HEADER_BYTES);
      this.headerRead = true;
    }
    let at = 0;
    while (at + RECORD_HEADER_BYTES <= bytes.length) {
      const length = bytes.readUInt32LE(at + 8);
      const next = at + RECORD_HEADER_BYTES + length;
      if (next > bytes.length) break;
      this.look(bytes.subarray(at + RECORD_HEADER_BYTES, next));
      at = next;
    }
    this.rest = bytes.subarray(at);
  }

  private look(frame: Buffer): void {
    const ip = frame.subarray(ETHERNET_BYTES);
    const type = frame.readUInt16BE(12);
    if (type === IPV4 && ip.length >= 20) {
      const header = (ip[0]! & 0x0f) * 4;
      const ends = { source: ipv4At(ip, 12), destination: ipv4At(ip, 16) };
      this.lookBehind(ip.subarray(header), ip[9]!, ends, ip.readUInt16BE(2) - header);
    } else if (type === IPV6 && ip.length >= IPV6_BYTES) {
      // The kernels of these tests send no extension headers.
      const ends = { source: ipv6At(ip, 8), destination: ipv6At(ip, 24) };
      this.lookBehind(ip.subarray(IPV6_BYTES), ip[6]!, ends, ip.readUInt16BE(4));
    }
  }

  private lookBehind(
    transport: Buffer,
    protocol: number,
    ends: { source: string; destination: string },
    segmentBytes: number,
  ): void {
    if (protocol === UDP) {
      this.lastMark = Number(transport.subarray(UDP_BYTES).toString());
      return void this.news.emit('news');
    }
    if (protocol !== TCP || transport.length < 14) return;
    this.packets++;
    this.onPacket({
      ...ends,
      sourcePort: transport.readUInt16BE(0),
      destinationPort: transport.readUInt16BE(2),
      sequence: transport.readUInt32BE(4),
      acknowledgement: transport.readUInt32BE(8),
      flags: transport[13]!,
      payloadBytes: segmentBytes - (transport[12]! >> 4) * 4,
    });
  }
}

export function isReset(sight: Sight): boolean {
  return hasFlag(sight, RST);
}

export function hasFlag(sight: Sight, flag: number): boolean {
  return (sight.flags & flag) !== 0;
}

function ipv4At(ip: Buffer, at: number): string {
  return `${ip[at]}.${ip[at + 1]}.${ip[at + 2]}.${ip[at + 3]}`;
}

/** Texts by their bytes: a URL's host is the canonical text, but costs microseconds. */
const texts = new Map<string, string>();

function ipv6At(ip: Buffer, at: number): string {
  const hex = ip.toString('hex', at, at + 16);
  let text = texts.get(hex);
  if (text === undefined) {
    text = new URL(`http://[${hex.replace(/(....)(?=.)/g, '$1:')}]`).hostname.slice(1, -1);
    texts.set(hex, text);
  }
  return text;
}
