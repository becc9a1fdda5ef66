/**
 * IP and TCP as the simulated hosts and the checkers write and read them (RFC 791, RFC 8200, RFC 9293). Independent
 * code, so that no mistake in src/packet can hide itself. Addresses and sequence numbers are int32; an IPv6 address is
 * 2001:db8::/96 plus such an int32.
 */

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const ECE = 0x40;
export const CWR = 0x80;

/** RFC 9293 section 3.7.1: the segment size to assume when the receiver offers none. */
export const SEGMENT_BYTES = 536;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const TCP_BYTES = 20;
const MSS_OPTION_BYTES = 4;
/** With a NOP before it. */
const SCALE_OPTION_BYTES = 4;
/** The longest packet that a simulated host sends. */
export const PACKET_BYTES = IPV6_BYTES + TCP_BYTES + MSS_OPTION_BYTES + SCALE_OPTION_BYTES + SEGMENT_BYTES;
const TCP = 6;
const PREFIX = 0x20010db8;
/** RFC 7323: no window scale was offered. */
export const NO_SCALE = -1;

/** Bytes of a segment, with their sum, which most segments of a run share. */
export class Payload {
  readonly bytes: Uint8Array;
  readonly sum: number;

  constructor(text: string) {
    if (text.length > SEGMENT_BYTES) throw new RangeError('a payload longer than a segment');
    this.bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    this.sum = sumOf(this.bytes, 0, this.bytes.length);
  }
}

/** A packet's fields; one is made and used again and again. */
export class Segment {
  source = 0;
  destination = 0;
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  /** As in the packet, not scaled. */
  window = 0;
  /** Of a SYN: the window scale that it offers, or NO_SCALE. */
  scale = NO_SCALE;
  isIpv6 = false;
  payloadAt = 0;
  payloadLength = 0;
}

/** Writes a packet with right checksums into `bytes`; a SYN carries a maximum segment size. Returns its length. */
export function encode(segment: Segment, payload: Payload | undefined, bytes: Uint8Array): number {
  const optionBytes = segment.flags & SYN ? MSS_OPTION_BYTES + (segment.scale < 0 ? 0 : SCALE_OPTION_BYTES) : 0;
  const tcpBytes = TCP_BYTES + optionBytes;
  const payloadLength = payload === undefined ? 0 : payload.bytes.length;
  const tcpLength = tcpBytes + payloadLength;
  const at = segment.isIpv6 ? writeIpv6(segment, tcpLength, bytes) : writeIpv4(segment, tcpLength, bytes);

  put16(bytes, at, segment.sourcePort);
  put16(bytes, at + 2, segment.destinationPort);
  put32(bytes, at + 4, segment.sequence);
  put32(bytes, at + 8, segment.acknowledgement);
  put16(bytes, at + 12, (tcpBytes << 10) | segment.flags);
  put16(bytes, at + 14, segment.window);
  put32(bytes, at + 16, 0);
  if (optionBytes > 0) put32(bytes, at + 20, 0x02040000 | SEGMENT_BYTES);
  if (optionBytes > MSS_OPTION_BYTES) put32(bytes, at + 24, 0x01030300 | segment.scale);
  if (payload !== undefined) bytes.set(payload.bytes, at + tcpBytes);
  const sum = pseudoSum(bytes, tcpLength) + sumOf(bytes, at, tcpBytes) + (payload === undefined ? 0 : payload.sum);
  put16(bytes, at + 16, invert(sum));
  return at + tcpLength;
}

/** Returns where TCP begins. */
function writeIpv4(segment: Segment, tcpLength: number, bytes: Uint8Array): number {
  put16(bytes, 0, 0x4500);
  put16(bytes, 2, IPV4_BYTES + tcpLength);
  put16(bytes, 4, 0);
  put16(bytes, 6, 0x4000);
  put16(bytes, 8, 0x4000 | TCP);
  put16(bytes, 10, 0);
  put32(bytes, 12, segment.source);
  put32(bytes, 16, segment.destination);
  put16(bytes, 10, invert(sumOf(bytes, 0, IPV4_BYTES)));
  return IPV4_BYTES;
}

function writeIpv6(segment: Segment, tcpLength: number, bytes: Uint8Array): number {
  put32(bytes, 0, 0x60000000);
  put16(bytes, 4, tcpLength);
  put16(bytes, 6, (TCP << 8) | 64);
  putIpv6(bytes, 8, segment.source);
  putIpv6(bytes, 24, segment.destination);
  return IPV6_BYTES;
}

function putIpv6(bytes: Uint8Array, at: number, address: number): void {
  put32(bytes, at, PREFIX);
  put32(bytes, at + 4, 0);
  put32(bytes, at + 8, 0);
  put32(bytes, at + 12, address);
}

/** Reads a packet of TCP over IPv4 or IPv6 that is well-formed. */
export function decode(bytes: Uint8Array, segment: Segment): void {
  const tcpAt = tcpAtOf(bytes);
  segment.isIpv6 = isIpv6(bytes);
  segment.source = sourceOf(bytes);
  segment.destination = destinationOf(bytes);
  segment.sourcePort = get16(bytes, tcpAt);
  segment.destinationPort = get16(bytes, tcpAt + 2);
  segment.sequence = get32(bytes, tcpAt + 4);
  segment.acknowledgement = get32(bytes, tcpAt + 8);
  segment.flags = bytes[tcpAt + 13]!;
  segment.window = get16(bytes, tcpAt + 14);
  segment.payloadAt = tcpAt + ((bytes[tcpAt + 12]! >>> 4) << 2);
  segment.payloadLength = tcpAt + tcpLengthOf(bytes) - segment.payloadAt;
  // As `encode` writes it.
  const hasScale = segment.flags & SYN && segment.payloadAt - tcpAt > TCP_BYTES + MSS_OPTION_BYTES;
  segment.scale = hasScale ? bytes[tcpAt + TCP_BYTES + MSS_OPTION_BYTES + 3]! : NO_SCALE;
}

/** Also false for anything that is not IP. */
export function isIpv6(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes[0]! >>> 4 === 6;
}

/** Where TCP begins; no packet here has an IPv6 extension header. */
export function tcpAtOf(bytes: Uint8Array): number {
  if (isIpv6(bytes)) return IPV6_BYTES;
  return bytes.length === 0 ? 0 : (bytes[0]! & 15) << 2;
}

/** Where the source address begins, or the destination. */
export function sourceAtOf(bytes: Uint8Array): number {
  return isIpv6(bytes) ? 8 : 12;
}

export function destinationAtOf(bytes: Uint8Array): number {
  return isIpv6(bytes) ? 24 : 16;
}

export function addressBytesOf(bytes: Uint8Array): number {
  return isIpv6(bytes) ? 16 : 4;
}

export function sourceOf(bytes: Uint8Array): number {
  return get32(bytes, isIpv6(bytes) ? 20 : 12);
}

export function destinationOf(bytes: Uint8Array): number {
  return get32(bytes, isIpv6(bytes) ? 36 : 16);
}

function tcpLengthOf(bytes: Uint8Array): number {
  return isIpv6(bytes) ? get16(bytes, 4) : get16(bytes, 2) - ((bytes[0]! & 15) << 2);
}

/** Of the pseudo-header: both addresses, the length and the protocol. */
function pseudoSum(bytes: Uint8Array, tcpLength: number): number {
  return sumOf(bytes, sourceAtOf(bytes), 2 * addressBytesOf(bytes)) + TCP + tcpLength;
}

/** Sum of 16-bit words, an odd last byte as a word's high half (RFC 1071). */
export function sumOf(bytes: Uint8Array, at: number, length: number): number {
  let sum = 0;
  const even = at + length - (length & 1);
  for (let i = at; i < even; i += 2) sum += (bytes[i]! << 8) + bytes[i + 1]!;
  return length & 1 ? sum + (bytes[even]! << 8) : sum;
}

/** The one's complement of a sum, folded to 16 bits: what a checksum field holds. */
export function invert(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded ^ 0xffff;
}

/** How far the checksum of an IPv4 header is off; 0 when it is right. IPv6 has none. */
export function ipDefect(bytes: Uint8Array): number {
  return isIpv6(bytes) ? 0 : invert(sumOf(bytes, 0, (bytes[0]! & 15) << 2)) % 0xffff;
}

/** How far the TCP checksum is off, recomputed in full over pseudo-header, header and payload. */
export function tcpDefect(bytes: Uint8Array): number {
  const length = tcpLengthOf(bytes);
  return invert(pseudoSum(bytes, length) + sumOf(bytes, tcpAtOf(bytes), length)) % 0xffff;
}

export function get16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function get32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function put16(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 8;
  bytes[at + 1] = word;
}

function put32(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

/** int32 to `10.1.0.1`, or to `2001:db8::a01:1`. */
export function addressText(address: number, isOfIpv6 = false): string {
  if (!isOfIpv6) return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
  return `2001:db8::${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`;
}

/** The address in a packet as text (RFC 5952). */
export function addressTextAt(bytes: Uint8Array, at: number): string {
  if (!isIpv6(bytes)) return addressText(get32(bytes, at));
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((offset) => get16(bytes, at + offset).toString(16));
  for (let zeros = 8; zeros > 1; zeros--) {
    const from = groups.findIndex((_, first) => groups.slice(first, first + zeros).join('') === '0'.repeat(zeros));
    if (from >= 0) return `${groups.slice(0, from).join(':')}::${groups.slice(from + zeros).join(':')}`;
  }
  return groups.join(':');
}

/** `10.1.0.1` to int32. */
export function addressOf(text: string): number {
  return text.split('.').reduce((address, octet) => (address << 8) | Number(octet), 0);
}
