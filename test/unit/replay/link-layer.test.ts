/** Where the IP packet begins, by link type; no frame, however short, is read beyond its end. */
import { locateIp, NO_IP } from '../../../src/replay/link-layer';
import { LINK_HEADERS } from '../../support/capture-files';

const IP = [0x45, 0, 0, 40];
const MACS = LINK_HEADERS.ethernet.slice(0, 12);
/** Frames lie somewhere in memory, between bytes that would pass for tags and IP. */
const AT = 5;

function locate(linkType: number, frame: readonly number[]): number {
  const memory = new Uint8Array(AT + frame.length + 64).fill(0x81);
  memory.set(frame, AT);
  const ipAt = locateIp(linkType, memory, AT, frame.length);
  return ipAt === NO_IP ? NO_IP : ipAt - AT;
}

// prettier-ignore
test.each([
  ['Ethernet', 1, [...LINK_HEADERS.ethernet, ...IP], 14],
  ['Ethernet, IPv6', 1, [...MACS, 0x86, 0xdd, 0x60], 14],
  ['802.1Q', 1, [...LINK_HEADERS.vlan, ...IP], 18],
  ['802.1ad in 802.1Q', 1, [...LINK_HEADERS.qinq, ...IP], 22],
  ['the old QinQ number', 1, [...MACS, 0x91, 0x00, 0, 1, 0x81, 0x00, 0, 2, 8, 0, ...IP], 22],
  ['four tags', 1, [...MACS, ...[1, 2, 3, 4].flatMap((tag) => [0x81, 0, 0, tag]), 8, 0, ...IP], 30],
  ['five tags', 1, [...MACS, ...[1, 2, 3, 4, 5].flatMap((tag) => [0x81, 0, 0, tag]), 8, 0, ...IP], NO_IP],
  ['ARP', 1, [...MACS, 8, 6, 0, 1], NO_IP],
  ['a frame that ends with its header', 1, [...LINK_HEADERS.ethernet], NO_IP],
  ['a frame that ends in its tag', 1, [...MACS, 0x81, 0, 0], NO_IP],
  ['half a header', 1, [1, 2, 3], NO_IP],
  ['nothing', 1, [], NO_IP],
  ['raw IP', 101, IP, 0],
  ['raw IP, 12', 12, IP, 0],
  ['raw IP, 14', 14, IP, 0],
  ['raw IPv4, 228', 228, IP, 0],
  ['raw, nothing', 101, [], NO_IP],
  ['Linux cooked v1', 113, [...LINK_HEADERS.cooked, ...IP], 16],
  ['Linux cooked v1 with a tag', 113, [...LINK_HEADERS.cooked.slice(0, 14), 0x81, 0, 0, 9, 8, 0, ...IP], 20],
  ['Linux cooked v2', 276, [...LINK_HEADERS.cooked2, ...IP], 20],
  ['Linux cooked v2, cut', 276, LINK_HEADERS.cooked2.slice(0, 19), NO_IP],
  ['a link type that is none of these', 105, IP, NO_IP],
])('%s', (_what, linkType, frame, expected) => {
  expect(locate(linkType, frame)).toBe(expected);
});
