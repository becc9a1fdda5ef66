/**
 * The view over IPv6: whole packets parsed, extension headers walked within bounds, cut and inconsistent ones refused.
 */
import { formatAddress } from '../../../src/packet/address';
import { buildTcp, type Extension, type TcpPacket } from '../../../src/packet/builder';
import {
  rewriteDestination,
  rewriteDestinationPort,
  rewriteSource,
  rewriteSourcePort,
} from '../../../src/packet/rewrite';
import { Parsed, PacketView } from '../../../src/packet/view';
import { addressNamed } from '../../support/family';
import { annotated } from '../../support/known-packets';
import { checksumFields, checksumsOf } from '../../support/naive-checksum';

const NAMES = [
  'not-ip',
  'malformed-ip',
  'not-tcp',
  'icmp',
  'jumbogram',
  'source-routed',
  'fragment',
  'malformed-tcp',
  'ok',
];

function parsed(bytes: Uint8Array, length = bytes.length, cut = false): string {
  return NAMES[new PacketView().parse(bytes, 0, length, cut)];
}

/** Its checksum was added up by hand (RFC 8200 section 8.1). */
const KNOWN = annotated(`
  60 0a bc de             | version 6, traffic class 0, flow label
  00 14                   | payload length 20
  06 40                   | TCP, hop limit 64
  20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 05 | source
  20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 01 | destination
  9c 41 1d 7b             | ports 40001 to 7547
  00 00 03 e8 00 00 00 00 | sequence 1000, acknowledgement 0
  50 02 fa f0             | data offset 5, SYN, window 64240
  9b d3 00 00             | checksum, urgent pointer`);
const KNOWN_FIELDS: TcpPacket = {
  source: '2001:db8:1::5',
  destination: '2001:db8:1::1',
  sourcePort: 40001,
  destinationPort: 7547,
  flags: 2,
  sequence: 1000,
};

const HOP_BY_HOP: Extension = { header: 0, bytes: [0, 0, 5, 2, 0, 0, 1, 0] }; // router alert, padding
const DESTINATION: Extension = { header: 60, bytes: [0, 1, 1, 12, ...new Array<number>(12).fill(0)] };
/** RFC 8754, arrived: no segments left. */
const ROUTED: Extension = { header: 43, bytes: [0, 2, 4, 0, ...new Array<number>(20).fill(1)] };
const ROUTING: Extension = { header: 43, bytes: [0, 2, 0, 1, ...new Array<number>(20).fill(1)] };
/** RFC 6946. */
const ATOMIC: Extension = { header: 44, bytes: [0, 0, 0, 0, 1, 2, 3, 4] };
const FIRST: Extension = { header: 44, bytes: [0, 0, 0, 1, 1, 2, 3, 4] };
const LATER: Extension = { header: 44, bytes: [0, 0, 0, 8, 1, 2, 3, 4] };
const ALL = [HOP_BY_HOP, DESTINATION, ROUTED, ATOMIC, DESTINATION];

const withExtensions = (...extensions: Extension[]) => buildTcp({ ...KNOWN_FIELDS, payload: 'abc', extensions });

describe('a whole packet', () => {
  test('is taken apart', () => {
    const view = new PacketView();
    expect(view.parse(KNOWN, 0, KNOWN.length)).toBe(Parsed.Ok);
    expect([formatAddress(view.source), formatAddress(view.destination)]).toEqual(['2001:db8:1::5', '2001:db8:1::1']);
    expect(view).toMatchObject({ isIpv6: true, ipAt: 0, tcpAt: 40, payloadAt: 60, payloadLength: 0 });
    expect(view).toMatchObject({ sourcePort: 40001, destinationPort: 7547, sequence: 1000, flags: 2 });
  });

  test('is built byte by byte, except for the flow label', () => {
    const built = buildTcp(KNOWN_FIELDS);
    built.set([0x0a, 0xbc, 0xde], 1);
    expect(Buffer.from(built).toString('hex')).toBe(Buffer.from(KNOWN).toString('hex'));
    expect(checksumFields(KNOWN)).toEqual(checksumsOf(KNOWN));
  });

  test.each([
    ['no extension header', []],
    ['every one that is walked over', ALL],
    ['a fragment that is whole', [ATOMIC]],
    ['a route that has come to its end', [ROUTED]],
    ['eight', new Array<Extension>(8).fill(HOP_BY_HOP)],
    ['512 bytes', [{ header: 60, bytes: [0, 63, ...new Array<number>(510).fill(0)] }]],
  ])('behind %s is found amid a pattern, and rewritten with a right checksum', (_what, extensions) => {
    const packet = withExtensions(...extensions);
    const bytes = new Uint8Array(packet.length + 20).fill(0xa5);
    bytes.set(packet, 7);
    const view = new PacketView();
    expect(view.parse(bytes, 7, packet.length)).toBe(Parsed.Ok);
    expect([view.tcpAt, view.payloadLength]).toEqual([7 + packet.length - 23, 3]);
    rewriteSource(view, addressNamed('2001:db8:ffff::1'));
    rewriteDestination(view, addressNamed('2001:db8:3::2'));
    rewriteSourcePort(view, 61000);
    rewriteDestinationPort(view, 80);
    const after = bytes.subarray(7, 7 + packet.length);
    expect(checksumFields(after)).toEqual(checksumsOf(after));
    const fresh = new PacketView();
    expect(fresh.parse(bytes, 7, packet.length)).toBe(Parsed.Ok);
    expect(view).toEqual(fresh);
    // Addresses (of which the second half was zero before), ports, checksum.
    const changed = [...after.keys()].filter((at) => after[at] !== packet[at]);
    expect(Math.max(...changed.filter((at) => at < 40))).toBeLessThan(40);
    const tcpAt = packet.length - 23;
    expect(
      changed.filter((at) => at >= 40 && !(at < tcpAt + 4 && at >= tcpAt) && (at >> 1) * 2 !== tcpAt + 16),
    ).toEqual([]);
    expect([...bytes.subarray(0, 7), ...bytes.subarray(7 + packet.length)].every((byte) => byte === 0xa5)).toBe(true);
  });

  test('is parsed correctly after one of the other family, and the other way round', () => {
    const view = new PacketView();
    const ipv4 = buildTcp({ ...KNOWN_FIELDS, source: '10.1.0.5', destination: '10.1.0.1' });
    for (const [packet, words] of [
      [KNOWN, 4],
      [ipv4, 1],
      [KNOWN, 4],
    ] as const) {
      expect(view.parse(packet, 0, packet.length)).toBe(Parsed.Ok);
      const fresh = new PacketView();
      fresh.parse(packet, 0, packet.length);
      expect([view.source, view.destination]).toEqual([fresh.source, fresh.destination]);
      expect([view.source.length, view.isIpv6]).toEqual([words, words === 4]);
    }
  });
});

describe('cut at every length', () => {
  test.each([
    ['no extension header', []],
    ['five extension headers', ALL],
  ])('with %s, never taken for whole', (_what, extensions) => {
    const packet = withExtensions(...extensions);
    for (let length = 0; length < packet.length; length++) {
      expect([length, parsed(packet, length)]).toEqual([length, length === 0 ? 'not-ip' : 'malformed-ip']);
    }
  });

  test('where a capture may have cut the tail: ok once the headers are whole', () => {
    const packet = withExtensions(...ALL);
    const tcpAt = packet.length - 23;
    for (let length = 1; length <= packet.length; length++) {
      const expected = length < tcpAt ? 'malformed-ip' : length < tcpAt + 20 ? 'malformed-tcp' : 'ok';
      expect([length, parsed(packet, length, true)]).toEqual([length, expected]);
    }
  });

  test.each([false, true])('bytes behind the cut are ignored (a capture: %s)', (cut) => {
    const packet = withExtensions(...ALL);
    for (let length = 0; length <= packet.length; length++) {
      const [zeros, ones] = [0x00, 0xff].map((filler) => {
        const bytes = new Uint8Array(packet.length + 600).fill(filler);
        bytes.set(packet.subarray(0, length), 100);
        const view = new PacketView();
        return { found: view.parse(bytes, 100, length, cut), ...view, bytes: undefined };
      });
      expect(zeros).toEqual(ones);
    }
  });
});

describe('headers that lie, or say that the packet is not ours to rewrite', () => {
  const spoil = (packet: Uint8Array, at: number, ...octets: number[]) => {
    const bytes = packet.slice();
    bytes.set(octets, at);
    return bytes;
  };
  const length = (payload: number) => [payload >> 8, payload & 255];
  const behind = (extension: Extension) => withExtensions(extension);
  test.each([
    ['version 4', spoil(KNOWN, 0, 0x40), 'malformed-ip'],
    ['version 7', spoil(KNOWN, 0, 0x70), 'not-ip'],
    ['payload length beyond the packet', spoil(KNOWN, 4, ...length(21)), 'malformed-ip'],
    ['payload length 65535', spoil(KNOWN, 4, 0xff, 0xff), 'malformed-ip'],
    ['payload length 0', spoil(KNOWN, 4, 0, 0), 'malformed-tcp'],
    ['payload length that cuts the TCP header', spoil(KNOWN, 4, ...length(19)), 'malformed-tcp'],
    ['payload length within the extension header', spoil(behind(DESTINATION), 4, ...length(15)), 'malformed-ip'],
    ['a jumbogram', spoil(behind(HOP_BY_HOP), 4, 0, 0), 'jumbogram'],
    ['UDP', spoil(KNOWN, 6, 17), 'not-tcp'],
    ['ICMPv6', spoil(KNOWN, 6, 58), 'icmp'],
    ['a fragment of ICMPv6', spoil(behind(LATER), 40, 58), 'not-tcp'],
    ['ICMPv6 on a route', spoil(behind(ROUTING), 40, 58), 'not-tcp'],
    ['no next header', spoil(KNOWN, 6, 59), 'not-tcp'],
    ['ESP', spoil(KNOWN, 6, 50), 'not-tcp'],
    ['an Authentication Header', spoil(behind(DESTINATION), 6, 51), 'not-tcp'],
    ['a header that nobody knows', spoil(KNOWN, 6, 253), 'not-tcp'],
    ['UDP behind extension headers', spoil(behind(HOP_BY_HOP), 40, 17), 'not-tcp'],
    ['an extension header longer than the packet', spoil(behind(DESTINATION), 41, 4), 'malformed-ip'],
    ['an extension header of 2048 bytes', spoil(behind(DESTINATION), 41, 255), 'malformed-ip'],
    ['nine extension headers', withExtensions(...new Array<Extension>(9).fill(HOP_BY_HOP)), 'malformed-ip'],
    [
      '520 bytes of them',
      withExtensions({ header: 60, bytes: [0, 63, ...new Array<number>(510).fill(0)] }, HOP_BY_HOP),
      'malformed-ip',
    ],
    ['segments left', behind(ROUTING), 'source-routed'],
    ['segments left, behind options', withExtensions(HOP_BY_HOP, ROUTING), 'source-routed'],
    ['segments left, UDP', spoil(behind(ROUTING), 40, 17), 'not-tcp'],
    ['a first fragment', behind(FIRST), 'fragment'],
    ['a later fragment', behind(LATER), 'fragment'],
    ['the last fragment, at the greatest offset', spoil(behind(LATER), 42, 0xff, 0xf8), 'fragment'],
    ['reserved bits of a fragment header', spoil(behind(ATOMIC), 42, 0, 6), 'ok'],
    ['a fragment whose first part hides what it is', withExtensions(FIRST, DESTINATION), 'fragment'],
    ['a fragment of UDP', spoil(behind(LATER), 40, 17), 'not-tcp'],
    ['a fragment that is source-routed', withExtensions(ROUTING, LATER), 'source-routed'],
    ['data offset 4', spoil(KNOWN, 52, 0x40), 'malformed-tcp'],
    ['data offset beyond the packet', spoil(KNOWN, 52, 0x60), 'malformed-tcp'],
  ])('%s', (_what, packet, expected) => {
    expect(parsed(packet)).toBe(expected);
  });

  test('an endless chain: a header that is its own next, as long as a packet can be', () => {
    const bytes = new Uint8Array(40 + 65528);
    bytes.set([0x60, 0, 0, 0, 0xff, 0xf8, 0, 64]);
    expect(parsed(bytes)).toBe('malformed-ip');
  });
});

test.each<[string, Partial<TcpPacket>, string]>([
  ['two families', { destination: '10.1.0.1' }, 'two families'],
  ['IPv4 options', { ipOptions: new Uint8Array(4) }, 'does not fit'],
  ['one byte more than fits', { payload: new Uint8Array(65516) }, 'does not fit'],
  ['extension headers over IPv4', { source: '10.1.0.5', destination: '10.1.0.1', extensions: ALL }, 'does not fit'],
])('the builder refuses %s', (_what, fields, message) => {
  expect(() => buildTcp({ ...KNOWN_FIELDS, ...fields })).toThrow(message);
});
