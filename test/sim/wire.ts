/**
 * IPv4 and TCP as the simulated hosts and the checkers write and read them (RFC 791, RFC 9293): code of its own, so that
 * no mistake in src/packet can hide itself. Addresses and sequence numbers are int32.
 */

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const ECE = 0x40;
export const CWR = 0x80;

/** RFC 9293 section 3.7.1: what a sender may assume of a receiver that says nothing. */
export const SEGMENT_BYTES = 536;
export const IP_BYTES = 20;
const TCP_BYTES = 20;
const MSS_OPTION_BYTES = 4;
/** The longest packet that a simulated host sends. */
export const PACKET_BYTES = IP_BYTES + TCP_BYTES + MSS_OPTION_BYTES + SEGMENT_BYTES;

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
  payloadAt = 0;
  payloadLength = 0;
}

/** Writes a packet with right checksums into `bytes`; a SYN carries a maximum segment size. Returns its length. */
export function encode(segment: Segment, payload: Payload | undefined, bytes: Uint8Array, identification = 0): number {
  const tcpBytes = segment.flags & SYN ? TCP_BYTES + MSS_OPTION_BYTES : TCP_BYTES;
  const payloadLength = payload === undefined ? 0 : payload.bytes.length;
  const length = IP_BYTES + tcpBytes + payloadLength;
  put16(bytes, 0, 0x4500);
  put16(bytes, 2, length);
  put16(bytes, 4, identification);
  put16(bytes, 6, 0x4000);
  put16(bytes, 8, 0x4006);
  put16(bytes, 10, 0);
  put32(bytes, 12, segment.source);
  put32(bytes, 16, segment.destination);
  put16(bytes, 10, invert(sumOf(bytes, 0, IP_BYTES)));

  put16(bytes, 20, segment.sourcePort);
  put16(bytes, 22, segment.destinationPort);
  put32(bytes, 24, segment.sequence);
  put32(bytes, 28, segment.acknowledgement);
  put16(bytes, 32, (tcpBytes << 10) | segment.flags);
  put16(bytes, 34, 64240);
  put32(bytes, 36, 0);
  if (tcpBytes > TCP_BYTES) put32(bytes, 40, 0x02040000 | SEGMENT_BYTES);
  if (payload !== undefined) bytes.set(payload.bytes, IP_BYTES + tcpBytes);
  const sum = sumOf(bytes, 12, 8 + tcpBytes) + 6 + tcpBytes + payloadLength + (payload === undefined ? 0 : payload.sum);
  put16(bytes, 36, invert(sum));
  return length;
}

/** Reads a packet of TCP over IPv4 that is well-formed. */
export function decode(bytes: Uint8Array, segment: Segment): void {
  const tcpAt = (bytes[0]! & 15) << 2;
  segment.source = get32(bytes, 12);
  segment.destination = get32(bytes, 16);
  segment.sourcePort = get16(bytes, tcpAt);
  segment.destinationPort = get16(bytes, tcpAt + 2);
  segment.sequence = get32(bytes, tcpAt + 4);
  segment.acknowledgement = get32(bytes, tcpAt + 8);
  segment.flags = bytes[tcpAt + 13]!;
  segment.payloadAt = tcpAt + ((bytes[tcpAt + 12]! >>> 4) << 2);
  segment.payloadLength = get16(bytes, 2) - segment.payloadAt;
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

/** True where the IP header's checksum is right: all its words sum up to 0xffff. */
export function ipChecksumHolds(bytes: Uint8Array): boolean {
  return invert(sumOf(bytes, 0, (bytes[0]! & 15) << 2)) === 0;
}

/** True where the TCP checksum is right, recomputed in full over pseudo-header, header and payload. */
export function tcpChecksumHolds(bytes: Uint8Array): boolean {
  const ipBytes = (bytes[0]! & 15) << 2;
  const tcpLength = get16(bytes, 2) - ipBytes;
  return invert(sumOf(bytes, 12, 8) + 6 + tcpLength + sumOf(bytes, ipBytes, tcpLength)) === 0;
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

/** int32 to `10.1.0.1`. */
export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** `10.1.0.1` to int32. */
export function addressOf(text: string): number {
  return text.split('.').reduce((address, octet) => (address << 8) | Number(octet), 0);
}
