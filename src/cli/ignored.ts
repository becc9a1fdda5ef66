/** Options that would do nothing in the company they are in: refused, because whoever types one expects an effect. */

import { UsageError } from '../configuration/errors';

/** By command; `*` for all. */
type Row = readonly [command: string, option: string, other: string];

const NEEDS: readonly Row[] = [
  ['status', 'interval', 'watch'],
  ['replay', 'keep-dropped', 'output'],
];
const EXCLUDES: readonly Row[] = [
  ['doctor', 'quiet', 'json'],
  ['*', 'config', 'socket'],
  // `rules remove --instance` also reads the configuration.
  ...['status', 'tables', 'trace', 'history', 'activate', 'deactivate', 'pause', 'resume'].map((command): Row => [
    command,
    'config',
    'instance',
  ]),
];
/** Commands that read no configuration. */
const WITHOUT_CONFIGURATION = ['lab'];

/** Short forms of the options above. */
const LETTERS: Readonly<Record<string, string>> = { config: 'c', watch: 'w', output: 'o', quiet: 'q' };

/** @param words of the command line, the command first. @throws UsageError */
export function refuseIgnored(words: readonly string[]): void {
  const [command] = words;
  const isFor = ([of]: Row) => of === '*' || of === command;
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
