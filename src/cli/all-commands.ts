/** The list of all commands. parser.ts reads the command line. */

import { type CommandModule } from 'yargs';
import { runCommands } from './run-commands';

/* eslint-disable @typescript-eslint/no-require-imports, @typescript-eslint/consistent-type-imports -- loaded when wanted, which `import` at the top cannot */
/** Each command is loaded only when it is used, which keeps the start fast. */
const COMMANDS: Readonly<Record<string, () => unknown>> = {
  activate: () => (require('./commands/activation') as typeof import('./commands/activation')).activateCommand,
  config: () => (require('./commands/config') as typeof import('./commands/config')).configCommand,
  deactivate: () => (require('./commands/activation') as typeof import('./commands/activation')).deactivateCommand,
  doctor: () => (require('./commands/doctor') as typeof import('./commands/doctor')).doctorCommand,
  history: () => (require('./commands/history') as typeof import('./commands/history')).historyCommand,
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

/** The command named by the first word; all of them if it names none, for help and error messages. */
function commandsFor(words: readonly string[]): CommandModule[] {
  const named = Object.hasOwn(COMMANDS, words[0] ?? '') ? [COMMANDS[words[0]]] : Object.values(COMMANDS);
  return named.map((load) => load() as CommandModule);
}

const words = process.argv.slice(2);
void runCommands(words, commandsFor(words));
