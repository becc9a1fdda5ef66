/**
 * What a decision costs: ns and bytes of heap a packet with 100 000 live entries in every table, by kind of packet and
 * mixed; and what a look-up costs in tables of ten thousand to ten million entries.
 *
 *     node scripts/run-ts.js test/bench/decide.ts [rounds]
 *
 * Compiles the core as the build does and measures it in a process of its own (decide-run.ts). The kinds take turns,
 * round by round; medians are shown, and the machine decides the rest: compare only what one run has printed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from '../support/compiled';

const rounds = process.argv[2] ?? '5';
const folder = mkdtempSync(join(tmpdir(), 'acsplit-bench-'));
const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8', cwd: __dirname }).trim();
const machine = `${cpus()[0].model}, ${cpus().length} cores, load ${loadavg()[0]}`;
process.stdout.write(`${machine}; Linux ${release()}; Node ${process.version}; ${commit}\n`);
try {
  const program = compile('test/bench/decide-run.ts', folder);
  // A young generation that holds a round's litter, if there were any.
  const flags = ['--expose-gc', '--max-semi-space-size=64', '--min-semi-space-size=64'];
  execFileSync(process.execPath, [...flags, program, rounds], { stdio: 'inherit' });
} finally {
  rmSync(folder, { recursive: true });
}
