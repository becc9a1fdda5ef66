/** `acsplit run`: the engine in the foreground. */

import pino from 'pino';
import { type CommandModule } from 'yargs';
import { loadAddon } from '../../engine/binding';
import { type Engine, type EngineOptions, startEngine } from '../../engine/engine';
import { EngineError } from '../../engine/engine-error';
import { ServiceManager } from '../../engine/service-manager';
import { aliveSets } from '../../rules';
import { loadConfiguration } from '../configuration';
import { Failure } from '../errors';
import { type GlobalOptions } from '../options';
import { readVersion } from '../version';

export const runCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'run',
  describe: 'the engine, in the foreground; SIGTERM drains it and ends it, SIGHUP reloads the configuration',
  builder: (parser) =>
    parser.example('$0 run -c /etc/acsplit/acsplit.yaml', 'logs {"event":"ready"} to stderr once verdicts flow'),
  handler: run,
};

async function run({ config }: GlobalOptions): Promise<void> {
  const log = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ dest: 2, sync: true }),
  );
  const manager = new ServiceManager({
    environment: process.env,
    pid: process.pid,
    send: (path, text) => loadAddon().sendDatagram(path, text),
    log,
  });
  const options = readOptions(config, log);
  let engine: Engine | undefined;
  let isEnding = false;
  const end = () => {
    isEnding = true;
    manager.stopping();
    void engine?.stop();
  };
  const reload = () => void reloadFrom(config, engine, manager, log);
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', reload);
  try {
    const started = await startEngine(options);
    engine = started;
    // The signal may have come while the engine was starting.
    if (isEnding) void engine.stop();
    manager.ready();
    manager.watch(() => started.isAlive());
    await engine.finished;
  } catch (error) {
    throw error instanceof EngineError ? new Failure(error.message, { cause: error }) : error;
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end).off('SIGHUP', reload);
  }
}

function readOptions(config: string, log: EngineOptions['log']): EngineOptions {
  const { onEngineDown, ...settings } = loadConfiguration(config);
  return { ...settings, aliveSets: aliveSets(settings.topology, onEngineDown), version: readVersion(), log };
}

/** A configuration that cannot be taken leaves the running one as it is. */
async function reloadFrom(
  config: string,
  engine: Engine | undefined,
  manager: ServiceManager,
  log: EngineOptions['log'],
): Promise<void> {
  if (!engine) return log.warn({ event: 'reload-refused' }, 'not reloaded: the engine is still starting');
  manager.reloading();
  try {
    await engine.reload(readOptions(config, log));
    log.info(
      { event: 'reload' },
      'configuration reloaded; where addresses, ports or networks changed: acsplit rules install',
    );
  } catch (error) {
    log.error({ event: 'reload-refused' }, `not reloaded: ${(error as Error).message}`);
  } finally {
    manager.ready();
  }
}
