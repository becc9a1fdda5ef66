/** ICMP errors of both families, built and judged by the book; shares nothing with the core's own reading. */
import { addressNamed, FAMILY } from './family';
import { carriedAt, complement, wordSum } from './naive-checksum';

export interface ErrorFields {
  /** Names of the tests. */
  source: string;
  destination: string;
  type: number;
  code?: number;
  /** The four bytes behind the checksum: the next hop's MTU, or nothing. */
  rest?: number;
  /** The undeliverable packet, or its beginning. */
  quoted: Uint8Array;
}

/** Types by name: over IPv4, over IPv6. */
export const TYPES = {
  unreachable: { ipv4: 3, ipv6: 1 },
  'too big': { ipv4: 3, ipv6: 2 },
  'time exceeded': { ipv4: 11, ipv6: 3 },
  'parameter problem': { ipv4: 12, ipv6: 4 },
} as const;

export function buildError(fields: ErrorFields, family = FAMILY): Uint8Array {
  const { source, destination, type, code = 0, rest = 0, quoted } = fields;
  const isIpv6 = family === 'ipv6';
  const octets = (name: string) => [...addressNamed(name, family)].flatMap((word) => bytesOf(word >>> 0, 4));
  const message = Uint8Array.from([type, code, 0, 0, ...bytesOf(rest, 4), ...quoted]);
  const addresses = [...octets(source), ...octets(destination)];
  const header = isIpv6
    ? [0x60, 0, 0, 0, ...bytesOf(message.length, 2), 58, 63, ...addresses]
    : [0x45, 0xc0, ...bytesOf(20 + message.length, 2), 0x12, 0x34, 0, 0, 63, 1, 0, 0, ...addresses];
  const packet = Uint8Array.from([...header, ...message]);
  if (!isIpv6) packet.set(bytesOf(complement(wordSum(packet.slice(0, 20))), 2), 10);
  packet.set(bytesOf(icmpSum(packet), 2), header.length + 2);
  return packet;
}

function bytesOf(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** (count - 1 - i)) % 256);
}

/** What the ICMP checksum of a whole packet ought to be (RFC 792; RFC 4443 section 2.3). */
export function icmpSum(packet: Uint8Array): number {
  const at = carriedAt(packet);
  const message = packet.slice(at);
  message[2] = message[3] = 0;
  if (packet[0] >> 4 === 4) return complement(wordSum(message));
  const pseudoHeader = Uint8Array.from([...packet.slice(8, 40), ...bytesOf(message.length, 4), 0, 0, 0, 58]);
  return complement(wordSum(pseudoHeader) + wordSum(message));
}

export interface ReadError {
  source: Uint8Array;
  destination: Uint8Array;
  quoted: Uint8Array;
  /** Of the outer IP header, and of ICMP. */
  sumsAreRight: boolean;
}

/** Takes a whole error apart. */
export function readError(packet: Uint8Array): ReadError {
  const isIpv6 = packet[0] >> 4 === 6;
  const [sourceAt, addressBytes] = isIpv6 ? [8, 16] : [12, 4];
  const at = carriedAt(packet);
  const header = packet.slice(0, 20);
  const ipSum = header[10] * 256 + header[11];
  header[10] = header[11] = 0;
  const ipIsRight = isIpv6 || ipSum === complement(wordSum(header));
  return {
    source: packet.slice(sourceAt, sourceAt + addressBytes),
    destination: packet.slice(sourceAt + addressBytes, sourceAt + 2 * addressBytes),
    quoted: packet.slice(at + 8),
    sumsAreRight: ipIsRight && packet[at + 2] * 256 + packet[at + 3] === icmpSum(packet),
  };
}
