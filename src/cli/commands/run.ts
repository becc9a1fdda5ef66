/** `acsplit run`: the engine in the foreground. */

import pino from 'pino';
import { type CommandModule } from 'yargs';
import {
  type Engine,
  EngineError,
  type EngineOptions,
  isJournal,
  loadAddon,
  LogStream,
  openSink,
  RecentLog,
  ServiceManager,
  startEngine,
} from '../../engine';
import { FastPath } from '../../steering/fast-path';
import {
  acsElsewhere,
  aliveSets,
  countFallbackSessions,
  describeElsewhere,
  describeQueues,
  installedQueue,
} from '../../steering/iptables';
import { families as familiesOf } from '../../splitter/topology';
import { loadConfiguration, steeringOf } from '../../configuration/configuration';
import { exitCodeOf, Failure } from '../../configuration/errors';
import { requireServersElsewhere } from '../../configuration/own-addresses';
import { withFile } from '../../doctor/command-line';
import { endWithoutTerminal } from '../gone-terminal';
import { type GlobalOptions } from '../options';
import * as signals from '../run-signals';
import { readVersion } from '../version';

export const runCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'run',
  describe: 'run the engine in the foreground; SIGTERM drains and stops it, SIGHUP reloads the configuration',
  builder: (parser) =>
    parser.example('$0 run -c /etc/acsplit/acsplit.yaml', 'logs {"event":"ready"} to stderr once verdicts flow'),
  handler: run,
};

async function run({ config }: GlobalOptions): Promise<void> {
  signals.listen();
  endWithoutTerminal();
  const stream = new LogStream(openSink(), undefined, isJournal());
  const log = new RecentLog(
    pino(
      { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
      stream,
    ),
  );
  let failure: Error | undefined;
  try {
    await runEngine(config, log, signals.stopSignal());
  } catch (error) {
    failure = error instanceof EngineError ? new Failure(error.message, { cause: error }) : (error as Error);
  }
  // If stderr cannot be flushed, exit anyway.
  if (!(await stream.end())) process.exit(failure ? exitCodeOf(failure) : 0);
  if (failure) throw failure;
}

/** Runs until the signal or a failure. */
async function runEngine(config: string, log: RecentLog, stopped: AbortSignal): Promise<void> {
  const manager = new ServiceManager({
    environment: process.env,
    pid: process.pid,
    send: (path, text) => loadAddon().sendDatagram(path, text),
    log,
  });
  const options = readOptions(config, log);
  stopped.addEventListener('abort', () => manager.stopping());
  if (stopped.aborted) manager.stopping();
  let engine: Engine;
  try {
    engine = await startEngine(options, stopped);
  } catch (error) {
    if (!stopped.aborted) throw error;
    return log.info({ event: 'stopped' }, 'stopped before it was ready');
  }
  const stop = () => void engine.stop();
  stopped.addEventListener('abort', stop);
  if (stopped.aborted) stop();
  manager.ready();
  manager.watch(() => engine.verdictsFlow());
  void warnOfOtherQueues(options);
  void warnOfStandby(options);
  signals.onReload(() => void reloadFrom(config, engine, manager, log));
  await engine.finished;
}

function readOptions(config: string, log: RecentLog): EngineOptions {
  const configuration = loadConfiguration(config);
  requireServersElsewhere(configuration.topology);
  const sets = aliveSets(configuration.topology, steeringOf(configuration));
  const carrier = new FastPath(configuration.name, configuration.stateDirectory);
  const families = familiesOf(configuration.topology);
  return {
    ...configuration,
    ...{ aliveSets: sets, carrier, version: readVersion(), log, recentLog: log },
    readKeys: () => loadConfiguration(config).keys,
    countFallbackSessions: () => countFallbackSessions(configuration.name, families),
  };
}

/** Rules from before, made for other queues, would leave this engine without a packet, and it would look healthy. */
async function warnOfOtherQueues({ name, queue: { first }, log, file }: EngineOptions): Promise<void> {
  const installed = await installedQueue(name);
  if (installed === undefined || installed === first) return;
  const what = `the installed rules steer to ${describeQueues(installed)}, this engine has ${describeQueues(first)}`;
  const mend = withFile('acsplit rules install', { file });
  log.error({ event: 'other-queues', installed, first }, `${what}: no packet reaches it; run: ${mend}`);
}

/** No packet reaches the engine of a router that does not have the ACS address, and it looks healthy. */
async function warnOfStandby({ topology, log }: EngineOptions): Promise<void> {
  const addresses = await acsElsewhere(topology);
  if (addresses.length === 0) return;
  const what = `${describeElsewhere(addresses)}: no packet reaches this engine (normal on a standby router)`;
  log.warn({ event: 'acs-address', addresses }, what);
}

/** If the new configuration is refused, the running one stays in force. */
async function reloadFrom(config: string, engine: Engine, manager: ServiceManager, log: RecentLog): Promise<void> {
  manager.reloading();
  try {
    const { options, changed } = await engine.reload(() => readOptions(config, log));
    void warnOfStandby(options);
    log.info(
      { event: 'reload', changed },
      withFile('configuration reloaded; if addresses, ports or networks changed, run: acsplit rules install', options),
    );
  } catch (error) {
    log.error({ event: 'reload-refused' }, `not reloaded: ${(error as Error).message}`);
  } finally {
    manager.ready();
  }
}
