/** Instances that are a program: they run with this process's terminal, and hold where it exits 0. */
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { Findings } from './proof';

/** It has no limits of its own. */
type Run = () => Promise<Findings>;

export const ROOT = resolve(__dirname, '..', '..');

/** @param environment is added to this process's */
export function program(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Run {
  return async () => {
    const [file, ...rest] = words;
    const child = spawn(file!, rest, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...environment } });
    const status = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? signal));
    });
    return { failures: status === 0 ? [] : [`${words.join(' ')}: ended with ${status}`] };
  };
}

/** A TypeScript file of the project. */
export function script(file: string, ...words: string[]): Run {
  return program([process.execPath, '-r', join(ROOT, 'scripts', 'typescript.js'), join(ROOT, file), ...words]);
}

/** Test files, under an environment that makes them do more. */
export function tests(paths: readonly string[], environment: NodeJS.ProcessEnv = {}): Run {
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const projects = ['--selectProjects', 'deep', 'host', 'e2e'];
  return program([process.execPath, jest, '--maxWorkers=1', ...projects, '--runTestsByPath', ...paths], environment);
}
