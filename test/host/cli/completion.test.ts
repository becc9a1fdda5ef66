/** What Tab completes in bash, by the script that `acsplit completion` prints. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMALLEST } from '../../unit/configuration/sources';

const MAIN = join(__dirname, '../../../dist/cli/main.js');
let folder: string;
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'acsplit-completion-'));
  writeFileSync(join(folder, 'acsplit.yaml'), SMALLEST);
  writeFileSync(join(folder, 'acsplit'), `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`, { mode: 0o755 });
  env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, SHELL: '/bin/bash' };
  writeFileSync(join(folder, 'script'), execFileSync('acsplit', ['completion'], { env }));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Completes the last word. */
function tab(...words: string[]): string[] {
  const script = `
    source ${folder}/script
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    $(complete -p acsplit | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script, 'bash', 'acsplit', ...words], { encoding: 'utf8', env })
    .trim()
    .split('\n');
}

test('commands, their parts, options, and names of collectors', () => {
  expect(tab('do')).toEqual(['doctor']);
  expect(tab('rules', 'in')).toEqual(['install']);
  expect(tab('config', 'sch')).toEqual(['schema']);
  expect(tab('status', '--wa')).toEqual(['--watch']);
  expect(tab('history', '-c', join(folder, 'acsplit.yaml'), '--collector', '')).toEqual(['c1']);
  expect(tab('history', '-c', '/nowhere', '--collector', '')).toEqual(['']);
});
