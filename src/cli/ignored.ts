/** Refuses options that would do nothing beside, or without, others: they were typed for an effect. */

import { UsageError } from '../configuration/errors';

/** By command. */
type Row = readonly [command: string, option: string, other: string];

const NEEDS: readonly Row[] = [
  ['status', 'interval', 'watch'],
  ['replay', 'keep-dropped', 'output'],
];
/** Not --config beside --socket: in an emergency, nobody should have to type `pause` twice. */
const EXCLUDES: readonly Row[] = [['doctor', 'quiet', 'json']];
/** Commands that read no configuration. */
const WITHOUT_CONFIGURATION = ['lab'];

/** Short forms of the options above. */
const LETTERS: Readonly<Record<string, string>> = { config: 'c', watch: 'w', output: 'o', quiet: 'q' };

/** @param words of the command line, the command first. @throws UsageError */
export function refuseIgnored(words: readonly string[]): void {
  const [command] = words;
  const isFor = ([of]: Row) => of === command;
  const has = (option: string) => words.some((word) => isOption(word, option));
  for (const [, option, other] of NEEDS.filter(isFor)) {
    if (has(option) && !has(other)) throw new UsageError(`--${option} does nothing without --${other}`);
  }
  for (const [, option, other] of EXCLUDES.filter(isFor)) {
    if (has(option) && has(other)) throw new UsageError(`--${option} does nothing beside --${other}: use one of them`);
  }
  if (WITHOUT_CONFIGURATION.includes(command) && has('config')) {
    throw new UsageError(`--config does nothing here: ${command} has a configuration of its own`);
  }
}

function isOption(word: string, option: string): boolean {
  if (word === `--${option}` || word.startsWith(`--${option}=`)) return true;
  const letters = /^-([A-Za-z]+)/.exec(word)?.[1] ?? '';
  // The value of -c may follow at once: -cfile.
  return letters.startsWith('c') ? option === 'config' : letters.includes(LETTERS[option] ?? ' ');
}
