/** IP packets of any protocol for tests, byte by byte, with code that shares nothing with the product. */
import { isIPv6 } from 'node:net';

/** What a packet carries behind its IP header. */
export interface Carried {
  protocol: number;
  bytes: Buffer;
  /** Offset of its checksum, which includes a pseudo-header, except for ICMPv4. */
  checksumAt?: number;
}

export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, gre: 47, esp: 50, icmpv6: 58, ospf: 89, vrrp: 112, sctp: 132 };

export function udp(from: number, to: number, text: string): Carried {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(from, 0);
  head.writeUInt16BE(to, 2);
  head.writeUInt16BE(8 + text.length, 4);
  return { protocol: PROTOCOLS.udp, bytes: Buffer.concat([head, Buffer.from(text)]), checksumAt: 6 };
}

export function tcp(from: number, to: number, flags: number): Carried {
  const head = Buffer.alloc(20);
  head.writeUInt16BE(from, 0);
  head.writeUInt16BE(to, 2);
  head.writeUInt32BE(1000, 4);
  head[12] = 5 << 4;
  head[13] = flags;
  head.writeUInt16BE(4096, 14);
  return { protocol: PROTOCOLS.tcp, bytes: head, checksumAt: 16 };
}

/** An ICMP message of the family of `like`: type and code, four bytes, and what follows. */
export function icmp(like: string, [type, code]: [number, number], rest: number, body: Buffer): Carried {
  const head = Buffer.alloc(8);
  head[0] = type;
  head[1] = code;
  head.writeUInt32BE(rest, 4);
  const protocol = isIPv6(like) ? PROTOCOLS.icmpv6 : PROTOCOLS.icmp;
  return { protocol, bytes: Buffer.concat([head, body]), checksumAt: 2 };
}

export function other(protocol: number, text: string): Carried {
  return { protocol, bytes: Buffer.from(text) };
}

/** The whole packet. */
export function packet(source: string, destination: string, carried: Carried): Buffer {
  const { protocol, checksumAt } = carried;
  const bytes = Buffer.from(carried.bytes);
  const ends = Buffer.concat([octets(source), octets(destination)]);
  if (checksumAt !== undefined) {
    const tail = Buffer.alloc(4);
    tail.writeUInt16BE(bytes.length, 0);
    tail.writeUInt16BE(protocol, 2);
    const pseudo = protocol === PROTOCOLS.icmp ? Buffer.alloc(0) : Buffer.concat([ends, tail]);
    bytes.writeUInt16BE(checksum(Buffer.concat([pseudo, bytes])), checksumAt);
  }
  const isIpv6 = isIPv6(source);
  const header = Buffer.alloc(isIpv6 ? 8 : 12);
  if (isIpv6) {
    header[0] = 0x60;
    header.writeUInt16BE(bytes.length, 4);
    header[6] = protocol;
    header[7] = 64;
    return Buffer.concat([header, ends, bytes]);
  }
  header[0] = 0x45;
  header.writeUInt16BE(20 + bytes.length, 2);
  header.writeUInt16BE(0x1234, 4);
  header[8] = 64;
  header[9] = protocol;
  const whole = Buffer.concat([header, ends]);
  whole.writeUInt16BE(checksum(whole), 10);
  return Buffer.concat([whole, bytes]);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes[at]! * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function octets(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [head, tail = ''] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const middle = address.includes('::') ? new Array<string>(8 - head!.length - tail.length).fill('0') : [];
  return Buffer.from([...head!, ...middle, ...tail].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** A packet in fragments with at most `bytes` each, a multiple of 8. [RFC 791 3.2, RFC 8200 4.5] */
export function fragments(whole: Buffer, bytes: number): Buffer[] {
  const isIpv6 = whole[0]! >> 4 === 6;
  const header = whole.subarray(0, isIpv6 ? 40 : 20);
  const body = whole.subarray(header.length);
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; at += bytes) {
    const piece = body.subarray(at, at + bytes);
    const more = at + bytes < body.length ? 1 : 0;
    const own = Buffer.from(header);
    if (isIpv6) {
      const extension = Buffer.from([own[6]!, 0, 0, 0, 0x12, 0x34, 0x56, 0x78]);
      extension.writeUInt16BE(at | more, 2);
      own[6] = 44;
      own.writeUInt16BE(extension.length + piece.length, 4);
      pieces.push(Buffer.concat([own, extension, piece]));
    } else {
      own.writeUInt16BE(own.length + piece.length, 2);
      own.writeUInt16BE((more << 13) | (at / 8), 6);
      own.fill(0, 10, 12);
      own.writeUInt16BE(checksum(own), 10);
      pieces.push(Buffer.concat([own, piece]));
    }
  }
  return pieces;
}
