/**
 * The worker's program: the verdict loop and nothing else, started by the supervisor (worker-process.ts) and killed at
 * any moment. It owns nothing: queue socket, batch and tables come as descriptors and outlive it.
 *
 * It is the only writer of the tables; an operator's changes arrive as commands.
 */
import { ADDRESS_WORDS } from '../../packet/address';
import { CollectorFigures } from '../../splitter/health/collector-figures';
import { Health } from '../../splitter/health/health';
import { ITMS } from '../../splitter/memory/owners';
import { Splitter } from '../../splitter/splitter';
import { type FlowListener } from '../../tables/flow-port';
import { loadAddon, type QueueError } from '../shared/binding';
import { type ChangeRequest } from '../shared/control-request';
import { ClusterRings } from '../shared/cluster-rings';
import { EngineClock } from '../shared/engine-clock';
import { FlowRing } from '../shared/flow-ring';
import { Observation } from '../shared/observation';
import { mapState } from '../shared/state-file';
import { type StateHeader } from '../shared/state-header';
import { ClusterLink } from './cluster-link';
import { FlowMirror, forgetCarried } from './flow-mirror';
import { FlowRecorder } from './flow-recorder';
import { together } from './listeners';
import { Overheard, RING_BYTES } from './overheard';
import { observe } from './observe';
import { startVerdictLoop, type VerdictLoop } from './verdict-loop';
import { changes } from './commands';
import {
  BATCH_CAPACITY,
  BATCH_MEMORY,
  FD,
  type FromWorker,
  monotonicMs,
  type Reloadable,
  type ToWorker,
  type WorkerSettings,
  type WorkerStart,
} from '../shared/worker-protocol';

/** Ends at once; the supervisor takes the last line of standard error as the reason. */
function fail(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

function tell(message: FromWorker): void {
  process.send?.(message);
}

/** The tables cannot be taken over; they must be reset before a worker can run. */
class StateUnusable extends Error {}

class Worker {
  private splitter: Splitter;
  private readonly loop: VerdictLoop;
  private readonly header: StateHeader;
  private readonly memory: ArrayBuffer;
  private readonly clock: EngineClock;
  /** The kernel alone may have sent CPEs to the ITMS, and no packet was decided since. */
  private isTakenOver: boolean;
  private readonly mirror: FlowMirror | undefined;
  private readonly overheard: Overheard | undefined;

  private settings: WorkerSettings;
  /** Where changes go for the history. */
  private readonly ring: FlowRing | undefined;
  private history: FlowRecorder | undefined;
  private readonly cluster: ClusterLink | undefined;
  /** Outlives reloads, and its memory outlives workers. */
  private readonly health: Health;

  constructor(private readonly start: WorkerStart) {
    this.settings = start.settings;
    const addon = loadAddon();
    const { header, memory } = mapState(FD.state, Splitter.bufferBytes(start.capacityEntries, start.settings.topology));
    this.header = header;
    this.memory = memory;
    this.ring = start.hasHistory ? new FlowRing(addon.mapFile(FD.history, 0, FlowRing.BYTES)) : undefined;
    if (start.hasCluster) {
      this.cluster = new ClusterLink(new ClusterRings(addon.mapFile(FD.cluster, 0, ClusterRings.BYTES)));
    }
    this.health = new Health({
      buffer: addon.mapFile(FD.batch, BATCH_MEMORY.healthAt, BATCH_MEMORY.healthBytes),
      seed: start.seed,
      turnsAway: false,
    });
    try {
      this.splitter = this.takeOver(start.settings);
    } catch (error) {
      throw new StateUnusable((error as Error).message);
    }
    // Before the first verdict.
    if (start.mirrors) {
      this.mirror = makeMirror();
      this.overheard = new Overheard(addon.mapRing(FD.overheard, RING_BYTES), this.mirror);
    } else {
      forgetCarried(this.splitter.state.families);
    }
    this.follow();
    const { longestStallMs } = start.settings;
    const clock = new EngineClock(header.hands, addon.boottimeMs(), longestStallMs, (ms, isLong) => {
      this.isTakenOver ||= isLong;
      tell({ kind: 'stalled', ms });
    });
    this.clock = clock;
    this.isTakenOver = clock.absentMs > start.takeoverMs;
    const { observationAt, observationBytes } = BATCH_MEMORY;
    const observation = new Observation(addon.mapFile(FD.batch, observationAt, observationBytes));
    this.loop = startVerdictLoop({
      fd: FD.queue,
      firstQueue: start.firstQueue,
      splitter: observe(
        {
          decide: (batch, boottimeMs) => {
            this.cluster?.noteBatch();
            const nowMs = this.hear(boottimeMs);
            this.splitter.decide(batch, nowMs);
            this.mirror?.settle();
            this.cluster?.settle();
          },
          sweep: (boottimeMs) => {
            this.splitter.sweep(this.hear(boottimeMs));
            this.mirror?.mend(boottimeMs);
            observation.flows = this.mirror?.flows ?? 0;
            this.cluster?.walk();
            this.cluster?.settle();
          },
        },
        observation,
        () => performance.now(),
      ),
      region: addon.mapFile(FD.batch, 0, BATCH_MEMORY.regionBytes),
      journal: addon.mapFile(FD.batch, BATCH_MEMORY.journalAt, BATCH_MEMORY.journalBytes),
      capacity: BATCH_CAPACITY,
      // Nothing that waits for an answer comes here then.
      spins: !start.mirrors,
      onError: onLoopError,
    });
    tell({ kind: 'ready' });
  }

  /** The engine's time, after everything that the kernel has carried until now. */
  private hear(boottimeMs: number): number {
    const nowMs = this.look(boottimeMs);
    this.overheard?.drain(this.splitter, nowMs);
    this.cluster?.hear(nowMs, Date.now());
    return nowMs;
  }

  /** The engine's time. After a takeover, an activation may belong to a session that the ITMS already has. [2] */
  private look(boottimeMs: number): number {
    if (this.history) this.history.nowMs = Date.now();
    const nowMs = this.clock.look(boottimeMs);
    if (!this.isTakenOver) return nowMs;
    this.isTakenOver = false;
    if (!this.settings.kernelTakesOver) return nowMs;
    this.splitter.endActivations(nowMs);
    this.mirror?.takenOver();
    return nowMs;
  }

  take(message: ToWorker): void {
    // The caller has already been told that it timed out.
    if ('untilMs' in message && monotonicMs() > message.untilMs) return;
    switch (message.kind) {
      case 'command':
        return this.answer(message.id, () => this.change(message.request));
      case 'reload':
        return this.answer(message.id, () => this.reload(message.settings));
      case 'takeover':
        this.isTakenOver = true;
        return;
      case 'probed':
        return this.health.probed(
          message.server === 'itms' ? ITMS : this.splitter.state.owners.idOf(message.server),
          ADDRESS_WORDS[message.family],
        );
      case 'stop':
        this.loop.stop();
        process.exit(0);
    }
  }

  private reload(settings: WorkerSettings): void {
    this.splitter = this.takeOver(settings);
    this.follow();
    this.settings = settings;
    this.clock.longestStallMs = settings.longestStallMs;
  }

  /** A splitter over the existing tables: diversions and activations stay; topology and lives are the new ones. */
  private takeOver(settings: Reloadable): Splitter {
    const { capacityEntries, seed } = this.start;
    const { health, memory: buffer } = this;
    const splitter = new Splitter({ ...settings, capacityEntries, seed, buffer, health });
    health.isTurningAway = settings.onCollectorDown === 'itms';
    splitter.paused = this.header.paused;
    return splitter;
  }

  /** The mirror listens whenever it must start again; the history goes on where it was. */
  private follow(): void {
    const { splitter, mirror, ring, cluster } = this;
    const history = ring && new FlowRecorder(ring, splitter.state);
    const figures = new CollectorFigures(this.health.rows, splitter.state);
    this.history = history;
    const quiet = (isQuiet: boolean) => {
      if (history) history.isCatchingUp = isQuiet;
    };
    const feed = cluster?.follow(splitter.state, quiet);
    const listen = (first: FlowListener | undefined) => {
      quiet(true);
      if (feed) feed.isSilent = true;
      splitter.listen(together([first, history, feed, figures]));
      if (feed) feed.isSilent = false;
      quiet(false);
    };
    if (mirror) mirror.follow({ state: splitter.state, listen });
    else listen(undefined);
  }

  private change(request: ChangeRequest): unknown {
    const nowMs = this.look(loadAddon().boottimeMs());
    const feed = this.cluster?.feed;
    if (feed) {
      feed.nowMs = Date.now();
      feed.isSilent = request.here === true;
    }
    try {
      return changes(this.splitter, this.header, nowMs)[request.command](request);
    } finally {
      if (feed) feed.isSilent = false;
      feed?.publish();
    }
  }

  private answer(id: number, act: () => unknown): void {
    try {
      tell({ kind: 'answer', id, result: act() });
    } catch (error) {
      tell({ kind: 'answer', id, error: (error as Error).message });
    }
  }
}

function makeMirror(): FlowMirror {
  const addon = loadAddon();
  const flows = { ipv4: addon.holdMap(FD.flows4), ipv6: addon.holdMap(FD.flows6) };
  const onLack = (error?: Error) => tell({ kind: 'mirror', ...(error && { error: error.message }) });
  return new FlowMirror(addon, FD.control, flows, addon.boottimeMs, onLack);
}

function onLoopError(error: QueueError): void {
  if (error.syscall !== 'verdict') fail(`the verdict loop broke off: ${error.message}`);
  tell({ kind: 'verdict-refused', code: error.code, message: error.message });
}

function begin(start: WorkerStart): Worker | undefined {
  if (!loadAddon().dieWithParent(start.parent)) fail('the supervisor is gone');
  try {
    return new Worker(start);
  } catch (error) {
    if (!(error instanceof StateUnusable)) throw error;
    tell({ kind: 'state-unusable', message: (error as Error).message });
    return undefined;
  }
}

let worker: Worker | undefined;
process.on('message', (message: ToWorker) => {
  if (message.kind === 'start') worker = begin(message);
  else if (message.kind === 'stop' && worker === undefined) process.exit(0);
  else worker?.take(message);
});
process.on('disconnect', () => process.exit(0));
// Signals to the whole process group (Ctrl-C) are the supervisor's to handle; it tells us when to stop.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
tell({ kind: 'up' });
