/**
 * A view over one TCP packet of either family: checked once, then trusted.
 *
 * One view is created and reused; `parse` fills its fields. The setters in rewrite.ts keep fields and bytes consistent.
 * Any other write into the bytes invalidates the view.
 */
import { type Address, ADDRESS_WORDS } from './address';
import * as ipv4 from './ipv4';
import * as ipv6 from './ipv6';
import * as tcp from './tcp';
import { readI32, readU16 } from './bytes';
import { ExtensionHeaders, isExtension } from './extension-headers';

/** The result of `parse`. From NotTcp on the addresses are set; after Ok every field is. */
export const enum Parsed {
  /** Neither IPv4 nor IPv6, or a wrong version nibble. */
  NotIp,
  /** The IP header is cut or inconsistent, or the chain of extension headers is cut or too long. */
  MalformedIp,
  /** IP that carries neither TCP nor ICMP, or a fragment of it. */
  NotTcp,
  /** IP that carries a whole ICMP message: `carriedAt` and `end` are set. */
  Icmp,
  /** Longer than its length field can express (RFC 2675). */
  Jumbogram,
  /** Source-routed: the destination in its header is not the final one (RFC 8200 section 4.4). */
  SourceRouted,
  /** A fragment of a TCP packet, first or later (RFC 791, RFC 8200 section 4.5). */
  Fragment,
  /** The TCP header is cut, or its data offset is wrong. */
  MalformedTcp,
  Ok,
}

export class PacketView {
  bytes: Uint8Array = new Uint8Array(0);
  /** Offset of the IP header's first byte in `bytes`. */
  ipAt = 0;
  isIpv6 = false;
  /** Offset of the TCP header's first byte in `bytes`. */
  tcpAt = 0;
  /** Where ICMP begins, and the end of the packet as far as it is present. */
  carriedAt = 0;
  end = 0;
  /** The view's own memory, which `parse` overwrites. */
  source: Address;
  destination: Address;
  sourcePort = 0;
  destinationPort = 0;
  /** int32: compare by difference (RFC 9293 section 3.4). */
  sequence = 0;
  /** The FLAGS byte. */
  flags = 0;
  /** Offset of the payload's first byte in `bytes`. */
  payloadAt = 0;
  /** Payload bytes present; fewer than were sent when `cut` let a cut packet pass. */
  payloadLength = 0;
  /** Payload bytes sent, by the IP header. Sequence numbers count these. */
  sentLength = 0;
  /** The TCP checksum is not final yet, or part of the packet is missing: it cannot be verified. */
  isUnsummed = false;
  /** From a capture, which does not flag a checksum that is not final. */
  isCaptured = false;
  private readonly ipv4Source = new Int32Array(ADDRESS_WORDS.ipv4);
  private readonly ipv4Destination = new Int32Array(ADDRESS_WORDS.ipv4);
  private readonly ipv6Source = new Int32Array(ADDRESS_WORDS.ipv6);
  private readonly ipv6Destination = new Int32Array(ADDRESS_WORDS.ipv6);
  private readonly extensions = new ExtensionHeaders();

  constructor() {
    this.source = this.ipv4Source;
    this.destination = this.ipv4Destination;
  }

  /**
   * @param offset of the IP header in `bytes`
   * @param length bytes that belong to the packet; anything beyond the length in the IP header is padding
   * @param cut the tail may be missing (a capture cut by snaplen); the headers must still be whole
   */
  parse(bytes: Uint8Array, offset: number, length: number, cut = false): Parsed {
    this.bytes = bytes;
    this.ipAt = offset;
    if (length < 1) return Parsed.NotIp;
    const version = bytes[offset] >>> 4;
    if (version === 4) return this.parseIpv4(offset, length, cut);
    return version === 6 ? this.parseIpv6(offset, length, cut) : Parsed.NotIp;
  }

  private parseIpv4(offset: number, length: number, cut: boolean): Parsed {
    const { bytes } = this;
    if (length < ipv4.MIN_HEADER_BYTES) return Parsed.MalformedIp;
    const headerBytes = (bytes[offset + ipv4.VERSION_IHL] & 0x0f) << 2;
    const totalLength = readU16(bytes, offset + ipv4.TOTAL_LENGTH);
    if (headerBytes < ipv4.MIN_HEADER_BYTES || headerBytes > length || totalLength < headerBytes) {
      return Parsed.MalformedIp;
    }
    if (totalLength > length && !cut) return Parsed.MalformedIp;
    if (this.isIpv6) this.setFamily(false);
    this.source[0] = readI32(bytes, offset + ipv4.SOURCE);
    this.destination[0] = readI32(bytes, offset + ipv4.DESTINATION);
    const protocol = bytes[offset + ipv4.PROTOCOL];
    const isFragment = (readU16(bytes, offset + ipv4.FRAGMENT) & ipv4.FRAGMENT_MASK) !== 0;
    const end = offset + (totalLength < length ? totalLength : length);
    if (protocol === ipv4.PROTOCOL_TCP) {
      return isFragment ? Parsed.Fragment : this.parseTcp(offset + headerBytes, end, offset + totalLength);
    }
    if (protocol !== ipv4.PROTOCOL_ICMP || isFragment) return Parsed.NotTcp;
    this.carriedAt = offset + headerBytes;
    this.end = end;
    return Parsed.Icmp;
  }

  private parseIpv6(offset: number, length: number, cut: boolean): Parsed {
    const { bytes, extensions } = this;
    if (length < ipv6.HEADER_BYTES) return Parsed.MalformedIp;
    const totalLength = ipv6.HEADER_BYTES + readU16(bytes, offset + ipv6.PAYLOAD_LENGTH);
    if (totalLength > length && !cut) return Parsed.MalformedIp;
    if (!this.isIpv6) this.setFamily(true);
    for (let word = 0; word < ADDRESS_WORDS.ipv6; word++) {
      this.source[word] = readI32(bytes, offset + ipv6.SOURCE + 4 * word);
      this.destination[word] = readI32(bytes, offset + ipv6.DESTINATION + 4 * word);
    }
    const first = bytes[offset + ipv6.NEXT_HEADER];
    // Its length is then in the hop-by-hop header, which is never empty.
    if (totalLength === ipv6.HEADER_BYTES && first === ipv6.NextHeader.HopByHop) return Parsed.Jumbogram;
    const end = offset + (totalLength < length ? totalLength : length);
    if (!extensions.walk(bytes, first, offset + ipv6.HEADER_BYTES, end)) return Parsed.MalformedIp;
    if (extensions.protocol === ipv6.NextHeader.Icmpv6 && !extensions.isFragment && !extensions.isSourceRouted) {
      this.carriedAt = extensions.at;
      this.end = end;
      return Parsed.Icmp;
    }
    const isTcp = extensions.protocol === ipv6.NextHeader.Tcp;
    // A fragment's first header may be hidden in another fragment.
    if (!isTcp && !(extensions.isFragment && isExtension(extensions.protocol))) return Parsed.NotTcp;
    if (extensions.isSourceRouted) return Parsed.SourceRouted;
    return extensions.isFragment ? Parsed.Fragment : this.parseTcp(extensions.at, end, offset + totalLength);
  }

  private setFamily(isIpv6: boolean): void {
    this.isIpv6 = isIpv6;
    this.source = isIpv6 ? this.ipv6Source : this.ipv4Source;
    this.destination = isIpv6 ? this.ipv6Destination : this.ipv4Destination;
  }

  /** int32. Read on demand, since few packets need it. Meaningless without the ACK flag. */
  get acknowledgement(): number {
    return readI32(this.bytes, this.tcpAt + tcp.ACKNOWLEDGEMENT);
  }

  /** Unscaled; on a SYN, the actual window. */
  get window(): number {
    return readU16(this.bytes, this.tcpAt + tcp.WINDOW);
  }

  /** @param sentEnd where the packet ended when it was sent */
  private parseTcp(at: number, end: number, sentEnd: number): Parsed {
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
    this.sentLength = sentEnd - this.payloadAt;
    return Parsed.Ok;
  }
}
