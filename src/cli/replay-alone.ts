/**
 * The command line with `replay` alone. The build makes one file of it, libraries included (scripts/bundle.mjs): finding
 * and reading two hundred files takes as long as rewriting 200 000 packets.
 */

import { type CommandModule } from 'yargs';
import { replayCommand } from './commands/replay';
import { runCommands } from './run-commands';

void runCommands(process.argv.slice(2), [replayCommand as CommandModule]);
