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

/** For commands that print data. */
export const jsonOption = { type: 'boolean', default: false, describe: 'print JSON' } satisfies Options;
