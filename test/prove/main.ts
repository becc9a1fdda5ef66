/**
 * `npm run prove`: lists the proofs. `npm run prove NAME` runs one in full and writes its section of the docs;
 * `npm run prove NAME -- --smallest` runs what `npm test` runs of it, and writes nothing. `-- --repeat 50 --minutes 60`: for
 * proofs that repeat something, how often, and when to end with what there is; Ctrl-C ends it alike. Progress goes to standard
 * error. Exit status: 0 the claim holds, 1 it does not, 2 no such proof.
 */
import { join } from 'node:path';
import { writeBetweenMarks } from './marks';
import type { Limits, Proof } from './proof';
import { ROOT, tests } from './programs';
import { PROOFS } from './proofs';

const USAGE = 'usage: npm run prove [NAME [-- --smallest | [--repeat N] [--minutes N]]]';

interface Wanted extends Limits {
  isSmallest: boolean;
}

function list(): void {
  const width = Math.max(...PROOFS.map(({ name }) => name.length));
  for (const { name, shows, takes } of PROOFS) console.log(`${name.padEnd(width)}  ${shows} (${takes})`);
}

async function prove({ smallest, full, section }: Proof, { isSmallest, ...limits }: Wanted): Promise<boolean> {
  const instance = isSmallest ? smallest : full;
  const run = 'tests' in instance ? tests(instance.tests) : instance;
  const { failures, text, isCounted } = await run((line) => console.error(line), limits);
  for (const line of failures) console.log(`FAILED ${line}`);
  if (text !== undefined) console.log(text);
  if ((failures.length === 0 || isCounted === true) && !isSmallest && section !== undefined && text !== undefined) {
    writeBetweenMarks(join(ROOT, section.file), section.name, text);
    console.log(`written: '${section.name}' of ${section.file}`);
  }
  return failures.length === 0;
}

/** Undefined: not understood. */
function wantedBy(options: readonly string[]): Wanted | undefined {
  const wanted: Wanted = { isSmallest: options[0] === '--smallest', times: undefined, isOver: () => false };
  if (wanted.isSmallest) return options.length === 1 ? wanted : undefined;
  let endMs = Infinity;
  for (let at = 0; at < options.length; at += 2) {
    const value = Number(options[at + 1]);
    if (!(value > 0)) return undefined;
    if (options[at] === '--repeat') wanted.times = value;
    else if (options[at] === '--minutes') endMs = Date.now() + value * 60_000;
    else return undefined;
  }
  return { ...wanted, isOver: overAt(endMs) };
}

/** From its first call on, a first Ctrl-C only ends the proof; a second one ends the process. */
function overAt(endMs: number): () => boolean {
  let isHeard = false;
  let isInterrupted = false;
  return () => {
    if (!isHeard) process.once('SIGINT', () => (isInterrupted = true));
    isHeard = true;
    return isInterrupted || Date.now() >= endMs;
  };
}

async function main([name, ...options]: string[]): Promise<number> {
  if (name === undefined) {
    list();
    return 0;
  }
  const proof = PROOFS.find((one) => one.name === name);
  const wanted = wantedBy(options);
  if (proof === undefined || wanted === undefined) {
    console.error(proof === undefined ? `there is no proof '${name}'; npm run prove lists them` : USAGE);
    return 2;
  }
  return (await prove(proof, wanted)) ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (status) => (process.exitCode = status),
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
