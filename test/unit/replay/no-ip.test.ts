/** Unreadable frames are counted by link type and cause, and reported; many of them are a warning. */
import { noIp, NoIpCause, NoIpCounts, noIpText } from '../../../src/replay/no-ip';
import { summaryLines, warningsOf } from '../../../src/replay/summary';
import {
  enhancedPacket,
  frame,
  type Frame,
  interfaceDescription,
  LINK_HEADERS,
  microStamp,
  pcapFile,
  sectionHeader,
} from '../../support/capture-files';
import { report, Wire } from '../../support/conversation';
import { replayInMemory } from '../../support/replay-run';

const wire = new Wire();
report(wire, '10.1.7.1', 40001, 'itms').open().say('opener', 'Inform').close('acceptor');
const FRAMES = wire.packets.map((packet) => frame(packet));
const [FIRST] = FRAMES;

function ofType(high: number, low: number): Frame {
  const bytes = Buffer.from(FIRST.bytes);
  bytes.set([high, low], 12);
  return { ...FIRST, bytes };
}

function replayFrames(frames: readonly Frame[], linkType = 1) {
  const { result, summary } = replayInMemory([pcapFile(frames, { linkType })]);
  return { summary, lines: summaryLines(summary), warnings: warningsOf(result) };
}

test('a few frames without IP are counted by cause, and no warning', () => {
  const { summary, lines, warnings } = replayFrames([...FRAMES, ofType(8, 6), ofType(8, 6), ofType(0x88, 0xcc)]);
  expect(summary.noIp).toEqual([
    { linkType: 1, cause: 'EtherType 0x0806 (ARP)', packets: 2 },
    { linkType: 1, cause: 'EtherType 0x88cc (LLDP)', packets: 1 },
  ]);
  expect(lines).toContain('3 packets without IP that can be read: 2 EtherType 0x0806 (ARP), 1 EtherType 0x88cc (LLDP)');
  expect(warnings).toEqual([]);
});

test('more than half of the packets: a warning names the link type and the main cause', () => {
  const mpls = FRAMES.map(() => ofType(0x88, 0x47));
  const { warnings } = replayFrames([...FRAMES, ...mpls, ofType(8, 6)]);
  const [without, all] = [FRAMES.length + 1, 2 * FRAMES.length + 1];
  expect(warnings).toEqual([
    `${without} of ${all} packets are not IP: mostly link type 1 (Ethernet), EtherType 0x8847 (MPLS)`,
  ]);
  expect(replayFrames([...FRAMES, ...mpls]).warnings).toEqual([]);
});

test('a raw capture whose packets are of no IP version', () => {
  const { warnings } = replayFrames(
    FRAMES.map((one) => ({ ...one, bytes: Uint8Array.of(0x75, 0, 0, 0), originalBytes: 4 })),
    101,
  );
  const all = FRAMES.length;
  expect(warnings).toEqual([`${all} of ${all} packets are not IP: mostly link type 101 (raw IP), IP version 7`]);
});

test('packets of a pcapng interface that is not read are a warning however few', () => {
  const file = Buffer.concat([
    sectionHeader(true),
    interfaceDescription(true, 1, 'cpe0'),
    interfaceDescription(true, 105, 'wlan0'),
    ...FRAMES.map((one) => enhancedPacket(true, 0, microStamp(one), one)),
    enhancedPacket(true, 1, microStamp(FIRST), FIRST),
  ]);
  const { result, summary } = replayInMemory([file]);
  expect(summary.noIp).toEqual([{ linkType: 105, cause: 'link type not supported', packets: 1 }]);
  expect(warningsOf(result)).toEqual([
    `1 of ${FRAMES.length + 1} packets were not read: link type 105 (IEEE 802.11) is not supported`,
  ]);
});

test('link type 0 in a pcapng is read', () => {
  const loopback = (one: Frame): Frame => {
    const bytes = Buffer.concat([Uint8Array.of(2, 0, 0, 0), one.bytes.subarray(LINK_HEADERS.ethernet.length)]);
    return { ...one, bytes, originalBytes: bytes.length };
  };
  const file = Buffer.concat([
    sectionHeader(true),
    interfaceDescription(true, 0, 'lo0'),
    ...FRAMES.map(loopback).map((one) => enhancedPacket(true, 0, microStamp(one), one)),
  ]);
  expect(replayInMemory([file]).transcript).toBe(replayInMemory([pcapFile(FRAMES)]).transcript);
});

test('kinds beyond the limit are counted together', () => {
  const counts = new NoIpCounts();
  for (let type = 0; type < 100; type++) counts.add(1, noIp(NoIpCause.EtherType, 0x9000 + type));
  expect(counts.total).toBe(100);
  const [most, ...others] = counts.sorted();
  expect([noIpText(most.code), most.count]).toEqual(['other causes', 36]);
  expect(others).toHaveLength(64);
});

test('a terminal shows eight causes', () => {
  const frames = Array.from({ length: 12 }, (_, n) => ofType(0x90, n));
  const line = replayFrames(frames).lines.find((text) => text.includes('without IP'));
  expect(line).toMatch(/^12 packets .*: (1 EtherType 0x900\d, ){8}4 other causes$/);
});
