/**
 * Keeps one worker alive: starts it, restarts it when it dies, with growing delays when it keeps dying early, and
 * passes commands to the current worker.
 */
import { type Family } from '../../packet/address';
import { type ChangeRequest } from '../shared/control-request';
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';
import { type Liveness, PROVEN_MS } from './liveness';
import { type Death, type Descriptors, WorkerProcess } from './worker-process';
import { type FromWorker, monotonicMs, type ToWorker, type WorkerStart } from '../shared/worker-protocol';

/** A worker must give verdicts by then. */
const READY_TIMEOUT_MS = 15_000;
/** A command gets an answer or a reason by then; the control socket's own limit is a little longer. */
const ANSWER_TIMEOUT_MS = 4000;
/** Skip a command with less than this left; a command reported as timed out must never run. */
const ANSWER_MARGIN_MS = 500;
const STOP_TIMEOUT_MS = 5000;
const MAX_DELAY_MS = PROVEN_MS;
const FIRST_DELAY_MS = 50;
/** Consecutive deaths at the start, before any worker was ever ready: it cannot run here. */
const MAX_STARTS = 3;

export interface KeeperOptions {
  descriptors: () => Descriptors;
  start: () => Omit<WorkerStart, 'kind' | 'parent'>;
  /** Receives each step of a worker. */
  liveness: Liveness;
  /** The tables are unusable and no worker has them mapped: reset them before the next worker starts. @throws Error */
  onStateUnusable: (reason: string) => void;
  /** A worker has died and is started again. */
  onRestart?: (reason: string) => void;
  /** This supervisor will never run a worker again. */
  onHopeless: (reason: string) => void;
  log: EngineLog;
}

type Command = { kind: 'command'; request: ChangeRequest } | Omit<Reload, 'id' | 'untilMs'>;
type Reload = Extract<ToWorker, { kind: 'reload' }>;

interface Pending {
  command: Command;
  untilMs: number;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** ms to wait after this many consecutive deaths: none after the first, then ever longer. */
export function delayAfter(failures: number): number {
  return failures <= 1 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 2, 20));
}

export class WorkerKeeper {
  restarts = 0;
  private worker: WorkerProcess | undefined;
  private wasEverReady = false;
  private isStopping = false;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private readonly firstReady: Promise<void>;
  private settleFirst: { resolve(): void; reject(error: Error): void } | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Why this worker cannot take the tables over. */
  private stateUnusable: string | undefined;

  constructor(private readonly options: KeeperOptions) {
    this.firstReady = new Promise((resolve, reject) => (this.settleFirst = { resolve, reject }));
    this.firstReady.catch(() => undefined);
  }

  get pid(): number {
    return this.worker?.pid ?? 0;
  }

  private get isReady(): boolean {
    return this.options.liveness.isReady;
  }

  /** Resolves when verdicts flow. @throws EngineError when no worker gets so far */
  begin(): Promise<void> {
    this.launch();
    return this.firstReady;
  }

  /**
   * Sends a command to the worker, or to the next one if this one dies. @throws EngineError with the RangeError's
   * message
   */
  ask(command: Command): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      const timer = setTimeout(() => {
        this.pending.delete(id);
        reject(new EngineError('no worker answers; see status, and the log'));
      }, ANSWER_TIMEOUT_MS);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          this.pending.delete(id);
          settle(value);
        };
      const untilMs = monotonicMs() + ANSWER_TIMEOUT_MS - ANSWER_MARGIN_MS;
      this.pending.set(id, { command, untilMs, resolve: settled(resolve), reject: settled(reject) });
      if (this.isReady) this.send(id);
    });
  }

  /** The kernel alone has sent CPEs to the ITMS. A worker that is not up yet sees that by its clock. */
  tellTakeover(): void {
    if (this.isReady) this.worker?.tell({ kind: 'takeover' });
  }

  /** A probe has connected to a server that is down. */
  tellProbed(server: string, family: Family): void {
    if (this.isReady) this.worker?.tell({ kind: 'probed', server, family });
  }

  /** Kills a worker that lives but does nothing; it is then restarted. */
  bite(why: string): void {
    this.options.log.error({ event: 'worker-stuck', pid: this.pid }, `the worker is killed: ${why}`);
    this.worker?.kill();
  }

  /** Sends what is decided and ends the worker; `begin` rejects. Idempotent. */
  async stop(): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.timer);
    const { worker } = this;
    for (const { reject } of [...this.pending.values()]) reject(new EngineError('the engine stops'));
    this.settleFirst?.reject(new EngineError('the engine stops'));
    if (!worker) return;
    // A worker that never gave a verdict has nothing to send, and its start may take long.
    if (this.wasEverReady) worker.tell({ kind: 'stop' });
    else worker.kill();
    const timer = setTimeout(() => worker.kill(), STOP_TIMEOUT_MS);
    await worker.died;
    clearTimeout(timer);
  }

  private launch(): void {
    const { options } = this;
    options.liveness.workerStarts();
    const worker = new WorkerProcess(options.descriptors(), (message) => {
      if (this.worker === worker) this.hear(message);
    });
    this.worker = worker;
    this.timer = setTimeout(() => this.bite('it does not start'), READY_TIMEOUT_MS);
    void worker.died.then((death) => this.mourn(worker, death));
  }

  private hear(message: FromWorker): void {
    switch (message.kind) {
      case 'up':
        this.options.liveness.workerIsUp();
        return this.worker?.tell({ kind: 'start', parent: process.pid, ...this.options.start() });
      case 'ready':
        return this.becomeReady();
      case 'answer': {
        const pending = this.pending.get(message.id);
        if (message.error === undefined) return pending?.resolve(message.result);
        return pending?.reject(new EngineError(message.error));
      }
      case 'stalled':
        return this.options.log.warn(
          { event: 'stalled', stalledMs: Math.round(message.ms) },
          `no verdicts for ${Math.round(message.ms)} ms: the worker was stopped, or had no processor time`,
        );
      case 'verdict-refused':
        return this.options.log.error({ event: 'verdict-refused', code: message.code }, message.message);
      case 'mirror':
        return this.tellMirror(message.error);
      case 'state-unusable':
        this.stateUnusable = message.message;
        return this.worker?.kill();
    }
  }

  private tellMirror(error: string | undefined): void {
    const { log } = this.options;
    if (error === undefined) return log.info({ event: 'fast-path' }, 'the kernel carries packets again');
    log.error(
      { event: 'fast-path', reason: error },
      `the kernel carries nothing: the report table is not mirrored: ${error}`,
    );
  }

  private becomeReady(): void {
    clearTimeout(this.timer);
    this.options.liveness.workerIsReady();
    this.wasEverReady = true;
    if (this.restarts > 0) {
      this.options.log.info(
        { event: 'worker-restarted', pid: this.pid, restarts: this.restarts },
        'verdicts flow again',
      );
    }
    this.settleFirst?.resolve();
    for (const id of this.pending.keys()) this.send(id);
  }

  private send(id: number): void {
    const pending = this.pending.get(id);
    if (pending) this.worker?.tell({ id, untilMs: pending.untilMs, ...pending.command } as ToWorker);
  }

  private mourn(worker: WorkerProcess, death: Death): void {
    clearTimeout(this.timer);
    const { log, liveness } = this.options;
    const failures = liveness.workerDied();
    this.worker = undefined;
    if (this.isStopping) return;
    const delayMs = delayAfter(failures);
    const { reason, code, signal } = death;
    log.error({ event: 'worker-died', pid: worker.pid, code, signal, delayMs }, `the worker died: ${reason}`);
    if (!this.wasEverReady && failures >= MAX_STARTS) {
      return this.giveUp(`the worker does not start: ${reason}`);
    }
    try {
      this.mendState();
    } catch (error) {
      return this.giveUp(`the tables cannot be reset: ${(error as Error).message}`);
    }
    this.restarts++;
    this.options.onRestart?.(reason);
    this.timer = setTimeout(() => this.launch(), delayMs);
  }

  /** Only after the worker's death: it may still write to what changes under it. */
  private mendState(): void {
    const reason = this.stateUnusable;
    this.stateUnusable = undefined;
    if (reason !== undefined) this.options.onStateUnusable(reason);
  }

  private giveUp(reason: string): void {
    this.settleFirst?.reject(new EngineError(reason));
    this.options.onHopeless(reason);
  }
}
