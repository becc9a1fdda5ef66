/**
 * Keeps one worker alive: starts it, starts it again when it dies, more slowly when it keeps dying at once, and carries
 * commands to whichever lives.
 */
import { EngineError } from './engine-error';
import { type EngineLog } from './engine-log';
import { type Death, type Descriptors, WorkerProcess } from './worker-process';
import { type FromWorker, type ToWorker, type WorkerStart } from './worker-protocol';

/** A worker must give verdicts by then. */
const READY_TIMEOUT_MS = 15_000;
/** Who asks gets an answer or a reason by then; the control socket's own limit is a little more. */
const ANSWER_TIMEOUT_MS = 4000;
const STOP_TIMEOUT_MS = 5000;
const MAX_DELAY_MS = 5000;
const FIRST_DELAY_MS = 50;
/** Who has lived so long did not die of its start. */
const SETTLED_MS = 1000;
/** Deaths in a row at the very start, before anybody was ever ready: it cannot work here. */
const MAX_STARTS = 3;

export interface KeeperOptions {
  descriptors: () => Descriptors;
  start: () => Omit<WorkerStart, 'kind' | 'parent'>;
  /** Verdicts that were sent so far, by whichever worker. */
  steps: () => number;
  /** A worker is about to start. */
  onStart: () => void;
  /** The tables are of no use: to be made anew before the next worker starts. */
  onStateUnusable: (reason: string) => void;
  /** No worker will ever run again under this supervisor. */
  onHopeless: (reason: string) => void;
  log: EngineLog;
}

type Command =
  { kind: 'command'; request: { command: string } & Record<string, unknown> } | { kind: 'ping' } | Omit<Reload, 'id'>;
type Reload = Extract<ToWorker, { kind: 'reload' }>;

interface Pending {
  command: Command;
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
  private stepsBefore = 0;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private readonly firstReady: Promise<void>;
  private settleFirst: { resolve(): void; reject(error: Error): void } | undefined;
  private timer: NodeJS.Timeout | undefined;

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
      this.pending.set(id, { command, resolve: settled(resolve), reject: settled(reject) });
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
  bite(): void {
    this.options.log.error(
      { event: 'worker-stuck', pid: this.pid },
      'packets wait and the worker does nothing: killed',
    );
    this.worker?.kill();
  }

  /** Sends what is decided and ends the worker. Idempotent. */
  async stop(): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.timer);
    const { worker } = this;
    for (const { reject } of [...this.pending.values()]) reject(new EngineError('the engine stops'));
    if (!worker) return;
    worker.tell({ kind: 'stop' });
    const timer = setTimeout(() => worker.kill(), STOP_TIMEOUT_MS);
    await worker.died;
    clearTimeout(timer);
  }

  private launch(): void {
    const { options } = this;
    options.onStart();
    this.stepsBefore = options.steps();
    const worker = new WorkerProcess(options.descriptors(), (message) => {
      if (this.worker === worker) this.hear(message);
    });
    this.worker = worker;
    this.timer = setTimeout(() => this.bite(), READY_TIMEOUT_MS);
    void worker.died.then((death) => this.mourn(worker, death));
  }

  private hear(message: FromWorker): void {
    switch (message.kind) {
      case 'up':
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
        this.options.onStateUnusable(message.message);
        return this.worker?.kill();
      case 'upgraded':
        this.isStopping = true;
        this.worker?.kill();
        return this.options.onHopeless(
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
    if (pending) this.worker?.tell({ id, ...pending.command } as ToWorker);
  }

  private mourn(worker: WorkerProcess, death: Death): void {
    clearTimeout(this.timer);
    const { log, steps, onHopeless } = this.options;
    const livedMs = this.isReady ? performance.now() - this.readyMs : 0;
    this.worker = undefined;
    this.isReady = false;
    if (this.isStopping) return;
    const cameToSomething = livedMs > SETTLED_MS || (livedMs > 0 && steps() !== this.stepsBefore);
    this.failures = cameToSomething ? 0 : this.failures + 1;
    const delayMs = delayAfter(this.failures);
    const { reason, code, signal } = death;
    log.error({ event: 'worker-died', pid: worker.pid, code, signal, delayMs }, `the worker died: ${reason}`);
    if (!this.wasEverReady && this.failures >= MAX_STARTS) {
      const error = new EngineError(`the worker does not start: ${reason}`);
      this.settleFirst?.reject(error);
      return onHopeless(error.message);
    }
    this.restarts++;
    this.timer = setTimeout(() => this.launch(), delayMs);
  }
}
