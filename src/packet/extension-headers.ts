/**
 * Walks an IPv6 packet's extension headers to its payload (RFC 8200 section 4). The walk is bounded: a sender may write
 * a chain as long as the packet, and nobody needs one.
 *
 * It stops at an Authentication Header, which covers the addresses, so a packet behind one cannot be rewritten. Like
 * ESP, and like either over IPv4, it counts as the payload.
 */
import * as ipv6 from './ipv6';
import { readU16 } from './bytes';

/** RFC 8200 names five, and one may appear twice. */
const MAX_HEADERS = 8;
const MAX_BYTES = 512;

/** Offsets in an extension header; its length counts units of 8 bytes behind the first 8. */
const NEXT_HEADER = 0;
const LENGTH = 1;
const UNIT_BYTES = 8;
/** Of a routing header. */
const SEGMENTS_LEFT = 3;
/** Of a fragment header, which has no length field: 13 bits of offset, two reserved, more-fragments. */
const FRAGMENT = 2;
const FRAGMENT_MASK = 0xfff9;

export class ExtensionHeaders {
  /** The first header that is not walked: the packet's payload, if it is not a fragment. */
  protocol = 0;
  /** Offset of its first byte. */
  at = 0;
  /**
   * The packet is part of another. A fragment header with offset 0 and no more fragments means a whole packet: RFC
   * 6946.
   */
  isFragment = false;
  /** A routing header has segments left: the destination in the IP header is not the final one. */
  isSourceRouted = false;

  /**
   * Fills the fields. False when a header is cut or the chain is too long.
   *
   * @param protocol the IPv6 header's next header
   * @param at offset of the byte behind the IPv6 header
   * @param end offset behind the packet's last byte
   */
  walk(bytes: Uint8Array, protocol: number, at: number, end: number): boolean {
    this.protocol = protocol;
    this.at = at;
    this.isFragment = false;
    this.isSourceRouted = false;
    for (let headers = 0; isExtension(this.protocol); headers++) {
      const headerAt = this.at;
      if (headers === MAX_HEADERS || headerAt + UNIT_BYTES > end) return false;
      let length = UNIT_BYTES;
      if (this.protocol !== ipv6.NextHeader.Fragment) length += bytes[headerAt + LENGTH] * UNIT_BYTES;
      if (headerAt + length > end || headerAt + length - at > MAX_BYTES) return false;
      if (this.protocol === ipv6.NextHeader.Routing && bytes[headerAt + SEGMENTS_LEFT] > 0) this.isSourceRouted = true;
      const isFragment =
        this.protocol === ipv6.NextHeader.Fragment && (readU16(bytes, headerAt + FRAGMENT) & FRAGMENT_MASK) !== 0;
      this.protocol = bytes[headerAt + NEXT_HEADER];
      this.at = headerAt + length;
      if (isFragment) {
        // What follows may be the middle of anything.
        this.isFragment = true;
        return true;
      }
    }
    return true;
  }
}

/** True for a header that is walked over. */
export function isExtension(protocol: number): boolean {
  return (
    protocol === ipv6.NextHeader.HopByHop ||
    protocol === ipv6.NextHeader.Routing ||
    protocol === ipv6.NextHeader.Fragment ||
    protocol === ipv6.NextHeader.DestinationOptions
  );
}
