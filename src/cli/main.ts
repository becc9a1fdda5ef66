#!/usr/bin/env node
/** The command line. Which commands there are is said here, how they are read in parser.ts. */

import { type CommandModule } from 'yargs';
import { Failure, UsageError } from './errors';
import { createParser } from './parser';

/* eslint-disable @typescript-eslint/no-require-imports, @typescript-eslint/consistent-type-imports -- loaded when wanted, which `import` at the top cannot */
/** Each command, loaded only when it is wanted: a replay in CI does not wait for the lab to load. */
const COMMANDS: Readonly<Record<string, () => unknown>> = {
  activate: () => (require('./commands/activation') as typeof import('./commands/activation')).activateCommand,
  deactivate: () => (require('./commands/activation') as typeof import('./commands/activation')).deactivateCommand,
  doctor: () => (require('./commands/doctor') as typeof import('./commands/doctor')).doctorCommand,
  lab: () => (require('./commands/lab') as typeof import('./commands/lab')).labCommand,
  pause: () => (require('./commands/activation') as typeof import('./commands/activation')).pauseCommand,
  replay: () => (require('./commands/replay') as typeof import('./commands/replay')).replayCommand,
  resume: () => (require('./commands/activation') as typeof import('./commands/activation')).resumeCommand,
  rules: () => (require('./commands/rules') as typeof import('./commands/rules')).rulesCommand,
  run: () => (require('./commands/run') as typeof import('./commands/run')).runCommand,
  status: () => (require('./commands/status') as typeof import('./commands/status')).statusCommand,
  tables: () => (require('./commands/tables') as typeof import('./commands/tables')).tablesCommand,
  trace: () => (require('./commands/trace') as typeof import('./commands/trace')).traceCommand,
};
/* eslint-enable @typescript-eslint/no-require-imports, @typescript-eslint/consistent-type-imports */

/** The command that the first word names, or all of them, for help and for complaints. */
function commandsFor(words: readonly string[]): CommandModule[] {
  const named = Object.hasOwn(COMMANDS, words[0] ?? '') ? [COMMANDS[words[0]]] : Object.values(COMMANDS);
  return named.map((load) => load() as CommandModule);
}

async function main(words: readonly string[]): Promise<void> {
  const parser = createParser(words);
  for (const command of commandsFor(words)) parser.command(command);
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
