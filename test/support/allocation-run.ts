/**
 * Decides packets for a while and prints how many bytes of JavaScript heap that took: a child process of
 * test/deep/splitter/no-allocation.test.ts, run with a young generation so large that nothing is collected meanwhile.
 *
 * Arguments: a JSON file of packets, and `spoilt` to allocate one small object per packet, which must show; or
 * `observed` to decide them as the worker does, counted and timed; or `traced`, which also keeps every packet; or
 * `once` to decide them a few times and measure nothing.
 */
import { readFileSync } from 'node:fs';
import { PacketBatch } from '../../src/packet/batch';
import { Observation } from '../../src/engine/shared/observation';
import { observe } from '../../src/engine/worker/observe';
import { Health } from '../../src/splitter/health/health';
import { REASONS } from '../../src/splitter/reasons';
import { Splitter } from '../../src/splitter/splitter';
import { type Topology } from '../../src/splitter/topology';
import { ADDRESS_WORDS } from '../../src/packet/address';
import { RecentSyns } from '../../src/tables/recent-syns';

export interface AllocationInput {
  topology: Topology;
  /** Packets in the order in which they come; after each story everything is left to expire. */
  stories: { queue: number; flags: number; hex: string }[][];
}

export interface AllocationResult {
  /** Growth of the heap in each round. */
  roundBytes: number[];
  packetsPerRound: number;
  batchesPerRound: number;
  /** Packets that were counted, and kept. */
  observed: number;
  traced: number;
  /** Names of the reasons that the rounds gave. */
  reasons: string[];
}

const BATCH = 64;
/** A round that leaves less ends the run: one quiet round shows that packets leave nothing. */
const QUIET_BYTES = 1_000;
const WARM_UP_PACKETS = 250_000;
const ROUND_PACKETS = 100_000;
/** V8 compiles rare code late: before some eight rounds there is still a little on the heap, that of interpreted numbers. */
const ROUNDS = 12;
/** Litter shows in every round. */
const SPOILT_ROUNDS = 2;
const ONCE_CYCLES = 20;
const STEP_MS = 25;
const PAUSE_MS = 3 * 3_600_000;

const [inputFile, mode] = process.argv.slice(2);
const input = JSON.parse(readFileSync(inputFile, 'utf8')) as AllocationInput;
/** What one cycle brings, batch by batch. */
const cycle = input.stories.flatMap((story) => {
  const packets = story.map((packet) => ({ ...packet, bytes: Uint8Array.from(Buffer.from(packet.hex, 'hex')) }));
  const batches = Array.from({ length: Math.ceil(packets.length / BATCH) }, (_, n) => ({
    packets: packets.slice(n * BATCH, (n + 1) * BATCH),
    pauseMs: n === 0 ? PAUSE_MS : STEP_MS,
  }));
  return batches;
});
const cyclePackets = input.stories.flat().length;
const warmUpCycles = Math.ceil(WARM_UP_PACKETS / cyclePackets);
const roundCycles = Math.ceil(ROUND_PACKETS / cyclePackets);

/**
 * A time for every batch to come, made beforehand: a number that is no small integer is an object on the heap, and that
 * one is the caller's. The word keeps the array from storing them as plain doubles.
 */
const times: unknown[] = ['times'];
for (let n = 0, nowMs = 0.5; n < (2 * warmUpCycles + 2 * ROUNDS * roundCycles) * cycle.length; n++) {
  nowMs += cycle[n % cycle.length].pauseMs;
  times.push(nowMs);
}

const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(BATCH)), BATCH);
const splitter = new Splitter({
  ...{ topology: input.topology, activation: 'auto', capacityEntries: 1024, seed: 1 },
  health: new Health({ seed: 1, turnsAway: true }),
});
// As in a cluster.
for (const family of splitter.state.families) family.syns = new RecentSyns(ADDRESS_WORDS[family.family], 1);
const observation = new Observation(new ArrayBuffer(Observation.BYTES));
if (mode === 'traced') observation.ring.lease(undefined, 0, Number.MAX_VALUE);
let decided = 0;
const isObserved = mode === 'observed' || mode === 'traced';
const decider = isObserved ? observe(splitter, observation, () => times[decided] as number) : splitter;
/** What a careless rule would leave behind. */
let litter: { reason: number } | undefined;

function decideCycles(cycles: number): void {
  for (let n = 0; n < cycles * cycle.length; n++) {
    const { packets } = cycle[n % cycle.length];
    batch.count = 0;
    for (let i = 0; i < packets.length; i++) batch.push(packets[i].queue, packets[i].bytes, packets[i].flags);
    decided++;
    splitter.sweep(times[decided] as number);
    decider.decide(batch, times[decided] as number);
    if (mode === 'spoilt') for (let i = 0; i < packets.length; i++) litter = { reason: batch.reason[i] };
  }
}

if (mode === 'once') {
  decideCycles(ONCE_CYCLES);
  process.exit(0);
}
const { gc: collect } = globalThis;
if (!collect) throw new Error('to be run with --expose-gc');
decideCycles(warmUpCycles);
collect();
decideCycles(warmUpCycles);
splitter.counters.byReason.fill(0);
const mostRounds = mode === 'spoilt' ? SPOILT_ROUNDS : ROUNDS;
const roundBytes: number[] = [];
/** A heap that shrinks was collected, so it says nothing. */
const isQuiet = (bytes: number | undefined): boolean => bytes !== undefined && bytes >= 0 && bytes < QUIET_BYTES;
while (roundBytes.length < mostRounds && !isQuiet(roundBytes.at(-1))) {
  // The young generation is empty, so that even a large litter fits, and shows.
  collect();
  // A collection also forgets what the compiler had learnt of code that it took for old.
  decideCycles(roundCycles);
  const before = process.memoryUsage().heapUsed;
  decideCycles(roundCycles);
  roundBytes.push(process.memoryUsage().heapUsed - before);
}
const reasons = REASONS.filter((_, reason) => splitter.counters.byReason[reason] > 0).map(([name]) => name);
const result: AllocationResult = {
  roundBytes,
  packetsPerRound: roundCycles * cyclePackets,
  batchesPerRound: roundCycles * cycle.length,
  observed: observation.batchPackets.sum,
  traced: observation.ring.written,
  reasons,
};
process.stdout.write(JSON.stringify({ ...result, litter }));
