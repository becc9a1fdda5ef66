/**
 * The command line: yargs in strict mode, with one-line errors that suggest the nearest spelling.
 * all-commands.ts lists the commands.
 */

import yargs, { type Argv } from 'yargs';
import { UsageError } from '../configuration/errors';
import { didYouMean } from '../configuration/near-miss';
import { refuseIgnored } from './ignored';
import { type GlobalOptions, globalOptions } from './options';
import { readVersion } from './version';

/** What yargs knows when it reports an error. Internal to yargs 17, which package.json pins. */
interface KnownWords {
  getOptions(): { key: Record<string, unknown>; alias: Record<string, string[]> };
  getInternalMethods(): { getCommandInstance(): { getCommands(): string[] } };
}

/** A parser without commands. Wrong usage rejects with `UsageError`; errors thrown by a handler pass through. */
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
    .check(() => {
      refuseIgnored(words);
      return true;
    }, true)
    .version(readVersion())
    .completion('completion', 'print a script for bash or zsh that completes commands with Tab', complete)
    .help()
    .alias('help', 'h')
    .wrap(100)
    .exitProcess(false)
    .fail((message, error: Error | undefined) => {
      // yargs passes its own errors as `error` or as `message`. Any other error comes from a handler and passes through.
      if (error && error.name !== 'YError') throw error;
      throw new UsageError(explain(error?.message ?? message, words, parser as unknown as KnownWords));
    });
}

/** What may follow on a command line: collectors' names after --collector, else what yargs knows. */
function complete(
  _current: string,
  { config }: { config?: string },
  usual: () => void,
  done: (words: string[]) => void,
): void {
  const [previous] = process.argv.slice(-2);
  if (previous !== '--collector') return usual();
  // eslint-disable-next-line @typescript-eslint/no-require-imports, @typescript-eslint/consistent-type-imports -- loaded when wanted
  const file = require('../configuration/configuration') as typeof import('../configuration/configuration');
  try {
    done(file.loadConfiguration(config ?? file.DEFAULT_CONFIGURATION_FILE).topology.collectors.map(({ name }) => name));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    done([]);
  }
}

/** The error of yargs in our words, with the spelling that was probably meant. */
function explain(message: string, words: readonly string[], known: KnownWords): string {
  const unknown = /^Unknown (?:arguments?|commands?): (.*)$/s.exec(message);
  if (unknown) return explainUnknown(unknown[1].split(', ')[0], words, known);
  const choice = /^Invalid values:\s*Argument: (.*), Given: (.*), Choices: (.*)$/s.exec(message);
  if (choice) {
    const choices = choice[3].split(', ').map((quoted) => quoted.replaceAll('"', ''));
    const near = didYouMean(choice[2].replaceAll('"', ''), choices);
    return `${choice[1]}: found ${choice[2]}, expected one of ${choices.join(', ')}${near}`;
  }
  const missing = /^Not enough arguments following: (.*)$/s.exec(message);
  if (missing) return `${dashed(missing[1])} needs a value`;
  if (/^Not enough non-option arguments/.test(message)) {
    const command = commandOf(words);
    return `missing argument after "${command}"; see acsplit ${command} --help`;
  }
  const required = /^Missing required arguments?: (.*)$/s.exec(message);
  if (required) {
    // A misspelt option also leaves the right one missing; report the misspelling.
    const options = optionsOf(known);
    const stranger = words.find((word) => word.startsWith('--') && !options.includes(nameOf(word)));
    if (stranger) return explainUnknown(nameOf(stranger), words, known);
    return `${required[1].split(', ').map(dashed).join(', ')} is missing; see acsplit ${commandOf(words)} --help`;
  }
  return message;
}

function explainUnknown(word: string, words: readonly string[], known: KnownWords): string {
  const isOption = words.some((w) => w.startsWith('-') && nameOf(w) === word);
  const isShort = !isOption && words.some((w) => /^-[A-Za-z]+/.test(w) && w.includes(word)) && word.length === 1;
  if (isOption || isShort) {
    return `unknown option "${dashed(word)}"${didYouMean(dashed(word), optionsOf(known).map(dashed)) || '; see --help'}`;
  }
  const commands = known.getInternalMethods().getCommandInstance().getCommands();
  if (commands.length === 0) return `unexpected argument "${word}"; see --help`;
  return `unknown command "${word}"${didYouMean(word, commands) || '; see acsplit --help'}`;
}

/** `--name=value` is `name`. */
function nameOf(word: string): string {
  return word.replace(/^-+/, '').split('=')[0];
}

function optionsOf(known: KnownWords): string[] {
  const { key, alias } = known.getOptions();
  const names = [...Object.keys(key), ...Object.values(alias).flat(), 'help', 'version'];
  return names.filter((name) => name.length > 1);
}

/** The words before the first option. */
function commandOf(words: readonly string[]): string {
  const end = words.findIndex((word) => word.startsWith('-'));
  return words.slice(0, end < 0 ? words.length : end).join(' ');
}

function dashed(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}
