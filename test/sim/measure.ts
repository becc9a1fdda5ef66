/**
 * What a load requires of the engine: the simulation without checkers, its traffic and its tables sampled every virtual
 * second.
 */
import { DEFAULTS, type Trouble, TROUBLES } from './options';
import { SplitterBox, type TableCounts } from './splitter-box';
import { World } from './world';

export const LOADS = ['hourly', 'polling', 'storm'] as const;
export type Load = (typeof LOADS)[number];

interface Scene {
  what: string;
  /** CPEs that the load is stated for. */
  fullCpes: number;
  /** Number of simulated CPEs by default. */
  cpes: number;
  /** Of each of the full number; never where infinite. */
  informSeconds: number;
  pollSeconds: number;
  /** Until as many entries die as are born: the longest life of a closed connection's is 240 s. */
  warmUpSeconds: number;
  seconds: number;
}

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;
const NEVER_SECONDS = 1e9;
const BOOT_SECONDS = 60;
const DARK_SECONDS = 20;

/**
 * Where fewer CPEs are simulated than the load is stated for, each informs and is polled as many times more often: the
 * rate is the full one, which is all that traffic and tables depend on. A storm cannot be had that way.
 */
export const SCENES: Record<Load, Scene> = {
  hourly: {
    what: '10 million CPEs inform hourly',
    fullCpes: 10_000_000,
    cpes: 250_000,
    informSeconds: HOUR_SECONDS,
    pollSeconds: Number.POSITIVE_INFINITY,
    warmUpSeconds: 20,
    seconds: 60,
  },
  polling: {
    what: '10 million CPEs are polled daily',
    fullCpes: 10_000_000,
    cpes: 250_000,
    informSeconds: NEVER_SECONDS,
    pollSeconds: DAY_SECONDS,
    warmUpSeconds: 300,
    seconds: 300,
  },
  storm: {
    what: '1 million CPEs boot within a minute',
    fullCpes: 1_000_000,
    cpes: 250_000,
    informSeconds: NEVER_SECONDS,
    pollSeconds: DAY_SECONDS,
    warmUpSeconds: 300,
    seconds: BOOT_SECONDS,
  },
};

export interface Figures {
  load: Load;
  cpes: number;
  sessionsPerSecond: number;
  requestsPerSecond: number;
  packetsPerSecond: number;
  /** In the busiest second. */
  peakPacketsPerSecond: number;
  /** Time in `decide`, by a clock that is read twice for each batch: an upper bound on an idle machine. */
  decideNs: number;
  packetsPerBatch: number;
  /** Time of sweeping in a second, ns. */
  sweepNs: number;
  /** At the most, dead entries that wait for the sweep included. */
  peaks: TableCounts;
  /** All tables' memory, bytes. It is allocated at the start. */
  tableBytes: number;
  capacityEntries: number;
}

/** Rain on the lines, and no other trouble. */
const WEATHER: readonly Trouble[] = ['loss', 'duplication', 'reordering'];
/** The configuration's default. */
const CAPACITY_ENTRIES = 1_048_576;
const SEED = 1;

/** @param cpes simulated; the scene's own number where left out */
export function measure(load: Load, cpes = SCENES[load].cpes): Figures {
  const scene = SCENES[load];
  const often = load === 'storm' ? 1 : scene.fullCpes / cpes;
  const world = new World({
    ...DEFAULTS,
    seed: SEED,
    cpes,
    capacityEntries: CAPACITY_ENTRIES,
    informSeconds: scene.informSeconds / often,
    pollSeconds: scene.pollSeconds / often,
    without: TROUBLES.filter((trouble) => !WEATHER.includes(trouble)),
    isChecked: false,
  });
  world.box.clockNs = wallNs;
  world.begin();
  advance(world, scene.warmUpSeconds);
  if (load === 'storm') {
    for (const cpe of world.cpes) cpe.powerOff();
    advance(world, DARK_SECONDS);
    for (const cpe of world.cpes) cpe.powerOn(BOOT_SECONDS * 1000);
  }
  return sample(world, load, scene.seconds);
}

function sample(world: World, load: Load, seconds: number): Figures {
  const { box, counts, options } = world;
  const before = {
    packets: box.packets,
    batches: box.batches,
    sessions: counts.sessions,
    requests: requestsOf(world),
    decideNs: box.decideNs,
    sweepNs: box.sweepNs,
  };
  Object.assign(box.peaks, box.counts());
  let peak = 0;
  for (let second = 0; second < seconds; second++) {
    const packets = box.packets;
    advance(world, 1);
    peak = Math.max(peak, box.packets - packets);
  }
  const packets = box.packets - before.packets;
  return {
    load,
    cpes: options.cpes,
    sessionsPerSecond: (counts.sessions - before.sessions) / seconds,
    requestsPerSecond: (requestsOf(world) - before.requests) / seconds,
    packetsPerSecond: packets / seconds,
    peakPacketsPerSecond: peak,
    decideNs: (box.decideNs - before.decideNs) / packets,
    packetsPerBatch: packets / (box.batches - before.batches),
    sweepNs: (box.sweepNs - before.sweepNs) / seconds,
    peaks: { ...box.peaks },
    tableBytes: SplitterBox.memoryBytes(options.capacityEntries),
    capacityEntries: options.capacityEntries,
  };
}

function advance(world: World, seconds: number): void {
  world.timeline.runUntil(world.timeline.nowMs + seconds * 1000);
}

function requestsOf(world: World): number {
  return world.servers.reduce((sum, server) => sum + server.counts.requests, 0);
}

/** By the clock on the wall: a process's own time counts what V8 does on other threads meanwhile, for the simulation. */
function wallNs(): number {
  return performance.now() * 1e6;
}
