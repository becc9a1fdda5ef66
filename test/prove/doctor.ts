/** doctor's findings: every fault planted for real, what told it and how soon, and whether the printed command mended it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Scrapes, whichFire } from './alerts-of-scrapes';
import { tests } from './programs';
import type { Proof } from './proof';

const TESTS = ['findings', 'engine', 'ipv6'].map((name) => `test/e2e/doctor-${name}.test.ts`);

/** As DoctorHost notes it. */
interface Row {
  fault: string;
  check: string;
  level: 'warning' | 'failure';
  ms: number;
  isByCommand: boolean;
  /** Of onlooker.js, which began at `atMs`. */
  seen: { last: string[]; told: Record<string, number>; metrics: [string, string]; seconds: number };
  atMs: number;
  log: { event: string; level: string; time: string }[];
  history: { kind: string; time: string }[];
}

export const doctor: Proof = {
  name: 'doctor',
  shows: 'every planted fault is told by doctor, and mended by the command that it printed',
  takes: '40 minutes, root',
  needsRoot: true,
  section: { file: 'docs/doctor.md', name: 'faults' },
  smallest: { tests: TESTS },
  full: async (say) => {
    const directory = mkdtempSync(join(tmpdir(), 'acsplit-doctor-'));
    const file = join(directory, 'faults');
    try {
      const { failures } = await tests(TESTS, { ACSPLIT_DOCTOR_FAULTS: file })(say);
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
      return { failures, text: textOf(lines.map((line) => JSON.parse(line) as Row)) };
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};

/** Groups of tests that are no part of a fault's name. */
const GROUPS = /^(one fault, one finding, one command|faults that take more than a line to plant) /;
/** Lines of the log, and events of the history, that come with the mending and the planting of any fault. */
const OF_ANY = ['operator', 'ready', 'stopped', 'reload', 'engine-started', 'engine-stopped', 'reloaded'];

export function textOf(rows: readonly Row[]): string {
  /** By what is said: the faults. */
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const said = [`\`${row.check}\``, ...saidOf(row), row.isByCommand ? 'yes' : 'no'].join(' | ');
    groups.set(said, [...(groups.get(said) ?? []), row]);
  }
  const slowest = (seconds: number[]) => Math.max(...seconds).toFixed(1);
  const byDoctor = slowest(rows.map(({ ms }) => ms / 1000));
  const byEngine = rows.flatMap(({ seen }) => Object.values(seen.told)).map((ms) => ms / 1000);
  return [
    `${rows.length} faults planted for real; the host was healthy after each. doctor told each within ${byDoctor} s, the engine`,
    `what it notices within ${slowest(byEngine)} s of the first CPE's call. Alerts: those that fire if the fault lasts, and after how many minutes.`,
    '',
    '| faults | doctor | status | log | alert | history | mended as printed |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...[...groups].map(
      ([said, of]) =>
        `| ${[...new Set(of.map(({ fault }) => fault.replace(GROUPS, '').replace(/ mode .*/, '')))].join(', ')} | ${said} |`,
    ),
  ].join('\n');
}

/** What status, log, alerts and history say. */
function saidOf({ seen, log, history }: Row): string[] {
  const unique = (words: readonly string[]) => [...new Set(words)].filter((word) => !OF_ANY.includes(word));
  const logged = unique(log.map(({ event }) => event));
  const kept = unique(history.map(({ kind }) => kind));
  const [before, after] = seen.metrics;
  const scrapes: Scrapes = { before, after, seconds: seen.seconds };
  const alerts = whichFire(scrapes).map(({ alert, minutes }) => `${alert.replace('Acsplit', '')} ${minutes}`);
  return [seen.last, logged, alerts, kept].map((words) => (words.length === 0 ? '–' : words.join(', ')));
}
