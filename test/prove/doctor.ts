/** doctor's findings: every fault planted for real, how soon it was told, and whether the printed command mended it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tests } from './programs';
import type { Proof } from './proof';

const TESTS = ['findings', 'engine'].map((name) => `test/e2e/doctor-${name}.test.ts`);

/** As DoctorHost notes it. */
interface Row {
  fault: string;
  check: string;
  ms: number;
  isByCommand: boolean;
}

export const doctor: Proof = {
  name: 'doctor',
  shows: 'every planted fault is told by doctor, and mended by the command that it printed',
  takes: '5 minutes, root',
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

function textOf(rows: readonly Row[]): string {
  const checks = [...new Set(rows.map(({ check }) => check))];
  /** The checks of each kind of outcome, with their faults and the longest time until one was told. */
  const groups = new Map<string, string[]>();
  for (const name of checks) {
    const own = rows.filter(({ check }) => check === name);
    const seconds = (Math.max(...own.map(({ ms }) => ms)) / 1000).toFixed(1);
    const elsewhere = own.filter(({ isByCommand }) => !isByCommand).length;
    const mended = elsewhere === 0 ? 'all' : elsewhere === own.length ? 'none, but elsewhere' : `all but ${elsewhere}`;
    groups.set(mended, [...(groups.get(mended) ?? []), `\`${name}\` ${own.length} (${seconds})`]);
  }
  return [
    `${rows.length} faults planted for real; the host was healthy after each.`,
    '',
    '| faults by check (told within, s) | mended by the printed command |',
    '| --- | --- |',
    ...[...groups].map(([mended, these]) => `| ${these.join(', ')} | ${mended} |`),
  ].join('\n');
}
