#!/usr/bin/env node
/** The command line. Which commands there are is said here, how they are read in parser.ts. */

import { activateCommand, deactivateCommand, pauseCommand, resumeCommand } from './commands/activation';
import { labCommand } from './commands/lab';
import { replayCommand } from './commands/replay';
import { rulesCommand } from './commands/rules';
import { runCommand } from './commands/run';
import { statusCommand } from './commands/status';
import { tablesCommand } from './commands/tables';
import { traceCommand } from './commands/trace';
import { Failure, UsageError } from './errors';
import { createParser } from './parser';

async function main(words: readonly string[]): Promise<void> {
  const parser = createParser(words)
    .command(activateCommand)
    .command(deactivateCommand)
    .command(labCommand)
    .command(pauseCommand)
    .command(replayCommand)
    .command(resumeCommand)
    .command(rulesCommand)
    .command(runCommand)
    .command(statusCommand)
    .command(tablesCommand)
    .command(traceCommand);
  try {
    await parser.parseAsync();
  } catch (error) {
    endWith(error, words.includes('--debug'));
  }
}

/** One line on stderr; with --debug the stack trace after it. */
function endWith(error: unknown, isDebugging: boolean): never {
  const known = error instanceof UsageError || error instanceof Failure;
  const message = error instanceof Error ? error.message : String(error);
  const line = known
    ? message
    : `internal error: ${message.split('\n', 1)[0]} (please report it with the output of --debug)`;
  process.stderr.write(`acsplit: ${line}\n`);
  if (isDebugging && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  process.exit(known ? error.exitCode : 1);
}

// Whoever reads our output may stop reading: `acsplit status | head -1` is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  process.stderr.write(`acsplit: the output cannot be written: ${error.message}\n`);
  process.exit(1);
});

void main(process.argv.slice(2));
