/**
 * The Internet checksum: in full (RFC 1071), and updated for a changed word (RFC 1624). The packet path uses the
 * incremental form, which preserves corruption that happened on the wire.
 */
import { readU16 } from './bytes';

/**
 * One's-complement sum of `length` bytes, not folded, not inverted; an odd last byte counts as the high half of its
 * word.
 */
export function sum(bytes: Uint8Array, at: number, length: number): number {
  let total = 0;
  const even = at + (length & ~1);
  for (let i = at; i < even; i += 2) total += readU16(bytes, i);
  if (length & 1) total += bytes[even] << 8;
  return total;
}

/** Folds a sum of up to 2^32 words into the value of a checksum field. */
export function finish(total: number): number {
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return ~total & 0xffff;
}

/** RFC 1624 equation 3, for a 16-bit word that changes from `from` to `to`. */
export function updateWord(checksum: number, from: number, to: number): number {
  let total = (~checksum & 0xffff) + (~from & 0xffff) + to;
  total = (total & 0xffff) + (total >>> 16);
  total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

/** RFC 1624 equation 3, for an int32 (an IPv4 address) that changes from `from` to `to`. */
export function updateInt32(checksum: number, from: number, to: number): number {
  let total = (~checksum & 0xffff) + (~from >>> 16) + (~from & 0xffff) + (to >>> 16) + (to & 0xffff);
  total = (total & 0xffff) + (total >>> 16);
  total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
