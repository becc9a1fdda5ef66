/** Independent programs used as oracles. When one is missing its tests are skipped by name; CI must have them all. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const SYSTEM_PYTHON = '/usr/bin/python3';
/** The system's own where there is one: another in PATH may be a version manager's, which is a shell script in front. */
export const PYTHON = existsSync(SYSTEM_PYTHON) ? SYSTEM_PYTHON : 'python3';

export function isInstalled(program: string): boolean {
  const found = spawnSync('which', [program]).status === 0;
  if (!found && process.env.CI === 'true') throw new Error(`${program} is not installed, and CI=true wants every test`);
  return found;
}

/** `describe`, or, without the program, `describe.skip` with a title that says so. */
export function describeWith(program: string, title: string, tests: () => void): void {
  if (isInstalled(program)) describe(title, tests);
  else describe.skip(`${title} (skipped: ${program} is not installed)`, tests);
}

/** Runs a program to its end and returns what it printed. Throws with its error output when it fails. */
export function runTool(program: string, words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr || `status ${status}`}`);
  return stdout;
}
