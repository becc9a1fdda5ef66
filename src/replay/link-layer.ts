/** Where the IP packet begins in a captured frame. Link types are those of tcpdump.org/linktypes.html. */
import { readU16 } from '../packet/bytes';

export const enum LinkType {
  Ethernet = 1,
  /** Raw IP as some systems number it in files of their own. */
  RawBsd = 12,
  RawOpenBsd = 14,
  Raw = 101,
  /** Linux cooked capture v1, as of `tcpdump -i any`. */
  LinuxCooked = 113,
  RawIpv4 = 228,
  RawIpv6 = 229,
  LinuxCooked2 = 276,
}

/** Bytes of header, and where in it the EtherType stands, by link type. */
const ETHERNET_BYTES = 14;
const ETHERNET_TYPE_AT = 12;
const COOKED_BYTES = 16;
const COOKED_TYPE_AT = 14;
const COOKED2_BYTES = 20;
const COOKED2_TYPE_AT = 0;

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** 802.1Q, 802.1ad, and the number QinQ had before it was a standard. */
const VLAN = 0x8100;
const VLAN_SERVICE = 0x88a8;
const VLAN_OLD_QINQ = 0x9100;
const TAG_BYTES = 4;
/** Two tags are QinQ; nobody stacks more than this. */
const MAX_TAGS = 4;

/** The frame holds no IP packet, or too little of it to tell. */
export const NO_IP = -1;

export function isSupportedLinkType(linkType: number): boolean {
  switch (linkType) {
    case LinkType.Ethernet:
    case LinkType.RawBsd:
    case LinkType.RawOpenBsd:
    case LinkType.Raw:
    case LinkType.LinuxCooked:
    case LinkType.RawIpv4:
    case LinkType.RawIpv6:
    case LinkType.LinuxCooked2:
      return true;
    default:
      return false;
  }
}

/**
 * Offset in `bytes` of the IP header of the frame at `at`, or NO_IP.
 * @param length bytes of the frame that are here
 */
export function locateIp(linkType: number, bytes: Uint8Array, at: number, length: number): number {
  switch (linkType) {
    case LinkType.Ethernet:
      return afterEtherType(bytes, at + ETHERNET_TYPE_AT, at + ETHERNET_BYTES, at + length);
    case LinkType.LinuxCooked:
      return afterEtherType(bytes, at + COOKED_TYPE_AT, at + COOKED_BYTES, at + length);
    case LinkType.LinuxCooked2:
      return afterEtherType(bytes, at + COOKED2_TYPE_AT, at + COOKED2_BYTES, at + length);
    default:
      return isSupportedLinkType(linkType) && length > 0 ? at : NO_IP;
  }
}

function afterEtherType(bytes: Uint8Array, typeAt: number, headerEnd: number, end: number): number {
  let next = headerEnd;
  if (next > end) return NO_IP;
  let type = readU16(bytes, typeAt);
  for (let tags = 0; type === VLAN || type === VLAN_SERVICE || type === VLAN_OLD_QINQ; tags++) {
    if (tags === MAX_TAGS || next + TAG_BYTES > end) return NO_IP;
    type = readU16(bytes, next + 2);
    next += TAG_BYTES;
  }
  return (type === IPV4 || type === IPV6) && next < end ? next : NO_IP;
}
