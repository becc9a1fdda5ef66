/** A packet as the model reads it: every lie found the slow way. */
import { ACK, FIN, get16, get32, RST, SYN } from './wire';

export type PacketKind =
  | 'untouched' // not IPv4, not TCP: not ours to judge
  | 'malformed'
  | 'fragment'
  | 'malformed-tcp'
  | 'malformed-flags'
  | 'syn'
  | 'syn-ack'
  | 'ack'
  | 'fin'
  | 'rst';

export interface ModelPacket {
  kind: PacketKind;
  source: number;
  destination: number;
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  /** The ACK flag; without it the number means nothing. */
  acknowledges: boolean;
  acknowledgement: number;
  /** The first bytes of the payload as text. */
  text: string;
}

const ANSWER_BYTES = 12;

/** Fills `packet`; its addresses stand unless it is malformed or not IPv4, the rest where it is TCP as it should be. */
export function readPacket(bytes: Uint8Array, length: number, packet: ModelPacket): void {
  packet.kind = kindOf(bytes, length, packet);
}

function kindOf(bytes: Uint8Array, length: number, packet: ModelPacket): PacketKind {
  if (length === 0 || bytes[0]! >>> 4 !== 4) return 'untouched';
  if (length < 20) return 'malformed';
  const ipBytes = (bytes[0]! & 15) * 4;
  const total = get16(bytes, 2);
  if (ipBytes < 20 || ipBytes > length || total < ipBytes || total > length) return 'malformed';
  packet.source = get32(bytes, 12);
  packet.destination = get32(bytes, 16);
  if (bytes[9] !== 6) return 'untouched';
  if (get16(bytes, 6) & 0x3fff) return 'fragment';
  if (total < ipBytes + 20) return 'malformed-tcp';
  const tcpBytes = (bytes[ipBytes + 12]! >>> 4) * 4;
  if (tcpBytes < 20 || ipBytes + tcpBytes > total) return 'malformed-tcp';
  packet.sourcePort = get16(bytes, ipBytes);
  packet.destinationPort = get16(bytes, ipBytes + 2);
  packet.sequence = get32(bytes, ipBytes + 4);
  packet.acknowledgement = get32(bytes, ipBytes + 8);
  packet.acknowledges = (bytes[ipBytes + 13]! & ACK) !== 0;
  const textAt = ipBytes + tcpBytes;
  packet.text =
    total === textAt ? '' : String.fromCharCode(...bytes.subarray(textAt, Math.min(total, textAt + ANSWER_BYTES)));
  return typeOf(bytes[ipBytes + 13]!);
}

function typeOf(flags: number): PacketKind {
  if ((flags & (SYN | ACK | FIN | RST)) === 0) return 'malformed-flags';
  if (flags & SYN && flags & (FIN | RST)) return 'malformed-flags';
  if (flags & RST) return 'rst';
  if (flags & SYN) return flags & ACK ? 'syn-ack' : 'syn';
  return flags & FIN ? 'fin' : 'ack';
}
