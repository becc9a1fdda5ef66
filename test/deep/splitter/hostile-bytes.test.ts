/**
 * Bytes that nobody sends in good faith, through the whole splitter: a reason, never an exception; not a byte read or
 * written that is not the packet's; and where the packet is no packet of ours, not a word of a table changed.
 */
import * as fc from 'fast-check';
import { PacketFlag } from '../../../src/packet/batch';
import { buildTcp } from '../../../src/packet/builder';
import { reasonName } from '../../../src/splitter/reasons';
import { Splitter } from '../../../src/splitter/splitter';
import { SplitterState } from '../../../src/splitter/memory/state';
import { fixtureStories, type QueuedPacket, type Story } from '../../support/fixture-packets';
import { FAMILY, packetIn, topologyIn } from '../../support/family';
import { CAPACITY, NOT_REMEMBERED, QUEUES, Target, Targets } from '../../support/hostile-targets';
import { buildError, TYPES } from '../../support/icmp';
import { packetEnds } from '../../support/packet-ends';
import { carriedAt, carriedProtocol } from '../../support/naive-checksum';
import { TOPOLOGY } from '../../support/replay-run';
import { toIpv6 } from '../../support/translate';

const IN_FAMILY = topologyIn(TOPOLOGY);
/** Of either family's packets only. */
const OF_THE_OTHER = FAMILY === 'ipv4' ? ['jumbogram', 'source-routed'] : [];
/** Each prefix of the packet, each single flipped bit. */
function* spoilt(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 0x80 >> (bit & 7);
    yield flipped;
  }
}

/** Packets of all stories that are alike in this are spoilt once: queue, length and everything but identification, numbers, checksums. */
function likeness({ bytes, queue }: QueuedPacket): string {
  const tcpAt = carriedAt(bytes);
  const addresses = bytes[0] >> 4 === 4 ? bytes.subarray(12, 20) : bytes.subarray(8, 40);
  return [queue, bytes.length, addresses, bytes.subarray(tcpAt, tcpAt + 4), bytes[tcpAt + 13]].join();
}

/** Over IPv6, every third packet stands behind options, a route at its end and a fragment header that is whole. */
const EXTENSIONS = [
  { header: 0, bytes: [0, 0, 5, 2, 0, 0, 1, 0] },
  { header: 43, bytes: [0, 0, 4, 0, 0, 0, 0, 0] },
  { header: 44, bytes: [0, 0, 0, 0, 1, 2, 3, 4] },
];
/** Neither IP's length nor the first header is a bit away from it. */
const JUMBOGRAM = Uint8Array.from([0x60, 0, 0, 0, 0, 0, 0, 64, ...new Array<number>(60).fill(0)]);

function inFamily({ name, packets }: Story): Story {
  if (FAMILY === 'ipv4') return { name, packets };
  const jumbogram = { bytes: JUMBOGRAM, queue: 0, ms: packets[0].ms };
  const translated = packets
    .filter(({ bytes }) => bytes[0] >> 4 === 4)
    .map((packet, n) => ({ ...packet, bytes: toIpv6(packet.bytes, n % 3 === 0 ? EXTENSIONS : []) }));
  return { name, packets: [jumbogram, ...translated] };
}

/** Behind every seventh packet, an error about one that goes the other way: from the end that sent the seventh. */
function withErrors({ name, packets }: Story): Story {
  const all = packets.flatMap((packet, n) => {
    const { bytes, queue } = packet;
    if (n % 7 !== 0 || carriedProtocol(bytes) !== 6 || bytes.length < 60) return [packet];
    const { source, destination, sourcePort, destinationPort } = packetEnds(bytes);
    const turned = {
      source: destination,
      destination: source,
      sourcePort: destinationPort,
      destinationPort: sourcePort,
    };
    const quoted = buildTcp(packetIn({ ...turned, flags: 16, payload: 'too big' }));
    const type = TYPES['too big'][FAMILY];
    return [packet, { ...packet, bytes: buildError({ source, destination, type, quoted, rest: 1400 }), queue }];
  });
  return { name, packets: all };
}

const STORIES = fixtureStories().map(inFamily).map(withErrors);
const allReasons = new Set<string>();
const seen = new Set<string>();

describe('every prefix and every flipped bit of every packet, on every queue, while the story runs', () => {
  test.each(STORIES.map((story) => [story.name, story] as const))('%s', (_name, story) => {
    const targets = new Targets(IN_FAMILY);
    for (const packet of story.packets) {
      if (!seen.has(likeness(packet))) {
        seen.add(likeness(packet));
        for (const bytes of spoilt(packet.bytes)) {
          const whole = QUEUES.filter((queue) => !targets.attack(bytes, queue, 0, packet.ms));
          if (bytes.length === packet.bytes.length) continue;
          if (!targets.attack(bytes, packet.queue, PacketFlag.Truncated, packet.ms)) whole.push(packet.queue);
          targets.attack(bytes, packet.queue, PacketFlag.Snapped, packet.ms);
          // No fixture's packet is padded: every prefix lacks something. (`expect` would take a third of the time.)
          if (whole.length > 0) throw new Error(`${bytes.length} bytes were taken for a packet, on ${whole.join()}`);
        }
      }
      targets.play(packet);
    }
    targets.settle();
    for (const reason of targets.reasons) allReasons.add(reason);
  });

  test('which met every way of being malformed, and most reasons of all', () => {
    const names = [...NOT_REMEMBERED].map(reasonName).filter((name) => !OF_THE_OTHER.includes(name));
    for (const name of names) expect(allReasons).toContain(name);
    expect(allReasons.size).toBeGreaterThan(25);
  });
});

test('any bytes at all, on any queue, with any flags', () => {
  const targets = new Targets(IN_FAMILY);
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    // A beginning that says TCP over IPv4, or over IPv6, and the rest noise.
    fc
      .uint8Array({ minLength: 20, maxLength: 120 })
      .map((bytes) => Uint8Array.of(0x45, 0, 0, ...bytes.subarray(3, 9), 6, ...bytes.subarray(10))),
    fc
      .tuple(fc.constantFrom(0, 6, 43, 44, 60), fc.uint8Array({ minLength: 40, maxLength: 160 }))
      .map(([next, bytes]) => Uint8Array.of(0x60, 0, 0, 0, 0, bytes.length - 40, next, ...bytes.subarray(7))),
  );
  fc.assert(
    fc.property(noise, fc.constantFrom(...QUEUES), fc.integer({ min: 0, max: 15 }), (bytes, queue, flags) => {
      targets.attack(bytes, queue, flags, 1000);
    }),
    { numRuns: 5000 },
  );
  // Time has begun for the one that saw no packet, too.
  targets.play({ bytes: Uint8Array.of(0), queue: 0, ms: 1000 });
  targets.settle();
});

test('the memory that is compared holds the tables and the pins', () => {
  expect(SplitterState.bytes(CAPACITY, [FAMILY])).toBe(Splitter.bufferBytes(CAPACITY, IN_FAMILY));
  const target = new Target(IN_FAMILY, 0);
  const before = target.remembered();
  const syn = STORIES.flatMap((story) => story.packets).find(({ bytes, queue }) => queue === 0 && bytes !== JUMBOGRAM);
  if (syn) target.decide(syn.bytes, 0, 0, 5);
  expect(Buffer.compare(before, target.remembered())).not.toBe(0);
});
