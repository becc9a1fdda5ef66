/**
 * Finds the IP packet in a captured frame. Link types are those of tcpdump.org/linktypes.html.
 *
 * `locateIp` answers with one number per frame: the offset of the IP header or, below zero, why there is none
 * (no-ip.ts). That keeps the per-packet path free of objects.
 */
import { readU16 } from '../packet/bytes';
import { noIp, NoIpCause } from './no-ip';

export const enum LinkType {
  /** BSD loopback: four bytes of address family in the byte order of the capturing host. */
  Null = 0,
  Ethernet = 1,
  /** PPP, with or without the address and control bytes of RFC 1662. */
  Ppp = 9,
  /** Raw IP in files of some systems. */
  RawBsd = 12,
  RawOpenBsd = 14,
  /** PPP or Cisco HDLC on a serial line. */
  PppHdlc = 50,
  /** Frames that begin with the PPPoE header. */
  PppEther = 51,
  Raw = 101,
  CiscoHdlc = 104,
  /** OpenBSD loopback: as Null, in network byte order. */
  Loop = 108,
  /** Linux cooked capture v1: `tcpdump -i any` of older versions. */
  LinuxCooked = 113,
  /** PPP with a direction byte in place of the address byte. */
  PppPppd = 166,
  RawIpv4 = 228,
  RawIpv6 = 229,
  /** Linux cooked capture v2: `tcpdump -i any`. */
  LinuxCooked2 = 276,
}

/** Bytes of the link header, and where in it the EtherType is. */
const ETHERNET_BYTES = 14;
const ETHERNET_TYPE_AT = 12;
const COOKED_BYTES = 16;
const COOKED_TYPE_AT = 14;
const COOKED2_BYTES = 20;
const COOKED2_TYPE_AT = 0;
/** Address, control, EtherType. */
const HDLC_BYTES = 4;
const HDLC_TYPE_AT = 2;

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** 802.1Q, 802.1ad, and the number of QinQ before the standard. */
const VLAN = 0x8100;
const VLAN_SERVICE = 0x88a8;
const VLAN_OLD_QINQ = 0x9100;
const TAG_BYTES = 4;
/** QinQ uses two tags; more than four do not occur. */
const MAX_TAGS = 4;

/** RFC 2516 section 4: version and type 1, code 0 (session data), session id, length. */
const PPPOE_SESSION = 0x8864;
const PPPOE_BYTES = 6;
const PPPOE_SESSION_DATA = 0x1100;
/** RFC 1662 section 3.1. */
const PPP_ALL_STATIONS = 0xff;
const PPP_UNNUMBERED = 0x03;
/** Cisco HDLC's address byte: unicast and broadcast. */
const CISCO_UNICAST = 0x0f;
const CISCO_BROADCAST = 0x8f;
/** RFC 1332 section 2, RFC 5072 section 3. */
const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;

const FAMILY_BYTES = 4;
/** AF_INET, and AF_INET6 as Linux, NetBSD and OpenBSD, FreeBSD, and Darwin number it. */
const IP_FAMILIES: readonly number[] = [2, 10, 24, 28, 30];

export function isSupportedLinkType(linkType: number): boolean {
  return locateIp(linkType, NOTHING, 0, 0) !== noIp(NoIpCause.LinkType, linkType);
}
const NOTHING = new Uint8Array(0);

/**
 * Offset in `bytes` of the IP header of the frame at `at`, or a negative number that no-ip.ts explains.
 * @param length captured bytes of the frame
 */
export function locateIp(linkType: number, bytes: Uint8Array, at: number, length: number): number {
  const end = at + length;
  switch (linkType) {
    case LinkType.Ethernet:
      return afterEtherType(bytes, at + ETHERNET_TYPE_AT, at + ETHERNET_BYTES, end);
    case LinkType.LinuxCooked:
      return afterEtherType(bytes, at + COOKED_TYPE_AT, at + COOKED_BYTES, end);
    case LinkType.LinuxCooked2:
      return afterEtherType(bytes, at + COOKED2_TYPE_AT, at + COOKED2_BYTES, end);
    case LinkType.Raw:
    case LinkType.RawBsd:
    case LinkType.RawOpenBsd:
    case LinkType.RawIpv4:
    case LinkType.RawIpv6:
      return length > 0 ? at : noIp(NoIpCause.Cut, 0);
    case LinkType.Null:
    case LinkType.Loop:
      return afterFamily(bytes, at, end);
    case LinkType.Ppp:
    case LinkType.PppHdlc:
    case LinkType.PppPppd:
      return afterPpp(linkType, bytes, at, end);
    case LinkType.PppEther:
      return afterPppoe(bytes, at, end);
    case LinkType.CiscoHdlc:
      return afterEtherType(bytes, at + HDLC_TYPE_AT, at + HDLC_BYTES, end);
    default:
      return noIp(NoIpCause.LinkType, linkType);
  }
}

function afterEtherType(bytes: Uint8Array, typeAt: number, headerEnd: number, end: number): number {
  let next = headerEnd;
  if (next > end) return noIp(NoIpCause.Cut, 0);
  let type = readU16(bytes, typeAt);
  for (let tags = 0; type === VLAN || type === VLAN_SERVICE || type === VLAN_OLD_QINQ; tags++) {
    if (tags === MAX_TAGS) return noIp(NoIpCause.Tags, MAX_TAGS);
    if (next + TAG_BYTES > end) return noIp(NoIpCause.Cut, 0);
    type = readU16(bytes, next + 2);
    next += TAG_BYTES;
  }
  if (type === IPV4 || type === IPV6) return next < end ? next : noIp(NoIpCause.Cut, 0);
  return type === PPPOE_SESSION ? afterPppoe(bytes, next, end) : noIp(NoIpCause.EtherType, type);
}

function afterPppoe(bytes: Uint8Array, at: number, end: number): number {
  if (at + PPPOE_BYTES > end) return noIp(NoIpCause.Cut, 0);
  const kind = readU16(bytes, at);
  return kind === PPPOE_SESSION_DATA ? afterProtocol(bytes, at + PPPOE_BYTES, end) : noIp(NoIpCause.Pppoe, kind);
}

function afterPpp(linkType: number, bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return noIp(NoIpCause.Cut, 0);
  const first = bytes[at];
  if (linkType === LinkType.PppHdlc && (first === CISCO_UNICAST || first === CISCO_BROADCAST)) {
    return afterEtherType(bytes, at + HDLC_TYPE_AT, at + HDLC_BYTES, end);
  }
  const isAddress = linkType === LinkType.PppPppd ? first <= 1 : first === PPP_ALL_STATIONS;
  return afterProtocol(bytes, isAddress && bytes[at + 1] === PPP_UNNUMBERED ? at + 2 : at, end);
}

/** RFC 1661 section 2: the protocol's last byte is odd, all others are even, so one byte may do (section 6.5). */
function afterProtocol(bytes: Uint8Array, at: number, end: number): number {
  const isOneByte = at < end && (bytes[at] & 1) === 1;
  const next = at + (isOneByte ? 1 : 2);
  if (next > end) return noIp(NoIpCause.Cut, 0);
  const protocol = isOneByte ? bytes[at] : readU16(bytes, at);
  if (protocol !== PPP_IPV4 && protocol !== PPP_IPV6) return noIp(NoIpCause.PppProtocol, protocol);
  return next < end ? next : noIp(NoIpCause.Cut, 0);
}

/** Address families are below 65536, so the byte order shows in where the zeros are. */
function afterFamily(bytes: Uint8Array, at: number, end: number): number {
  const next = at + FAMILY_BYTES;
  if (next > end) return noIp(NoIpCause.Cut, 0);
  const isBig = bytes[at] === 0 && bytes[at + 1] === 0;
  const family = isBig ? readU16(bytes, at + 2) : bytes[at] + bytes[at + 1] * 256;
  if (!IP_FAMILIES.includes(family)) return noIp(NoIpCause.Family, family);
  return next < end ? next : noIp(NoIpCause.Cut, 0);
}
