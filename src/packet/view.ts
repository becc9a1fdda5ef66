/**
 * A view over one IPv4 TCP packet: checked once, then trusted.
 *
 * One view is made and reused; `parse` fills its fields, which are plain numbers from then on. The setters in
 * rewrite.ts keep the fields and the bytes in step; whoever else writes into the bytes voids the view.
 */
import * as ipv4 from './ipv4';
import * as tcp from './tcp';
import { readI32, readU16 } from './bytes';

/** What `parse` found. From NotTcp on the addresses stand in the view, after Ok everything does. */
export const enum Parsed {
  /** Not IPv4, or the version nibble lies. */
  NotIp,
  /** The IP header is cut, or its IHL or total length lies. */
  MalformedIp,
  /** IPv4 that carries something else than TCP. */
  NotTcp,
  /** A fragment of a TCP packet, first or later (RFC 791). */
  Fragment,
  /** The TCP header is cut, or its data offset lies. */
  MalformedTcp,
  Ok,
}

export class PacketView {
  bytes: Uint8Array = new Uint8Array(0);
  /** Offset of the IP header's first byte in `bytes`. */
  ipAt = 0;
  /** Offset of the TCP header's first byte in `bytes`. */
  tcpAt = 0;
  /** int32. */
  source = 0;
  /** int32. */
  destination = 0;
  sourcePort = 0;
  destinationPort = 0;
  /** int32: compare by difference (RFC 9293 section 3.4). */
  sequence = 0;
  /** The FLAGS byte. */
  flags = 0;
  /** Offset of the payload's first byte in `bytes`. */
  payloadAt = 0;
  /** Bytes of payload that are here; fewer than were sent where `cut` let a cut packet pass. */
  payloadLength = 0;

  /**
   * @param offset of the IP header in `bytes`
   * @param length bytes that belong to the packet; beyond the IP total length is padding
   * @param cut the tail may be missing (a capture cut by snaplen); the headers must be whole all the same
   */
  parse(bytes: Uint8Array, offset: number, length: number, cut = false): Parsed {
    this.bytes = bytes;
    this.ipAt = offset;
    if (length < 1 || bytes[offset] >>> 4 !== 4) return Parsed.NotIp;
    if (length < ipv4.MIN_HEADER_BYTES) return Parsed.MalformedIp;
    const headerBytes = (bytes[offset + ipv4.VERSION_IHL] & 0x0f) << 2;
    const totalLength = readU16(bytes, offset + ipv4.TOTAL_LENGTH);
    if (headerBytes < ipv4.MIN_HEADER_BYTES || headerBytes > length || totalLength < headerBytes) {
      return Parsed.MalformedIp;
    }
    if (totalLength > length && !cut) return Parsed.MalformedIp;
    this.source = readI32(bytes, offset + ipv4.SOURCE);
    this.destination = readI32(bytes, offset + ipv4.DESTINATION);
    if (bytes[offset + ipv4.PROTOCOL] !== ipv4.PROTOCOL_TCP) return Parsed.NotTcp;
    if (readU16(bytes, offset + ipv4.FRAGMENT) & ipv4.FRAGMENT_MASK) return Parsed.Fragment;
    const end = offset + (totalLength < length ? totalLength : length);
    return this.parseTcp(offset + headerBytes, end);
  }

  private parseTcp(at: number, end: number): Parsed {
    if (at + tcp.MIN_HEADER_BYTES > end) return Parsed.MalformedTcp;
    const bytes = this.bytes;
    const headerBytes = (bytes[at + tcp.DATA_OFFSET] >>> 4) << 2;
    if (headerBytes < tcp.MIN_HEADER_BYTES || at + headerBytes > end) return Parsed.MalformedTcp;
    this.tcpAt = at;
    this.sourcePort = readU16(bytes, at + tcp.SOURCE_PORT);
    this.destinationPort = readU16(bytes, at + tcp.DESTINATION_PORT);
    this.sequence = readI32(bytes, at + tcp.SEQUENCE);
    this.flags = bytes[at + tcp.FLAGS];
    this.payloadAt = at + headerBytes;
    this.payloadLength = end - this.payloadAt;
    return Parsed.Ok;
  }
}
