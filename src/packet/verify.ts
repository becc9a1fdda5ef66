/** Verifies a parsed packet's TCP checksum in full (RFC 9293 section 3.1, RFC 8200 section 8.1). */
import * as ipv4 from './ipv4';
import * as ipv6 from './ipv6';
import * as tcp from './tcp';
import { readU16 } from './bytes';
import { finish, sum } from './checksum';
import { type PacketView } from './view';

/**
 * True when the checksum is right or cannot be checked: a local sender's partial one, or a packet whose tail is
 * missing.
 */
export function isChecksumRight(view: PacketView): boolean {
  if (view.isUnsummed) return true;
  const { bytes, ipAt, tcpAt } = view;
  const addresses = view.isIpv6
    ? sum(bytes, ipAt + ipv6.SOURCE, 2 * ipv6.ADDRESS_BYTES)
    : sum(bytes, ipAt + ipv4.SOURCE, 2 * ipv4.ADDRESS_BYTES);
  const length = view.payloadAt + view.payloadLength - tcpAt;
  const pseudoHeader = addresses + ipv4.PROTOCOL_TCP + length;
  if (finish(pseudoHeader + sum(bytes, tcpAt, length)) === 0) return true;
  // The partial sum that Linux leaves for the network card to complete. The queue flags it; a capture does not.
  return view.isCaptured && readU16(bytes, tcpAt + tcp.CHECKSUM) === (~finish(pseudoHeader) & 0xffff);
}
