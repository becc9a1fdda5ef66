/**
 * Writes one line per packet: time, side, type, endpoints as captured and as rewritten, payload, verdict and reason.
 * The same capture and configuration give the same lines, so that a stored transcript is a test.
 *
 *     0.000000 cpe       SYN        10.1.7.1:40001 > 10.1.0.1:7547  10.1.7.1:40001 > 10.2.0.2:7547  0 rewritten to-itms
 */
import { formatIpv4, formatIpv6 } from '../packet/address';
import { type PacketBatch, PacketFlag, SIDES, Verdict } from '../packet/batch';
import { readI32, readU16 } from '../packet/bytes';
import { ExtensionHeaders } from '../packet/extension-headers';
import * as ipv4 from '../packet/ipv4';
import * as ipv6 from '../packet/ipv6';
import * as tcp from '../packet/tcp';
import { EVENTS } from '../splitter/memory/events';
import { reasonName } from '../splitter/reasons';
import { type Splitter } from '../splitter/splitter';
import { type LineSink } from './lines';
import { verdictName } from './verdict-name';

const NANOSECONDS = 1_000_000_000;
/** Column widths for the longest IPv4 endpoints and the usual flags; longer values push the rest to the right. */
const SIDE_WIDTH = 9;
const TYPE_WIDTH = 7;
const ENDPOINTS_WIDTH = 35;
const VERDICT_WIDTH = 9;

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];
/** The usual order in text: SYN+ACK, FIN+ACK, RST+ACK. */
const FLAG_ORDER = [1, 0, 2, 3, 4, 5, 6, 7];

export class Transcript {
  private type = '';
  private endpoints = '';
  private payloadBytes = 0;
  private events: number;

  constructor(
    private readonly splitter: Splitter,
    private readonly sink: LineSink,
  ) {
    this.events = splitter.state.events.written;
  }

  /**
   * Records what the batch's only packet looks like before it is decided.
   * @param beyondBytes by how much the packet is longer than its length field can express
   */
  before(batch: PacketBatch, beyondBytes = 0): void {
    const { bytes } = batch;
    const layout = layoutOf(bytes, batch.offset[0], batch.length[0]);
    this.type = typeOf(layout, bytes, batch.length[0]);
    this.endpoints = endpointsOf(layout, bytes);
    this.payloadBytes = payloadOf(layout, bytes) + beyondBytes;
  }

  /** Writes the packet's line. The time is since the first packet; `nanoseconds` may be negative. */
  after(batch: PacketBatch, seconds: number, nanoseconds: number): void {
    const verdict: Verdict = batch.verdict[0];
    const { bytes } = batch;
    const became =
      verdict === Verdict.AcceptRewritten ? endpointsOf(layoutOf(bytes, batch.offset[0], batch.length[0]), bytes) : '-';
    const columns = [
      timeText(seconds, nanoseconds),
      SIDES[batch.queue[0]].padEnd(SIDE_WIDTH),
      this.type.padEnd(TYPE_WIDTH),
      this.endpoints.padEnd(ENDPOINTS_WIDTH),
      became.padEnd(ENDPOINTS_WIDTH),
      String(this.payloadBytes).padStart(5),
      verdictName(verdict).padEnd(VERDICT_WIDTH),
      reasonName(batch.reason[0]),
    ];
    if (batch.flags[0] & PacketFlag.Snapped) columns.push('(cut by snaplen: payload not verified)');
    columns.push(...this.newEvents());
    this.sink.line(columns.join(' '));
  }

  /** Writes out every line so far. */
  flush(): void {
    this.sink.flush?.();
  }

  end(): void {
    this.sink.end();
  }

  /** The events that the packet caused, `[armed-by-response c1]` for example. */
  private newEvents(): string[] {
    const texts: string[] = [];
    const { events, owners } = this.splitter.state;
    if (events.written === this.events) return texts;
    this.events = events.readSince(this.events, (row) => {
      texts.push(`[${EVENTS[row.event]} ${owners.name(row.owner)}]`);
    });
    return texts;
  }
}

function timeText(seconds: number, nanoseconds: number): string {
  let whole = seconds;
  let rest = nanoseconds;
  if (rest < 0) {
    whole -= 1;
    rest += NANOSECONDS;
  }
  // Before the first packet: -0.25 s came as -1 s and 0.75 s.
  const isNegative = whole < 0;
  if (isNegative && rest > 0) {
    whole += 1;
    rest = NANOSECONDS - rest;
  }
  const micros = String(Math.floor(rest / 1000)).padStart(6, '0');
  return `${isNegative ? '-' : ''}${Math.abs(whole)}.${micros}`.padStart(12);
}

/** Where the headers are in a packet, as far as it was captured. */
interface Layout {
  source: string;
  destination: string;
  /** The IP protocol's number. */
  protocol: number;
  /** Offset of the TCP header; -1 without a whole one. */
  tcpAt: number;
  /** Offset after the packet's last byte on the wire. */
  end: number;
}

/** `undefined` without a whole IP header. */
function layoutOf(bytes: Uint8Array, at: number, length: number): Layout | undefined {
  const version = length > 0 ? bytes[at] >>> 4 : 0;
  if (version === 4 && length >= ipv4.MIN_HEADER_BYTES) return ipv4Layout(bytes, at, length);
  return version === 6 && length >= ipv6.HEADER_BYTES ? ipv6Layout(bytes, at, length) : undefined;
}

function ipv4Layout(bytes: Uint8Array, at: number, length: number): Layout {
  const protocol = bytes[at + ipv4.PROTOCOL];
  const tcpAt = at + ((bytes[at + ipv4.VERSION_IHL] & 0x0f) << 2);
  const isFragment = (readU16(bytes, at + ipv4.FRAGMENT) & ipv4.FRAGMENT_MASK) !== 0;
  return {
    source: formatIpv4(readI32(bytes, at + ipv4.SOURCE)),
    destination: formatIpv4(readI32(bytes, at + ipv4.DESTINATION)),
    protocol,
    tcpAt: wholeTcp(protocol, !isFragment, tcpAt, at + length),
    end: at + readU16(bytes, at + ipv4.TOTAL_LENGTH),
  };
}

function ipv6Layout(bytes: Uint8Array, at: number, length: number): Layout {
  const address = (from: number) => formatIpv6(Int32Array.from({ length: 4 }, (_, i) => readI32(bytes, from + 4 * i)));
  const extensions = new ExtensionHeaders();
  const carriedAt = at + ipv6.HEADER_BYTES;
  const isWhole = extensions.walk(bytes, bytes[at + ipv6.NEXT_HEADER], carriedAt, at + length);
  const { protocol, isFragment } = extensions;
  return {
    source: address(at + ipv6.SOURCE),
    destination: address(at + ipv6.DESTINATION),
    protocol,
    tcpAt: wholeTcp(protocol, isWhole && !isFragment, extensions.at, at + length),
    end: carriedAt + readU16(bytes, at + ipv6.PAYLOAD_LENGTH),
  };
}

function wholeTcp(protocol: number, isWhole: boolean, tcpAt: number, end: number): number {
  return isWhole && protocol === ipv4.PROTOCOL_TCP && tcpAt + tcp.MIN_HEADER_BYTES <= end ? tcpAt : -1;
}

function typeOf(layout: Layout | undefined, bytes: Uint8Array, length: number): string {
  if (layout) return layout.tcpAt >= 0 ? flagsText(bytes[layout.tcpAt + tcp.FLAGS]) : `ip-${layout.protocol}`;
  return length < 1 ? 'no-ip' : 'ip';
}

function flagsText(flags: number): string {
  const names = FLAG_ORDER.filter((bit) => flags & (1 << bit)).map((bit) => FLAG_NAMES[bit]);
  return names.length === 0 ? 'none' : names.join('+');
}

/** `10.1.7.1:40001 > 10.1.0.1:7547`; no ports without a whole TCP header, `-` without an IP header. */
function endpointsOf(layout: Layout | undefined, bytes: Uint8Array): string {
  if (!layout) return '-';
  const { source, destination, tcpAt } = layout;
  if (tcpAt < 0) return `${source} > ${destination}`;
  const end = (address: string, portAt: number) =>
    `${address.includes(':') ? `[${address}]` : address}:${readU16(bytes, tcpAt + portAt)}`;
  return `${end(source, tcp.SOURCE_PORT)} > ${end(destination, tcp.DESTINATION_PORT)}`;
}

/** Bytes of TCP payload on the wire, according to the headers; 0 where they are wrong. */
function payloadOf(layout: Layout | undefined, bytes: Uint8Array): number {
  if (!layout || layout.tcpAt < 0) return 0;
  const tcpBytes = (bytes[layout.tcpAt + tcp.DATA_OFFSET] >>> 4) << 2;
  return Math.max(0, layout.end - layout.tcpAt - tcpBytes);
}

/** Describes any packet in the words of a transcript's line. */
export function describeBytes(bytes: Uint8Array): { type: string; endpoints: string; payloadBytes: number } {
  const { length } = bytes;
  const layout = layoutOf(bytes, 0, length);
  return {
    type: typeOf(layout, bytes, length),
    endpoints: endpointsOf(layout, bytes),
    payloadBytes: payloadOf(layout, bytes),
  };
}
