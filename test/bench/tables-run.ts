/**
 * The report table filled to its capacity: the cost of a look-up, and the slowest of many single operations and sweep
 * steps. A child process of micro.ts; argument and answer are JSON.
 *
 * Each series runs several times from the same state, and the fastest run of each operation counts: an operation's own
 * cost recurs, an interruption by another process does not.
 */
import { Splitter, SWEEP_SLOTS } from '../../src/splitter/splitter';
import { ConnectionTable } from '../../src/tables/connection-table';
import { median } from './numbers';
import { liveCpe, populate, PORTS, TOPOLOGY } from './population';

export interface TableOptions {
  entries: number;
  /** Measure sweep steps as well. */
  sweeps: boolean;
}

export interface Slowest {
  name: string;
  count: number;
  medianUs: number;
  slowestUs: number;
}

export interface TableAnswer {
  bytesPerEntry: number;
  hitNs: number;
  missNs: number;
  slowest: Slowest[];
}

const LOOK_UPS = 500_000;
const OPERATIONS = 100_000;
const LOOK_UP_ROUNDS = 3;
const PASSES = 3;
const LIFE_SECONDS = 1;
const LIVES = {
  requestUnanswered: LIFE_SECONDS,
  reportUnanswered: LIFE_SECONDS,
  established: LIFE_SECONDS,
  finOne: LIFE_SECONDS,
  finBoth: LIFE_SECONDS,
  reset: LIFE_SECONDS,
  armed: LIFE_SECONDS,
  grace: LIFE_SECONDS,
};
const LIVES_MS = { unansweredMs: 1000, establishedMs: 1000, finOneMs: 1000, finBothMs: 1000, resetMs: 1000 };

const { entries, sweeps } = JSON.parse(process.argv[2]) as TableOptions;
const buffer = new ArrayBuffer(ConnectionTable.bytes(entries, 1));
const memory = { buffer, at: 0, capacityEntries: entries, addressWords: 1, seed: 4711 };
const connections = new ConnectionTable(memory, LIVES_MS);
const address = new Int32Array(1);
let nowMs = 1_000_000;

const cpeOf = (n: number) => {
  address[0] = liveCpe(n);
  return address;
};
const portOf = (n: number) => PORTS.cpe + (n >>> 23);
const open = (n: number) => connections.open(cpeOf(n), portOf(n), PORTS.report, 1, n);
const find = (n: number) => connections.find(cpeOf(n), portOf(n), PORTS.report);
const miss = (n: number) => connections.find(cpeOf(n), portOf(n), 1);
const anyone = (i: number) => (Math.imul(i, 0x85ebca6b) >>> 0) % entries;

function nsOf(look: (n: number) => number, isThere: boolean): number {
  const chunks: number[] = [];
  const chunk = 1000;
  for (let i = 0; i < LOOK_UPS; i += chunk) {
    let found = 0;
    const startedMs = performance.now();
    for (let k = i; k < i + chunk; k++) if (look(anyone(k)) >= 0) found++;
    chunks.push(performance.now() - startedMs);
    if (found !== (isThere ? chunk : 0)) throw new Error('a look-up that is wrong');
  }
  return (median(chunks) * 1e6) / chunk;
}

/** Times each of many operations by itself, in µs. */
function timed(count: number, operation: (i: number) => void): Float64Array {
  const took = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now();
    operation(i);
    took[i] = (performance.now() - startedMs) * 1000;
  }
  return took;
}

const few = Math.min(OPERATIONS, entries / 2);
const SERIES: [name: string, count: number, operation: (i: number) => void][] = [
  ['find', few, (i) => void find(i)],
  ['remove', few, (i) => connections.remove(find(i))],
  ['open', few, (i) => void open(i)],
  ['open, table full', few, (i) => void connections.open(cpeOf(i), 1, PORTS.report, 1, i)],
];

function fill(): void {
  connections.table.clear();
  for (let n = 0; n < entries; n++) if (open(n) < 0) throw new Error('a table that is full too soon');
}

/** Of every operation its quickest pass. @param passes of each series, what each operation took */
function slowestOf(names: readonly string[], passes: readonly Float64Array[][]): Slowest[] {
  return names.map((name, series) => {
    const once = passes.map((pass) => pass[series]);
    const least = once[0].map((_, i) => Math.min(...once.map((took) => took[i])));
    return {
      name,
      count: least.length,
      medianUs: median(Array.from(least)),
      slowestUs: least.reduce((most, us) => Math.max(most, us), 0),
    };
  });
}

function measureOperations(): Slowest[] {
  const names = SERIES.map(([name]) => name);
  const passes = Array.from({ length: PASSES }, () => {
    fill();
    return SERIES.map(([, count, operation]) => timed(count, operation));
  });
  return slowestOf(names, passes);
}

/** Whole rounds over the three tables, as the engine sweeps them, when all live and when none does. */
function measureSweeps(): Slowest[] {
  const options = {
    topology: TOPOLOGY,
    activation: 'auto',
    capacityEntries: entries,
    seed: 4711,
    lives: LIVES,
  } as const;
  const splitter = new Splitter(options);
  const steps = Math.ceil(splitter.state.ipv4!.connectionRequests.table.slotCount / SWEEP_SLOTS);
  const passes = Array.from({ length: PASSES }, () => {
    populate(splitter, entries, nowMs);
    const alive = timed(steps, () => splitter.sweep(nowMs));
    nowMs += 2000 * LIFE_SECONDS;
    return [alive, timed(2 * steps, () => splitter.sweep(nowMs))];
  });
  return slowestOf(['sweep step, nothing expired', 'sweep step, everything expired'], passes);
}

function measure(): TableAnswer {
  connections.table.advance(nowMs);
  fill();
  const speeds = Array.from({ length: LOOK_UP_ROUNDS + 1 }, () => [nsOf(find, true), nsOf(miss, false)]).slice(1);
  return {
    bytesPerEntry: buffer.byteLength / entries,
    hitNs: median(speeds.map(([hit]) => hit)),
    missNs: median(speeds.map(([, missed]) => missed)),
    slowest: [...measureOperations(), ...(sweeps ? measureSweeps() : [])],
  };
}

process.stdout.write(JSON.stringify(measure()));
