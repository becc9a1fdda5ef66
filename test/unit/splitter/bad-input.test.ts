/** Bad input: never an exception, never a table change; dropped or left alone, and counted by reason. [D] */
import { PacketFlag } from '../../../src/packet/batch';
import { buildTcp, type TcpPacket } from '../../../src/packet/builder';
import { FAMILY, packetIn } from '../../support/family';
import { withPartialChecksum } from '../../support/naive-checksum';
import { packetEnds } from '../../support/packet-ends';
import { ACS, CPE, Rig, SERVERS } from '../../support/rig';

const NO_ENTRIES = { requests: 0, activated: 0, reports: 0 };

/** The SYN of a CPE's report connection, and of a collector's Connection Request. */
const FROM_CPE = built({ source: CPE, destination: ACS, sourcePort: 40001, destinationPort: 7547, flags: 2 });
const FROM_C1 = built({ source: SERVERS.c1, destination: CPE, sourcePort: 50001, destinationPort: 7170, flags: 2 });
/** What becomes of them where nothing is wrong with them. */
const SYN_TAKEN = /^(to-itms|request-opened)$/;
const { tcpAt: TCP_AT, destinationAt: DESTINATION_AT } = packetEnds(FROM_CPE);

function built(packet: TcpPacket): Uint8Array {
  return buildTcp(packetIn(packet));
}

function changed(packet: Uint8Array, at: number, value: number): Uint8Array {
  const bytes = packet.slice();
  bytes[at] = value;
  return bytes;
}

/** Puts an extension header of eight bytes, or several, between an IPv6 packet's header and its segment. */
function extended(packet: Uint8Array, header: number, ...octets: number[]): Uint8Array {
  const extensions = Uint8Array.from([packet[6], ...octets]);
  const bytes = Uint8Array.from([...packet.subarray(0, 40), ...extensions, ...packet.subarray(40)]);
  bytes[5] += extensions.length;
  return changed(bytes, 6, header);
}

type Row = [says: string, change: (packet: Uint8Array) => Uint8Array, outcome: string];

const IPV4_ROWS: Row[] = [
  ['version 7 in the nibble', (packet) => changed(packet, 0, 0x75), 'untouched: not-ip'],
  ['19 bytes', (packet) => packet.slice(0, 19), 'drop: malformed-ip'],
  ['IHL of 4 words', (packet) => changed(packet, 0, 0x44), 'drop: malformed-ip'],
  ['IHL beyond the packet', (packet) => changed(packet, 0, 0x4f), 'drop: malformed-ip'],
  ['total length beyond the packet', (packet) => changed(packet, 3, 41), 'drop: malformed-ip'],
  ['total length within the header', (packet) => changed(packet, 3, 19), 'drop: malformed-ip'],
  ['UDP', (packet) => changed(packet, 9, 17), 'untouched: not-tcp'],
  ['a first fragment', (packet) => changed(packet, 6, 0x20), 'drop: fragment'],
  ['a later fragment', (packet) => changed(packet, 7, 1), 'drop: fragment'],
  ['a TCP header cut by the total length', (packet) => changed(packet, 3, 39), 'drop: malformed-tcp'],
];
const IPV6_ROWS: Row[] = [
  ['version 7 in the nibble', (packet) => changed(packet, 0, 0x70), 'untouched: not-ip'],
  ['39 bytes', (packet) => packet.slice(0, 39), 'drop: malformed-ip'],
  ['payload length beyond the packet', (packet) => changed(packet, 5, 21), 'drop: malformed-ip'],
  [
    'an extension header beyond the packet',
    (packet) => extended(packet, 60, 9, 1, 4, 0, 0, 0, 0),
    'drop: malformed-ip',
  ],
  ['UDP', (packet) => changed(packet, 6, 17), 'untouched: not-tcp'],
  ['an Authentication Header', (packet) => changed(packet, 6, 51), 'untouched: not-tcp'],
  ['a jumbogram', (packet) => changed(changed(packet, 6, 0), 5, 0), 'untouched: jumbogram'],
  ['segments left', (packet) => extended(packet, 43, 0, 4, 1, 0, 0, 0, 0), 'untouched: source-routed'],
  ['a first fragment', (packet) => extended(packet, 44, 0, 0, 1, 0, 0, 0, 0), 'drop: fragment'],
  ['a later fragment', (packet) => extended(packet, 44, 0, 0, 8, 0, 0, 0, 0), 'drop: fragment'],
  ['a TCP header cut by the payload length', (packet) => changed(packet, 5, 19), 'drop: malformed-tcp'],
];
const ROWS: Row[] = [
  ['an empty packet', () => new Uint8Array(0), 'untouched: not-ip'],
  ...(FAMILY === 'ipv4' ? IPV4_ROWS : IPV6_ROWS),
  ['data offset of 4 words', (packet) => changed(packet, TCP_AT + 12, 0x40), 'drop: malformed-tcp'],
  ['data offset beyond the packet', (packet) => changed(packet, TCP_AT + 12, 0x60), 'drop: malformed-tcp'],
  ['SYN and FIN', (packet) => changed(packet, TCP_AT + 13, 0x03), 'drop: malformed-flags'],
  ['SYN and RST', (packet) => changed(packet, TCP_AT + 13, 0x06), 'drop: malformed-flags'],
  ['no flags', (packet) => changed(packet, TCP_AT + 13, 0), 'drop: malformed-flags'],
  ['all flags', (packet) => changed(packet, TCP_AT + 13, 0xff), 'drop: malformed-flags'],
  ['ECE and CWR alone', (packet) => changed(packet, TCP_AT + 13, 0xc0), 'drop: malformed-flags'],
];

describe.each([
  ['a CPE', 'cpe', FROM_CPE],
  ['a collector', 'c1', FROM_C1],
] as const)('from %s', (_says, from, packet) => {
  test.each(ROWS)('%s', (_what, change, outcome) => {
    const rig = new Rig();
    expect(rig.sendBytes(from, change(packet)).text).toBe(outcome);
    expect(rig.counts()).toEqual(NO_ENTRIES);
    expect(rig.reasons(outcome.split(': ')[1])).toBe(1);
  });

  test('padding behind the packet stays and is not payload', () => {
    const padded = new Uint8Array(packet.length + 6).fill(0xa5);
    padded.set(packet);
    const outcome = new Rig().sendBytes(from, padded);
    expect(outcome.text).toMatch(/^(to itms|as acs)/);
    expect(outcome.bytes.subarray(packet.length)).toEqual(padded.subarray(packet.length));
  });

  test('a packet whose tail the kernel kept back is dropped', () => {
    const rig = new Rig();
    expect(rig.sendBytes(from, packet, PacketFlag.Truncated).text).toBe('drop: truncated');
    expect(rig.counts()).toEqual(NO_ENTRIES);
  });

  test.each<[who: string, flags: PacketFlag | 0, reason: RegExp]>([
    ['nobody says so', 0, /^malformed-ip$/],
    ['the kernel kept it back', PacketFlag.Truncated, /^truncated$/],
    ['who captured it kept the headers', PacketFlag.Snapped, SYN_TAKEN],
  ])('a packet without its tail, where %s', (_who, flags, reason) => {
    const longer = Uint8Array.from([...packet, 1, 2, 3, 4]);
    longer[FAMILY === 'ipv4' ? 3 : 5] += 4;
    const cut = longer.subarray(0, packet.length);
    expect(new Rig().decideBytes(from === 'cpe' ? 0 : 2, cut, flags).reason).toMatch(reason);
  });

  test.each<[string, flags: PacketFlag | 0, reason: RegExp]>([
    ['from the wire', 0, /^checksum-wrong$/],
    ['that a local sender left to the card, as the queue marks it', PacketFlag.ChecksumNotReady, SYN_TAKEN],
    ['in a capture, which has no such mark', PacketFlag.Captured, SYN_TAKEN],
  ])('a checksum of the pseudo-header alone, %s', (_what, flags, reason) => {
    const partial = withPartialChecksum(packet);
    const side = from === 'cpe' ? 0 : 2;
    expect(new Rig().decideBytes(side, partial, flags).reason).toMatch(reason);
    const other = changed(partial, TCP_AT + 17, partial[TCP_AT + 17]! ^ 1);
    if (flags !== PacketFlag.ChecksumNotReady) {
      expect(new Rig().decideBytes(side, other, flags).reason).toBe('checksum-wrong');
    }
  });

  test('a destination that is not ours makes even the malformed none of our business', () => {
    const elsewhere = changed(changed(packet, DESTINATION_AT, 192), TCP_AT + 13, 0);
    expect(new Rig().sendBytes(from, elsewhere).text).toBe('untouched: not-ours');
  });

  test('IP options or extension headers, and TCP options, are walked over', () => {
    const options = Uint8Array.of(2, 4, 5, 0xb4, 1, 1, 1, 1);
    // A router alert either way (RFC 2113, RFC 2711).
    const ofIp: Partial<TcpPacket> =
      FAMILY === 'ipv4'
        ? { ipOptions: Uint8Array.of(0x94, 4, 0, 0) }
        : { extensions: [{ header: 0, bytes: [0, 0, 5, 2, 0, 0, 1, 0] }] };
    const shape = { ...ofIp, options, flags: 2 };
    const ends = from === 'cpe' ? { source: CPE, destination: ACS } : { source: SERVERS.c1, destination: CPE };
    const ports = from === 'cpe' ? { sourcePort: 1, destinationPort: 7547 } : { sourcePort: 5, destinationPort: 6 };
    expect(new Rig().send(from, { ...ends, ...ports, ...shape }).text).toMatch(/^(to itms|as acs)/);
  });
});

test('a flood of SYNs from spoofed sources changes no table', () => {
  const rig = new Rig();
  for (let source = 0; source < 5000; source++) {
    const cpe = `10.1.${source >> 8}.${source & 255}`;
    rig.cpe('SYN', { cpe, cpePort: 1024 + (source % 60000), sequence: source });
  }
  expect(rig.reasons('to-itms')).toBe(5000);
  expect(rig.counts()).toEqual(NO_ENTRIES);
});

test('of a woken CPE, spoofed SYNs create four report connections, which last 10 s', () => {
  const rig = new Rig().wake();
  for (let cpePort = 40001; cpePort < 40100; cpePort++) rig.cpe('SYN', { cpePort, sequence: cpePort });
  expect([rig.reasons('diverted'), rig.reasons('report-bound'), rig.counts().reports]).toEqual([4, 95, 4]);
  rig.wait(10_001);
  expect(rig.counts().reports).toBe(0);
});
