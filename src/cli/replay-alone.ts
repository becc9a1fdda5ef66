/**
 * The command line with `replay` only. The build bundles it into one file with its libraries (scripts/bundle.mjs):
 * loading two hundred files takes as long as rewriting 200 000 packets.
 */

import { type CommandModule } from 'yargs';
import { replayCommand } from './commands/replay';
import { runCommands } from './run-commands';

void runCommands(process.argv.slice(2), [replayCommand as CommandModule]);
