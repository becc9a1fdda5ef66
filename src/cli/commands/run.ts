/** `acsplit run`: the engine in the foreground. */

import pino from 'pino';
import { type CommandModule } from 'yargs';
import { startEngine } from '../../engine/engine';
import { EngineError } from '../../engine/engine-error';
import { loadConfiguration } from '../configuration';
import { Failure } from '../errors';
import { type GlobalOptions } from '../options';
import { readVersion } from '../version';

export const runCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'run',
  describe: 'the engine, in the foreground; SIGTERM drains it and ends it',
  builder: (parser) =>
    parser.example('$0 run -c /etc/acsplit/acsplit.yaml', 'logs {"event":"ready"} to stderr once verdicts flow'),
  handler: run,
};

async function run({ config }: GlobalOptions): Promise<void> {
  const configuration = loadConfiguration(config);
  const { topology, activation, lives, capacityEntries, queue, stateDirectory } = configuration;
  const log = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ dest: 2, sync: true }),
  );
  try {
    const engine = await startEngine({
      ...{ topology, activation, lives, capacityEntries, queue, stateDirectory },
      version: readVersion(),
      log,
    });
    const stop = () => void engine.stop();
    process.on('SIGTERM', stop).on('SIGINT', stop);
    await engine.finished;
    process.off('SIGTERM', stop).off('SIGINT', stop);
  } catch (error) {
    throw error instanceof EngineError ? new Failure(error.message, { cause: error }) : error;
  }
}
