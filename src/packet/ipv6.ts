/** IPv6 header (RFC 8200 section 3): offsets in bytes from the header's first byte. */

export const VERSION = 0;
/** Bytes behind this header, extension headers included. */
export const PAYLOAD_LENGTH = 4;
export const NEXT_HEADER = 6;
export const HOP_LIMIT = 7;
export const SOURCE = 8;
export const DESTINATION = 24;

export const HEADER_BYTES = 40;
export const ADDRESS_BYTES = 16;

/** Values of a NEXT_HEADER field (RFC 8200 section 4.1, RFC 4302). */
export const enum NextHeader {
  HopByHop = 0,
  Tcp = 6,
  Routing = 43,
  Fragment = 44,
  Authentication = 51,
  Icmpv6 = 58,
  NoNext = 59,
  DestinationOptions = 60,
}
