/** Runs the command line with the given commands, and turns errors into messages and exit statuses. */

import { type CommandModule } from 'yargs';
import { ConfigurationError, exitCodeOf, Failure, UsageError } from '../configuration/errors';
import { isJournal } from '../engine';
import { createParser } from './parser';

/** @param words of the command line, the command first */
export async function runCommands(words: readonly string[], commands: readonly CommandModule[]): Promise<void> {
  process.stdout.on('error', stopWriting);
  const parser = createParser(words);
  for (const command of commands) parser.command(command);
  try {
    await parser.parseAsync();
  } catch (error) {
    endWith(error, words.includes('--debug'));
  }
}

/** One line on stderr, or one for each error of a configuration; with --debug the stack trace after it. */
function endWith(error: unknown, isDebugging: boolean): never {
  const known = error instanceof UsageError || error instanceof Failure;
  const message = error instanceof Error ? error.message : String(error);
  const line = known
    ? message
    : `internal error: ${message.split('\n', 1)[0]} (please report it with the output of --debug)`;
  const lines = error instanceof ConfigurationError ? error.problems : [line];
  // sd-daemon(3): an error, where the journal reads it.
  const priority = isJournal() ? '<3>' : '';
  for (const text of lines) process.stderr.write(`${priority}acsplit: ${text}\n`);
  if (error instanceof ConfigurationError && error.untold > 0) {
    process.stderr.write(`acsplit: and ${error.untold} more errors\n`);
  }
  if (isDebugging && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  process.exit(exitCodeOf(error));
}

/** The reader of our output may stop reading: `acsplit status | head -1` is not a failure. */
function stopWriting(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  process.stderr.write(`acsplit: cannot write the output: ${error.message}\n`);
  process.exit(1);
}
