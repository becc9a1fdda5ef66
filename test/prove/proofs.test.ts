/** The list of proofs, and the smallest instance of those that any user can run. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './programs';
import { PROOFS } from './proofs';
import { MAIN, testProofs } from './smallest';

jest.setTimeout(300_000);

test('npm run prove lists every proof in a line of its own', () => {
  const lines = execFileSync(process.execPath, MAIN, { encoding: 'utf8' }).trimEnd().split('\n');
  expect(lines.map((line) => line.split(' ')[0])).toEqual(PROOFS.map(({ name }) => name));
});

test('no two proofs have one name', () => {
  expect(new Set(PROOFS.map(({ name }) => name)).size).toBe(PROOFS.length);
});

test.each(PROOFS.flatMap(({ name, section }) => (section === undefined ? [] : [[name, section] as const])))(
  '%s: its section is in the docs',
  (_name, { file, name }) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(
      new RegExp(`<!-- begin ${name} -->[^]*<!-- end ${name} -->`),
    );
  },
);

test('a name that is none is refused', () => {
  expect(() => execFileSync(process.execPath, [...MAIN, 'nothing'], { stdio: 'pipe' })).toThrow(
    "there is no proof 'nothing'; npm run prove lists them",
  );
});

testProofs(false);
