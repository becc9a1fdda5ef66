/** The Internet checksum (RFC 1071) by the book, in whole numbers that never overflow; shares nothing with src/. */

/** Words of the bytes, an odd last byte filled up with zero, added as they are. */
export function wordSum(bytes: Uint8Array): bigint {
  let total = 0n;
  for (let i = 0; i < bytes.length; i += 2) total += BigInt(bytes[i]) * 256n + BigInt(bytes[i + 1] ?? 0);
  return total;
}

/** One's complement of the one's-complement sum. Never 0xffff but for words that are all zero (RFC 1624 section 3). */
export function complement(total: bigint): number {
  if (total === 0n) return 0xffff;
  const rest = total % 0xffffn;
  return 0xffff - Number(rest === 0n ? 0xffffn : rest);
}

/** By how much two checksum fields differ as one's-complement numbers, in which 0xffff is another name of 0. */
export function difference(field: number, other: number): number {
  return (((field - other) % 0xffff) + 0xffff) % 0xffff;
}

export interface Checksums {
  /** 0 for IPv6, which has none. */
  ip: number;
  tcp: number;
}

/** Where the header begins that a packet's IP header, and what extends it, leads to. */
export function carriedAt(packet: Uint8Array): number {
  return carried(packet).at;
}

/** The number of that header. */
export function carriedProtocol(packet: Uint8Array): number {
  return carried(packet).protocol;
}

function carried(packet: Uint8Array): { at: number; protocol: number } {
  if (packet[0] >> 4 === 4) return { at: (packet[0] % 16) * 4, protocol: packet[9] };
  let [protocol, at] = [packet[6], 40];
  while ([0, 43, 44, 60].includes(protocol) && at < packet.length) {
    const length = protocol === 44 ? 8 : 8 + packet[at + 1] * 8;
    [protocol, at] = [packet[at], at + length];
  }
  return { at, protocol };
}

function extent(packet: Uint8Array): { tcpAt: number; totalLength: number; isIpv6: boolean } {
  const isIpv6 = packet[0] >> 4 === 6;
  const totalLength = isIpv6 ? 40 + packet[4] * 256 + packet[5] : packet[2] * 256 + packet[3];
  return { tcpAt: carriedAt(packet), totalLength, isIpv6 };
}

function pseudoHeaderOf(packet: Uint8Array): Uint8Array {
  const { tcpAt, totalLength, isIpv6 } = extent(packet);
  const length = totalLength - tcpAt;
  const addresses = isIpv6 ? packet.slice(8, 40) : packet.slice(12, 20);
  return Uint8Array.from([...addresses, 0, 6, length >> 8, length & 255]);
}

/** The packet as Linux hands it to a card that completes checksums: its TCP field holds the pseudo-header's sum alone. */
export function withPartialChecksum(packet: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(packet);
  const partial = 0xffff - complement(wordSum(pseudoHeaderOf(packet)));
  const { tcpAt } = extent(packet);
  bytes[tcpAt + 16] = partial >> 8;
  bytes[tcpAt + 17] = partial & 255;
  return bytes;
}

/** The correct checksums of a whole TCP packet. */
export function checksumsOf(packet: Uint8Array): Checksums {
  const { tcpAt, totalLength, isIpv6 } = extent(packet);
  const header = packet.slice(0, tcpAt);
  header[10] = header[11] = 0;
  const segment = packet.slice(tcpAt, totalLength);
  segment[16] = segment[17] = 0;
  const pseudoHeader = pseudoHeaderOf(packet);
  return {
    ip: isIpv6 ? 0 : complement(wordSum(header)),
    tcp: complement(wordSum(pseudoHeader) + wordSum(segment)),
  };
}

/** The checksums in a packet. */
export function checksumFields(packet: Uint8Array): Checksums {
  const tcpAt = carriedAt(packet);
  const ip = packet[0] >> 4 === 6 ? 0 : packet[10] * 256 + packet[11];
  return { ip, tcp: packet[tcpAt + 16] * 256 + packet[tcpAt + 17] };
}
