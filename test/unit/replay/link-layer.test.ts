/** Where the IP packet begins, by link type; no frame, however short, is read beyond its end. */
import { isSupportedLinkType, locateIp } from '../../../src/replay/link-layer';
import { noIpText } from '../../../src/replay/no-ip';
import { LINK_HEADERS } from '../../support/capture-files';

const IP = [0x45, 0, 0, 40];
const MACS = LINK_HEADERS.ethernet.slice(0, 12);
/** Frames lie somewhere in memory, between bytes that would pass for tags and IP. */
const AT = 5;

/** Where the IP packet begins in the frame, or why there is none. */
function locate(linkType: number, frame: readonly number[]): number | string {
  const memory = new Uint8Array(AT + frame.length + 64).fill(0x81);
  memory.set(frame, AT);
  const ipAt = locateIp(linkType, memory, AT, frame.length);
  return ipAt < 0 ? noIpText(ipAt) : ipAt - AT;
}

const CUT = 'frame ends with its link header';
/** Version and type 1, code 0, session 7, length 42. */
const PPPOE = [0x11, 0x00, 0, 7, 0, 42];
const PPP_IPV4 = [0x00, 0x21];
const PPP_IPV6 = [0x00, 0x57];
const SESSION = [0x88, 0x64];

// prettier-ignore
test.each([
  ['Ethernet', 1, [...LINK_HEADERS.ethernet, ...IP], 14],
  ['Ethernet, IPv6', 1, [...MACS, 0x86, 0xdd, 0x60], 14],
  ['802.1Q', 1, [...LINK_HEADERS.vlan, ...IP], 18],
  ['802.1ad in 802.1Q', 1, [...LINK_HEADERS.qinq, ...IP], 22],
  ['the old QinQ number', 1, [...MACS, 0x91, 0x00, 0, 1, 0x81, 0x00, 0, 2, 8, 0, ...IP], 22],
  ['four tags', 1, [...MACS, ...[1, 2, 3, 4].flatMap((tag) => [0x81, 0, 0, tag]), 8, 0, ...IP], 30],
  ['five tags', 1, [...MACS, ...[1, 2, 3, 4, 5].flatMap((tag) => [0x81, 0, 0, tag]), 8, 0, ...IP], 'more than 4 VLAN tags'],
  ['ARP', 1, [...MACS, 8, 6, 0, 1], 'EtherType 0x0806 (ARP)'],
  ['a spanning tree frame', 1, [...MACS, 0, 0x26, 0x42, 0x42, 3], '802.3 frame without EtherType'],
  ['a frame that ends with its header', 1, [...LINK_HEADERS.ethernet], CUT],
  ['a frame that ends in its tag', 1, [...MACS, 0x81, 0, 0], CUT],
  ['half a header', 1, [1, 2, 3], CUT],
  ['nothing', 1, [], CUT],
  ['raw IP', 101, IP, 0],
  ['raw IP, 12', 12, IP, 0],
  ['raw IP, 14', 14, IP, 0],
  ['raw IPv4, 228', 228, IP, 0],
  ['raw IPv6, 229', 229, [0x60], 0],
  ['raw, nothing', 101, [], CUT],
  ['Linux cooked v1', 113, [...LINK_HEADERS.cooked, ...IP], 16],
  ['Linux cooked v1 with a tag', 113, [...LINK_HEADERS.cooked.slice(0, 14), 0x81, 0, 0, 9, 8, 0, ...IP], 20],
  ['Linux cooked v2', 276, [...LINK_HEADERS.cooked2, ...IP], 20],
  ['Linux cooked v2, cut', 276, LINK_HEADERS.cooked2.slice(0, 19), CUT],
  ['a link type that is none of these', 105, IP, 'link type not supported'],
])('%s', (_what, linkType, frame, expected) => {
  expect(locate(linkType, frame)).toBe(expected);
});

// prettier-ignore
test.each([
  ['a session', 1, [...MACS, ...SESSION, ...PPPOE, ...PPP_IPV4, ...IP], 22],
  ['a session, IPv6', 1, [...MACS, ...SESSION, ...PPPOE, ...PPP_IPV6, 0x60], 22],
  ['a session in a VLAN', 1, [...MACS, 0x81, 0, 0, 42, ...SESSION, ...PPPOE, ...PPP_IPV4, ...IP], 26],
  ['a session in QinQ', 1, [...MACS, 0x88, 0xa8, 0, 1, 0x81, 0, 0, 42, ...SESSION, ...PPPOE, ...PPP_IPV6, 0x60], 30],
  ['a session, protocol of one byte', 1, [...MACS, ...SESSION, ...PPPOE, 0x21, ...IP], 21],
  ['a session, captured on any', 276, [...SESSION, ...LINK_HEADERS.cooked2.slice(2), ...PPPOE, ...PPP_IPV4, ...IP], 28],
  ['without an Ethernet header', 51, [...PPPOE, ...PPP_IPV4, ...IP], 8],
  ['LCP in a session', 1, [...MACS, ...SESSION, ...PPPOE, 0xc0, 0x21, 9], 'PPP protocol 0xc021 (LCP)'],
  ['discovery', 1, [...MACS, 0x88, 0x63, 0x11, 0x09, 0, 0, 0, 0], 'EtherType 0x8863 (PPPoE discovery)'],
  ['a terminating code', 1, [...MACS, ...SESSION, 0x11, 0xa7, 0, 7, 0, 0, ...PPP_IPV4, ...IP], 'PPPoE header 0x11a7'],
  ['another version', 1, [...MACS, ...SESSION, 0x21, 0x00, 0, 7, 0, 42, ...PPP_IPV4, ...IP], 'PPPoE header 0x2100'],
  ['cut in its header', 1, [...MACS, ...SESSION, ...PPPOE.slice(0, 5)], CUT],
  ['cut before the protocol', 1, [...MACS, ...SESSION, ...PPPOE], CUT],
  ['cut in the protocol', 1, [...MACS, ...SESSION, ...PPPOE, 0], CUT],
  ['cut before IP', 1, [...MACS, ...SESSION, ...PPPOE, ...PPP_IPV4], CUT],
])('PPPoE: %s', (_what, linkType, frame, expected) => {
  expect(locate(linkType, frame)).toBe(expected);
});

// prettier-ignore
test.each([
  ['PPP', 9, [...PPP_IPV4, ...IP], 2],
  ['PPP, address and control', 9, [0xff, 0x03, ...PPP_IPV6, 0x60], 4],
  ['PPP, address, control and one byte', 9, [0xff, 0x03, 0x21, ...IP], 3],
  ['PPP, cut', 9, [0xff], CUT],
  ['PPP on a serial line', 50, [0xff, 0x03, ...PPP_IPV4, ...IP], 4],
  ['Cisco HDLC on a serial line', 50, [0x0f, 0, 8, 0, ...IP], 4],
  ['Cisco HDLC', 104, [0x8f, 0, 0x86, 0xdd, 0x60], 4],
  ['Cisco HDLC, keepalive', 104, [0x8f, 0, 0x80, 0x35], 'EtherType 0x8035 (RARP)'],
  ['PPP of pppd, incoming', 166, [0, 3, ...PPP_IPV4, ...IP], 4],
  ['PPP of pppd, outgoing', 166, [1, 3, ...PPP_IPV4, ...IP], 4],
  ['BSD loopback, little endian', 0, [2, 0, 0, 0, ...IP], 4],
  ['BSD loopback, big endian', 0, [0, 0, 0, 2, ...IP], 4],
  ['BSD loopback, IPv6 of Linux', 0, [10, 0, 0, 0, 0x60], 4],
  ['BSD loopback, IPv6 of NetBSD', 0, [0, 0, 0, 24, 0x60], 4],
  ['BSD loopback, IPv6 of FreeBSD', 0, [28, 0, 0, 0, 0x60], 4],
  ['BSD loopback, IPv6 of Darwin', 0, [30, 0, 0, 0, 0x60], 4],
  ['BSD loopback, AppleTalk', 0, [16, 0, 0, 0, 1], 'address family 16'],
  ['BSD loopback, cut', 0, [2, 0, 0], CUT],
  ['BSD loopback, header alone', 0, [2, 0, 0, 0], CUT],
  ['OpenBSD loopback', 108, [0, 0, 0, 2, ...IP], 4],
])('%s', (_what, linkType, frame, expected) => {
  expect(locate(linkType, frame)).toBe(expected);
});

test('every frame of up to 64 bytes of any kind: an offset within the frame, or a cause', () => {
  for (const linkType of [0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 166, 228, 229, 276]) {
    expect(isSupportedLinkType(linkType)).toBe(linkType !== 105);
    for (const fill of [0x00, 0x03, 0x08, 0x0f, 0x11, 0x21, 0x45, 0x81, 0x88, 0xff]) {
      for (let length = 0; length <= 64; length++) {
        const at = locate(linkType, new Array<number>(length).fill(fill));
        if (typeof at === 'number') expect(at).toBeLessThan(length);
        else expect(at).not.toBe('');
      }
    }
  }
});
