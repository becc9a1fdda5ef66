/** The reference's own reading of a TCP packet of either family: strict, field by field, with no code from src/. */

export interface ReadPacket {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgement: number;
  syn: boolean;
  ack: boolean;
  fin: boolean;
  rst: boolean;
  /** As in the header. */
  window: number;
  /** What a SYN offers; undefined without the option. */
  windowScale: number | undefined;
  readonly isChecksumRight: boolean;
  /** As Latin-1 text. */
  payload: string;
}

/** RFC 7323 section 2.3. */
const MOST_SCALE = 14;

export type Reading =
  /** Not IP, or not TCP. */
  | { kind: 'foreign' }
  /** The IP header lies. */
  | { kind: 'bad ip' }
  /** The addresses can be read, the rest cannot. */
  | { kind: 'bad tcp' | 'fragment'; source: string; destination: string }
  | { kind: 'tcp'; packet: ReadPacket };

/** `count` bits from bit `from` on, as an unsigned number: the bytes that hold them, less the bits on either side. */
function bits(bytes: Uint8Array, from: number, count: number): number {
  const lastByte = Math.floor((from + count - 1) / 8);
  let value = 0;
  for (let at = Math.floor(from / 8); at <= lastByte; at++) value = value * 256 + bytes[at];
  const behind = (lastByte + 1) * 8 - (from + count);
  return Math.floor(value / 2 ** behind) % 2 ** count;
}

function dotted(bytes: Uint8Array, fromBit: number): string {
  return [0, 8, 16, 24].map((offset) => bits(bytes, fromBit + offset, 8)).join('.');
}

/** RFC 5952, without its form for embedded IPv4 addresses: no host of these tests has one. */
function colons(bytes: Uint8Array, fromBit: number): string {
  const groups = [0, 1, 2, 3, 4, 5, 6, 7].map((group) => bits(bytes, fromBit + 16 * group, 16).toString(16));
  for (let zeros = 8; zeros > 1; zeros--) {
    const from = groups.findIndex((_, at) => groups.slice(at, at + zeros).join('') === '0'.repeat(zeros));
    if (from >= 0) return `${groups.slice(0, from).join(':')}::${groups.slice(from + zeros).join(':')}`;
  }
  return groups.join(':');
}

export function readPacket(bytes: Uint8Array): Reading {
  const version = bytes.length === 0 ? 0 : bits(bytes, 0, 4);
  if (version === 4) return readIpv4(bytes);
  return version === 6 ? readIpv6(bytes) : { kind: 'foreign' };
}

/** RFC 8200 sections 3 and 4: at most eight extension headers, at most 512 bytes of them. */
function readIpv6(bytes: Uint8Array): Reading {
  if (bytes.length < 40) return { kind: 'bad ip' };
  const totalBytes = 40 + bits(bytes, 32, 16);
  if (totalBytes > bytes.length) return { kind: 'bad ip' };
  const addresses = { source: colons(bytes, 64), destination: colons(bytes, 192) };
  let next = bits(bytes, 48, 8);
  if (totalBytes === 40 && next === 0) return { kind: 'foreign' };
  let isRouted = false;
  let rest = bytes.subarray(40, totalBytes);
  for (let headers = 0; [0, 43, 44, 60].includes(next); headers++) {
    if (headers === 8 || rest.length < 8) return { kind: 'bad ip' };
    const length = next === 44 ? 8 : 8 + 8 * bits(rest, 8, 8);
    if (length > rest.length || totalBytes - 40 - rest.length + length > 512) return { kind: 'bad ip' };
    if (next === 43 && bits(rest, 24, 8) > 0) isRouted = true;
    const isPart = next === 44 && (bits(rest, 16, 13) !== 0 || bits(rest, 31, 1) === 1);
    next = bits(rest, 0, 8);
    if (isPart && [0, 6, 43, 44, 60].includes(next) && !isRouted) return { kind: 'fragment', ...addresses };
    if (isPart) return { kind: 'foreign' };
    rest = rest.subarray(length);
  }
  if (next !== 6 || isRouted) return { kind: 'foreign' };
  return readTcp(rest, addresses, bytes.subarray(8, 40));
}

/** RFC 791 section 3.1. */
function readIpv4(bytes: Uint8Array): Reading {
  if (bytes.length < 20) return { kind: 'bad ip' };
  const headerBytes = bits(bytes, 4, 4) * 4;
  const totalBytes = bits(bytes, 16, 16);
  if (headerBytes < 20 || headerBytes > totalBytes || totalBytes > bytes.length) return { kind: 'bad ip' };
  if (bits(bytes, 72, 8) !== 6) return { kind: 'foreign' };
  const addresses = { source: dotted(bytes, 96), destination: dotted(bytes, 128) };
  const hasMoreFragments = bits(bytes, 50, 1) === 1;
  const fragmentOffset = bits(bytes, 51, 13);
  if (hasMoreFragments || fragmentOffset !== 0) return { kind: 'fragment', ...addresses };
  return readTcp(bytes.subarray(headerBytes, totalBytes), addresses, bytes.subarray(12, 20));
}

/** RFC 9293 section 3.1. @param addressBytes source and destination, for the checksum */
function readTcp(
  tcp: Uint8Array,
  addresses: { source: string; destination: string },
  addressBytes: Uint8Array,
): Reading {
  if (tcp.length < 20) return { kind: 'bad tcp', ...addresses };
  const dataOffset = bits(tcp, 96, 4) * 4;
  if (dataOffset < 20 || dataOffset > tcp.length) return { kind: 'bad tcp', ...addresses };
  return {
    kind: 'tcp',
    packet: {
      ...addresses,
      sourcePort: bits(tcp, 0, 16),
      destinationPort: bits(tcp, 16, 16),
      sequence: bits(tcp, 32, 32),
      acknowledgement: bits(tcp, 64, 32),
      ack: bits(tcp, 107, 1) === 1,
      rst: bits(tcp, 109, 1) === 1,
      syn: bits(tcp, 110, 1) === 1,
      fin: bits(tcp, 111, 1) === 1,
      window: bits(tcp, 112, 16),
      windowScale: scaleIn(tcp.subarray(20, dataOffset)),
      // Few packets are asked.
      get isChecksumRight() {
        return foldedSum([addressBytes, Uint8Array.of(0, 6), lengthBytes(tcp.length), tcp]) === 0xffff;
      },
      payload: textOf(tcp.subarray(dataOffset)),
    },
  };
}

/** RFC 9293 section 3.2, RFC 7323 section 2.2. */
function scaleIn(options: Uint8Array): number | undefined {
  if (options.length === 0 || options[0] === 0) return undefined;
  if (options[0] === 1) return scaleIn(options.subarray(1));
  const length = options[1] ?? 0;
  if (length < 2 || length > options.length) return undefined;
  if (options[0] === 3 && length === 3) return Math.min(options[2], MOST_SCALE);
  return scaleIn(options.subarray(length));
}

function lengthBytes(length: number): Uint8Array {
  return Uint8Array.of(0, Math.floor(length / 65_536), Math.floor(length / 256) % 256, length % 256);
}

/** One's complement sum of 16-bit words (RFC 1071), an odd last byte filled up with zero. */
function foldedSum(parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) for (let at = 0; at < part.length; at++) sum += part[at] * (at % 2 === 0 ? 256 : 1);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
