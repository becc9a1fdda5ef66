/**
 * xt_u32 matches on the packet quoted in an ICMP error, as iptables-save prints them. Only these let a rule tell errors
 * about our flows from all others, which must stay with conntrack. docs/decisions/errors.md
 *
 * `0x0>>0x16&0x3c@` skips an IPv4 header, whatever its options; an ICMP error quotes from its ninth byte on. In IPv6
 * the header is 40 bytes: an error behind extension headers, or about a packet that has some, is not recognised.
 */

import { type Family, familyOf, type Network } from '../../packet/address';

/** Behind an IPv4 header of any length. [RFC 791 3.1] */
const BEHIND_IPV4 = '0x0>>0x16&0x3c@';
const IPV6_HEADER_BYTES = 40;
const QUOTE_AT = 8;
/** Of the word with protocol or next header, and of the destination, in an IP header. */
const IPV4_PROTOCOL_WORD_AT = 8;
const IPV4_DESTINATION_AT = 16;
const IPV6_NEXT_HEADER_WORD_AT = 4;
const IPV6_DESTINATION_AT = 24;
const TCP = 6;

/** Where the sequence number of an unfragmented TCP packet is. [RFC 9293 3.1] */
export const SEQUENCE: Readonly<Record<Family, string>> = { ipv4: `${BEHIND_IPV4}0x4`, ipv6: '0x2c' };

/** An ICMP error, of a kind that reports on a packet, which quotes a TCP packet. [RFC 792, RFC 4443] */
export function errorAboutTcp(family: Family): string {
  if (family === 'ipv4') {
    const protocol = BEHIND_IPV4 + hex(QUOTE_AT + IPV4_PROTOCOL_WORD_AT);
    return `${BEHIND_IPV4}0x0>>0x18=0x3,0xb:0xc&&${protocol}>>0x10&0xff=${hex(TCP)}`;
  }
  const nextHeader = hex(IPV6_HEADER_BYTES + QUOTE_AT + IPV6_NEXT_HEADER_WORD_AT);
  return `${hex(IPV6_HEADER_BYTES)}>>0x18=0x1:0x4&&${nextHeader}>>0x8&0xff=${hex(TCP)}`;
}

/** An ICMP error that quotes a packet to this address or network. */
export function quotesDestination({ base, mask }: Network): string {
  const family = familyOf(base);
  const tests = Array.from(base, (word, index): string[] => {
    if (mask[index] === 0) return [];
    const at = wordOfDestination(family) + index * 4;
    const masked = mask[index] === -1 ? '' : `&${hex(mask[index] >>> 0)}`;
    return [`${family === 'ipv4' ? BEHIND_IPV4 : ''}${hex(at)}${masked}=${hex(word >>> 0)}`];
  }).flat();
  // The network of all addresses: any quoted packet matches.
  return tests.length === 0 ? '0x0=0x0:0xffffffff' : tests.join('&&');
}

function wordOfDestination(family: Family): number {
  return family === 'ipv4' ? QUOTE_AT + IPV4_DESTINATION_AT : IPV6_HEADER_BYTES + QUOTE_AT + IPV6_DESTINATION_AT;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
