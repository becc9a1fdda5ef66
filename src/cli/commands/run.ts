/** `acsplit run`: the engine in the foreground. */

import pino from 'pino';
import { type CommandModule } from 'yargs';
import { type Engine, startEngine } from '../../engine/engine';
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
  let engine: Engine | undefined;
  let isEnding = false;
  const end = () => {
    isEnding = true;
    void engine?.stop();
  };
  const keep = () => log.warn({ event: 'reload' }, 'reloading comes with a later version: restart to apply changes');
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', keep);
  try {
    engine = await startEngine({
      ...{ topology, activation, lives, capacityEntries, queue, stateDirectory },
      version: readVersion(),
      log,
    });
    // The signal may have come while the engine was starting.
    if (isEnding) void engine.stop();
    await engine.finished;
  } catch (error) {
    throw error instanceof EngineError ? new Failure(error.message, { cause: error }) : error;
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end).off('SIGHUP', keep);
  }
}
