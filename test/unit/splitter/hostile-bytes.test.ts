/**
 * Bytes that nobody sends in good faith, through the whole splitter: a reason, never an exception; not a byte read or
 * written that is not the packet's; and where the packet is no packet of ours, not a word of a table changed.
 */
import * as fc from 'fast-check';
import { PacketBatch, PacketFlag, Verdict } from '../../../src/packet/batch';
import { buildTcp } from '../../../src/packet/builder';
import { Reason, REASONS, reasonName } from '../../../src/splitter/reasons';
import { Splitter } from '../../../src/splitter/splitter';
import { SplitterState } from '../../../src/splitter/state';
import { Owners } from '../../../src/splitter/owners';
import { fixtureStories, type QueuedPacket, type Story } from '../../support/fixture-packets';
import { FAMILY, packetIn, topologyIn } from '../../support/family';
import { buildError, icmpSum, TYPES } from '../../support/icmp';
import { packetEnds } from '../../support/packet-ends';
import { carriedAt, carriedProtocol, checksumFields, checksumsOf, difference } from '../../support/naive-checksum';
import { TOPOLOGY } from '../../support/replay-run';
import { toIpv6 } from '../../support/translate';

const IN_FAMILY = topologyIn(TOPOLOGY);
const CAPACITY = 64;
const QUEUES = [0, 1, 2, 3];
/** Bytes of pattern that are looked at on either side of a packet. */
const MARGIN = 128;

/** Reasons of packets that are none, or not ours: nothing may be remembered of them. */
const INNOCENT = new Set([
  Reason.NotIp,
  Reason.NotTcp,
  Reason.NotOurs,
  Reason.IcmpNotOurs,
  Reason.IcmpUnreadable,
  ...(FAMILY === 'ipv6' ? [Reason.Jumbogram, Reason.SourceRouted] : []),
  Reason.MalformedIp,
  Reason.MalformedTcp,
  Reason.MalformedFlags,
  Reason.Fragment,
  Reason.Truncated,
]);

interface Outcome {
  reason: Reason;
  verdict: Verdict;
  after: Uint8Array;
}

/** A splitter and a batch of one packet, which lies amid a pattern. */
class Target {
  readonly memory = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, IN_FAMILY));
  private readonly splitter: Splitter;
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  private readonly at: number;

  constructor(private readonly pattern: number) {
    const { memory: buffer } = this;
    this.splitter = new Splitter({
      topology: IN_FAMILY,
      activation: 'auto',
      capacityEntries: CAPACITY,
      seed: 1,
      buffer,
    });
    this.at = PacketBatch.slotsOffset(1) + MARGIN;
    this.batch.bytes.fill(pattern, PacketBatch.slotsOffset(1));
  }

  decide(bytes: Uint8Array, queue: number, flags: number, ms: number): Outcome {
    const { batch, at, pattern } = this;
    batch.count = 0;
    batch.push(queue, new Uint8Array(0), flags);
    batch.bytes.set(bytes, at);
    batch.offset[0] = at;
    batch.length[0] = bytes.length;
    batch.verdict[0] = -1;
    batch.reason[0] = -1;
    this.splitter.decide(batch, ms);
    const after = batch.bytes.slice(at, at + bytes.length);
    batch.bytes.fill(pattern, at, at + bytes.length);
    return { reason: batch.reason[0], verdict: batch.verdict[0], after };
  }

  /** True while nothing around the packets has been written to. */
  isIntact(longest: number): boolean {
    const around = this.batch.bytes.subarray(this.at - MARGIN, this.at + longest + MARGIN);
    return around.every((byte) => byte === this.pattern);
  }

  /** Everything remembered, without the counters of packets, which count what they see. */
  remembered(): Buffer {
    const copy = Buffer.from(this.memory.slice(0));
    copy.fill(0, Owners.BYTES, Owners.BYTES + (REASONS.length + QUEUES.length) * 8);
    return copy;
  }
}

/** Two splitters in step whose packets lie amid different patterns, and one that is shown innocent packets only. */
class Targets {
  /** Looks like the beginning of an IPv4 packet. */
  private readonly headers = new Target(0x45);
  private readonly inverse = new Target(0x45 ^ 0xff);
  private readonly attacked = new Target(0xa5);
  private readonly undisturbed = new Target(0x5a);
  readonly reasons = new Set<string>();
  private longest = 0;
  private rewritten = 0;

  /** The story goes on, for all of them. */
  play({ bytes, queue, ms }: QueuedPacket): void {
    for (const target of [this.headers, this.inverse, this.attacked, this.undisturbed])
      target.decide(bytes, queue, 0, ms);
  }

  /** True where the packet was taken for none, or none of ours. */
  attack(bytes: Uint8Array, queue: number, flags: number, ms: number): boolean {
    const outcome = this.headers.decide(bytes, queue, flags, ms);
    const other = this.inverse.decide(bytes, queue, flags, ms);
    this.longest = Math.max(this.longest, bytes.length);
    const complaint = this.complaint(bytes, flags, outcome, other);
    if (complaint)
      throw new Error(`${complaint}: queue ${queue}, flags ${flags}, ${Buffer.from(bytes).toString('hex')}`);
    this.reasons.add(reasonName(outcome.reason));
    const isInnocent = INNOCENT.has(outcome.reason);
    if (isInnocent) this.attacked.decide(bytes, queue, flags, ms);
    return isInnocent;
  }

  private complaint(bytes: Uint8Array, flags: number, outcome: Outcome, other: Outcome): string | undefined {
    const { reason, verdict, after } = outcome;
    if (REASONS[reason] === undefined) return `no such reason: ${reason}`;
    if (REASONS[reason][1] !== verdict) return `verdict ${verdict} with reason ${reasonName(reason)}`;
    if (reason !== other.reason || Buffer.compare(after, other.after) !== 0) return 'what lies around it was read';
    if (verdict !== Verdict.AcceptRewritten) {
      return Buffer.compare(after, bytes) === 0 ? undefined : 'changed, but not rewritten';
    }
    if (flags & PacketFlag.Truncated) return 'rewritten, though the kernel kept the tail back';
    return this.complaintOnRewritten(bytes, after, flags);
  }

  private complaintOnRewritten(before: Uint8Array, after: Uint8Array, flags: number): string | undefined {
    if (isIcmp(before)) return complaintOnIcmp(before, after);
    const tcpAt = carriedAt(before);
    const [first, end] = before[0] >> 4 === 4 ? [10, 20] : [8, 40];
    for (let at = 0; at < after.length; at++) {
      const may =
        (at >= first && at < end) || (at >= tcpAt && at < tcpAt + 4) || at === tcpAt + 16 || at === tcpAt + 17;
      if (after[at] !== before[at] && !may) return `byte ${at} was changed`;
    }
    // The naive sums are slow: of some packets only, and not where the tail is missing.
    if (++this.rewritten % 29 !== 0 || flags !== 0) return undefined;
    const [bore, ought] = [checksumFields(before), checksumsOf(before)];
    const [bears, nowOught] = [checksumFields(after), checksumsOf(after)];
    const isIpSame = difference(bore.ip, ought.ip) === difference(bears.ip, nowOught.ip);
    const isTcpSame = difference(bore.tcp, ought.tcp) === difference(bears.tcp, nowOught.tcp);
    return isIpSame && isTcpSame ? undefined : 'a flipped bit was hidden by the checksum, or a right packet spoilt';
  }

  settle(): void {
    for (const target of [this.headers, this.inverse, this.attacked]) expect(target.isIntact(this.longest)).toBe(true);
    // Nothing was read around the packets: what the two remember is the same, to the word.
    expect(Buffer.compare(this.headers.remembered(), this.inverse.remembered())).toBe(0);
    expect(Buffer.compare(this.attacked.remembered(), this.undisturbed.remembered())).toBe(0);
  }
}

function isIcmp(packet: Uint8Array): boolean {
  return carriedProtocol(packet) !== 6;
}

/** Addresses and checksums may change, inside and out, and the quoted ports; the checksum is as wrong as it was. */
function complaintOnIcmp(before: Uint8Array, after: Uint8Array): string | undefined {
  const icmpAt = carriedAt(before);
  const quotedAt = icmpAt + 8;
  const tcpAt = quotedAt + carriedAt(before.subarray(quotedAt));
  const [first, end] = FAMILY === 'ipv4' ? [10, 20] : [8, 40];
  const ranges = [
    [first, end],
    [icmpAt + 2, icmpAt + 4],
    [quotedAt + first, quotedAt + end],
    [tcpAt, tcpAt + 4],
    [tcpAt + 16, tcpAt + 18],
  ];
  for (let at = 0; at < after.length; at++) {
    const may = ranges.some(([from, to]) => at >= from && at < to);
    if (after[at] !== before[at] && !may) return `byte ${at} of an ICMP error was changed`;
  }
  const wrongBy = (packet: Uint8Array) => difference((packet[icmpAt + 2] << 8) | packet[icmpAt + 3], icmpSum(packet));
  return wrongBy(before) === wrongBy(after) ? undefined : 'a flipped bit was hidden, or a right ICMP error spoilt';
}

/** Each prefix of the packet, each single flipped bit. */
function* spoilt(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 0x80 >> (bit & 7);
    yield flipped;
  }
}

/** Packets of a story that are alike in this are spoilt once: queue, length and everything but identification, numbers, checksums. */
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

describe('every prefix and every flipped bit of every packet, on every queue, while the story runs', () => {
  test.each(STORIES.map((story) => [story.name, story] as const))('%s', (_name, story) => {
    const targets = new Targets();
    const seen = new Set<string>();
    for (const packet of story.packets) {
      if (!seen.has(likeness(packet))) {
        seen.add(likeness(packet));
        for (const bytes of spoilt(packet.bytes)) {
          const whole = QUEUES.filter((queue) => !targets.attack(bytes, queue, 0, packet.ms));
          if (bytes.length === packet.bytes.length) continue;
          if (!targets.attack(bytes, packet.queue, PacketFlag.Truncated, packet.ms)) whole.push(packet.queue);
          targets.attack(bytes, packet.queue, PacketFlag.Snapped, packet.ms);
          // No fixture's packet is padded: every prefix lacks something.
          expect([bytes.length, whole]).toEqual([bytes.length, []]);
        }
      }
      targets.play(packet);
    }
    targets.settle();
    for (const reason of targets.reasons) allReasons.add(reason);
  });

  test('which met every way of being malformed, and most reasons of all', () => {
    for (const reason of INNOCENT) expect(allReasons).toContain(reasonName(reason));
    expect(allReasons.size).toBeGreaterThan(25);
  });
});

test('any bytes at all, on any queue, with any flags', () => {
  const targets = new Targets();
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
  const target = new Target(0);
  const before = target.remembered();
  const syn = STORIES.flatMap((story) => story.packets).find(({ bytes, queue }) => queue === 0 && bytes !== JUMBOGRAM);
  if (syn) target.decide(syn.bytes, 0, 0, 5);
  expect(Buffer.compare(before, target.remembered())).not.toBe(0);
});
