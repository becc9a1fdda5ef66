/**
 * The page beside a real engine under load: tables of a million entries, well over 10 000 events a minute, a browser that
 * looks and a search a second. Spells with and without them take turns, so that what they cost the engine shows.
 */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startCast } from '../../src/lab/cast';
import { cli, configurationText, Engine } from '../../src/lab/engine';
import { World } from '../../src/lab/world';
import { Load, LOAD_CPES, type Outcome } from '../e2e/support/load';
import { FAMILY } from '../e2e/support/family';
import { type Browser, openBrowser, untilText, visit } from '../support/browser';
import { ROOT } from './programs';
import type { Findings, Proof } from './proof';

const CAPACITY = 1 << 20;
const ENTRIES = 1_000_000;
const SPELL_MS = 20_000;
const SPELLS = 3;
const LEAST_EVENTS_A_MINUTE = 10_000;
/** Small: events come from sessions, not from bytes. */
const BULK_BYTES = 1 << 20;
const PORT = 9547;
const PICTURE = { width: 1100, height: 1400 };
/** Hertz of /proc/PID/stat. */
const TICKS = 100;

interface EngineStatus {
  pid: number;
  workers: { pid: number }[];
  tables: Record<string, { count: number }>;
  packets: { received: number };
  events: Record<string, number>;
  losses: Record<string, number>;
}

/** What passed in a spell. */
interface Spell {
  packets: number;
  events: number;
  ms: number;
  workerMs: number;
  supervisorMs: number;
}

interface Looking {
  searchesMs: number[];
  drawnShare: number;
  longestMs: number;
  complaints: string[];
}

async function startEngine(world: World): Promise<Engine> {
  const file = join(world.directory, 'acsplit.yaml');
  const tables = configurationText(world.directory, { family: FAMILY }).replace(
    /^tables:.*$/m,
    `tables: { capacity: ${CAPACITY} }`,
  );
  writeFileSync(file, `${tables}metrics: { listen: '127.0.0.1:${PORT}' }\n`);
  await world.run('split', cli(world, 'rules', 'install', '-c', file));
  const prepare = join(ROOT, 'test', 'bench', 'prepare-state.ts');
  const typescript = ['-r', join(ROOT, 'scripts', 'typescript.js')];
  await world.run('split', [process.execPath, ...typescript, prepare, file, String(ENTRIES)], 300_000);
  return Engine.run(world, file);
}

function browserIn(world: World): Promise<Browser> {
  const file = join(world.directory, 'browser');
  writeFileSync(file, `#!/bin/sh\nexec ${world.inside('split', ['/usr/bin/chromium']).join(' ')} "$@"\n`);
  chmodSync(file, 0o755);
  return openBrowser(file);
}

/** User and system time so far. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((all, one) => all + one, 0);

async function spell(engine: Engine, meanwhile: () => Promise<void>): Promise<Spell> {
  const look = async () => {
    const status = (await engine.status()) as unknown as EngineStatus;
    const [worker] = status.workers;
    return {
      packets: status.packets.received,
      events: sum(status.events),
      ms: performance.now(),
      workerMs: cpuMs(worker!.pid),
      supervisorMs: cpuMs(status.pid),
    };
  };
  const before = await look();
  await meanwhile();
  const after = await look();
  const keys = Object.keys(before) as (keyof Spell)[];
  return Object.fromEntries(keys.map((key) => [key, after[key] - before[key]])) as unknown as Spell;
}

/** A page that is open, and a search a second, for one spell. */
async function lookAtIt(browser: Browser, found: Looking): Promise<void> {
  const { page, complaints } = await visit(browser, `http://127.0.0.1:${PORT}/?lang=en`);
  await untilText(page, /Newest events/);
  await page.evaluate(`window.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ type: 'longtask' });
    window.search = async (address) => {
      const from = performance.now();
      const answer = await fetch('/api/cpe?address=' + address);
      await answer.text();
      return answer.ok ? performance.now() - from : -1;
    };`);
  const drawnBefore = await page.metrics();
  const from = performance.now();
  for (let n = 0; performance.now() - from < SPELL_MS; n++) {
    const { address } = LOAD_CPES[n % LOAD_CPES.length]!;
    const ms = Number(await page.evaluate(`window.search(${JSON.stringify(address)})`));
    if (ms < 0) complaints.push(`a search of ${address} was refused`);
    else found.searchesMs.push(ms);
    await pause(1000);
  }
  const drawn = await page.metrics();
  const seconds = (performance.now() - from) / 1000;
  found.drawnShare = Math.max(found.drawnShare, (drawn.TaskDuration! - drawnBefore.TaskDuration!) / seconds);
  found.longestMs = Math.max(found.longestMs, Number(await page.evaluate('window.longest')));
  found.complaints.push(...complaints);
  await page.close();
}

/** For the READMEs. */
async function takePicture(browser: Browser): Promise<void> {
  const { page } = await visit(browser, `http://127.0.0.1:${PORT}/?lang=en`, PICTURE.width, PICTURE.height);
  await untilText(page, /Newest events/);
  // It opens sessions of its own accord.
  await page.type('#address', LOAD_CPES[2]!.address);
  await page.keyboard.press('Enter');
  await untilText(page, /Its next session goes to/);
  await untilText(page, /\d\/s/);
  await page.evaluate('document.activeElement.blur()');
  await page.screenshot({ path: join(ROOT, 'docs', 'page.png') });
  await page.close();
}

function total(spells: readonly Spell[]): Spell {
  const keys = Object.keys(spells[0]!) as (keyof Spell)[];
  const of = (key: keyof Spell): number => spells.reduce((all, one) => all + one[key], 0);
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as unknown as Spell;
}

function tell(looked: Spell, unlooked: Spell, found: Looking, entries: number): string {
  const share = ({ supervisorMs, ms }: Spell): string => ((supervisorMs / ms) * 100).toFixed(1);
  const aPacket = ({ workerMs, packets }: Spell): number => (workerMs * 1000) / packets;
  const searches = found.searchesMs.sort((one, other) => one - other);
  const [medianMs, slowestMs] = [searches[searches.length >> 1]!, searches.at(-1)!];
  const eventsAMinute = Math.round((looked.events / looked.ms) * 60_000);
  return [
    '| entries | events a minute | worker, µs a packet: page open / nobody looks | supervisor, share of a core | a search: median, slowest | drawing: share of a core, longest task |',
    '| --- | --- | --- | --- | --- | --- |',
    `| ${entries} | ${eventsAMinute} | ${aPacket(looked).toFixed(1)} / ${aPacket(unlooked).toFixed(1)}: ${(aPacket(looked) / aPacket(unlooked)).toFixed(2)} × | ${share(looked)} % / ${share(unlooked)} % | ${medianMs.toFixed()} ms, ${slowestMs.toFixed()} ms | ${(found.drawnShare * 100).toFixed(1)} %, ${found.longestMs.toFixed()} ms |`,
  ].join('\n');
}

function faultsOf(outcome: Outcome, status: EngineStatus, found: Looking, eventsAMinute: number): string[] {
  const faults = [...outcome.failures, ...outcome.wrong, ...found.complaints];
  for (const [loss, count] of Object.entries(status.losses)) if (count > 0) faults.push(`${loss}: ${count}`);
  if (eventsAMinute < LEAST_EVENTS_A_MINUTE) faults.push(`only ${eventsAMinute.toFixed()} events a minute`);
  return faults;
}

async function prove(say: (line: string) => void): Promise<Findings> {
  const addresses = LOAD_CPES.map(({ address }) => address);
  const world = await World.create({ cpes: addresses, family: FAMILY, programs: join(ROOT, 'dist', 'lab') });
  let browser: Browser | undefined;
  try {
    const engine = await startEngine(world);
    const status = async (): Promise<EngineStatus> => (await engine.status()) as unknown as EngineStatus;
    const entries = sum(
      Object.fromEntries(Object.entries((await status()).tables).map(([k, { count }]) => [k, count])),
    );
    say(`${entries} entries in three tables`);
    const cast = await startCast(world, LOAD_CPES, {});
    browser = await browserIn(world);
    const load = new Load(cast, { bulkBytes: BULK_BYTES });
    const [looked, unlooked]: Spell[][] = [[], []];
    const found: Looking = { searchesMs: [], drawnShare: 0, longestMs: 0, complaints: [] };
    try {
      await pause(SPELL_MS / 2);
      for (let n = 0; n < SPELLS; n++) {
        unlooked!.push(await spell(engine, () => pause(SPELL_MS)));
        looked!.push(await spell(engine, () => lookAtIt(browser!, found)));
      }
      await takePicture(browser);
      const outcome = await load.end();
      say(`${outcome.itms + outcome.collector} sessions, ${outcome.transfers} transfers`);
      const [withPage, without] = [total(looked!), total(unlooked!)];
      const failures = faultsOf(outcome, await status(), found, (withPage.events / withPage.ms) * 60_000);
      return { failures, text: tell(withPage, without, found, entries) };
    } finally {
      load.quit();
    }
  } finally {
    await browser?.close();
    await world.close();
  }
}

export const page: Proof = {
  name: 'page',
  shows:
    'the page beside a million entries in each table and 10 000 events a minute stays quick, and the engine does not notice',
  takes: 'three minutes, root, Chromium',
  needsRoot: true,
  section: { file: 'docs/decisions/page.md', name: 'page' },
  smallest: { tests: ['test/host/page.test.ts'] },
  full: prove,
};
