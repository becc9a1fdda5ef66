/** The model's own reading of an IPv4 TCP packet: slow, by bits, and strict. Knows nothing of src/. */

export interface ReadPacket {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  syn: boolean;
  ack: boolean;
  fin: boolean;
  rst: boolean;
  payload: string;
}

export type Reading =
  /** Not IPv4, or not TCP: none of our business. */
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

/** RFC 791 section 3.1, RFC 9293 section 3.1. */
export function readPacket(bytes: Uint8Array): Reading {
  if (bytes.length === 0 || bits(bytes, 0, 4) !== 4) return { kind: 'foreign' };
  if (bytes.length < 20) return { kind: 'bad ip' };
  const headerBytes = bits(bytes, 4, 4) * 4;
  const totalBytes = bits(bytes, 16, 16);
  if (headerBytes < 20 || headerBytes > totalBytes || totalBytes > bytes.length) return { kind: 'bad ip' };
  if (bits(bytes, 72, 8) !== 6) return { kind: 'foreign' };
  const source = dotted(bytes, 96);
  const destination = dotted(bytes, 128);
  const hasMoreFragments = bits(bytes, 50, 1) === 1;
  const fragmentOffset = bits(bytes, 51, 13);
  if (hasMoreFragments || fragmentOffset !== 0) return { kind: 'fragment', source, destination };
  const tcp = bytes.subarray(headerBytes, totalBytes);
  if (tcp.length < 20) return { kind: 'bad tcp', source, destination };
  const dataOffset = bits(tcp, 96, 4) * 4;
  if (dataOffset < 20 || dataOffset > tcp.length) return { kind: 'bad tcp', source, destination };
  return {
    kind: 'tcp',
    packet: {
      source,
      destination,
      sourcePort: bits(tcp, 0, 16),
      destinationPort: bits(tcp, 16, 16),
      sequence: bits(tcp, 32, 32),
      ack: bits(tcp, 107, 1) === 1,
      rst: bits(tcp, 109, 1) === 1,
      syn: bits(tcp, 110, 1) === 1,
      fin: bits(tcp, 111, 1) === 1,
      payload: String.fromCharCode(...tcp.subarray(dataOffset)),
    },
  };
}
