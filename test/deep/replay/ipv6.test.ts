/**
 * Every fixture's packets over IPv6, in captures of every link layer: the same lines but for the addresses, which are
 * those that the IPv4 names stand for (test/support/family.ts).
 */
import { formatAddress, parseAddress } from '../../../src/packet/address';
import { locateIp } from '../../../src/replay/link-layer';
import { CLAIMS } from '../../fixtures/claims';
import { pcapFile } from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { nameOfAddress, topologyIn } from '../../support/family';
import { checksumFields, checksumsOf } from '../../support/naive-checksum';
import { replayInMemory, TOPOLOGY } from '../../support/replay-run';
import { toIpv6 } from '../../support/translate';

const MACS = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
/** Link type, and what goes before an IPv6 packet. */
const LINKS: [string, number, number[]][] = [
  ['Ethernet', 1, [...MACS, 0x86, 0xdd]],
  ['a VLAN', 1, [...MACS, 0x81, 0x00, 0x00, 0x2a, 0x86, 0xdd]],
  ['raw IP', 101, []],
  ['raw IPv6', 229, []],
  ['Linux cooked', 113, [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x86, 0xdd]],
  ['Linux cooked, version 2', 276, [0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]],
];
const LINK_TYPE_RAW = 101;

interface Packet {
  seconds: number;
  nanoseconds: number;
  interface: string;
  bytes: Uint8Array;
  /** Bytes that a snaplen has cut off. */
  missing: number;
}

/** A claim's IPv4 packets. */
function packetsOf(capture: Uint8Array): Packet[] {
  return readCapture(capture).packets.flatMap((one) => {
    const at = locateIp(one.linkType, one.bytes, 0, one.bytes.length);
    if (at < 0 || one.bytes[at] >> 4 !== 4) return [];
    return [{ ...one, bytes: one.bytes.subarray(at), missing: one.originalBytes - one.bytes.length }];
  });
}

function captureOf(packets: Packet[], linkType: number, header: number[]): Uint8Array {
  const frames = packets.map((one) => {
    const bytes = Uint8Array.from([...header, ...one.bytes]);
    return { ...one, bytes, originalBytes: bytes.length + one.missing };
  });
  return pcapFile(frames, { linkType, snapLength: 65535 });
}

/** Columns apart by one space; an IPv6 address by its IPv4 name. */
function plain(transcript: string): string {
  return transcript
    .replace(/\[(2001:[0-9a-f:]+)\]/g, (_, text: string) => nameOfAddress(parseAddress(text)!))
    .replace(/ +/g, ' ');
}

describe.each(CLAIMS.map((claim) => [claim.name, claim] as const))('%s', (_name, claim) => {
  const packets = packetsOf(claim.capture());
  const expected = replayInMemory([captureOf(packets, LINK_TYPE_RAW, [])]);
  const translated = packets.map((one) => ({ ...one, bytes: toIpv6(one.bytes) }));

  test.each(LINKS)('in %s', (_link, linkType, header) => {
    const run = replayInMemory([captureOf(translated, linkType, header)], { topology: topologyIn(TOPOLOGY, 'ipv6') });
    expect(run.transcript).toContain('2001:db8:');
    expect(plain(run.transcript)).toBe(plain(expected.transcript));
    expect(run.summary.packets).toEqual(expected.summary.packets);
    for (const { bytes } of readCapture(run.output).packets) {
      const packet = Uint8Array.from(bytes.subarray(header.length));
      const isWhole = packet.length === 40 + packet[4] * 256 + packet[5];
      if (isWhole) expect(checksumFields(packet)).toEqual(checksumsOf(packet));
    }
  });
});

test('the names are those of the topology', () => {
  const { cpe } = topologyIn(TOPOLOGY, 'ipv6');
  expect(nameOfAddress(parseAddress(cpe.address.ipv6!)!)).toBe(TOPOLOGY.cpe.address.ipv4);
  expect(formatAddress(parseAddress(cpe.address.ipv6!)!)).toBe(cpe.address.ipv6);
});
