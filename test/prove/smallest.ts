/** `npm test` runs the smallest instance of each proof once: here, or as the test file that it names. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './programs';
import { PROOFS } from './proofs';

export const MAIN = ['-r', join(ROOT, 'scripts', 'typescript.js'), join(ROOT, 'test', 'prove', 'main.ts')];

function run(words: string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--no-deprecation', ...words], { cwd: ROOT });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (status) => resolve({ status, output }));
  });
}

/** Each in a process of its own, as by hand. @param needsRoot which of the proofs */
export function testProofs(needsRoot: boolean): void {
  const some = PROOFS.filter((proof) => proof.needsRoot === needsRoot);
  const files = some.flatMap(({ name, smallest }) =>
    'tests' in smallest ? smallest.tests.map((file) => [name, file] as const) : [],
  );
  const alone = some.filter(({ smallest }) => !('tests' in smallest)).map(({ name }) => name);

  test.each(files)('%s: its smallest instance is the test %s', (_name, file) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
  });

  test.each(alone)('%s: its smallest instance holds', async (name) => {
    const { status, output } = await run([...MAIN, name, '--smallest']);
    expect({ status, output: status === 0 ? '' : output }).toEqual({ status: 0, output: '' });
  });
}
