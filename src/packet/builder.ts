/**
 * Builds complete TCP packets with correct checksums, for fixtures, tests and simulated hosts. Not on the packet path.
 */
import { type Address, familyOf, parseAddress } from './address';
import * as ipv4 from './ipv4';
import * as ipv6 from './ipv6';
import * as tcp from './tcp';
import { readU16, writeI32, writeU16 } from './bytes';
import { finish, sum } from './checksum';
import { ExtensionHeaders } from './extension-headers';

export interface TcpPacket {
  /** Text of either family, words, or an IPv4 address as int32; both addresses of one family. */
  source: string | number | Address;
  destination: string | number | Address;
  sourcePort: number;
  destinationPort: number;
  /** TcpFlag bits. */
  flags: number;
  sequence?: number;
  acknowledgement?: number;
  payload?: Uint8Array | string;
  /** TCP options, padded with end-of-list to a multiple of four. */
  options?: Uint8Array;
  /** IPv4 options, padded in the same way. */
  ipOptions?: Uint8Array;
  /** IPv6 extension headers. */
  extensions?: Extension[];
  window?: number;
  /** IPv4 only. */
  identification?: number;
  /** TTL or hop limit. */
  ttl?: number;
}

/** An IPv6 extension header: its number and its bytes. The first byte, the next header, is filled in. */
export interface Extension {
  header: number;
  bytes: Uint8Array | number[];
}

/** Builds a packet in new memory. Throws RangeError on what a header cannot express. */
export function buildTcp(packet: TcpPacket): Uint8Array {
  const payload = typeof packet.payload === 'string' ? latin1(packet.payload) : (packet.payload ?? new Uint8Array(0));
  for (const port of [packet.sourcePort, packet.destinationPort]) {
    if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`not a port: ${port}`);
  }
  const tcpBytes = tcp.MIN_HEADER_BYTES + padded(packet.options);
  if (tcpBytes > tcp.MAX_HEADER_BYTES) throw new RangeError('packet does not fit its headers');
  const bytes = ipHeader(packet, tcpBytes + payload.length);
  const tcpAt = bytes.length - tcpBytes - payload.length;
  writeU16(bytes, tcpAt + tcp.SOURCE_PORT, packet.sourcePort);
  writeU16(bytes, tcpAt + tcp.DESTINATION_PORT, packet.destinationPort);
  writeI32(bytes, tcpAt + tcp.SEQUENCE, packet.sequence ?? 0);
  writeI32(bytes, tcpAt + tcp.ACKNOWLEDGEMENT, packet.acknowledgement ?? 0);
  bytes[tcpAt + tcp.DATA_OFFSET] = (tcpBytes >>> 2) << 4;
  bytes[tcpAt + tcp.FLAGS] = packet.flags;
  writeU16(bytes, tcpAt + tcp.WINDOW, packet.window ?? 64240);
  bytes.set(packet.options ?? [], tcpAt + tcp.MIN_HEADER_BYTES);
  bytes.set(payload, tcpAt + tcpBytes);
  writeU16(bytes, tcpAt + tcp.CHECKSUM, tcpChecksum(bytes, 0));
  return bytes;
}

/** A packet's IP header, followed by zeros for its payload. */
function ipHeader(packet: TcpPacket, carriedBytes: number): Uint8Array {
  const [source, destination] = [words(packet.source), words(packet.destination)];
  if (source.length !== destination.length) throw new RangeError('addresses of two families');
  return familyOf(source) === 'ipv4'
    ? ipv4Header(packet, source, destination, carriedBytes)
    : ipv6Header(packet, source, destination, carriedBytes);
}

function ipv4Header(packet: TcpPacket, source: Address, destination: Address, carriedBytes: number): Uint8Array {
  const headerBytes = ipv4.MIN_HEADER_BYTES + padded(packet.ipOptions);
  const total = headerBytes + carriedBytes;
  if (headerBytes > ipv4.MAX_HEADER_BYTES || total > 65535 || packet.extensions) {
    throw new RangeError('packet does not fit its headers');
  }
  const bytes = new Uint8Array(total);
  bytes[ipv4.VERSION_IHL] = 0x40 | (headerBytes >>> 2);
  writeU16(bytes, ipv4.TOTAL_LENGTH, total);
  writeU16(bytes, ipv4.IDENTIFICATION, packet.identification ?? 0);
  writeU16(bytes, ipv4.FRAGMENT, ipv4.DONT_FRAGMENT);
  bytes[ipv4.TTL] = packet.ttl ?? 64;
  bytes[ipv4.PROTOCOL] = ipv4.PROTOCOL_TCP;
  writeI32(bytes, ipv4.SOURCE, source[0]);
  writeI32(bytes, ipv4.DESTINATION, destination[0]);
  bytes.set(packet.ipOptions ?? [], ipv4.MIN_HEADER_BYTES);
  writeU16(bytes, ipv4.HEADER_CHECKSUM, ipHeaderChecksum(bytes, 0));
  return bytes;
}

function ipv6Header(packet: TcpPacket, source: Address, destination: Address, carriedBytes: number): Uint8Array {
  const extensions = packet.extensions ?? [];
  const extensionBytes = extensions.reduce((total, { bytes }) => total + bytes.length, 0);
  const payloadLength = extensionBytes + carriedBytes;
  if (payloadLength > 65535 || packet.ipOptions) throw new RangeError('packet does not fit its headers');
  const bytes = new Uint8Array(ipv6.HEADER_BYTES + payloadLength);
  bytes[ipv6.VERSION] = 0x60;
  writeU16(bytes, ipv6.PAYLOAD_LENGTH, payloadLength);
  bytes[ipv6.HOP_LIMIT] = packet.ttl ?? 64;
  source.forEach((word, i) => writeI32(bytes, ipv6.SOURCE + 4 * i, word));
  destination.forEach((word, i) => writeI32(bytes, ipv6.DESTINATION + 4 * i, word));
  let nextHeaderAt = ipv6.NEXT_HEADER;
  let at = ipv6.HEADER_BYTES;
  for (const extension of extensions) {
    bytes[nextHeaderAt] = extension.header;
    bytes.set(extension.bytes, at);
    nextHeaderAt = at;
    at += extension.bytes.length;
  }
  bytes[nextHeaderAt] = ipv6.NextHeader.Tcp;
  return bytes;
}

/** The correct IPv4 header checksum, computed over the whole header with the field as zero. */
export function ipHeaderChecksum(bytes: Uint8Array, ipAt: number): number {
  const headerBytes = (bytes[ipAt] & 0x0f) << 2;
  const field = ipAt + ipv4.HEADER_CHECKSUM;
  return finish(sum(bytes, ipAt, headerBytes) - sum(bytes, field, 2));
}

/** The correct TCP checksum in full: pseudo-header, header with the field as zero, payload. */
export function tcpChecksum(bytes: Uint8Array, ipAt: number): number {
  const { at, end } = carried(bytes, ipAt);
  const isIpv6 = bytes[ipAt] >>> 4 === 6;
  const addresses = isIpv6
    ? sum(bytes, ipAt + ipv6.SOURCE, 2 * ipv6.ADDRESS_BYTES)
    : sum(bytes, ipAt + ipv4.SOURCE, 2 * ipv4.ADDRESS_BYTES);
  const pseudoHeader = addresses + ipv4.PROTOCOL_TCP + end - at;
  return finish(pseudoHeader + sum(bytes, at, end - at) - sum(bytes, at + tcp.CHECKSUM, 2));
}

/** Where the payload of a well-formed IP packet begins and ends. */
function carried(bytes: Uint8Array, ipAt: number): { at: number; end: number } {
  if (bytes[ipAt] >>> 4 === 4) {
    return { at: ipAt + ((bytes[ipAt] & 0x0f) << 2), end: ipAt + readU16(bytes, ipAt + ipv4.TOTAL_LENGTH) };
  }
  const end = ipAt + ipv6.HEADER_BYTES + readU16(bytes, ipAt + ipv6.PAYLOAD_LENGTH);
  const extensions = new ExtensionHeaders();
  extensions.walk(bytes, bytes[ipAt + ipv6.NEXT_HEADER], ipAt + ipv6.HEADER_BYTES, end);
  return { at: extensions.at, end };
}

function words(value: string | number | Address): Address {
  if (typeof value === 'number') return Int32Array.of(value);
  if (typeof value !== 'string') return value;
  const parsed = parseAddress(value);
  if (parsed === undefined) throw new RangeError(`not an IP address: ${value}`);
  return parsed;
}

function padded(options: Uint8Array | undefined): number {
  return ((options?.length ?? 0) + 3) & ~3;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
