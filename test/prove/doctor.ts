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
  const lines = checks.map((name) => {
    const own = rows.filter(({ check }) => check === name);
    const told = Math.max(...own.map(({ ms }) => ms)) / 1000;
    const elsewhere = own.filter(({ isByCommand }) => !isByCommand).length;
    const mended = elsewhere === 0 ? 'all' : elsewhere === own.length ? 'none, but elsewhere' : `all but ${elsewhere}`;
    return `| \`${name}\` | ${own.length} | ${told.toFixed(1)} | ${mended} |`;
  });
  return [
    `${rows.length} faults planted for real; the host was healthy after each.`,
    '',
    '| check | faults | told within, s | mended by the printed command |',
    '| --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
