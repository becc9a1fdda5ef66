/** TypeScript of this checkout, compiled by tsc as for the release, into a temporary folder for child processes. */
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '..', '..');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** Compiles the programs that tsconfig.programs.json names. Returns the path of this one's JavaScript. @param file from the root on */
export function compile(file: string, folder: string): string {
  execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'test', 'tsconfig.programs.json'), '--outDir', folder]);
  return resolve(folder, file.replace(/\.ts$/, '.js'));
}
