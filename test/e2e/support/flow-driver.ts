/**
 * Two splitters get the same random conversations. One has the BPF program in front of it, which carries what it can, as
 * on a host; the other decides every packet. Each packet must leave both alike, and both must remember the same. Runs in a
 * namespace whose routes the program asks; options as JSON in the first argument; one line of JSON tells what happened.
 */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { FLOW_BYTES, NUMBERS_AT } from '../../../src/engine/shared/flow-value';
import { FlowMirror } from '../../../src/engine/worker/flow-mirror';
import { Overheard, RING_BYTES } from '../../../src/engine/worker/overheard';
import { Side, Verdict } from '../../../src/packet/batch';
import { type Splitter } from '../../../src/splitter/splitter';
import { type FamilyState } from '../../../src/splitter/memory/family-state';
import { loadFastPathAddon, OBJECT_FILE } from '../../../src/steering/fast-path/addon';
import {
  CARRY_REASONS,
  configurationEntries,
  Control,
  interfaceEntry,
  rolesOf,
  word,
} from '../../../src/steering/fast-path/layout';
import { Seen, VALUE_WORDS } from '../../../src/tables/connection-row';
import { type Act, acts, take } from '../../support/acts';
import { type Outcome, type Party, Rig, TOPOLOGY } from '../../support/rig';
import { topologyIn } from '../../support/family';
import { forwarded, frameOf } from './frames';

export interface FlowOptions {
  runs: number;
  seed: number;
}

const LINKS: Record<Party, string> = { cpe: 'cpe0', itms: 'itms0', c1: 'coll0', c2: 'coll0' };
const topology = {
  ...TOPOLOGY,
  collectors: TOPOLOGY.collectors.map((collector) => ({ ...collector, interface: 'coll0' })),
};
const SIDES: Record<Party, Side> = { cpe: Side.Cpe, itms: Side.Itms, c1: Side.Collector, c2: Side.Collector };
/** Of a packet, in which a bit may be turned over: its headers, and a little. */
const FLIPPED_BYTES = 64;
const TC_ACT_REDIRECT = 7;
const ETHERNET_DIGITS = 28;
const NS_PER_MS = 1e6;

const addon = loadFastPathAddon();
const { program, maps } = addon.load(readFileSync(OBJECT_FILE), '', { flows4: 64, flows6: 64 });
const links = new Map(addon.links().map(({ name, index }) => [name, index]));
const ring = addon.mapRing(maps.overheard!, RING_BYTES);

function configure(): void {
  const all = configurationEntries(topologyIn(topology), 1);
  for (const name of Object.keys(all) as (keyof typeof all)[]) {
    for (const { key, value } of all[name]) addon.updateMap(maps[name]!, key, value);
  }
  for (const [{ index }, role] of rolesOf(topology, addon.links())) {
    const { key, value } = interfaceEntry(1, index, role);
    addon.updateMap(maps.interfaces!, key, value);
  }
  addon.updateMap(maps.control!, word(Control.Slot), word(1));
}

type Left = Pick<Outcome, 'verdict' | 'reason' | 'bytes'>;

/** The splitter with the program in front of it. Time is the rig's: what the program has stamped is stamped again. */
class CarriedRig extends Rig {
  private bootMs = 40_000_000;
  readonly mirror = new FlowMirror(
    addon,
    maps.control!,
    { ipv4: maps.flows4!, ipv6: maps.flows6! },
    () => this.bootMs,
    () => undefined,
  );
  private readonly overheard = new Overheard(ring, this.mirror);
  carried = 0;
  /** What left the program, without its Ethernet header. */
  private left: string | undefined;

  override wait(ms: number): this {
    this.hear();
    this.bootMs += ms;
    super.wait(ms);
    this.splitter.sweep(this.nowMs);
    this.mirror.mend(this.bootMs);
    return this;
  }

  /** The program's lives are of its own clock. */
  follow(): void {
    this.mirror.follow(this.splitter);
    for (const cell of [Control.OfferedMs, Control.CarriedMs]) addon.updateMap(maps.control!, word(cell), word(0));
  }

  hear(): void {
    this.overheard.drain(this.splitter, this.nowMs);
    this.mirror.settle();
  }

  override sendBytes(from: Party, packet: Uint8Array): Outcome {
    return this.carry(from, packet) ?? this.queued(() => super.sendBytes(from, packet));
  }

  /** Any bytes, which need not be a packet. */
  decideAny(from: Party, packet: Uint8Array): Left {
    return this.carry(from, packet) ?? this.queued(() => this.decideBytes(SIDES[from], packet, 0));
  }

  private carry(from: Party, packet: Uint8Array): Outcome | undefined {
    const ran = runAt(this.bootMs, from, packet);
    this.left = undefined;
    if (ran.verdict !== TC_ACT_REDIRECT) return undefined;
    this.carried++;
    this.left = Buffer.from(ran.frame).toString('hex').slice(ETHERNET_DIGITS);
    return { verdict: Verdict.AcceptRewritten, reason: 'carried', before: packet, bytes: packet, text: 'carried' };
  }

  private queued<T>(decide: () => T): T {
    this.hear();
    const outcome = decide();
    this.mirror.settle();
    return outcome;
  }

  /** How the last packet left, a router further, or why it did not. */
  outcome(of: Left): string {
    return this.left ?? outcomeOf(of);
  }
}

function outcomeOf({ verdict, reason, bytes }: Left): string {
  return verdict === Verdict.AcceptRewritten ? Buffer.from(forwarded(bytes)).toString('hex') : reason;
}

/** Both families' entries: keys with their values. */
function entries(): { fd: number; key: Uint8Array; value: Uint8Array }[] {
  return [
    { fd: maps.flows4!, keyBytes: 8 },
    { fd: maps.flows6!, keyBytes: 20 },
  ].flatMap(({ fd, keyBytes }) => {
    const all = addon.readMapEntries(fd);
    const count = all.length / (keyBytes + FLOW_BYTES);
    return Array.from({ length: count }, (_, i) => {
      const at = i * (keyBytes + FLOW_BYTES);
      return { fd, key: all.slice(at, at + keyBytes), value: all.slice(at + keyBytes, at + keyBytes + FLOW_BYTES) };
    });
  });
}

/** Runs the program; the times that it has written become those of the rig. */
function runAt(bootMs: number, from: Party, packet: Uint8Array) {
  const timesOf = (value: Uint8Array) => new BigUint64Array(value.buffer, NUMBERS_AT, 2);
  const before = new Map(entries().map(({ key, value }) => [key.join(), timesOf(value)]));
  const ran = addon.runOnce(program, Uint8Array.from(Buffer.from(frameOf(packet), 'hex')), links.get(LINKS[from])!);
  for (const { fd, key, value } of entries()) {
    const times = timesOf(value);
    const changed = [0, 1].filter((i) => times[i] !== before.get(key.join())?.[i]);
    for (const i of changed) times[i] = BigInt(Math.round(bootMs * NS_PER_MS));
    if (changed.length > 0) addon.updateMap(fd, key, value, true);
  }
  return ran;
}

function clear(): void {
  for (const { fd, key } of entries()) addon.deleteFromMap(fd, key);
}

/** Everything in the tables, with the numbers that the program has. */
function remembered(splitter: Splitter, mirror?: FlowMirror): string[] {
  const lines: string[] = [];
  for (const state of splitter.state.families as FamilyState[]) {
    const { reportConnections: reports, activatedCpes: activated } = state;
    for (let slot = 0; slot < reports.table.slotCount; slot++) {
      if (!reports.table.isLive(slot)) continue;
      mirror?.learn({ name: 'reportConnections', family: state.family }, slot, false);
      const words = Array.from({ length: VALUE_WORDS }, (_, i) => reports.word(slot, i));
      const bits = reports.table.state(slot) & ~Seen.Carried;
      const age = Math.round(reports.idleMs(slot));
      lines.push(`${reports.cpePort(slot)} ${reports.visiblePort(slot)} ${bits.toString(16)} ${age} ${words.join()}`);
    }
    for (let slot = 0; slot < activated.table.slotCount; slot++) {
      if (activated.table.isLive(slot)) {
        lines.push(`activated ${activated.table.state(slot)} ${Math.round(activated.table.ageMs(slot))}`);
      }
    }
  }
  return [...lines, `events ${splitter.state.events.counts.join()}`];
}

function play(sequence: readonly Act[]): number {
  clear();
  const options = { topology, activation: 'auto' as const, capacityEntries: 12 };
  const alone = new Rig(options);
  const rig = new CarriedRig(options);
  rig.hear();
  rig.follow();
  let last: [Outcome | undefined, Outcome | undefined] = [undefined, undefined];
  const watch = (one: Rig, i: 0 | 1) => {
    const send = one.sendBytes.bind(one);
    one.sendBytes = (from, packet, flags) => (last[i] = send(from, packet, flags));
  };
  watch(alone, 0);
  watch(rig, 1);
  const done: string[] = [];
  for (const act of sequence) {
    last = [undefined, undefined];
    done.push(JSON.stringify(act));
    if (act.what !== 'cpe') rig.hear();
    take(alone, act, () => undefined);
    // The other has to: the program would carry what a sweep has yet to find.
    if (act.what === 'wait') alone.splitter.sweep(alone.nowMs);
    take(rig, act, () => rig.follow());
    const [one, other] = last;
    if (one && other) {
      same(done, outcomeOf(one), rig.outcome(other));
      const flipped = withFlippedBit(one.before, done.length);
      const from = act.what as Party;
      done.push(`bit ${done.length}`);
      same(
        done,
        outcomeOf(alone.decideBytes(SIDES[from], flipped.slice(), 0)),
        rig.outcome(rig.decideAny(from, flipped)),
      );
    }
    rig.hear();
    for (const { splitter, nowMs } of [alone, rig]) splitter.state.advance(nowMs);
    same(done, remembered(alone.splitter).join('\n'), remembered(rig.splitter, rig.mirror).join('\n'));
  }
  return rig.carried;
}

function same(done: readonly string[], alone: string, carried: string): void {
  if (alone !== carried) throw new Error(`${done.join('\n')}\nalone:\n${alone}\ncarried:\n${carried}`);
}

/** Another bit in each packet. */
function withFlippedBit(packet: Uint8Array, round: number): Uint8Array {
  const flipped = Uint8Array.from(packet);
  const bit = Math.imul(round + 1, 2654435761) >>> 0;
  flipped[(bit >>> 3) % Math.min(FLIPPED_BYTES, packet.length)]! ^= 1 << (bit & 7);
  return flipped;
}

function run({ runs, seed }: FlowOptions): { carried: number; reasons: Record<string, number>; error?: string } {
  configure();
  let carried = 0;
  let error: string | undefined;
  try {
    fc.assert(
      fc.property(acts, (sequence) => void (carried += play(sequence))),
      { numRuns: runs, seed },
    );
  } catch (failure) {
    const { message, cause } = failure as Error;
    error = `${message}\n${(cause as Error | undefined)?.stack ?? ''}`;
  }
  const sums = addon.readCounters(maps.counters!, CARRY_REASONS.length);
  const reasons = Object.fromEntries(
    CARRY_REASONS.map((name, i) => [name, sums[i]!] as const).filter(([, sum]) => sum > 0),
  );
  return { carried, reasons, ...(error !== undefined && { error }) };
}

process.stdout.write(`${JSON.stringify(run(JSON.parse(process.argv[2]!) as FlowOptions))}\n`);
