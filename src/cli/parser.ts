/**
 * The command line: yargs, strict, and with complaints of one line that name the near miss.
 * Which commands there are is said in main.ts.
 */

import yargs, { type Argv } from 'yargs';
import { UsageError } from './errors';
import { didYouMean } from './near-miss';
import { type GlobalOptions, globalOptions } from './options';
import { readVersion } from './version';

/** What yargs knows at the moment of a complaint; internal to yargs 17, to which package.json is pinned. */
interface KnownWords {
  getOptions(): { key: Record<string, unknown>; alias: Record<string, string[]> };
  getInternalMethods(): { getCommandInstance(): { getCommands(): string[] } };
}

/** A parser without commands. A parse with wrong words rejects with `UsageError`; a handler's own error passes through. */
export function createParser(words: readonly string[]): Argv<GlobalOptions> {
  const parser = yargs([...words]);
  return parser
    .scriptName('acsplit')
    .usage('acsplit COMMAND\n\nSplits TR-069 traffic between an ITMS and collection servers.')
    .locale('en')
    .parserConfiguration({
      'duplicate-arguments-array': false,
      'dot-notation': false,
      'boolean-negation': false,
      // A file may be called 1e3.
      'parse-positional-numbers': false,
    })
    .options(globalOptions)
    .demandCommand(1, 1, 'which command? See acsplit --help')
    .strictCommands()
    .strict()
    .version(readVersion())
    .help()
    .alias('help', 'h')
    .wrap(100)
    .exitProcess(false)
    .fail((message, error: Error | undefined) => {
      // yargs' own errors come either way; every other error is a handler's and passes.
      if (error && error.name !== 'YError') throw error;
      throw new UsageError(explain(error?.message ?? message, words, parser as unknown as KnownWords));
    });
}

/** yargs' complaint in our words, with the spelling that was probably wanted. */
function explain(message: string, words: readonly string[], known: KnownWords): string {
  const unknown = /^Unknown (?:arguments?|commands?): (.*)$/s.exec(message);
  if (unknown) return explainUnknown(unknown[1].split(', ')[0], words, known);
  const choice = /^Invalid values:\s*Argument: (.*), Given: (.*), Choices: (.*)$/s.exec(message);
  if (choice) {
    const choices = choice[3].split(', ').map((quoted) => quoted.replaceAll('"', ''));
    const near = didYouMean(choice[2].replaceAll('"', ''), choices);
    return `--${choice[1]}: found ${choice[2]}, expected one of ${choices.join(', ')}${near}`;
  }
  const missing = /^Not enough arguments following: (.*)$/s.exec(message);
  if (missing) return `${dashed(missing[1])} needs a value`;
  if (/^Not enough non-option arguments/.test(message)) return 'something is missing here; see --help';
  return message;
}

function explainUnknown(word: string, words: readonly string[], known: KnownWords): string {
  const isOption = words.some((w) => w.startsWith('-') && w.replace(/^-+/, '').split('=')[0] === word);
  const isShort = !isOption && words.some((w) => /^-[A-Za-z]+/.test(w) && w.includes(word)) && word.length === 1;
  if (isOption || isShort) {
    const { key, alias } = known.getOptions();
    const options = [...Object.keys(key), ...Object.values(alias).flat(), 'help', 'version'].filter(
      (o) => o.length > 1,
    );
    return `unknown option "${dashed(word)}"${didYouMean(dashed(word), options.map(dashed)) || '; see --help'}`;
  }
  const commands = known.getInternalMethods().getCommandInstance().getCommands();
  if (commands.length === 0) return `nothing is expected here, found "${word}"; see --help`;
  return `unknown command "${word}"${didYouMean(word, commands) || '; see acsplit --help'}`;
}

function dashed(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}
