/**
 * `acsplit run`: the supervisor. It opens and binds the queues, maps the state file, owns the batch in hand, serves the
 * control socket and keeps a worker alive, which does nothing but decide. It starts in an order that leaves nothing
 * behind when a step fails, and stops in reverse. docs/decisions/crash-only.md
 */

import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { boottimeMs, closeQueues, loadAddon, type OpenedQueues } from '../shared/binding';
import { controlSocketPath, refuseLivingEngine } from '../control/ask';
import { type KeptControl, keepControl } from '../control/control-keeper';
import { ConfigurationWatch, markOf } from './configuration-watch';
import { DeadMansSwitch, soonestTakeoverMs } from './dead-mans-switch';
import { engineTime, lastLookMs } from '../shared/engine-clock';
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';
import { type Engine, type EngineOptions, type Reloaded } from './engine-options';
import { Carrier } from './carrier';
import { FallbackWatch } from './fallback-watch';
import { Heartbeat, heartbeatPath } from './heartbeat';
import { HeldState, seed } from './held-state';
import { requireInterfaces, warnOfHost } from './host-checks';
import { Journal } from '../shared/journal';
import { LastHour } from '../report/last-hour';
import { Liveness } from './liveness';
import { watchLosses } from './loss-watch';
import { type MetricsServer } from '../report/metrics-server';
import { Observation } from '../shared/observation';
import { makePage } from './page';
import { packetTrace } from '../control/packet-trace';
import { type ClusterKeeper, keepCluster } from './cluster-keeper';
import { keepRecorder, type RecorderKeeper } from './recorder-keeper';
import { openEngineQueues, warnOfReceiveBuffer } from './queues';
import { refuseNamesake, type Registration, register } from '../shared/registry';
import { requireReloadable } from './reload';
import { SIDES } from '../../packet/batch';
import { type Answers, type CommandName } from '../shared/control-request';
import { RulesWatch } from './rules-watch';
import { Servers } from './servers';
import { commandsOf, metricsOf, type Parts, statusOf } from './told';
import { WorkerKeeper } from './worker-keeper';
import { closeProgram, installedVersion, readWorkerProgram, type WorkerProgram } from './worker-program';
import { BATCH_MEMORY } from '../shared/worker-protocol';
import { requireSound, settingsOf } from './worker-settings';

/**
 * @param stopped aborts the start at once, at any step
 * @throws EngineError, one line, or any error when stopped; nothing is left behind
 */
export async function startEngine(options: EngineOptions, stopped: AbortSignal): Promise<Engine> {
  await refuseLivingEngine(controlSocketPath(options.stateDirectory), options.name);
  stopped.throwIfAborted();
  requireInterfaces(options.topology);
  requireSound(options);
  const supervisor = new Supervisor(options);
  try {
    await supervisor.start(stopped);
  } catch (error) {
    await supervisor.takeDown();
    throw error;
  }
  return supervisor;
}

class Supervisor implements Engine, Parts {
  readonly finished: Promise<void>;
  options: EngineOptions;
  readonly startedMs = performance.now();
  /** Identifies this run of the engine to clients that trace it. */
  readonly run = randomBytes(8).toString('hex');
  private readonly log: EngineLog;
  /** Set once we own the queues: another owner of the queues may have the file mapped. */
  private held: HeldState | undefined;
  private opened: OpenedQueues | undefined;
  private batchFd = -1;
  recorder: RecorderKeeper | undefined;
  cluster: ClusterKeeper | undefined;
  private program: WorkerProgram | undefined;
  journal: Journal | undefined;
  observation: Observation | undefined;
  private control: KeptControl | undefined;
  private registration: Registration | undefined;
  private metrics: MetricsServer | undefined;
  private losses: { stop(): void } | undefined;
  servers: Servers | undefined;
  private liveness: Liveness | undefined;
  private aliveSwitch: DeadMansSwitch | undefined;
  private heartbeat: Heartbeat | undefined;
  readonly carrier: Carrier;
  readonly configuration: ConfigurationWatch;
  fallback: FallbackWatch | undefined;
  readonly rules: RulesWatch;
  readonly hour = new LastHour();
  keeper: WorkerKeeper | undefined;
  private stopping: Promise<void> | undefined;
  private isDown: Promise<void> | undefined;
  private finish: () => void = () => undefined;
  private fail: (error: Error) => void = () => undefined;

  constructor(options: EngineOptions) {
    this.options = options;
    this.log = options.log;
    this.rules = new RulesWatch(options.log);
    this.carrier = new Carrier(options);
    const { file, keys, readKeys, version, log } = options;
    this.configuration = new ConfigurationWatch({
      file,
      keys,
      mark: () => markOf(file),
      readKeys,
      installedVersion,
      version,
      log,
    });
    this.finished = new Promise((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
    this.finished.catch(() => undefined);
  }

  async start(stopped: AbortSignal): Promise<void> {
    const { options, log } = this;
    const { queue } = options;
    this.opened = await openEngineQueues(queue, stopped);
    refuseNamesake(options.name);
    this.held = new HeldState(options);
    await this.carrier.open(options);
    stopped.throwIfAborted();
    const addon = loadAddon();
    this.program = readWorkerProgram(options.version);
    this.batchFd = addon.createMemory(BATCH_MEMORY.bytes);
    const map = (at: number, bytes: number) => addon.mapFile(this.batchFd, at, bytes);
    this.journal = new Journal(map(BATCH_MEMORY.journalAt, BATCH_MEMORY.journalBytes));
    this.observation = new Observation(map(BATCH_MEMORY.observationAt, BATCH_MEMORY.observationBytes));
    this.recorder = keepRecorder({ ...options, program: this.program, run: this.run });
    const absentMs = this.held.absentMs(boottimeMs());
    this.recorder?.note('engine-started', { version: options.version, absentMs });
    this.fallback = new FallbackWatch({
      countSessions: options.countFallbackSessions,
      keep: (kind, details) => this.recorder?.note(kind, details),
      log,
    });
    this.servers = this.makeServers(map(BATCH_MEMORY.healthAt, BATCH_MEMORY.healthBytes));
    const path = controlSocketPath(options.stateDirectory);
    this.liveness = this.makeLiveness(this.opened.fd, this.journal, this.observation);
    const keeper = (this.keeper = this.makeKeeper(this.opened.fd, this.program, this.liveness));
    this.cluster = keepCluster({
      ...options,
      program: this.program,
      act: (request) => keeper.ask({ kind: 'command', request }),
    });
    const trace = packetTrace({
      ring: this.observation.ring,
      run: this.run,
      clock: boottimeMs,
      isCpe: (address) => this.state.look.isCpe(address),
      watch: (cpe, nowMs, forMs) => this.carrier.watch(cpe, nowMs, forMs),
    });
    const commands: Answers<CommandName> = { ...commandsOf(this, this.keeper), ...trace };
    this.control = await keepControl({ path, commands, group: options.controlGroup, log });
    const { name, file, stateDirectory, version } = options;
    this.registration = register({ name, file, socket: path, stateDirectory, firstQueue: queue.first, version }, log);
    await this.beginUnless(stopped, this.keeper);
    this.liveness.watch();
    this.tellAbsence(absentMs);
    this.aliveSwitch = this.makeSwitch(this.liveness);
    this.heartbeat = new Heartbeat({
      ...{ path: heartbeatPath(options.stateDirectory), clock: boottimeMs, log },
      verdictsFlow: () => this.verdictsFlow() && this.cluster?.isReady !== false,
    });
    await this.carrier.start(options.topology);
    this.hour.watch(() => statusOf(this));
    this.losses = watchLosses({ losses: () => statusOf(this).losses, log });
    this.servers.start();
    const page = makePage(this, this.program, commands);
    this.metrics = await metricsOf(this, this.observation, this.journal, page);
    warnOfHost(options.topology, log);
    warnOfReceiveBuffer(this.opened, queue, log);
    const queues = SIDES.map((_, i) => queue.first + i);
    log.info(
      { event: 'ready', queues, activation: options.activation, control: path, worker: this.keeper.pid },
      'verdicts flow',
    );
  }

  /** The kernel sent sessions to the ITMS while no engine refreshed the sets. */
  private tellAbsence(absentMs: number | null): void {
    const [set] = this.options.aliveSets;
    const fallenMs = set === undefined || absentMs === null ? 0 : absentMs - set.seconds * 1000;
    if (fallenMs > 0) this.fallback?.endedAtStart(fallenMs);
  }

  /** The slow part of a start is the worker's own. */
  private async beginUnless(stopped: AbortSignal, keeper: WorkerKeeper): Promise<void> {
    stopped.throwIfAborted();
    const stop = () => void keeper.stop();
    stopped.addEventListener('abort', stop);
    await keeper.begin().finally(() => stopped.removeEventListener('abort', stop));
    stopped.throwIfAborted();
  }

  stop(): Promise<void> {
    this.stopping ??= this.takeDown().then(() => {
      this.log.info({ event: 'stopped' }, 'queues closed');
      this.finish();
    });
    return this.stopping;
  }

  async reload(read: () => EngineOptions): Promise<Reloaded> {
    try {
      const options = read();
      await this.apply(options);
      const changed = this.configuration.reloaded(options.keys);
      this.recorder?.note('reloaded', { changed: changed.join(' ') });
      return { options, changed };
    } catch (error) {
      this.configuration.refused();
      this.recorder?.note('reload-refused', { reason: (error as Error).message });
      throw error;
    }
  }

  private async apply(options: EngineOptions): Promise<void> {
    requireReloadable(this.options, options);
    requireInterfaces(options.topology);
    requireSound(options);
    await this.keeper?.ask({ kind: 'reload', settings: settingsOf(options) });
    this.options = options;
    this.state.reload(options);
    await this.carrier.reload(options.topology);
    this.servers?.reload();
  }

  verdictsFlow(): boolean {
    return this.liveness?.verdictsFlow() ?? false;
  }

  /** Stops everything that has started. Idempotent. */
  takeDown(): Promise<void> {
    this.isDown ??= this.closeAll();
    return this.isDown;
  }

  private async closeAll(): Promise<void> {
    this.aliveSwitch?.stop();
    this.heartbeat?.stop();
    this.liveness?.stop();
    this.configuration.stop();
    this.hour.stop();
    this.losses?.stop();
    this.servers?.stop();
    this.carrier.stop();
    await this.keeper?.stop();
    // First: a successor that gets the queues must not find us in the way.
    this.registration?.end();
    if (this.opened) closeQueues(this.opened.fd);
    await this.control?.close();
    await this.metrics?.close();
    this.recorder?.note('engine-stopped');
    await this.recorder?.stop();
    await this.cluster?.stop();
    if (this.batchFd >= 0) closeSync(this.batchFd);
    if (this.program) closeProgram(this.program);
    this.held?.close();
  }

  get state(): HeldState {
    if (!this.held) throw new EngineError('the engine is still starting');
    return this.held;
  }

  private makeKeeper(queueFd: number, program: WorkerProgram, liveness: Liveness): WorkerKeeper {
    return new WorkerKeeper({
      log: this.log,
      descriptors: () => ({
        queue: queueFd,
        batch: this.batchFd,
        state: this.state.fd,
        program,
        mirror: this.carrier.maps,
        history: this.recorder?.descriptor,
        cluster: this.cluster?.descriptor,
      }),
      start: () => {
        const { capacityEntries, queue } = this.options;
        this.configuration.lookAtVersion();
        const settings = settingsOf(this.options);
        return {
          settings,
          capacityEntries,
          firstQueue: queue.first,
          seed: seed(),
          takeoverMs: this.takeoverMs(settings.longestStallMs),
          mirrors: this.carrier.maps !== undefined,
          hasHistory: this.recorder !== undefined,
          hasCluster: this.cluster !== undefined,
        };
      },
      liveness,
      onStateUnusable: (reason) => {
        this.state.replace(reason);
        this.recorder?.note('tables-reset', { reason });
      },
      onRestart: (reason) => this.recorder?.note('worker-restarted', { reason }),
      onHopeless: (reason) => {
        this.stopping ??= this.takeDown().then(() => this.fail(new EngineError(reason)));
      },
    });
  }

  private makeServers(memory: ArrayBuffer): Servers {
    return new Servers({
      ...{ memory, log: this.log, settings: () => this.options },
      look: () => ({ state: this.state.look.state, nowMs: engineTime(this.state.header.hands) }),
      note: (kind, details) => this.recorder?.note(kind, details),
      onProbed: (server, family) => this.keeper?.tellProbed(server, family),
    });
  }

  /** Before the first worker is ready nobody refreshes the sets; afterwards we do, for longer than a worker takes to start. */
  private takeoverMs(longestStallMs: number): number {
    const { aliveSets } = this.options;
    if (this.aliveSwitch !== undefined || aliveSets.length === 0) return longestStallMs;
    return soonestTakeoverMs(aliveSets[0]);
  }

  private makeLiveness(queueFd: number, journal: Journal, observation: Observation): Liveness {
    const { isReadable } = loadAddon();
    const watched = {
      hasUnread: () => isReadable(queueFd),
      isHolding: () => journal.isHolding,
      steps: () => journal.systemCalls,
      decided: () => observation.decidedBatches,
      lookedMs: () => lastLookMs(this.state.header.hands),
    };
    return new Liveness(watched, (why) => this.keeper?.bite(why));
  }

  private makeSwitch(liveness: Liveness): DeadMansSwitch {
    const sets = () => this.options.aliveSets;
    return new DeadMansSwitch({
      sets,
      lastFlowMs: (nowMs) => liveness.lastFlowMs(nowMs),
      onRefresh: (forMs) => this.carrier.beat(forMs === 0 ? 0 : boottimeMs() + forMs),
      onBegin: () => this.fallback?.began(),
      onReturn: () => this.keeper?.tellTakeover(),
      onFall: (fallenMs, cause) => this.fallback?.ended(fallenMs, cause),
      log: this.log,
    });
  }
}
