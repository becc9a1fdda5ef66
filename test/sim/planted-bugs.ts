/**
 * Plants each breakage of plants.ts in a scratch copy of the core and lets the simulation look for it. Reports after
 * how many simulated sessions it was found, and by which check: npm run sim -- --planted.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { DEFAULTS, type SimOptions } from './options';
import { broken } from './breaking';
import { FOUND_ELSEWHERE, LATE, type Plant, PLANTS } from './plants';
import { writeBetweenMarks } from '../prove/marks';
import { type shrink } from './shrink';
import { type World } from './world';

/** A bug that is not found within so many sessions counts as missed. */
const MAX_SESSIONS = 150_000;
/** And one of those that are found soon, after so many: most are found within a tenth of it, and no seed may miss one. */
const SOON_SESSIONS = 25_000;
const ROOT = resolve(__dirname, '..', '..');
/** Tests' own loader, which keeps what it has compiled. */
const { toJavaScript } = createRequire(__filename)(join(ROOT, 'scripts', 'typescript.js')) as {
  toJavaScript: (source: string, name: string) => string;
};
const FOLDERS = [
  'src/packet',
  'src/tables',
  'src/splitter',
  'src/splitter/decide',
  'src/splitter/health',
  'src/splitter/memory',
  'test/reference',
  'test/sim',
];
/** Runs in turn, again and again with other seeds, until something is found. */
const RUNS: readonly Partial<SimOptions>[] = [
  { cpes: 120, informSeconds: 240, pollSeconds: 120 },
  { activation: 'fin', family: 'ipv6' },
  { cpes: 30, hours: 2, informSeconds: 120, pollSeconds: 60, capacityEntries: 90 },
  { cpes: 20, hours: 3, informSeconds: 120, pollSeconds: 60 },
  { activation: 'off' },
];

export interface Finding {
  plant: Plant;
  /** Sessions simulated until it was found. */
  sessions: number;
  /** Which check; undefined where none did. */
  check: string | undefined;
}

/** What a scratch copy offers. */
export interface Simulation {
  World: typeof World;
  shrink: typeof shrink;
}

/** What is looked for, and how far. */
export interface Hunt {
  seed: number;
  isWritten: boolean;
  soonOnes: boolean;
  maxSessions: number | undefined;
  /** Plants whose words contain these; all where undefined. */
  only: string | undefined;
}

/** A copy of core and simulation as JavaScript, in a folder of its own. */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), 'acsplit-sim-'));

  constructor() {
    for (const folder of FOLDERS) {
      mkdirSync(join(this.folder, folder), { recursive: true });
      for (const name of readdirSync(join(ROOT, folder))) {
        if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
        this.write(join(folder, name), readFileSync(join(ROOT, folder, name), 'utf8'));
      }
    }
  }

  /** The simulation over a core with this one place broken. */
  load(plant: Plant): Simulation {
    const file = join('src', plant.file);
    const whole = readFileSync(join(ROOT, file), 'utf8');
    this.write(file, broken(whole, plant));
    try {
      const load = createRequire(join(this.folder, 'load.js'));
      for (const path of Object.keys(load.cache)) if (path.startsWith(this.folder)) delete load.cache[path];
      const { World } = load('./test/sim/world.js') as Pick<Simulation, 'World'>;
      const { shrink } = load('./test/sim/shrink.js') as Pick<Simulation, 'shrink'>;
      return { World, shrink };
    } finally {
      this.write(file, whole);
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  private write(name: string, source: string): void {
    const target = join(this.folder, name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, toJavaScript(source, name));
  }
}

/** @param maxSessions after which it counts as missed */
export function search(scratch: Scratch, plant: Plant, firstSeed: number, maxSessions = MAX_SESSIONS): Finding {
  const { World } = scratch.load(plant);
  let sessions = 0;
  for (let run = 0; sessions < maxSessions; run++) {
    const options = { ...DEFAULTS, cpes: 300, ...RUNS[run % RUNS.length], seed: firstSeed + run };
    try {
      const result = new World(options).run();
      sessions += result.sessions;
      if (result.failure !== undefined) return { plant, sessions, check: result.failure.check };
    } catch (error) {
      return { plant, sessions, check: `crash: ${(error as Error).message.slice(0, 60)}` };
    }
  }
  return { plant, sessions, check: undefined };
}

/**
 * Looks for all of them, or those that are found soon, and says so row by row. Where `isWritten`, the table goes into
 * test/sim/planted-bugs.md and its last line into docs/simulation.md. False: one was missed.
 */
export function hunt({ seed, isWritten, soonOnes, maxSessions, only }: Hunt): boolean {
  const named = only === undefined ? PLANTS : PLANTS.filter(({ what }) => what.includes(only));
  const plants = soonOnes ? named.filter(({ what }) => !LATE.has(what)) : named;
  const rows = ['| what is broken | where | found by | sessions until then |', '| --- | --- | --- | ---: |'];
  const scratch = new Scratch();
  let missed = 0;
  let most = 0;
  try {
    for (const plant of plants) {
      const elsewhere = FOUND_ELSEWHERE.get(plant.what);
      if (elsewhere !== undefined) {
        rows.push(`| ${plant.group}: ${plant.what} | ${plant.file}: ${plant.within} | ${elsewhere} | |`);
        console.log(rows.at(-1));
        continue;
      }
      const { sessions, check } = search(
        scratch,
        plant,
        seed,
        maxSessions ?? (soonOnes ? SOON_SESSIONS : MAX_SESSIONS),
      );
      if (check === undefined) missed++;
      else most = Math.max(most, sessions);
      rows.push(
        `| ${plant.group}: ${plant.what} | ${plant.file}: ${plant.within} | ${check ?? '**missed**'} | ${sessions} |`,
      );
      console.log(rows.at(-1));
    }
  } finally {
    scratch.remove();
  }
  const told = plants.filter(({ what }) => FOUND_ELSEWHERE.has(what)).length;
  const found = `${plants.length - missed - told} of ${plants.length} found`;
  const summary = `${found}, each within ${most} sessions of seed ${seed}; ${told} by other tests.`;
  console.log(summary);
  if (isWritten) {
    writeBetweenMarks(join(ROOT, 'docs', 'simulation.md'), 'planted bugs', summary);
    writeBetweenMarks(join(ROOT, 'test', 'sim', 'planted-bugs.md'), 'planted bugs', [...rows, '', summary].join('\n'));
  }
  return missed === 0;
}
