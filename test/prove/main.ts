/**
 * `npm run prove`: lists the proofs. `npm run prove NAME` runs one in full and writes its section of the docs;
 * `npm run prove NAME -- --smallest` runs what `npm test` runs of it, and writes nothing. Exit status: 0 the claim holds,
 * 1 it does not, 2 no such proof.
 */
import { join } from 'node:path';
import { writeBetweenMarks } from './marks';
import type { Proof } from './proof';
import { ROOT, tests } from './programs';
import { PROOFS } from './proofs';

const USAGE = 'usage: npm run prove [NAME [-- --smallest]]';

function list(): void {
  const width = Math.max(...PROOFS.map(({ name }) => name.length));
  for (const { name, shows, takes } of PROOFS) console.log(`${name.padEnd(width)}  ${shows} (${takes})`);
}

async function prove({ smallest, full, section }: Proof, isSmallest: boolean): Promise<boolean> {
  const instance = isSmallest ? smallest : full;
  const run = 'tests' in instance ? tests(instance.tests) : instance;
  const { failures, text } = await run((line) => console.log(line));
  for (const line of failures) console.log(`FAILED ${line}`);
  if (text !== undefined) console.log(text);
  if (failures.length === 0 && !isSmallest && section !== undefined && text !== undefined) {
    writeBetweenMarks(join(ROOT, section.file), section.name, text);
    console.log(`written: '${section.name}' of ${section.file}`);
  }
  return failures.length === 0;
}

async function main([name, ...options]: string[]): Promise<number> {
  if (name === undefined) {
    list();
    return 0;
  }
  const proof = PROOFS.find((one) => one.name === name);
  const isUnderstood = options.length === 0 || (options.length === 1 && options[0] === '--smallest');
  if (proof === undefined || !isUnderstood) {
    console.error(proof === undefined ? `there is no proof '${name}'; npm run prove lists them` : USAGE);
    return 2;
  }
  return (await prove(proof, options.length === 1)) ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (status) => (process.exitCode = status),
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
