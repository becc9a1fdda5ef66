/**
 * `npm run bench`: acsplit beside the alternatives, and the core by itself. Needs root, on Debian; writes
 * docs/benchmarks.md and its pictures. `npm run bench -- quick`: the same in under two minutes, printed on the
 * terminal. `npm run bench -- carried`: acsplit with the fast path beside the kernel's own means, in less than ten
 * minutes; replaces that section of the page. `carried quick`: one round, printed. `cluster` and `cluster quick` alike: the
 * engine alone and as one of a cluster.
 *
 * All candidates are measured in turn within one run. They share the machine's cores with the endpoints, so only ratios
 * mean anything.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CarriedBench } from './carried';
import { ClusterBench } from './cluster';
import { compile } from '../support/compiled';
import { MicroBench } from './micro';
import { NetworkBench } from './network';
import { median, range, table } from './numbers';
import { plot } from './plot';
import { profile } from './profile';
import { publish, ReplayBench } from './replay';
import { ROOT } from './rig';
import { type Target } from './rounds';

const words = process.argv.slice(2);
const isQuick = words.includes('quick');
const only = words.find((word) => word === 'carried' || word === 'cluster');
const ROUNDS = isQuick ? 1 : Number(process.env.BENCH_ROUNDS ?? 5);
/** Of acsplit and C, bulk, small packets and latency. */
const CLOSE_ROUNDS = isQuick ? 1 : 15;
const MEASURE_MS = isQuick ? 700 : 1500;
/** The second is long enough to hide our start-up. */
const REPLAY_PACKETS = isQuick ? [200_000] : [1_000_000, 3_000_000];
const REPLAY_TARGET = 2;
const CARRIED_MS = isQuick ? 700 : 1000;
/** At 140 sessions a second, and ticks of 10 ms. */
const CLUSTER_MS = isQuick ? 1000 : 4000;
const NOTES = join(__dirname, 'notes.md');

function build(folder: string): void {
  compile('test/bench/decide-run.ts', folder);
  // The addon and npm's packages are looked up beside src/.
  for (const name of ['build', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name));
  const cc = (source: string, program: string, ...libraries: string[]) =>
    execFileSync('gcc', ['-O2', '-o', join(folder, program), join(__dirname, source), ...libraries]);
  cc('load.c', 'load');
  cc('peers/rewriter.c', 'rewriter', '-lnetfilter_queue', '-lmnl');
}

/** The figures of a million packets also go into docs/replay.md. */
function replayTarget(count: number): Target {
  const { ratios, text } = new ReplayBench(count).run(ROUNDS);
  if (count === 1_000_000) publish(text);
  const ratio = median(ratios);
  const packets = `${count / 1e6} million packets`;
  return [
    `replay, ${packets}: tcprewrite`,
    '≥ 2 ×',
    `${ratio.toFixed(2)} × (${range(ratios)})`,
    ratio >= REPLAY_TARGET,
  ];
}

function machine(milliseconds: number): string {
  const git = (...words: string[]) => execFileSync('git', words, { cwd: ROOT, encoding: 'utf8' }).trim();
  const load = loadavg()[0].toFixed(1);
  return [
    `${cpus().length} cores of ${cpus()[0].model}, load ${load} at the start; Linux ${release()}; Node ${process.version};`,
    `commit ${git('describe', '--always', '--dirty')}; ${new Date().toISOString().slice(0, 10)};`,
    `${ROUNDS} round${ROUNDS === 1 ? '' : 's'} of ${milliseconds / 1000} s.`,
  ].join('\n');
}

function verdicts(targets: readonly Target[]): string {
  const rows = targets.map(([what, target, measured, isMet]) => [what, target, measured, isMet ? 'yes' : '**no**']);
  return table(['what', 'target', 'measured', 'met'], rows);
}

/** The page's section on the fast path. */
async function carried(folder: string): Promise<string> {
  const introduction = machine(CARRIED_MS);
  const { text, targets } = await new CarriedBench(folder, ROUNDS, CARRIED_MS).run();
  const remark =
    'Half of the sessions diverted, 100 000 live entries in every table; the engine has run for some seconds, so that its JavaScript is compiled. Ratios: fastPath on by the peer.';
  return section('carried', ['## The fast path', introduction, remark, verdicts(targets), text]);
}

/** The page's section on what a cluster costs. */
async function cluster(folder: string): Promise<string> {
  const introduction = machine(CLUSTER_MS);
  const { text, targets } = await new ClusterBench(folder, ROUNDS, CLUSTER_MS).run();
  const remark =
    'The same engine without `cluster`, and with it and two stores on the same machine, which take their share of its cores. The engine is supervisor, worker and cluster process. Half of the sessions diverted, 100 000 live entries in every table. Ratios: with by without, of each round.';
  return section('cluster', ['## A cluster of routers', introduction, remark, verdicts(targets), text]);
}

/** Between lines by which it is found again. */
function section(name: string, parts: readonly string[]): string {
  return [`<!-- ${name} -->`, ...parts, `<!-- /${name} -->`].join('\n\n');
}

function format(page: string): void {
  execFileSync(join(ROOT, 'node_modules', '.bin', 'prettier'), ['--write', page], { stdio: 'ignore' });
}

/** Replaces the section in the page as it is. */
function publishSection(name: string, section: string): void {
  const page = join(ROOT, 'docs', 'benchmarks.md');
  const text = readFileSync(page, 'utf8');
  const end = `<!-- /${name} -->`;
  const [from, to] = [text.indexOf(`<!-- ${name} -->`), text.indexOf(end) + end.length];
  writeFileSync(page, text.slice(0, from) + section + text.slice(to));
  format(page);
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'acsplit-bench-'));
  try {
    const introduction = machine(MEASURE_MS);
    build(folder);
    if (only !== undefined) {
      const text = await (only === 'carried' ? carried(folder) : cluster(folder));
      return isQuick ? void process.stdout.write(`${text}\n`) : publishSection(only, text);
    }
    const sections = [await carried(folder), await cluster(folder)];
    const network = await new NetworkBench(folder, ROUNDS, CLOSE_ROUNDS, MEASURE_MS).run();
    const profiled = isQuick ? 'Not sampled in a quick run.' : await profile(folder, MEASURE_MS);
    // Where the process's time goes, for those who change it. The page has the results.
    process.stderr.write(`${profiled}\n`);
    const micro = await new MicroBench(folder, isQuick).run();
    const targets: Target[] = [...network.targets, ...micro.targets, ...REPLAY_PACKETS.map(replayTarget)];
    process.stderr.write(`${Math.round(performance.now() / 1000)} s in all\n`);
    const page = [
      '# Benchmarks',
      '<!-- Written by `npm run bench`; not to be edited. The remarks at the end stand in test/bench/notes.md. -->',
      ...sections,
      '## Without the fast path',
      introduction,
      `${CLOSE_ROUNDS} rounds of bulk, small packets and latency beside C.`,
      'Ratios are acsplit by the peer: the median of the rounds, the least and the greatest.',
      verdicts(targets),
      '## Peers',
      network.text,
      '## The core by itself',
      micro.text,
      '## Growth',
      '![ns a packet by live entries](benchmarks-entries.svg)',
      '![ns a packet by collectors](benchmarks-collectors.svg)',
    ].join('\n\n');
    if (isQuick) return void process.stdout.write(`${page}\n`);
    const { entries, collectors } = micro.growth;
    const docs = (name: string) => join(ROOT, 'docs', name);
    const unit = 'ns a packet';
    writeFileSync(
      docs('benchmarks-entries.svg'),
      plot('A decision by live entries', 'live entries in each table', unit, entries),
    );
    writeFileSync(docs('benchmarks-collectors.svg'), plot('A decision by collectors', 'collectors', unit, collectors));
    writeFileSync(docs('benchmarks.md'), `${page}\n\n${execFileSync('cat', [NOTES], { encoding: 'utf8' })}`);
    format(docs('benchmarks.md'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
