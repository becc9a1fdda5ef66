/** IPv4 header (RFC 791 section 3.1): offsets in bytes from the header's first byte. */

export const VERSION_IHL = 0;
export const TOTAL_LENGTH = 2;
export const IDENTIFICATION = 4;
/** Flags (3 bits) and fragment offset (13 bits). */
export const FRAGMENT = 6;
export const TTL = 8;
export const PROTOCOL = 9;
export const HEADER_CHECKSUM = 10;
export const SOURCE = 12;
export const DESTINATION = 16;

export const MIN_HEADER_BYTES = 20;
export const MAX_HEADER_BYTES = 60;
export const ADDRESS_BYTES = 4;
/** More-fragments flag and fragment offset, in the FRAGMENT word: any bit set means a fragment. */
export const FRAGMENT_MASK = 0x3fff;
export const DONT_FRAGMENT = 0x4000;
/** RFC 9293. */
export const PROTOCOL_TCP = 6;
export const PROTOCOL_ICMP = 1;
