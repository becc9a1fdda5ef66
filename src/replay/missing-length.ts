/**
 * IP packets whose length field is 0. Captures of super-packets hold them: with segmentation offload some drivers leave
 * the field to the hardware, and with BIG TCP the length does not fit. tcpdump and Wireshark take the frame's length
 * then, and so does a replay: it fills the field in before the decision and clears it again before the packet is
 * written. Checksums stay right, because rewriting updates them incrementally and never reads the length.
 */
import { readU16, writeU16 } from '../packet/bytes';
import * as ipv4 from '../packet/ipv4';
import * as ipv6 from '../packet/ipv6';

/** The most that either length field can express. */
const MAX_LENGTH = 0xffff;
/** An int32; corrupt captures hold packets of up to 4 GiB. */
const MAX_BEYOND = 0x7fffffff;
/** RFC 2675 section 2: the jumbo payload option. Pad1 is the only option without a length (RFC 8200 section 4.2). */
const JUMBO_OPTION = 0xc2;
const PAD1_OPTION = 0;

/**
 * Fills the length in where it is 0 and should not be.
 * @param length captured bytes of the packet, at least one
 * @param wireBytes bytes of the packet on the wire
 * @returns how many bytes the packet is longer than its field can express, or -1 where nothing was filled in
 */
export function fillLength(bytes: Uint8Array, at: number, length: number, wireBytes: number): number {
  const version = bytes[at] >>> 4;
  if (version === 4) {
    if (length < ipv4.MIN_HEADER_BYTES || readU16(bytes, at + ipv4.TOTAL_LENGTH) !== 0) return -1;
    return fill(bytes, at + ipv4.TOTAL_LENGTH, wireBytes);
  }
  if (version !== 6 || length < ipv6.HEADER_BYTES || readU16(bytes, at + ipv6.PAYLOAD_LENGTH) !== 0) return -1;
  const isEmpty = bytes[at + ipv6.NEXT_HEADER] === ipv6.NextHeader.NoNext || wireBytes <= ipv6.HEADER_BYTES;
  if (isEmpty || isJumbogram(bytes, at, at + length)) return -1;
  return fill(bytes, at + ipv6.PAYLOAD_LENGTH, wireBytes - ipv6.HEADER_BYTES);
}

/** Undoes `fillLength`. */
export function clearLength(bytes: Uint8Array, at: number): void {
  writeU16(bytes, at + (bytes[at] >>> 4 === 4 ? ipv4.TOTAL_LENGTH : ipv6.PAYLOAD_LENGTH), 0);
}

function fill(bytes: Uint8Array, at: number, value: number): number {
  writeU16(bytes, at, Math.min(value, MAX_LENGTH));
  return Math.max(0, Math.min(value - MAX_LENGTH, MAX_BEYOND));
}

/** True where the hop-by-hop header holds a jumbo payload option, or is cut before its end. */
function isJumbogram(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at + ipv6.NEXT_HEADER] !== ipv6.NextHeader.HopByHop) return false;
  const headerAt = at + ipv6.HEADER_BYTES;
  if (headerAt + 2 > end) return true;
  const optionsEnd = headerAt + (bytes[headerAt + 1] + 1) * 8;
  if (optionsEnd > end) return true;
  for (let option = headerAt + 2; option < optionsEnd;) {
    if (bytes[option] === JUMBO_OPTION) return true;
    option += bytes[option] === PAD1_OPTION ? 1 : 2 + bytes[option + 1];
  }
  return false;
}
