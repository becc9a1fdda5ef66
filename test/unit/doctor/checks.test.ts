/** The table of doctor's checks, and what a failed one omits. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../../../src/doctor/check';
import { CHECKS, diagnose } from '../../../src/doctor/checks';
import { CONFIGURATION, plantedHost } from './planted-host';

describe('the table', () => {
  test('each check has its own name, and depends only on earlier checks', () => {
    const seen = new Set<string>();
    for (const { name, needs } of CHECKS) {
      expect(seen).not.toContain(name);
      for (const need of needs) expect([...seen]).toContain(need);
      seen.add(name);
    }
  });

  test('docs/doctor.md has a row for each check, and for nothing else', () => {
    const page = readFileSync(join(__dirname, '../../../docs/doctor.md'), 'utf8');
    const section = page.split('\n## Every check\n')[1]!.split('\n## ')[0]!;
    const rows = [...section.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name);
    expect(rows).toEqual(CHECKS.map(({ name }) => name));
  });

  test('every check that a file defines is in it', () => {
    const folder = join(__dirname, '../../../src/doctor');
    const defined = readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .flatMap((text) => [...text.matchAll(/^export const \w+: Check<.*> = \{\s+name: '([a-z-]+)'/gm)]);
    expect(defined.map(([, name]) => name).sort()).toEqual(CHECKS.map(({ name }) => name).sort());
  });

  test('every check is named by a test that plants its fault', () => {
    const tests = ['test/unit/doctor', 'test/e2e', 'test/e2e/support'].flatMap((folder) =>
      readdirSync(join(__dirname, '../../..', folder))
        .filter((name) => /(\.test|-rows)\.ts$/.test(name) && (folder.endsWith('doctor') || name.startsWith('doctor')))
        .map((name) => readFileSync(join(__dirname, '../../..', folder, name), 'utf8')),
    );
    const isNamed = (name: string) => tests.some((text) => text.includes(`'${name}'`));
    expect(CHECKS.map(({ name }) => name).filter((name) => !isNamed(name))).toEqual([]);
  });
});

describe('what needs a check that failed is not looked at', () => {
  const make = (name: string, level: 'failure' | 'warning' | undefined, needs: string[] = []) =>
    row({
      name,
      needs,
      look: () => undefined,
      judge: () => (level === undefined ? [] : [{ level, says: 'wrong', mend: 'true' }]),
      fine: () => 'fine',
    });

  test('nor do checks that depend on those; a warning stops none', async () => {
    const table = [
      make('a', 'failure'),
      make('b', 'warning'),
      make('c', undefined, ['a']),
      make('d', undefined, ['c']),
      make('e', undefined, ['b']),
    ];
    const { findings: found, omitted } = await diagnose(plantedHost(), CONFIGURATION, table);
    expect(found).toEqual([
      { check: 'a', level: 'failure', message: 'wrong', mend: 'true' },
      { check: 'b', level: 'warning', message: 'wrong', mend: 'true' },
      { check: 'e', level: 'ok', message: 'fine', mend: null },
    ]);
    expect(omitted).toEqual([
      { check: 'c', until: 'a' },
      { check: 'd', until: 'c' },
    ]);
  });
});
