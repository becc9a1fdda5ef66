/**
 * Rewrites addresses and ports of a parsed packet in place and updates its checksums (RFC 1624). The view must have
 * parsed Ok; its fields follow the bytes.
 */
import { type Address } from './address';
import * as ipv4 from './ipv4';
import * as ipv6 from './ipv6';
import * as tcp from './tcp';
import { readU16, writeI32, writeU16 } from './bytes';
import { updateInt32, updateWord } from './checksum';
import { completeChecksum } from './verify';
import { type PacketView } from './view';

/** @param address of the packet's own family */
export function rewriteSource(view: PacketView, address: Address): void {
  rewriteAddress(view, view.ipAt + (view.isIpv6 ? ipv6.SOURCE : ipv4.SOURCE), view.source, address);
}

/** @param address of the packet's own family */
export function rewriteDestination(view: PacketView, address: Address): void {
  rewriteAddress(view, view.ipAt + (view.isIpv6 ? ipv6.DESTINATION : ipv4.DESTINATION), view.destination, address);
}

export function rewriteSourcePort(view: PacketView, port: number): void {
  rewritePort(view, view.tcpAt + tcp.SOURCE_PORT, view.sourcePort, port);
  view.sourcePort = port;
}

export function rewriteDestinationPort(view: PacketView, port: number): void {
  rewritePort(view, view.tcpAt + tcp.DESTINATION_PORT, view.destinationPort, port);
  view.destinationPort = port;
}

/**
 * The TCP checksum covers an address through the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1), and so
 * does the IPv4 header's own. `from` is the view's field, and is updated too.
 */
function rewriteAddress(view: PacketView, at: number, from: Address, to: Address): void {
  const bytes = view.bytes;
  const tcpSum = view.tcpAt + tcp.CHECKSUM;
  if (view.isCaptured) completeChecksum(view);
  if (!view.isIpv6) {
    const ipSum = view.ipAt + ipv4.HEADER_CHECKSUM;
    writeU16(bytes, ipSum, updateInt32(readU16(bytes, ipSum), from[0], to[0]));
  }
  let checksum = readU16(bytes, tcpSum);
  for (let word = 0; word < from.length; word++) {
    checksum = updateInt32(checksum, from[word], to[word]);
    writeI32(bytes, at + 4 * word, to[word]);
    from[word] = to[word];
  }
  writeU16(bytes, tcpSum, checksum);
}

function rewritePort(view: PacketView, at: number, from: number, to: number): void {
  if (view.isCaptured) completeChecksum(view);
  writeU16(view.bytes, at, to);
  const tcpSum = view.tcpAt + tcp.CHECKSUM;
  writeU16(view.bytes, tcpSum, updateWord(readU16(view.bytes, tcpSum), from, to));
}
