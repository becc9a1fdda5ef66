/** Builds whole IPv4 TCP packets with right checksums, for fixtures, tests and simulated hosts. Not on the packet path. */
import * as ipv4 from './ipv4';
import * as tcp from './tcp';
import { parseIpv4 } from './address';
import { writeI32, writeU16 } from './bytes';
import { finish, sum } from './checksum';

export interface TcpPacket {
  /** Dotted quad or int32. */
  source: string | number;
  destination: string | number;
  sourcePort: number;
  destinationPort: number;
  /** TcpFlag bits. */
  flags: number;
  sequence?: number;
  acknowledgement?: number;
  payload?: Uint8Array | string;
  /** TCP options, padded with end-of-list to a multiple of four. */
  options?: Uint8Array;
  /** IPv4 options, padded alike. */
  ipOptions?: Uint8Array;
  window?: number;
  identification?: number;
  ttl?: number;
}

/** A packet in memory of its own. Throws RangeError on what a header cannot express. */
export function buildTcp(packet: TcpPacket): Uint8Array {
  const payload = typeof packet.payload === 'string' ? latin1(packet.payload) : (packet.payload ?? new Uint8Array(0));
  const ipBytes = ipv4.MIN_HEADER_BYTES + padded(packet.ipOptions);
  const tcpBytes = tcp.MIN_HEADER_BYTES + padded(packet.options);
  const total = ipBytes + tcpBytes + payload.length;
  if (ipBytes > 60 || tcpBytes > 60 || total > 65535) throw new RangeError('packet does not fit its headers');
  for (const port of [packet.sourcePort, packet.destinationPort]) {
    if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`not a port: ${port}`);
  }

  const bytes = new Uint8Array(total);
  bytes[ipv4.VERSION_IHL] = 0x40 | (ipBytes >>> 2);
  writeU16(bytes, ipv4.TOTAL_LENGTH, total);
  writeU16(bytes, 4, packet.identification ?? 0);
  writeU16(bytes, ipv4.FRAGMENT, 0x4000);
  bytes[ipv4.TTL] = packet.ttl ?? 64;
  bytes[ipv4.PROTOCOL] = ipv4.PROTOCOL_TCP;
  writeI32(bytes, ipv4.SOURCE, address(packet.source));
  writeI32(bytes, ipv4.DESTINATION, address(packet.destination));
  bytes.set(packet.ipOptions ?? [], ipv4.MIN_HEADER_BYTES);

  writeU16(bytes, ipBytes + tcp.SOURCE_PORT, packet.sourcePort);
  writeU16(bytes, ipBytes + tcp.DESTINATION_PORT, packet.destinationPort);
  writeI32(bytes, ipBytes + tcp.SEQUENCE, packet.sequence ?? 0);
  writeI32(bytes, ipBytes + tcp.ACKNOWLEDGEMENT, packet.acknowledgement ?? 0);
  bytes[ipBytes + tcp.DATA_OFFSET] = (tcpBytes >>> 2) << 4;
  bytes[ipBytes + tcp.FLAGS] = packet.flags;
  writeU16(bytes, ipBytes + 14, packet.window ?? 64240);
  bytes.set(packet.options ?? [], ipBytes + tcp.MIN_HEADER_BYTES);
  bytes.set(payload, ipBytes + tcpBytes);

  writeU16(bytes, ipv4.HEADER_CHECKSUM, ipHeaderChecksum(bytes, 0));
  writeU16(bytes, ipBytes + tcp.CHECKSUM, tcpChecksum(bytes, 0));
  return bytes;
}

/** What the IP header's checksum field ought to hold, from the whole header with that field as zero. */
export function ipHeaderChecksum(bytes: Uint8Array, ipAt: number): number {
  const headerBytes = (bytes[ipAt] & 0x0f) << 2;
  const field = ipAt + ipv4.HEADER_CHECKSUM;
  return finish(sum(bytes, ipAt, headerBytes) - sum(bytes, field, 2));
}

/** What the TCP checksum field ought to hold, in full: pseudo-header, header with that field as zero, payload. */
export function tcpChecksum(bytes: Uint8Array, ipAt: number): number {
  const headerBytes = (bytes[ipAt] & 0x0f) << 2;
  const segmentBytes = ((bytes[ipAt + ipv4.TOTAL_LENGTH] << 8) | bytes[ipAt + ipv4.TOTAL_LENGTH + 1]) - headerBytes;
  const tcpAt = ipAt + headerBytes;
  const pseudoHeader = sum(bytes, ipAt + ipv4.SOURCE, 8) + ipv4.PROTOCOL_TCP + segmentBytes;
  return finish(pseudoHeader + sum(bytes, tcpAt, segmentBytes) - sum(bytes, tcpAt + tcp.CHECKSUM, 2));
}

function address(value: string | number): number {
  if (typeof value === 'number') return value;
  const parsed = parseIpv4(value);
  if (parsed === undefined) throw new RangeError(`not an IPv4 address: ${value}`);
  return parsed;
}

function padded(options: Uint8Array | undefined): number {
  return ((options?.length ?? 0) + 3) & ~3;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
