/** The figures of loads as text: one load as lines, all of them as the table in docs/scale.md. */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { writeBetweenMarks } from '../prove/marks';
import { type Figures, LOADS, measure, SCENES } from './measure';

const ROOT = resolve(__dirname, '..', '..');
const MEBIBYTE = 2 ** 20;
const NS = 1e9;

/** A name and its text for one load. */
type Row = [name: string, text: string];
/** Printed for one load, and not worth a row of the table. */
const DETAILS = [
  'packets in the busiest second',
  'packets a batch',
  'share of one core, sweeping',
  'the same, in the busiest second',
  'memory of the tables',
];

export function describeFigures(figures: Figures): string {
  return rowsOf(figures)
    .map(([name, text]) => `${name.padEnd(44)}${text}`)
    .join('\n');
}

/** Prints the table, and puts it into docs/scale.md where `isWritten`. */
export function measureAll(isWritten: boolean): void {
  const text = tableOfLoads();
  console.log(text);
  if (isWritten) writeBetweenMarks(join(ROOT, 'docs', 'scale.md'), 'loads', text);
}

export function tableOfLoads(): string {
  const all = LOADS.map((load) => rowsOf(measure(load)).filter(([name]) => !DETAILS.includes(name)));
  const lines = all[0]!.map(([name], row) => `| ${[name, ...all.map((rows) => rows[row]![1])].join(' | ')} |`);
  lines.splice(1, 0, `| --- |${' ---: |'.repeat(all.length)}`);
  return [...lines, '', machine()].join('\n');
}

function rowsOf(figures: Figures): Row[] {
  const { load, cpes, packetsPerSecond, decideNs, peaks, capacityEntries } = figures;
  const { what, fullCpes, cpes: usualCpes } = SCENES[load];
  // A storm cannot be had at its full rate with fewer CPEs.
  const times = load === 'storm' ? fullCpes / cpes : 1;
  const full = (value: number, text: (value: number) => string) =>
    times === 1 ? text(value) : `${text(value)}; extrapolated ${text(value * times)}`;
  const words = cpes === usualCpes ? '' : ` --cpes ${cpes}`;
  const cores = (packets: number) => full((packets * decideNs) / NS, percent);
  const entries = (count: number) => full(count, (value) => `${whole(value)} (${percent(value / capacityEntries)})`);
  return [
    ['load', what],
    ['printed by', `\`npm run sim -- --load ${load}${words}\``],
    ['CPEs simulated', whole(cpes) + simulatedHow(load, cpes, fullCpes)],
    ['sessions/s', full(figures.sessionsPerSecond, whole)],
    ['Connection Requests/s', full(figures.requestsPerSecond, whole)],
    ['packets/s', full(packetsPerSecond, whole)],
    ['packets in the busiest second', full(figures.peakPacketsPerSecond, whole)],
    ['packets a batch', figures.packetsPerBatch.toFixed(1)],
    ['deciding, ns a packet', whole(decideNs)],
    ['share of one core, deciding', cores(packetsPerSecond)],
    ['the same, in the busiest second', cores(figures.peakPacketsPerSecond)],
    ['share of one core, sweeping', percent(figures.sweepNs / NS)],
    ['`connectionRequests` at the most', entries(peaks.requests)],
    ['`activatedCpes` at the most', entries(peaks.activations)],
    ['`reportConnections` at the most', entries(peaks.reports)],
    ['memory of the tables', `${whole(figures.tableBytes / MEBIBYTE)} MiB for ${whole(capacityEntries)} entries each`],
  ];
}

function simulatedHow(load: string, cpes: number, fullCpes: number): string {
  if (cpes === fullCpes) return ', all of them';
  if (load === 'storm') return `, the rest extrapolated`;
  return `, each ${Number((fullCpes / cpes).toPrecision(3))} times as often`;
}

function machine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  return `${cpus()[0]!.model}, Node ${process.versions.node}, commit ${commit}.`;
}

/** Thousands apart, by a space. */
function whole(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ');
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(2)} %`;
}
