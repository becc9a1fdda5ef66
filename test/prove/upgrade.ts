/**
 * 0.1.0 is replaced by this version under load, as `systemctl restart` does it after an installation: SIGTERM, the new
 * rules, the new engine, over the configuration, the rules and the tables that 0.1.0 left.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cast, settle, startCast } from '../../src/lab/cast';
import { cli, configurationText, Engine, pause } from '../../src/lab/engine';
import { execute } from '../../src/lab/namespaces';
import { end, World } from '../../src/lab/world';
import { FAMILY } from '../e2e/support/family';
import { Load, LOAD_CPES, type Outcome } from '../e2e/support/load';
import { makeCpes } from '../e2e/support/cpes';
import type { Proof } from './proof';
import { ROOT } from './programs';

/** The last commit of 0.1.0. */
const COMMIT = '7162a889e7df44651da84ac7421a43bcd971d514';
const EARLIER = join(ROOT, 'build', 'acsplit-0.1.0');
const PROGRAMS = join(ROOT, 'dist', 'lab');
const ROUNDS = Number(process.env.ACSPLIT_UPGRADES ?? 10);
const LONGEST_BEFORE_MS = 3000;
const AFTER_MS = 3000;
/** Without an engine for so long, and `itms`: the kernel serves the CPEs. */
const TAKEOVER_MS = 3000;
/** Armed by hand in 0.1.0, and opens its session after the upgrade. */
const [ARMED] = makeCpes(LOAD_CPES.length + 1, { informDelayMs: null }).slice(-1) as [(typeof LOAD_CPES)[number]];

const NOT_DIVERTED = 'a CPE that 0.1.0 had armed was not diverted';
/** With `itms` and no engine for over 3 s the kernel sends sessions to the ITMS, by design: no session of these is lost. */
const AT_THE_ITMS = /^\d+ sessions were for the |came from the itms$|at the itms$/;
const isByDesign = (line: string): boolean => line === NOT_DIVERTED || AT_THE_ITMS.test(line);

/** Builds 0.1.0 beside this version, with the packages of this version. */
function buildEarlier(say: (line: string) => void): void {
  if (existsSync(EARLIER)) return;
  say(`building 0.1.0, commit ${COMMIT.slice(0, 7)}`);
  const folder = `${EARLIER}.new`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const run = (line: string): void => {
    execFileSync('sh', ['-ec', line], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  run(`git -C ${ROOT} archive ${COMMIT} | tar -x`);
  // Two packages of one name are one too many for jest.
  run(`sed -i 's/"name": "acsplit"/"name": "acsplit-earlier"/' package.json`);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'tsconfig.build.json'), readBuildOptions());
  run('node_modules/.bin/tsc -p tsconfig.build.json');
  run(`cp ${join(ROOT, 'scripts/addons.sh')} scripts && sh scripts/addons.sh`);
  renameSync(folder, EARLIER);
}

/** Its own sources alone, whatever types are installed today. */
function readBuildOptions(): string {
  const compilerOptions = { rootDir: 'src', outDir: 'dist', declaration: false, types: ['node'] };
  return JSON.stringify({ extends: './tsconfig.json', compilerOptions, include: ['src'] });
}

interface Upgrade {
  outcome: Outcome;
  /** What else was not as it should be. */
  failures: string[];
  gapMs: number;
  adopted: number;
}

async function upgradeOnce(onEngineDown: 'hold' | 'itms'): Promise<Upgrade> {
  const cpes = [...LOAD_CPES, ARMED];
  const world = await World.create({ cpes: cpes.map(({ address }) => address), family: FAMILY, programs: PROGRAMS });
  try {
    const file = join(world.directory, 'acsplit.yaml');
    const text = configurationText(world.directory, { family: FAMILY, onEngineDown });
    writeFileSync(file, text.replace(/^fastPath:.*\n/m, ''));
    const earlier = (...words: string[]): string[] => [process.execPath, `${EARLIER}/dist/cli/main.js`, ...words];
    await world.run('split', earlier('rules', 'install', '-c', file));
    const old = world.start('split', earlier('run', '-c', file));
    for (const stream of [old.stdout!, old.stderr!]) stream.resume();
    const cast = await startCast(world, cpes, {});
    await untilStatus(earlier('status', '--json', '-c', file));
    return await underLoad({ world, cast, file, old, earlier });
  } finally {
    await world.close();
  }
}

interface Running {
  world: World;
  cast: Cast;
  file: string;
  old: ReturnType<World['start']>;
  earlier: (...words: string[]) => string[];
}

async function underLoad({ world, cast, file, old, earlier }: Running): Promise<Upgrade> {
  const failures: string[] = [];
  const load = new Load(cast);
  try {
    await pause(AFTER_MS + Math.random() * LONGEST_BEFORE_MS);
    await execute(earlier('activate', ARMED.address, '--collector', 'c1', '-c', file));
    const from = performance.now();
    await end(old);
    if (old.exitCode !== 0) failures.push(`0.1.0 ended with ${old.exitCode ?? old.signalCode}`);
    await world.run('split', cli(world, 'rules', 'install', '-c', file));
    const engine = await Engine.run(world, file);
    const gapMs = performance.now() - from;
    await pause(AFTER_MS);
    // Its session would be one too many for the load's count.
    const outcome = await load.end();
    failures.push(...(await whatWasTakenOver(world, cast, engine)));
    const { entries } = engine.events('state-adopted')[0] ?? {};
    return { outcome, failures, gapMs, adopted: Number(entries ?? 0) };
  } finally {
    load.quit();
  }
}

async function whatWasTakenOver(world: World, cast: Cast, engine: Engine): Promise<string[]> {
  const failures: string[] = [];
  if (engine.events('state-adopted').length !== 1) failures.push('the tables were not taken over');
  const informs = (): number => cast.collector.informs.filter(({ peer }) => peer === ARMED.address).length;
  const before = informs();
  const { ok } = await cast.cpes.inform(ARMED);
  await settle(cast);
  if (!ok || informs() !== before + 1) failures.push(NOT_DIVERTED);
  try {
    await world.run('split', cli(world, 'rules', 'check', '-c', engine.configurationFile));
  } catch (error) {
    failures.push(`rules check: ${(error as Error).message}`);
  }
  return failures;
}

/** Until it answers that verdicts flow. */
async function untilStatus(command: string[]): Promise<void> {
  for (const deadline = Date.now() + 60_000; ; await pause(200)) {
    const said = await execute(command).catch(() => '{}');
    if ((JSON.parse(said) as { ready?: boolean }).ready === true) return;
    if (Date.now() > deadline) throw new Error('0.1.0 was not ready within a minute');
  }
}

export const upgrade: Proof = {
  name: 'upgrade',
  shows: '0.1.0 is replaced by this version under load: no session is lost, rules and tables are taken over',
  takes: '8 minutes, root, the history of the repository',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'upgrade' },
  smallest: { tests: ['test/host/engine/shared/state-file.test.ts'] },
  full: async (say) => {
    buildEarlier(say);
    const failures: string[] = [];
    const rows: string[] = [];
    for (const onEngineDown of ['hold', 'itms'] as const) {
      const gaps: number[] = [];
      const sum = { itms: 0, collector: 0, transfers: 0, lost: 0, wrong: 0, adopted: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const { outcome, failures: others, gapMs, adopted } = await upgradeOnce(onEngineDown);
        gaps.push(gapMs);
        for (const name of ['itms', 'collector', 'transfers'] as const) sum[name] += outcome[name];
        const all = [...outcome.failures, ...outcome.wrong, ...others];
        const bad = onEngineDown === 'itms' && gapMs > TAKEOVER_MS ? all.filter((line) => !isByDesign(line)) : all;
        sum.lost += outcome.failures.filter((line) => bad.includes(line)).length;
        sum.wrong += outcome.wrong.length;
        sum.adopted += adopted;
        failures.push(...bad.map((line) => `${onEngineDown}, round ${round}: ${line}`));
        say(`${onEngineDown}, round ${round}: ${Math.round(gapMs)} ms, ${adopted} entries, ${bad.length} faults`);
      }
      const cells = [sum.itms, sum.collector, sum.transfers, sum.adopted, sum.lost, sum.wrong].join(' | ');
      rows.push(`| \`${onEngineDown}\` | ${ROUNDS} | ${Math.round(Math.max(...gaps))} ms | ${cells} |`);
    }
    const head =
      '| `onEngineDown` | upgrades | longest without an engine | sessions, ITMS | collector | transfers | entries taken over | lost | at the wrong server |';
    return { failures, text: [head, head.replaceAll(/[^|]+/g, ' --- '), ...rows].join('\n') };
  },
};
