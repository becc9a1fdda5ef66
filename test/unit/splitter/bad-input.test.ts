/** Bad input: never an exception, never a table change; dropped or left alone, and counted by reason. [D] */
import { PacketFlag } from '../../../src/packet/batch';
import { buildTcp } from '../../../src/packet/builder';
import { ACS, CPE, Rig, SERVERS } from '../../support/rig';

const NO_ENTRIES = { requests: 0, activated: 0, reports: 0 };

/** The SYN of a CPE's report connection, and of a collector's Connection Request. */
const FROM_CPE = buildTcp({ source: CPE, destination: ACS, sourcePort: 40001, destinationPort: 7547, flags: 2 });
const FROM_C1 = buildTcp({ source: SERVERS.c1, destination: CPE, sourcePort: 50001, destinationPort: 7170, flags: 2 });

function changed(packet: Uint8Array, at: number, value: number): Uint8Array {
  const bytes = packet.slice();
  bytes[at] = value;
  return bytes;
}

type Row = [says: string, change: (packet: Uint8Array) => Uint8Array, outcome: string];

const ROWS: Row[] = [
  ['an empty packet', () => new Uint8Array(0), 'untouched: not-ip'],
  ['version 6 in the nibble', (packet) => changed(packet, 0, 0x65), 'untouched: not-ip'],
  ['19 bytes', (packet) => packet.slice(0, 19), 'drop: malformed-ip'],
  ['IHL of 4 words', (packet) => changed(packet, 0, 0x44), 'drop: malformed-ip'],
  ['IHL beyond the packet', (packet) => changed(packet, 0, 0x4f), 'drop: malformed-ip'],
  ['total length beyond the packet', (packet) => changed(packet, 3, 41), 'drop: malformed-ip'],
  ['total length within the header', (packet) => changed(packet, 3, 19), 'drop: malformed-ip'],
  ['UDP', (packet) => changed(packet, 9, 17), 'untouched: not-tcp'],
  ['ICMP', (packet) => changed(packet, 9, 1), 'untouched: not-tcp'],
  ['a first fragment', (packet) => changed(packet, 6, 0x20), 'drop: fragment'],
  ['a later fragment', (packet) => changed(packet, 7, 1), 'drop: fragment'],
  ['a TCP header cut by the total length', (packet) => changed(packet, 3, 39), 'drop: malformed-tcp'],
  ['data offset of 4 words', (packet) => changed(packet, 32, 0x40), 'drop: malformed-tcp'],
  ['data offset beyond the packet', (packet) => changed(packet, 32, 0x60), 'drop: malformed-tcp'],
  ['SYN and FIN', (packet) => changed(packet, 33, 0x03), 'drop: malformed-flags'],
  ['SYN and RST', (packet) => changed(packet, 33, 0x06), 'drop: malformed-flags'],
  ['no flags', (packet) => changed(packet, 33, 0), 'drop: malformed-flags'],
  ['all flags', (packet) => changed(packet, 33, 0xff), 'drop: malformed-flags'],
  ['ECE and CWR alone', (packet) => changed(packet, 33, 0xc0), 'drop: malformed-flags'],
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

  test('a destination that is not ours makes even the malformed none of our business', () => {
    const elsewhere = changed(changed(packet, 16, 192), 33, 0);
    expect(new Rig().sendBytes(from, elsewhere).text).toBe('untouched: not-ours');
  });

  test('IP options and TCP options are walked over', () => {
    const options = Uint8Array.of(2, 4, 5, 0xb4, 1, 1, 1, 1);
    const shape = { ipOptions: Uint8Array.of(0x94, 4, 0, 0), options, flags: 2 };
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

test('a woken CPE among the spoofed creates one report connection, which lasts 10 s', () => {
  const rig = new Rig().wake();
  for (let cpePort = 40001; cpePort < 40100; cpePort++) rig.cpe('SYN', { cpePort, sequence: cpePort });
  expect([rig.reasons('diverted'), rig.reasons('to-itms'), rig.counts().reports]).toEqual([1, 98, 1]);
  rig.wait(10_001);
  expect(rig.counts().reports).toBe(0);
});
