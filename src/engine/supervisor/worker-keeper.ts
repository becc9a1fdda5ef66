/**
 * Keeps one worker alive: starts it, starts it again when it dies, more slowly when it keeps dying at once, and carries
 * commands to whichever lives.
 */
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';
import { type Death, type Descriptors, WorkerProcess } from './worker-process';
import { type FromWorker, monotonicMs, type ToWorker, type WorkerStart } from '../shared/worker-protocol';

/** A worker must give verdicts by then. */
const READY_TIMEOUT_MS = 15_000;
/** Who asks gets an answer or a reason by then; the control socket's own limit is a little more. */
const ANSWER_TIMEOUT_MS = 4000;
/** The worker must begin so long before, or leave it: what was refused must not be done later. */
const ANSWER_MARGIN_MS = 500;
const STOP_TIMEOUT_MS = 5000;
const MAX_DELAY_MS = 5000;
const FIRST_DELAY_MS = 50;
/** Who has lived so long did not die of its start. */
const SETTLED_MS = 1000;
/** A worker after several deaths is trusted once it has decided, or lived so long: the longest of the delays. */
const PROVEN_MS = MAX_DELAY_MS;
/** Deaths in a row at the very start, before anybody was ever ready: it cannot work here. */
const MAX_STARTS = 3;

export interface KeeperOptions {
  descriptors: () => Descriptors;
  start: () => Omit<WorkerStart, 'kind' | 'parent'>;
  /** Batches that were decided so far, by whichever worker. Reading a batch, and dying of it, decides nothing. */
  decided: () => number;
  /** A batch has been read and has not all its verdicts. */
  isHolding: () => boolean;
  /** A worker begins its work. */
  onStart: () => void;
  /** The tables are of no use, and no worker has them mapped: to be made anew before the next one starts. @throws Error */
  onStateUnusable: (reason: string) => void;
  /** No worker will ever run again under this supervisor. */
  onHopeless: (reason: string) => void;
  log: EngineLog;
}

type Command =
  | { kind: 'command'; request: { command: string } & Record<string, unknown> }
  | { kind: 'ping' }
  | Omit<Reload, 'id' | 'untilMs'>;
type Reload = Extract<ToWorker, { kind: 'reload' }>;

interface Pending {
  command: Command;
  untilMs: number;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** ms to wait after so many deaths in a row: at once after the first, then ever longer. */
export function delayAfter(failures: number): number {
  return failures <= 1 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 2, 20));
}

export class WorkerKeeper {
  restarts = 0;
  private worker: WorkerProcess | undefined;
  private isReady = false;
  private wasEverReady = false;
  private isStopping = false;
  /** Deaths in a row of workers that came to nothing. */
  private failures = 0;
  private readyMs = 0;
  private decidedBefore = 0;
  private isUp = false;
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

  /** Verdicts flow. */
  get ready(): boolean {
    return this.isReady;
  }

  /** Node has started in the worker: what it does not do from now on, it does not do for want of a processor. */
  get working(): boolean {
    return this.isUp;
  }

  /** Verdicts flow, and this worker will not die of the next packet as those before it did, for all that is known. */
  get trusted(): boolean {
    if (!this.isReady) return false;
    return this.failures < 2 || this.hasDecided || performance.now() - this.readyMs > PROVEN_MS;
  }

  private get hasDecided(): boolean {
    return this.options.decided() !== this.decidedBefore;
  }

  /** Resolves when verdicts flow. @throws EngineError when no worker gets so far */
  begin(): Promise<void> {
    this.launch();
    return this.firstReady;
  }

  /** Has the worker carry a command out; the next one, should this one die. @throws EngineError, RangeError's words */
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

  /** The worker is ready and answers within some seconds. */
  async isAlive(): Promise<boolean> {
    if (!this.isReady) return false;
    return this.ask({ kind: 'ping' }).then(
      () => this.isReady,
      () => false,
    );
  }

  /** The worker lives and does nothing: it is killed, and so started again. */
  bite(why = 'packets wait and it does nothing'): void {
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
    // One that never gave a verdict has nothing to send, and its start may take long.
    if (this.wasEverReady) worker.tell({ kind: 'stop' });
    else worker.kill();
    const timer = setTimeout(() => worker.kill(), STOP_TIMEOUT_MS);
    await worker.died;
    clearTimeout(timer);
  }

  private launch(): void {
    const { options } = this;
    this.decidedBefore = options.decided();
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
        this.isUp = true;
        this.options.onStart();
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
      case 'state-unusable':
        this.stateUnusable = message.message;
        return this.worker?.kill();
      case 'upgraded':
        this.isStopping = true;
        this.worker?.kill();
        return this.giveUp(
          `version ${message.version} was installed while another was running: start the engine again`,
        );
    }
  }

  private becomeReady(): void {
    clearTimeout(this.timer);
    this.isReady = true;
    this.wasEverReady = true;
    this.readyMs = performance.now();
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
    const { log, isHolding } = this.options;
    const livedMs = this.isReady ? performance.now() - this.readyMs : 0;
    this.worker = undefined;
    this.isReady = false;
    this.isUp = false;
    if (this.isStopping) return;
    // Whoever dies with a batch undecided may have died of it, however long it waited for one.
    const cameToSomething = this.hasDecided || (livedMs > SETTLED_MS && !isHolding());
    this.failures = cameToSomething ? 0 : this.failures + 1;
    const delayMs = delayAfter(this.failures);
    const { reason, code, signal } = death;
    log.error({ event: 'worker-died', pid: worker.pid, code, signal, delayMs }, `the worker died: ${reason}`);
    if (!this.wasEverReady && this.failures >= MAX_STARTS) {
      return this.giveUp(`the worker does not start: ${reason}`);
    }
    try {
      this.mendState();
    } catch (error) {
      return this.giveUp(`the tables cannot begin anew: ${(error as Error).message}`);
    }
    this.restarts++;
    this.timer = setTimeout(() => this.launch(), delayMs);
  }

  /** Not before the worker is dead: what changes under its hands it may write to. */
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
