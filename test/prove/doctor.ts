/** doctor's findings: every fault planted for real, what told it and how soon, and whether the printed command mended it. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultRow, Told } from '../e2e/support/doctor-onlooker';
import { whichFire } from './alerts-of-scrapes';
import { ROOT, tests } from './programs';
import type { Proof } from './proof';

const TESTS = ['findings', 'engine', 'ipv6'].map((name) => `test/e2e/doctor-${name}.test.ts`);
/** A line for each fault, kept to be looked into. */
const FILE = join(ROOT, 'build', 'doctor-faults.jsonl');

export const doctor: Proof = {
  name: 'doctor',
  shows: 'every planted fault is told by doctor, and mended by the command that it printed',
  takes: '40 minutes, root',
  needsRoot: true,
  section: { file: 'docs/doctor.md', name: 'faults' },
  smallest: { tests: TESTS },
  full: async () => {
    rmSync(FILE, { force: true });
    const { failures } = await tests(TESTS, { ACSPLIT_DOCTOR_FAULTS: FILE })();
    const lines = readFileSync(FILE, 'utf8').trimEnd().split('\n');
    return { failures, text: textOf(lines.map((line) => JSON.parse(line) as FaultRow)) };
  },
};

/** Groups of tests that are no part of a fault's name. */
const GROUPS = /^(one fault, one finding, one command|faults that take more than a line to plant) /;
/** The CPEs' second half is armed by hand. */
const OF_THE_ONLOOKER = 'operator activate';
/** Nobody checks the rules in this world, and a server that goes down is degraded first, as a rule. */
const OF_THE_WORLD = 'AcsplitRulesUnchecked';
const FIRST = /^(server.)degraded$/;

/** What one channel says of a fault, in words, and the seconds or minutes after which. */
interface Said {
  words: string;
  after: number[];
}

/** Faults of which the same is said. */
interface Group {
  faults: string[];
  said: Said[][];
}

export function textOf(rows: readonly FaultRow[]): string {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const said = saidOf(row);
    const key = said.map(({ words }) => words).join(' | ');
    const group = groups.get(key) ?? { faults: [], said: [] };
    if (!group.faults.includes(nameOf(row))) group.faults.push(nameOf(row));
    group.said.push(said);
    groups.set(key, group);
  }
  const byDoctor = rows.map(({ ms }) => ms);
  const byEngine = rows.flatMap(({ seen, log, history }) => [
    ...Object.values(seen.told),
    ...[...log, ...history].map(({ ms }) => ms),
  ]);
  const late = rows.filter(({ ms }) => ms > 10_000).map((row) => `${nameOf(row)} (${inSeconds(row.ms)} s)`);
  return [
    `${rows.length} faults, one at a time; the host was healthy after each. In brackets: seconds until it was told, the slowest of a row's`,
    "faults. doctor's from its start to its end; the others' from the first of the CPEs' calls, ten a second, which went on for ten",
    'seconds; –: not told in that time, or nothing to tell. Alerts: minutes, if the fault lasts. Elsewhere: no command on this host mends it.',
    `doctor took ${inSeconds(Math.max(...byDoctor))} s at the most, the others ${inSeconds(Math.max(...byEngine))} s.`,
    ...(late.length === 0 ? [] : [`Later than ten seconds: ${late.join(', ')}.`]),
    '',
    '| faults | doctor | status | log | history | alert | mended as printed |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...[...groups.values()].map((group) => `| ${group.faults.join(', ')} | ${columnsOf(group).join(' | ')} |`),
  ].join('\n');
}

function nameOf({ fault }: FaultRow): string {
  return fault
    .replace(GROUPS, '')
    .replace(/^state directory (is|below|closed|in) /, 'state directory $1 ')
    .replace(/ mode .*/, '');
}

/** By column: doctor, status, log, history, alert, mended. */
function saidOf(row: FaultRow): Said[] {
  const { seen, log, history } = row;
  const [before, after] = seen.metrics;
  const alerts = whichFire({ before, after, seconds: seen.seconds }).filter(({ alert }) => alert !== OF_THE_WORLD);
  const status = seen.last.map((what): Told => ({ what, ms: seen.told[what] ?? NaN }));
  return [
    { words: `\`${row.check}\``, after: [row.ms / 1000] },
    firstOf(status),
    firstOf(log),
    firstOf(history),
    {
      words: alerts.map(({ alert }) => alert.replace('Acsplit', '')).join(', '),
      after: alerts.map(({ minutes }) => minutes),
    },
    { words: row.isByCommand ? 'yes' : 'elsewhere', after: [] },
  ];
}

/** Each thing that was said, once, and when first. */
function firstOf(told: readonly Told[]): Said {
  const first = new Map<string, number>();
  for (const { what, ms } of told) if (what !== OF_THE_ONLOOKER && !first.has(what)) first.set(what, ms / 1000);
  for (const what of [...first.keys()])
    if (first.has(what.replace(FIRST, '$1down'))) first.delete(FIRST.test(what) ? what : '');
  const sorted = [...first].sort(([a], [b]) => a.localeCompare(b));
  return { words: sorted.map(([what]) => what).join(', '), after: sorted.map(([, seconds]) => seconds) };
}

/** Words with the slowest of a group's times. */
function columnsOf({ said }: Group): string[] {
  return said[0]!.map(({ words, after }, column) => {
    if (words === '') return '–';
    const slowest = Math.max(...said.flatMap((one) => one[column]!.after).filter((time) => !Number.isNaN(time)));
    if (after.length === 0 || slowest === -Infinity) return words;
    return `${words} (${Number.isInteger(slowest) ? slowest : slowest.toFixed(1)})`;
  });
}

function inSeconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
