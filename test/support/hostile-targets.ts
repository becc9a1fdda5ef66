/**
 * Splitters that receive hostile bytes, and what must hold for each packet and afterwards: one reason, and the verdict
 * that belongs to it; nothing read or written outside the packet; nothing changed except what a rewrite may change; no
 * checksum made right or wrong; no table word changed by a packet that is not ours.
 */
import { PacketBatch, PacketFlag, Verdict } from '../../src/packet/batch';
import { Owners } from '../../src/splitter/memory/owners';
import { Reason, REASONS, reasonName } from '../../src/splitter/reasons';
import { Splitter } from '../../src/splitter/splitter';
import { type Topology } from '../../src/splitter/topology';
import { type QueuedPacket } from './fixture-packets';
import { icmpSum } from './icmp';
import { Turnstile } from './turnstile';
import { carriedAt, carriedProtocol, checksumFields, checksumsOf, difference } from './naive-checksum';

/** Entries of each table. */
export const CAPACITY = 64;
export const QUEUES = [0, 1, 2, 3];
/** Bytes of pattern that are looked at on either side of a packet. */
const MARGIN = 128;

const NOTHING = new Uint8Array(0);

/** Reasons of packets that are none, or not ours, and of errors: nothing may be remembered of them. */
export const NOT_REMEMBERED: ReadonlySet<Reason> = new Set([
  Reason.NotIp,
  Reason.NotTcp,
  Reason.NotOurs,
  Reason.Jumbogram,
  Reason.SourceRouted,
  Reason.IcmpNotOurs,
  Reason.IcmpUnreadable,
  Reason.MalformedIp,
  Reason.MalformedTcp,
  Reason.MalformedFlags,
  Reason.Fragment,
  Reason.Truncated,
  Reason.IcmpToOwner,
  Reason.IcmpAsAcs,
]);

interface Outcome {
  reason: Reason;
  verdict: Verdict;
  /** The target's own memory: it holds until the next packet. */
  after: Uint8Array;
}

/** A splitter and a batch of one packet, which lies amid a pattern. */
export class Target {
  readonly memory: ArrayBuffer;
  private readonly splitter: Splitter;
  private readonly turnstile = new Turnstile();
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  private readonly at: number;
  /** Of the last packet, whose bytes lie where the pattern was. */
  private length = 0;

  constructor(
    topology: Topology,
    private readonly pattern: number,
  ) {
    this.memory = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, topology));
    this.splitter = new Splitter({
      topology,
      activation: 'auto',
      capacityEntries: CAPACITY,
      seed: 1,
      buffer: this.memory,
      health: this.turnstile,
    });
    this.at = PacketBatch.slotsOffset(1) + MARGIN;
    this.batch.bytes.fill(pattern, PacketBatch.slotsOffset(1));
  }

  setDown(collector: string): void {
    this.turnstile.set(this.splitter, collector, true);
  }

  decide(bytes: Uint8Array, queue: number, flags: number, ms: number): Outcome {
    const { batch, at } = this;
    this.restorePattern();
    batch.count = 0;
    batch.push(queue, NOTHING, flags);
    batch.bytes.set(bytes, at);
    this.length = bytes.length;
    batch.offset[0] = at;
    batch.length[0] = bytes.length;
    batch.verdict[0] = -1;
    batch.reason[0] = -1;
    this.splitter.decide(batch, ms);
    return {
      reason: batch.reason[0],
      verdict: batch.verdict[0],
      after: batch.bytes.subarray(at, at + bytes.length),
    };
  }

  private restorePattern(): void {
    this.batch.bytes.fill(this.pattern, this.at, this.at + this.length);
    this.length = 0;
  }

  /** True while nothing around the packets has been written to. */
  isIntact(longest: number): boolean {
    this.restorePattern();
    const around = this.batch.bytes.subarray(this.at - MARGIN, this.at + longest + MARGIN);
    return around.every((byte) => byte === this.pattern);
  }

  /** Everything remembered, except the packet counters, which count everything. */
  remembered(): Buffer {
    const copy = Buffer.from(this.memory.slice(0));
    copy.fill(0, Owners.BYTES, Owners.BYTES + (REASONS.length + QUEUES.length) * 8);
    return copy;
  }
}

/** Two splitters in step whose packets lie amid different patterns, and one that is shown innocent packets only. */
export class Targets {
  /** Looks like the beginning of an IPv4 packet. */
  private readonly headers: Target;
  private readonly inverse: Target;
  private readonly attacked: Target;
  private readonly undisturbed: Target;
  readonly reasons = new Set<string>();
  private longest = 0;
  private rewritten = 0;

  /** @param sumEvery of so many rewritten packets one has its checksums added up by the naive twin, which is slow */
  constructor(
    topology: Topology,
    private readonly sumEvery = 29,
  ) {
    this.headers = new Target(topology, 0x45);
    this.inverse = new Target(topology, 0x45 ^ 0xff);
    this.attacked = new Target(topology, 0xa5);
    this.undisturbed = new Target(topology, 0x5a);
  }

  setDown(collector: string): void {
    for (const target of [this.headers, this.inverse, this.attacked, this.undisturbed]) target.setDown(collector);
  }

  /** Continues the story, for all of them. */
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
    const isInnocent = NOT_REMEMBERED.has(outcome.reason);
    if (isInnocent) {
      this.attacked.decide(bytes, queue, flags, ms);
      // Time goes by for the other one, too.
      this.undisturbed.decide(NOTHING, queue, 0, ms);
    }
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
    if (++this.rewritten % this.sumEvery !== 0 || flags !== 0) return undefined;
    const [bore, ought] = [checksumFields(before), checksumsOf(before)];
    const [bears, nowOught] = [checksumFields(after), checksumsOf(after)];
    const isIpSame = difference(bore.ip, ought.ip) === difference(bears.ip, nowOught.ip);
    const isTcpSame = difference(bore.tcp, ought.tcp) === difference(bears.tcp, nowOught.tcp);
    return isIpSame && isTcpSame ? undefined : 'a flipped bit was hidden by the checksum, or a right packet spoilt';
  }

  /** @throws Error when something outside the packets was read or written, or a foreign packet was remembered */
  settle(): void {
    const isIntact = [this.headers, this.inverse, this.attacked].every((target) => target.isIntact(this.longest));
    if (!isIntact) throw new Error('bytes around a packet were written to');
    if (Buffer.compare(this.headers.remembered(), this.inverse.remembered()) !== 0) {
      throw new Error('what lies around the packets was remembered');
    }
    if (Buffer.compare(this.attacked.remembered(), this.undisturbed.remembered()) !== 0) {
      throw new Error('a packet was remembered that is none of ours');
    }
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
  const [first, end] = before[0] >> 4 === 4 ? [10, 20] : [8, 40];
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
