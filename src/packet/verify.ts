/** A parsed packet's checksum, computed in full: TCP's (RFC 9293 section 3.1, RFC 8200 section 8.1) and ICMP's. */
import { type IcmpError } from './icmp';
import * as ipv4 from './ipv4';
import * as ipv6 from './ipv6';
import * as tcp from './tcp';
import { readU16, writeU16 } from './bytes';
import { finish, sum } from './checksum';
import { type PacketView } from './view';

/**
 * True when the checksum is right or cannot be checked: a local sender's partial one, or a packet whose tail is
 * missing.
 */
export function isChecksumRight(view: PacketView): boolean {
  if (view.isUnsummed) return true;
  const pseudoHeader = pseudoHeaderSum(view);
  if (finish(pseudoHeader + sum(view.bytes, view.tcpAt, tcpLength(view))) === 0) return true;
  return view.isCaptured && isPartial(view, pseudoHeader);
}

/**
 * Computes the checksum of a captured packet that holds only the partial sum, before anything in the packet changes:
 * a rewrite updates a whole checksum, and would leave neither.
 */
export function completeChecksum(view: PacketView): void {
  if (view.isUnsummed) return;
  const { bytes, tcpAt } = view;
  const pseudoHeader = pseudoHeaderSum(view);
  if (!isPartial(view, pseudoHeader)) return;
  const field = readU16(bytes, tcpAt + tcp.CHECKSUM);
  writeU16(bytes, tcpAt + tcp.CHECKSUM, finish(pseudoHeader + sum(bytes, tcpAt, tcpLength(view)) - field));
}

/** The partial sum that Linux leaves for the network card to complete. The queue flags it; a capture does not. */
function isPartial(view: PacketView, pseudoHeader: number): boolean {
  return readU16(view.bytes, view.tcpAt + tcp.CHECKSUM) === (~finish(pseudoHeader) & 0xffff);
}

function pseudoHeaderSum(view: PacketView): number {
  const { bytes, ipAt } = view;
  const addresses = view.isIpv6
    ? sum(bytes, ipAt + ipv6.SOURCE, 2 * ipv6.ADDRESS_BYTES)
    : sum(bytes, ipAt + ipv4.SOURCE, 2 * ipv4.ADDRESS_BYTES);
  return addresses + ipv4.PROTOCOL_TCP + tcpLength(view);
}

function tcpLength(view: PacketView): number {
  return view.payloadAt + view.payloadLength - view.tcpAt;
}

/** RFC 792; RFC 4443 section 2.3. */
export function isIcmpChecksumRight(error: IcmpError): boolean {
  const { bytes, ipAt, icmpAt, end, isIpv6 } = error;
  const message = sum(bytes, icmpAt, end - icmpAt);
  if (!isIpv6) return finish(message) === 0;
  const addresses = sum(bytes, ipAt + ipv6.SOURCE, 2 * ipv6.ADDRESS_BYTES);
  return finish(addresses + (end - icmpAt) + ipv6.NextHeader.Icmpv6 + message) === 0;
}
