/**
 * Shows packets that the engine traced as lines, or writes them to a capture for Wireshark and `acsplit replay`. The
 * capture holds each packet as it arrived, with verdict and reason as a comment and the interface it came in on, so that
 * a replay knows its side and decides it again.
 */

import { type TracedPacket } from '../engine';
import { Side, SIDES, Verdict } from '../packet/batch';
import { DescriptorSink } from '../replay/byte-io';
import { type CaptureInterface } from '../replay/capture-reader';
import { PcapngWriter } from '../replay/pcapng-writer';
import { describeBytes } from '../replay/transcript';
import { verdictName } from '../replay/verdict-name';
import { reasonName } from '../splitter/reasons';
import { type Topology } from '../splitter/topology';
import { giveUp } from './file-errors';
import { openPrivate } from './private-file';

/** LINKTYPE_RAW: packets begin with their IP header. */
const RAW_IP = 101;

/** The fields of a packet's line and of its JSON. */
export interface PacketLine {
  side: string;
  type: string;
  /** `10.1.0.5:40001 > 10.1.0.1:7547` */
  packet: string;
  /** The same after rewriting; undefined for a packet that was dropped or left unchanged. */
  became: string | undefined;
  payloadBytes: number;
  verdict: string;
  reason: string;
}

export function describePacket(traced: TracedPacket): PacketLine {
  const { type, endpoints, payloadBytes } = describeBytes(Buffer.from(traced.bytes, 'base64'));
  const after = Buffer.from(traced.after, 'base64');
  const isRewritten = traced.verdict === Verdict.AcceptRewritten;
  return {
    side: SIDES[traced.queue] ?? '?',
    type,
    packet: endpoints,
    became: isRewritten ? describeBytes(after).endpoints : undefined,
    payloadBytes,
    verdict: verdictName(traced.verdict),
    reason: reasonName(traced.reason),
  };
}

/** `cpe  SYN  10.1.0.5:40001 > 10.1.0.1:7547  0 bytes  to-itms  > 10.1.0.5:40001 > 10.2.0.2:7547` */
export function formatPacket({ side, type, packet, became, payloadBytes, verdict, reason }: PacketLine): string {
  const what = `${side.padEnd(9)} ${type.padEnd(7)} ${packet.padEnd(35)} ${String(payloadBytes).padStart(5)}`;
  return `${what} ${verdict.padEnd(9)} ${reason}${became === undefined ? '' : `: ${became}`}`;
}

/** A capture that is written while it grows. After each `flush` and after a failure it holds whole packets. */
export class TraceFile {
  packets = 0;
  private readonly sink: DescriptorSink;
  private readonly writer: PcapngWriter;
  private readonly interfaces: CaptureInterface[];
  private readonly collectors: ReadonlyMap<string, CaptureInterface>;

  /**
   * @param topology names the interfaces; without it they are named after the sides
   * @throws Failure when the file cannot be written
   */
  constructor(name: string, topology: Topology | undefined) {
    this.sink = new DescriptorSink(name, openPrivate(name), true);
    this.writer = new PcapngWriter(this.sink, name);
    const on = (interfaceName: string): CaptureInterface => ({
      linkType: RAW_IP,
      name: interfaceName,
      snapLength: 0,
    });
    const names = topology
      ? [topology.cpe.interfaces[0].in, topology.itms.interface, topology.collectors[0]?.interface ?? '']
      : [SIDES[Side.Cpe], SIDES[Side.Itms], SIDES[Side.Collector]];
    this.interfaces = [...names, 'lo'].map(on);
    this.collectors = new Map(
      topology?.collectors.flatMap(({ interface: interfaceName, address }) =>
        Object.values(address).map((text) => [text, on(interfaceName)] as const),
      ),
    );
  }

  /** @param startedMs wall-clock time at the engine's time 0 */
  write(traced: TracedPacket, startedMs: number): void {
    const bytes = Buffer.from(traced.bytes, 'base64');
    const ms = startedMs + traced.timeMs;
    const seconds = Math.floor(ms / 1000);
    this.writer.write({
      ...{ bytes, packetAt: 0, capturedBytes: bytes.length, originalBytes: traced.originalBytes },
      ...{ seconds, nanoseconds: Math.round((ms - seconds * 1000) * 1e6) % 1e9 },
      captureInterface: this.interfaceOf(traced, bytes),
      ...{ recordAt: -1, recordBytes: 0, verdict: traced.verdict, reason: traced.reason },
    });
    this.packets++;
  }

  /** Makes what was written readable. */
  flush(): void {
    this.sink.flush();
  }

  close(): void {
    this.writer.close();
  }

  /** Truncates the file to its last whole packet and turns `error` into a message. */
  giveUp(error: unknown): unknown {
    return giveUp(this.sink, error);
  }

  /** Collectors may be behind different interfaces; the source address tells which. */
  private interfaceOf({ queue }: TracedPacket, bytes: Buffer): CaptureInterface {
    const source = describeBytes(bytes).endpoints.split(' ')[0] ?? '';
    const collector = this.collectors.get(source) ?? this.collectors.get(source.replace(/^\[|\]?:\d+$/g, ''));
    return (queue === Side.Collector ? collector : undefined) ?? this.interfaces[Math.min(queue, Side.Host)];
  }
}
