/**
 * Rewrites an ICMP error in place: its outer addresses, and the addresses and ports of the packet it quotes. Every
 * checksum that covers a changed word is updated by RFC 1624. None is recomputed, so corruption stays visible:
 *
 *     an outer address     the IPv4 header's checksum; ICMPv6's, by its pseudo-header (RFC 4443 section 2.3)
 *     a quoted address     the quoted IPv4 header's and, where quoted, TCP's; these words and its own, ICMP's
 *     a quoted port        where quoted, TCP's; these words and its own, ICMP's
 *
 * The error must have parsed Ok; its fields follow the bytes.
 */
import { type Address } from './address';
import { readU16, writeI32, writeU16 } from './bytes';
import { updateInt32, updateWord } from './checksum';
import * as icmp from './icmp';
import * as ipv4 from './ipv4';
import * as ipv6 from './ipv6';
import * as tcp from './tcp';

/** @param address of the error's own family, as in all functions below */
export function rewriteOuterSource(error: icmp.IcmpError, address: Address): void {
  rewriteOuter(error, error.ipAt + (error.isIpv6 ? ipv6.SOURCE : ipv4.SOURCE), error.source, address);
}

export function rewriteOuterDestination(error: icmp.IcmpError, address: Address): void {
  rewriteOuter(error, error.ipAt + (error.isIpv6 ? ipv6.DESTINATION : ipv4.DESTINATION), error.destination, address);
}

export function rewriteQuotedSource(error: icmp.IcmpError, address: Address): void {
  const at = error.quotedAt + (error.isIpv6 ? ipv6.SOURCE : ipv4.SOURCE);
  rewriteQuoted(error, at, error.quotedSource, address);
}

export function rewriteQuotedDestination(error: icmp.IcmpError, address: Address): void {
  const at = error.quotedAt + (error.isIpv6 ? ipv6.DESTINATION : ipv4.DESTINATION);
  rewriteQuoted(error, at, error.quotedDestination, address);
}

export function rewriteQuotedSourcePort(error: icmp.IcmpError, port: number): void {
  rewriteQuotedPort(error, error.tcpAt + tcp.SOURCE_PORT, error.quotedSourcePort, port);
  error.quotedSourcePort = port;
}

export function rewriteQuotedDestinationPort(error: icmp.IcmpError, port: number): void {
  rewriteQuotedPort(error, error.tcpAt + tcp.DESTINATION_PORT, error.quotedDestinationPort, port);
  error.quotedDestinationPort = port;
}

function rewriteOuter(error: icmp.IcmpError, at: number, from: Address, to: Address): void {
  const { bytes } = error;
  const sumAt = error.isIpv6 ? error.icmpAt + icmp.CHECKSUM : error.ipAt + ipv4.HEADER_CHECKSUM;
  writeU16(bytes, sumAt, updateAddress(readU16(bytes, sumAt), from, to));
  for (let word = 0; word < from.length; word++) {
    writeI32(bytes, at + 4 * word, to[word]);
    from[word] = to[word];
  }
}

function rewriteQuoted(error: icmp.IcmpError, at: number, from: Address, to: Address): void {
  const { bytes } = error;
  if (!error.isIpv6) {
    const sumAt = error.quotedAt + ipv4.HEADER_CHECKSUM;
    writeQuoted(error, sumAt, updateAddress(readU16(bytes, sumAt), from, to));
  }
  if (error.hasTcpChecksum) {
    const sumAt = error.tcpAt + tcp.CHECKSUM;
    writeQuoted(error, sumAt, updateAddress(readU16(bytes, sumAt), from, to));
  }
  for (let word = 0; word < from.length; word++) {
    writeQuoted(error, at + 4 * word, to[word] >>> 16);
    writeQuoted(error, at + 4 * word + 2, to[word] & 0xffff);
    from[word] = to[word];
  }
}

function rewriteQuotedPort(error: icmp.IcmpError, at: number, from: number, to: number): void {
  if (error.hasTcpChecksum) {
    const sumAt = error.tcpAt + tcp.CHECKSUM;
    writeQuoted(error, sumAt, updateWord(readU16(error.bytes, sumAt), from, to));
  }
  writeQuoted(error, at, to);
}

/** Every word of a quote is covered by the ICMP checksum. */
function writeQuoted(error: icmp.IcmpError, at: number, to: number): void {
  const { bytes } = error;
  const sumAt = error.icmpAt + icmp.CHECKSUM;
  writeU16(bytes, sumAt, updateWord(readU16(bytes, sumAt), readU16(bytes, at), to));
  writeU16(bytes, at, to);
}

function updateAddress(checksum: number, from: Address, to: Address): number {
  let updated = checksum;
  for (let word = 0; word < from.length; word++) updated = updateInt32(updated, from[word], to[word]);
  return updated;
}
