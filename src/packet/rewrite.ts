/**
 * Rewrites addresses and ports of a parsed packet in place, and both checksums with them (RFC 1624).
 * The view must have parsed Ok; its fields follow the bytes.
 */
import * as ipv4 from './ipv4';
import * as tcp from './tcp';
import { readU16, writeI32, writeU16 } from './bytes';
import { updateInt32, updateWord } from './checksum';
import { type PacketView } from './view';

/** @param address int32 */
export function rewriteSource(view: PacketView, address: number): void {
  rewriteAddress(view, view.ipAt + ipv4.SOURCE, view.source, address);
  view.source = address;
}

/** @param address int32 */
export function rewriteDestination(view: PacketView, address: number): void {
  rewriteAddress(view, view.ipAt + ipv4.DESTINATION, view.destination, address);
  view.destination = address;
}

export function rewriteSourcePort(view: PacketView, port: number): void {
  rewritePort(view, view.tcpAt + tcp.SOURCE_PORT, view.sourcePort, port);
  view.sourcePort = port;
}

export function rewriteDestinationPort(view: PacketView, port: number): void {
  rewritePort(view, view.tcpAt + tcp.DESTINATION_PORT, view.destinationPort, port);
  view.destinationPort = port;
}

/** An address counts in the IP header's checksum and, by the pseudo-header, in TCP's (RFC 9293 section 3.1). */
function rewriteAddress(view: PacketView, at: number, from: number, to: number): void {
  const bytes = view.bytes;
  writeI32(bytes, at, to);
  const ipSum = view.ipAt + ipv4.HEADER_CHECKSUM;
  writeU16(bytes, ipSum, updateInt32(readU16(bytes, ipSum), from, to));
  const tcpSum = view.tcpAt + tcp.CHECKSUM;
  writeU16(bytes, tcpSum, updateInt32(readU16(bytes, tcpSum), from, to));
}

function rewritePort(view: PacketView, at: number, from: number, to: number): void {
  writeU16(view.bytes, at, to);
  const tcpSum = view.tcpAt + tcp.CHECKSUM;
  writeU16(view.bytes, tcpSum, updateWord(readU16(view.bytes, tcpSum), from, to));
}
