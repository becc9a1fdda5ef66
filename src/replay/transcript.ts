/**
 * One line a packet: when, from which side, what, from where to where, what it became, the verdict and why.
 * Stable: the same capture and configuration give the same lines, so that a stored transcript is a test.
 *
 *     0.000000 cpe       SYN        10.1.7.1:40001 > 10.1.0.1:7547  10.1.7.1:40001 > 10.2.0.2:7547  0 rewritten to-itms
 */
import { formatIpv4 } from '../packet/address';
import { type PacketBatch, PacketFlag, Verdict } from '../packet/batch';
import { readI32, readU16 } from '../packet/bytes';
import * as ipv4 from '../packet/ipv4';
import * as tcp from '../packet/tcp';
import { EVENTS } from '../splitter/events';
import { reasonName } from '../splitter/reasons';
import { type Splitter } from '../splitter/splitter';
import { type LineSink } from './lines';
import { SIDES } from './side';
import { verdictName } from './verdict-name';

const NANOSECONDS = 1_000_000_000;
/** Columns that line up for the longest endpoint and the usual flags; longer ones push the rest along. */
const SIDE_WIDTH = 9;
const TYPE_WIDTH = 7;
const ENDPOINTS_WIDTH = 35;
const VERDICT_WIDTH = 9;

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];
/** In the order in which people say them: SYN+ACK, FIN+ACK, RST+ACK. */
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

  /** Notes what the one packet of the batch looks like before it is decided. */
  before(batch: PacketBatch): void {
    const at = batch.offset[0];
    const length = batch.length[0];
    this.type = typeOf(batch.bytes, at, length);
    this.endpoints = endpointsOf(batch.bytes, at, length);
    this.payloadBytes = payloadOf(batch.bytes, at, length);
  }

  /** Writes the packet's line. The time is since the first packet; `nanoseconds` may be negative. */
  after(batch: PacketBatch, seconds: number, nanoseconds: number): void {
    const verdict: Verdict = batch.verdict[0];
    const became =
      verdict === Verdict.AcceptRewritten ? endpointsOf(batch.bytes, batch.offset[0], batch.length[0]) : '-';
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

  end(): void {
    this.sink.end();
  }

  /** What the packet brought about besides its own way, `[armed-by-response c1]` for example. */
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

function hasTcp(bytes: Uint8Array, at: number, length: number): boolean {
  return (
    length >= ipv4.MIN_HEADER_BYTES &&
    bytes[at] >>> 4 === 4 &&
    bytes[at + ipv4.PROTOCOL] === ipv4.PROTOCOL_TCP &&
    (readU16(bytes, at + ipv4.FRAGMENT) & ipv4.FRAGMENT_MASK) === 0 &&
    length >= headerBytes(bytes, at) + tcp.MIN_HEADER_BYTES
  );
}

function headerBytes(bytes: Uint8Array, at: number): number {
  return (bytes[at + ipv4.VERSION_IHL] & 0x0f) << 2;
}

function typeOf(bytes: Uint8Array, at: number, length: number): string {
  if (hasTcp(bytes, at, length)) return flagsText(bytes[at + headerBytes(bytes, at) + tcp.FLAGS]);
  if (length < 1) return 'no-ip';
  if (bytes[at] >>> 4 === 6) return 'ipv6';
  return length < ipv4.MIN_HEADER_BYTES ? 'ip' : `ip-${bytes[at + ipv4.PROTOCOL]}`;
}

function flagsText(flags: number): string {
  const names = FLAG_ORDER.filter((bit) => flags & (1 << bit)).map((bit) => FLAG_NAMES[bit]);
  return names.length === 0 ? 'none' : names.join('+');
}

/** `10.1.7.1:40001 > 10.1.0.1:7547`; without ports where there is no whole TCP header, `-` without IPv4. */
function endpointsOf(bytes: Uint8Array, at: number, length: number): string {
  if (length < ipv4.MIN_HEADER_BYTES || bytes[at] >>> 4 !== 4) return '-';
  const source = formatIpv4(readI32(bytes, at + ipv4.SOURCE));
  const destination = formatIpv4(readI32(bytes, at + ipv4.DESTINATION));
  if (!hasTcp(bytes, at, length)) return `${source} > ${destination}`;
  const tcpAt = at + headerBytes(bytes, at);
  const sourcePort = readU16(bytes, tcpAt + tcp.SOURCE_PORT);
  return `${source}:${sourcePort} > ${destination}:${readU16(bytes, tcpAt + tcp.DESTINATION_PORT)}`;
}

/** Bytes of TCP payload on the wire, by the headers; 0 where they lie. */
function payloadOf(bytes: Uint8Array, at: number, length: number): number {
  if (!hasTcp(bytes, at, length)) return 0;
  const ipBytes = headerBytes(bytes, at);
  const tcpBytes = (bytes[at + ipBytes + tcp.DATA_OFFSET] >>> 4) << 2;
  return Math.max(0, readU16(bytes, at + ipv4.TOTAL_LENGTH) - ipBytes - tcpBytes);
}
