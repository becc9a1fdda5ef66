/** Where a whole TCP packet of either family goes, in the tests' names; parsed independently of the core's view. */
import { nameOfAddress } from './family';
import { carriedAt } from './naive-checksum';

export interface PacketEnds {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  /** Offsets of the addresses, their length, and the offset of the TCP header. */
  sourceAt: number;
  destinationAt: number;
  addressBytes: number;
  tcpAt: number;
}

/** @param bytes begins with the IP header */
export function packetEnds(bytes: Uint8Array): PacketEnds {
  const isIpv6 = bytes[0] >> 4 === 6;
  const [sourceAt, destinationAt, addressBytes] = isIpv6 ? [8, 24, 16] : [12, 16, 4];
  const tcpAt = carriedAt(bytes);
  return {
    source: addressAt(bytes, sourceAt, addressBytes),
    destination: addressAt(bytes, destinationAt, addressBytes),
    sourcePort: word(bytes, tcpAt),
    destinationPort: word(bytes, tcpAt + 2),
    sourceAt,
    destinationAt,
    addressBytes,
    tcpAt,
  };
}

function addressAt(bytes: Uint8Array, at: number, length: number): string {
  const address = new Int32Array(length / 4);
  for (let i = 0; i < address.length; i++) {
    address[i] = word(bytes, at + 4 * i) * 65536 + word(bytes, at + 4 * i + 2);
  }
  return nameOfAddress(address);
}

export function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}
