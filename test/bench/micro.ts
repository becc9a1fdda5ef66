/** The core by itself: the cost of a decision, a look-up and a sweep step, each measured in its own process. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type DecideOptions, type DecideRow } from './decide-run';
import { figure, table } from './numbers';
import { type Series } from './plot';
import { type TableAnswer } from './tables-run';

/** A young generation that holds a round's litter, if there were any. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=64', '--min-semi-space-size=64'];
const LIVE_ENTRIES = 100_000;
const LIVE_CAPACITY = 1_048_576;
const CACHED = { entries: 1000, capacity: 2048 };
const LIMIT_NS = 150;
/** Rows of 64 bytes at a load of 75 %. */
const LIMIT_BYTES = 86;
const PROCESSES = 5;
const TABLE_PROCESSES = 3;
const MIXED = 'mixed';

export interface Micro {
  text: string;
  /** Rows of the table of targets: what, target, measured, whether it is met. */
  targets: [string, string, string, boolean][];
  growth: { entries: Series[]; collectors: Series[] };
}

/** Look-ups are the least of several processes, the rest is the first one's. */
interface TableRuns extends TableAnswer {
  /** ns of a look-up that finds, of each process. */
  hits: number[];
}

export class MicroBench {
  /** @param folder of the compiled programs */
  constructor(
    private readonly folder: string,
    private readonly isQuick: boolean,
  ) {}

  private async ask<Answer>(program: string, options: object): Promise<Answer> {
    const argv = [...FLAGS, `${this.folder}/test/bench/${program}.js`, JSON.stringify(options)];
    const { stdout } = await promisify(execFile)(process.execPath, argv, { maxBuffer: 16 << 20 });
    return JSON.parse(stdout) as Answer;
  }

  private decide(change: Partial<DecideOptions> = {}): Promise<DecideRow[]> {
    const rounds = this.isQuick ? 1 : 5;
    const options = { rounds, entries: LIVE_ENTRIES, capacity: LIVE_CAPACITY, collectors: 1, ...change };
    return this.ask<DecideRow[]>('decide-run', options);
  }

  private async tables(entries: number): Promise<TableRuns> {
    const runs: TableAnswer[] = [];
    for (let i = 0; i < (this.isQuick ? 1 : TABLE_PROCESSES); i++)
      runs.push(await this.ask<TableAnswer>('tables-run', { entries, sweeps: entries === 1_000_000 }));
    const hits = runs.map(({ hitNs }) => hitNs);
    const missNs = Math.min(...runs.map((run) => run.missNs));
    return { ...runs[0], hitNs: Math.min(...hits), missNs, hits };
  }

  async run(): Promise<Micro> {
    const runs: DecideRow[][] = [];
    // The mix uses memory bandwidth shared with other machines on this host; its cost is the undisturbed one.
    for (let i = 0; i < (this.isQuick ? 1 : PROCESSES); i++) runs.push(await this.decide());
    const rows = least(runs);
    const hot = await this.decide(CACHED);
    const sizes = this.isQuick ? [10_000, 1_000_000] : [10_000, 1_000_000, 10_000_000];
    const answers: TableRuns[] = [];
    for (const size of sizes) answers.push(await this.tables(size));
    const growth = await this.grow(sizes, rows);
    const targets = [...decideTargets(rows, runs), ...tableTargets(sizes, answers)];
    // The targets hold what comes of it.
    process.stderr.write(`${tablesText(sizes, answers)}\n`);
    return { targets, growth, text: decideText(rows, hot) };
  }

  private async grow(sizes: readonly number[], rows: DecideRow[]): Promise<Micro['growth']> {
    const rounds = this.isQuick ? 1 : 3;
    const bySize: DecideRow[][] = [];
    for (const entries of sizes)
      bySize.push(await this.decide({ rounds, entries, capacity: Math.max(entries, LIVE_CAPACITY) }));
    const byCollectors = [rows];
    for (const collectors of [10, 100]) byCollectors.push(await this.decide({ rounds, collectors }));
    return { entries: seriesOf(sizes, bySize), collectors: seriesOf([1, 10, 100], byCollectors) };
  }
}

/** Kind by kind, the least of several processes. */
function least(runs: readonly DecideRow[][]): DecideRow[] {
  const of = (kind: number, value: (row: DecideRow) => number) => Math.min(...runs.map((rows) => value(rows[kind])));
  return runs[0].map((row, kind) => ({ ...row, ns: of(kind, ({ ns }) => ns), bytes: of(kind, ({ bytes }) => bytes) }));
}

/** One line per kind of packet that looks into a table, and the mix. */
function seriesOf(x: readonly number[], answers: readonly DecideRow[][]): Series[] {
  const names = [MIXED, 'CPE, diverted connection', 'CPE, undiverted connection'];
  return names.map((name) => ({
    name,
    points: answers.map((rows, i) => [x[i], rows.find((row) => row.name === name)!.ns]),
  }));
}

function decideText(rows: readonly DecideRow[], hot: readonly DecideRow[]): string {
  const cells = rows.map(({ name, ns, reason }, i) => [name, figure(ns), figure(hot[i].ns), reason]);
  return [
    `**A decision**, ${LIVE_ENTRIES} live entries in each table of ${LIVE_CAPACITY}, batches of 64; the median batch, the`,
    `least of ${PROCESSES} processes:`,
    '',
    table(['packet', 'ns', 'tables in the cache, ns', 'reason'], cells),
    '',
    `The third column is the same with ${CACHED.entries} entries in tables of ${CACHED.capacity}: what the instructions cost. The`,
    'rest of the second is waiting for memory, a cold line or two a packet.',
  ].join('\n');
}

function tablesText(sizes: readonly number[], answers: readonly TableRuns[]): string {
  const looks = answers.map(({ bytesPerEntry, hitNs, missNs }, i) => [
    figure(sizes[i]),
    bytesPerEntry.toFixed(1),
    figure(hitNs),
    figure(missNs),
  ]);
  const operations = [...new Set(answers.flatMap(({ slowest }) => slowest.map(({ name }) => name)))];
  const slowest = operations.map((operation) => [
    operation,
    ...answers.map((answer) => {
      const row = answer.slowest.find(({ name }) => name === operation);
      return row === undefined ? '–' : `${figure(row.medianUs)}, ${figure(row.slowestUs)}`;
    }),
  ]);
  const counts = answers.flatMap(({ slowest }) => slowest.map(({ count }) => count));
  return [
    `**The report table**, filled to its capacity; look-ups the least of ${TABLE_PROCESSES} processes:`,
    '',
    table(['entries', 'bytes an entry', 'found, ns', 'not found, ns'], looks),
    '',
    `One operation at a time, ${figure(Math.min(...counts))} times or more, the quickest of three from the same state: median and`,
    'slowest in µs, by entries. A sweep step is one of the engine, over all tables.',
    '',
    table(['operation', ...sizes.map((size) => figure(size))], slowest),
  ].join('\n');
}

function decideTargets(rows: readonly DecideRow[], runs: readonly DecideRow[][]): Micro['targets'] {
  const nsOf = (all: readonly DecideRow[]) => all.find(({ name }) => name === MIXED)!.ns;
  const each = runs.map((run) => figure(nsOf(run))).join(' ');
  const ns = nsOf(rows);
  const bytes = Math.max(...rows.map((row) => row.bytes));
  return [
    ['decide, all rules, mixed packets', `≤ ${LIMIT_NS} ns`, `${figure(ns)} ns (${each})`, ns <= LIMIT_NS],
    // The heap's own bookkeeping rounds to less than a word for a batch of 64.
    ['decide, all rules, any packet', '0 bytes allocated', `${bytes.toFixed(2)} bytes`, bytes < 0.05],
  ];
}

function tableTargets(sizes: readonly number[], answers: readonly TableRuns[]): Micro['targets'] {
  const bytes = Math.max(...answers.map((answer) => answer.bytesPerEntry));
  const growth = answers.slice(1).map(({ hitNs, hits }) => ({
    times: hitNs / answers[0].hitNs,
    each: hits.map((ns) => figure(ns)).join(' '),
  }));
  const steps = answers.flatMap(({ slowest }) => slowest);
  const slowestUs = Math.max(...steps.map((step) => step.slowestUs));
  const largest = figure(sizes[sizes.length - 1]);
  return [
    [
      `report table, ${largest} entries`,
      `≤ ${LIMIT_BYTES} bytes an entry`,
      `${bytes.toFixed(1)} bytes`,
      bytes <= LIMIT_BYTES,
    ],
    ...growth.map(({ times, each }, i): Micro['targets'][number] => {
      const measured = `${times.toFixed(1)} × (${each} ns)`;
      return [`look-up among ${figure(sizes[i + 1])}`, '≤ 3 × among 10 000', measured, times <= 3];
    }),
    ['any operation or sweep step', '≤ 100 µs', `${figure(slowestUs)} µs`, slowestUs <= 100],
  ];
}
