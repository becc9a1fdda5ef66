/** Options shared by several commands. */

import { type Options } from 'yargs';
import { DEFAULT_CONFIGURATION_FILE } from '../configuration/configuration';

/** Every command has these. */
export interface GlobalOptions {
  config: string;
  debug: boolean;
}

export const globalOptions = {
  config: {
    alias: 'c',
    type: 'string',
    requiresArg: true,
    default: DEFAULT_CONFIGURATION_FILE,
    describe: 'the configuration file (YAML)',
  },
  debug: { type: 'boolean', default: false, describe: 'print the stack trace of an error' },
} satisfies Record<string, Options>;

/** Commands that speak to a running engine have these too. */
export interface EngineOptions extends GlobalOptions {
  socket?: string | undefined;
  instance?: string | undefined;
}

export const engineOptions = {
  socket: { type: 'string', requiresArg: true, describe: 'the control socket of the engine; needs no configuration' },
  instance: { type: 'string', requiresArg: true, describe: 'the name of the engine; needs no configuration' },
} satisfies Record<string, Options>;

/** For commands that print data. */
export const jsonOption = { type: 'boolean', default: false, describe: 'print JSON' } satisfies Options;
