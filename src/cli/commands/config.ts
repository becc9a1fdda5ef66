/** `acsplit config check | show | init | schema`: the configuration file, before it is loaded. */

import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type CommandModule } from 'yargs';
import { loadConfiguration, loadShape } from '../../configuration/configuration';
import { schemaText } from '../../configuration/schema-text';
import { inForce, startFile } from '../../configuration/start-file';
import { askEngine, controlSocketPath, EngineError } from '../../engine';
import { type GlobalOptions } from '../options';

export const configCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'config',
  describe: 'the configuration file: check, show, init, schema',
  builder: (parser) =>
    parser
      .command(checkCommand)
      .command(showCommand)
      .command(initCommand)
      .command(schemaCommand)
      .demandCommand(1, 1, 'which one? acsplit config check, show, init or schema')
      .example('$0 config init > new.yaml', 'a file to begin with')
      .example('$0 config check -c new.yaml', 'would this file be accepted?'),
  handler: () => {},
};

const checkCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'check',
  describe: 'all errors of the file, one a line; asks neither the host (see doctor) nor an engine',
  handler: ({ config }) => {
    const { topology } = loadConfiguration(config);
    const count = topology.collectors.length;
    process.stdout.write(`${config} is valid: ${count} collector${count === 1 ? '' : 's'}\n`);
  },
};

const showCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'show',
  describe: "every key with its value, defaults too; and where the running engine's values differ",
  handler: async ({ config }) => {
    const shape = loadShape(config);
    process.stdout.write(inForce(shape));
    const differs = await differences(shape.stateDirectory);
    if (differs === undefined) return;
    const what = differs.length === 0 ? 'has the same values' : `has other values for: ${differs.join(', ')}`;
    process.stdout.write(`# The running engine ${what}\n`);
  },
};

/** Keys whose values in the running engine differ; undefined if none runs, or one of a version that does not tell. */
async function differences(stateDirectory: string): Promise<readonly string[] | undefined> {
  try {
    const status = await askEngine(controlSocketPath(stateDirectory), { command: 'status' });
    return (status as { configuration?: { differs: readonly string[] } }).configuration?.differs;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

const initCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'init',
  describe: "print a file to begin with: this host's interfaces, nothing diverted, every key explained",
  handler: () => {
    process.stdout.write(startFile(networkInterfaces(), SCHEMA_FILE));
  },
};

/** Written by scripts/bundle.mjs. */
const SCHEMA_FILE = join(__dirname, '..', '..', 'acsplit.schema.json');

const schemaCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'schema',
  describe: 'print the JSON Schema of the file, for editors',
  handler: () => {
    process.stdout.write(schemaText());
  },
};
