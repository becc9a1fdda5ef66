/** What an engine tells of itself: its status, the answers to commands, the metrics. */
import { audited } from '../control/audit';
import { operations } from '../control/operations';
import { type Page } from '../page/page';
import { makeMetrics } from '../report/metrics';
import { type MetricsServer, serveMetrics } from '../report/metrics-server';
import { type LastHour } from '../report/last-hour';
import { composeStatus, type Status } from '../report/status';
import { boottimeMs, loadAddon } from '../shared/binding';
import { type Answers, type ChangeRequest, type CommandName } from '../shared/control-request';
import { type Journal } from '../shared/journal';
import { type Observation } from '../shared/observation';
import { readQueueCounters } from '../shared/queue-counters';
import { type Carrier } from './carrier';
import { type ConfigurationWatch } from './configuration-watch';
import { type EngineOptions } from './engine-options';
import { type FallbackWatch } from './fallback-watch';
import { type HeldState } from './held-state';
import { type ClusterKeeper } from './cluster-keeper';
import { type RecorderKeeper } from './recorder-keeper';
import { type RulesWatch } from './rules-watch';
import { type Servers } from './servers';
import { type WorkerKeeper } from './worker-keeper';

/** The parts that it tells of; those that start later are undefined until then. */
export interface Parts {
  readonly options: EngineOptions;
  /** `performance.now` at the engine's start. */
  readonly startedMs: number;
  /** Identifies this run of the engine. */
  readonly run: string;
  /** @throws EngineError while the engine starts */
  readonly state: HeldState;
  readonly keeper: WorkerKeeper | undefined;
  readonly journal: Journal | undefined;
  readonly observation: Observation | undefined;
  readonly carrier: Carrier;
  readonly recorder: RecorderKeeper | undefined;
  readonly cluster: ClusterKeeper | undefined;
  readonly configuration: ConfigurationWatch;
  readonly fallback: FallbackWatch | undefined;
  readonly rules: RulesWatch;
  readonly servers: Servers | undefined;
  readonly hour: LastHour;
  verdictsFlow(): boolean;
}

/** The loop's losses before the loop exists. */
const NOTHING_LOST = { verdictsLate: 0, unparsed: 0, givenUp: 0 };

/** @throws EngineError while the engine starts */
export function statusOf(parts: Parts): Status {
  const { options, keeper, state, journal } = parts;
  const look = state.asOfNow();
  return composeStatus({
    version: options.version,
    name: options.name,
    isReady: parts.verdictsFlow(),
    uptimeMs: performance.now() - parts.startedMs,
    pid: process.pid,
    worker: { pid: keeper?.pid ?? 0, restarts: keeper?.restarts ?? 0 },
    paused: state.header.paused,
    activation: options.activation,
    splitter: look,
    eventCounts: look.state.events.counts,
    earlier: state.earlier,
    firstQueue: options.queue.first,
    queues: readQueueCounters(),
    loop: journal?.counters() ?? NOTHING_LOST,
    fastPath: parts.carrier.status(parts.observation?.flows ?? 0),
    history: parts.recorder?.status,
    cluster: parts.cluster?.status,
    configuration: parts.configuration.status,
    fallback: parts.fallback?.status,
    rules: parts.rules.status,
    servers: parts.servers?.status() ?? {},
  });
}

export function commandsOf(parts: Parts, keeper: WorkerKeeper): Answers<Exclude<CommandName, 'packets'>> {
  return {
    status: () => statusOf(parts),
    hour: () => parts.hour.answer,
    rules: (request) => parts.rules.checked(request),
    flows: () => parts.carrier.checkFlows(() => parts.state.look),
    ...operations({
      look: () => parts.state.look,
      header: () => parts.state.header,
      clock: boottimeMs,
      run: parts.run,
      restarts: () => keeper.restarts,
    }),
    ...audited({
      act: (request) => actOf(parts, keeper, request),
      peerOf: (descriptor) => loadAddon().peerOf(descriptor),
      keep: (act) => parts.recorder?.note('operator', act),
      log: parts.options.log,
    }),
  };
}

/** An act of the operator: here at once, and on all routers of the cluster unless it is meant for this one alone. */
async function actOf({ cluster }: Parts, keeper: WorkerKeeper, request: ChangeRequest): Promise<unknown> {
  const result = await keeper.ask({ kind: 'command', request });
  const { command } = request;
  if (cluster === undefined || request.here === true || (command !== 'pause' && command !== 'resume')) return result;
  return { ...(result as object), cluster: await cluster.pause(command === 'pause') };
}

export function metricsOf(
  parts: Parts,
  observation: Observation,
  journal: Journal,
  page: Page,
): Promise<MetricsServer> {
  const { queue, fastPath, carrier, metrics, log } = parts.options;
  const text = makeMetrics(() => ({
    ...{ status: statusOf(parts), observation, loop: journal.counters() },
    ...{ queueLength: queue.length, fastPathOutcomes: fastPath === 'off' ? [] : carrier.outcomes },
  }));
  return serveMetrics({ listen: metrics.listen, isReady: () => parts.verdictsFlow(), metrics: text, page, log });
}
