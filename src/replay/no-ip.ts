/**
 * Why a captured frame holds no IP packet that can be read: a negative number per cause, counts by link type and cause,
 * and their text.
 */

export const enum NoIpCause {
  /** The frame ends within or directly after its link header. */
  Cut,
  /** A link type that is not supported. Detail: its number. */
  LinkType,
  /** Detail: the EtherType, or a length in an 802.3 frame. */
  EtherType,
  /** Detail: the number of VLAN tags that are read. */
  Tags,
  /** A PPPoE header of another version or code. Detail: version, type and code. */
  Pppoe,
  /** Detail: the PPP protocol. */
  PppProtocol,
  /** Detail: the BSD address family. */
  Family,
  /** Detail: the version in the IP header. */
  Version,
  /** Everything beyond MAX_KINDS. */
  Other,
}

const DETAILS = 0x10000;

/** @param detail 16 bits */
export function noIp(cause: NoIpCause, detail: number): number {
  return -1 - (cause * DETAILS + (detail & 0xffff));
}

/** Kinds of frames counted one by one. */
const MAX_KINDS = 64;

export interface NoIpKind {
  linkType: number;
  code: number;
  count: number;
}

/** Counts frames by link type and cause. */
export class NoIpCounts {
  total = 0;
  private readonly kinds = new Map<string, NoIpKind>();

  /** @param code of `noIp` */
  add(linkType: number, code: number): void {
    this.total++;
    const key = `${linkType} ${code}`;
    const known = this.kinds.get(key);
    if (known) known.count++;
    else if (this.kinds.size < MAX_KINDS) this.kinds.set(key, { linkType, code, count: 1 });
    else this.addOther();
  }

  /** The most frequent first. */
  sorted(): NoIpKind[] {
    return [...this.kinds.values()].sort((a, b) => b.count - a.count);
  }

  private addOther(): void {
    const others = this.kinds.get('others');
    if (others) others.count++;
    else this.kinds.set('others', { linkType: -1, code: noIp(NoIpCause.Other, 0), count: 1 });
  }
}

const LINK_TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'BSD loopback',
  1: 'Ethernet',
  9: 'PPP',
  12: 'raw IP',
  14: 'raw IP',
  50: 'PPP over HDLC',
  51: 'PPPoE',
  101: 'raw IP',
  104: 'Cisco HDLC',
  105: 'IEEE 802.11',
  108: 'OpenBSD loopback',
  113: 'Linux cooked',
  127: 'IEEE 802.11 radiotap',
  166: 'PPP of pppd',
  192: 'PPI',
  228: 'raw IPv4',
  229: 'raw IPv6',
  239: 'nflog',
  249: 'USBPcap',
  253: 'netlink',
  276: 'Linux cooked v2',
};

const ETHERTYPE_NAMES: Readonly<Record<number, string>> = {
  0x0806: 'ARP',
  0x8035: 'RARP',
  0x8847: 'MPLS',
  0x8848: 'MPLS multicast',
  0x8863: 'PPPoE discovery',
  0x8809: 'slow protocols',
  0x888e: '802.1X',
  0x88cc: 'LLDP',
  0x88e5: 'MACsec',
};

const PPP_NAMES: Readonly<Record<number, string>> = {
  0x003d: 'multilink',
  0x00fd: 'compressed',
  0x8021: 'IPCP',
  0x8057: 'IPv6CP',
  0x80fd: 'CCP',
  0xc021: 'LCP',
  0xc023: 'PAP',
  0xc223: 'CHAP',
};

/** Values of an Ethernet type field up to this one are lengths: IEEE 802.3 section 3.2.6. */
const MAX_8023_LENGTH = 1500;

export function linkTypeText(linkType: number): string {
  return named(`link type ${linkType}`, LINK_TYPE_NAMES[linkType]);
}

/** `EtherType 0x0806 (ARP)` for example. */
export function noIpText(code: number): string {
  const packed = -1 - code;
  const detail = packed % DETAILS;
  const cause: NoIpCause = Math.floor(packed / DETAILS);
  switch (cause) {
    case NoIpCause.Cut:
      return 'frame ends with its link header';
    case NoIpCause.LinkType:
      return 'link type not supported';
    case NoIpCause.EtherType:
      if (detail <= MAX_8023_LENGTH) return '802.3 frame without EtherType';
      return named(`EtherType ${hex(detail)}`, ETHERTYPE_NAMES[detail]);
    case NoIpCause.Tags:
      return `more than ${detail} VLAN tags`;
    case NoIpCause.Pppoe:
      return `PPPoE header ${hex(detail)}`;
    case NoIpCause.PppProtocol:
      return named(`PPP protocol ${hex(detail)}`, PPP_NAMES[detail]);
    case NoIpCause.Family:
      return `address family ${detail}`;
    case NoIpCause.Version:
      return `IP version ${detail}`;
    case NoIpCause.Other:
      return 'other causes';
  }
}

function named(text: string, name: string | undefined): string {
  return name === undefined ? text : `${text} (${name})`;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
