/**
 * What really crossed an interface: tcpdump in the namespace, its pcap stream read here, by code that shares nothing
 * with the product. Keeps no packets, only which connections were seen and from whom.
 */
import type { ChildProcess } from 'node:child_process';
import { end, type Role, type World } from '../../../src/cli/lab/world';

const PATIENCE_MS = 30_000;
const GLOBAL_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_BYTES = 14;
const [TCP, UDP] = [6, 17];
const RST = 0x04;
/** A datagram to this port (discard) marks the end of what a reader waits for. */
const MARK_PORT = 9;

/** A TCP packet's ends and flags. */
export interface Sight {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  flags: number;
}

export class Capture {
  packets = 0;
  marks = 0;
  private rest: Buffer = Buffer.alloc(0);
  private headerRead = false;
  private said = '';

  private constructor(
    private readonly world: World,
    private readonly role: Role,
    private readonly child: ChildProcess,
    private readonly onPacket: (sight: Sight) => void,
  ) {
    child.stdout!.on('data', (chunk: Buffer) => this.read(chunk));
    child.stderr!.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
  }

  /** Captures on eth0 of a namespace from now on. */
  static async start(world: World, role: Role, onPacket: (sight: Sight) => void): Promise<Capture> {
    const options = ['-n', '-U', '--immediate-mode', '-Z', 'root', '-B', '32768', '-s', '96', '-w', '-'];
    const argv = ['tcpdump', '-i', 'eth0', ...options, `tcp or udp port ${MARK_PORT}`];
    const capture = new Capture(world, role, world.start(role, argv), onPacket);
    await capture.until(() => capture.said.includes('listening on'), 'to listen');
    return capture;
  }

  /** Waits until everything that crossed the interface before this call has been read. */
  async catchUp(): Promise<void> {
    const { marks } = this;
    await this.world.run(this.role, ['bash', '-c', `echo mark > /dev/udp/${this.gateway()}/${MARK_PORT}`]);
    await this.until(() => this.marks > marks, 'to read on');
  }

  async stop(): Promise<void> {
    await end(this.child);
  }

  private gateway(): string {
    return { cpe: '10.1.0.1', itms: '10.2.0.1', collector: '10.3.0.1', outside: '10.4.0.1', split: '127.0.0.1' }[
      this.role
    ];
  }

  private async until(fits: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!fits()) {
      const ended = this.child.exitCode !== null || this.child.signalCode !== null;
      if (ended || Date.now() > deadline) throw new Error(`tcpdump in ${this.role}, waiting ${what}: ${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
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
    if (frame.readUInt16BE(12) !== 0x0800 || ip.length < 20) return;
    const transport = ip.subarray((ip[0]! & 0x0f) * 4);
    if (ip[9] === UDP) return void this.marks++;
    if (ip[9] !== TCP || transport.length < 14) return;
    this.packets++;
    this.onPacket({
      source: addressAt(ip, 12),
      destination: addressAt(ip, 16),
      sourcePort: transport.readUInt16BE(0),
      destinationPort: transport.readUInt16BE(2),
      flags: transport[13]!,
    });
  }
}

export function isReset(sight: Sight): boolean {
  return (sight.flags & RST) !== 0;
}

function addressAt(ip: Buffer, at: number): string {
  return `${ip[at]}.${ip[at + 1]}.${ip[at + 2]}.${ip[at + 3]}`;
}
