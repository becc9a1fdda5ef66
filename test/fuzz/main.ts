/**
 * npm run fuzz -- [--seconds N] [--seed N]: fuzzes the splitter for as long as you like, and stops at the first input
 * that breaks something, which it prints as a file for test/fuzz/corpus/.
 */
import { parseArgs } from 'node:util';
import { Fuzzer } from './fuzzer';

const USAGE = 'usage: npm run fuzz -- [--seconds N] [--seed N]';
const STEP = 1000;
const PROGRESS_MS = 10_000;

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${text} is no whole number`);
  return Number(text);
}

function main(): void {
  let seconds, seed;
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
    seconds = wholeNumber(values.seconds ?? '60');
    seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  process.stdout.write(`seed ${seed}\n`);
  const startedMs = performance.now();
  let toldMs = startedMs;
  try {
    const fuzzer = new Fuzzer(seed);
    while (performance.now() - startedMs < seconds * 1000) {
      fuzzer.run(STEP);
      if (performance.now() - toldMs < PROGRESS_MS) continue;
      toldMs = performance.now();
      process.stdout.write(`${fuzzer.inputs} inputs, ${fuzzer.reasons.size} reasons\n`);
    }
    process.stdout.write(`${fuzzer.inputs} inputs in ${seconds} s, ${fuzzer.reasons.size} reasons: nothing found\n`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

main();
