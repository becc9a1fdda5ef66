/**
 * Whether verdicts flow: the one answer for everything that depends on it. docs/decisions/crash-only.md lists what
 * does.
 *
 *     absent -> starting -> recovering -> ready -> absent
 *
 * The keeper reports each step of its worker; memory shared with the worker shows what the worker does. Silence is
 * counted in looks, not in time, because a supervisor that was itself stopped has not looked.
 */

/** What the supervisor can observe of its workers without asking them. */
export interface Watched {
  /** Packets wait to be read from the queue socket. */
  hasUnread(): boolean;
  /**
   * A batch has been read, and not all its verdicts have been sent. Not the number of packets waiting in the kernel:
   * those may belong to a lost table.
   */
  isHolding(): boolean;
  /** System calls on the queue socket so far, by all workers. */
  steps(): number;
  /** Batches decided so far, by all workers. A worker that reads a batch and dies of it has decided nothing. */
  decided(): number;
  /** The worker's last look at its clock; a running worker looks every 25 ms. */
  lookedMs(): number;
}

const INTERVAL_MS = 250;
/** 3 s with work waiting and no step: the worker is killed. Workers on a busy machine are slow, not dead. */
const MOST_IDLE_LOOKS = 12;
/** 1 s of the same: verdicts no longer flow. */
const CALM_LOOKS = 4;
/** 15 s without a look at the clock, with or without packets: the worker is killed. */
const MOST_STILL_LOOKS = 60;
/** 2 s of the same: verdicts would not flow. */
const AWAKE_LOOKS = 8;
/** A worker that lived this long did not die during its start. */
const SETTLED_MS = 1000;
/**
 * After several deaths a worker counts as proven once it has decided a batch, or lived this long: the longest restart
 * delay.
 */
export const PROVEN_MS = 5000;

const enum WorkerState {
  /** No process. */
  Absent,
  /** A process in which Node is starting. */
  Starting,
  /**
   * Node runs; the worker takes over the tables and decides a dead worker's batch. From here on, silence counts against
   * it.
   */
  Recovering,
  /** Packets are read. */
  Ready,
}

export class Liveness {
  private state = WorkerState.Absent;
  /** Consecutive deaths of workers that achieved nothing. */
  private failures = 0;
  private readySinceMs = 0;
  /** `decided` when this worker started, and at the last call of `lastFlowMs`. */
  private decidedBefore = 0;
  private decidedAtFlow: number;
  private flowedMs = -Infinity;
  private idleLooks = 0;
  private stillLooks = 0;
  private steps = 0;
  private lookedMs = 0;
  private timer: NodeJS.Timeout | undefined;

  /** @param onStuck called when the worker has done nothing for too long; counting then restarts */
  constructor(
    private readonly watched: Watched,
    private readonly onStuck: (why: string) => void,
  ) {
    this.decidedAtFlow = watched.decided();
  }

  /**
   * True when a worker reads packets and keeps up with them and, as far as we can tell, the next packet will not kill
   * it as it killed its predecessors.
   */
  verdictsFlow(): boolean {
    const isTakingUp = this.idleLooks < CALM_LOOKS && this.stillLooks < AWAKE_LOOKS;
    return this.state === WorkerState.Ready && isTakingUp && this.isProven;
  }

  /**
   * When verdicts last flowed: `nowMs` if they do, or if a batch was decided since the previous call, since a worker
   * that keeps dying may still give verdicts in between. -Infinity before the first.
   */
  lastFlowMs(nowMs: number): number {
    const decided = this.watched.decided();
    if (decided !== this.decidedAtFlow || this.verdictsFlow()) this.flowedMs = nowMs;
    this.decidedAtFlow = decided;
    return this.flowedMs;
  }

  /** Starts looking. */
  watch(): void {
    this.timer ??= setInterval(() => this.look(), INTERVAL_MS).unref();
  }

  /** Stops looking. */
  stop(): void {
    clearInterval(this.timer);
  }

  look(): void {
    const { watched, state } = this;
    const hasWork =
      (state === WorkerState.Ready && watched.hasUnread()) ||
      // A batch left by a dead worker is decided before the new worker is ready.
      (state >= WorkerState.Recovering && watched.isHolding());
    const steps = watched.steps();
    this.idleLooks = hasWork && steps === this.steps ? this.idleLooks + 1 : 0;
    this.steps = steps;
    const lookedMs = watched.lookedMs();
    this.stillLooks = state === WorkerState.Ready && lookedMs === this.lookedMs ? this.stillLooks + 1 : 0;
    this.lookedMs = lookedMs;
    if (this.idleLooks >= MOST_IDLE_LOOKS) this.tellStuck('packets wait and it does nothing');
    else if (this.stillLooks >= MOST_STILL_LOOKS) this.tellStuck('it has not run for 15 s');
  }

  private tellStuck(why: string): void {
    this.forget();
    this.onStuck(why);
  }

  private forget(): void {
    this.idleLooks = this.stillLooks = 0;
  }

  // ---- what the keeper reports ----

  workerStarts(): void {
    this.decidedBefore = this.watched.decided();
    this.state = WorkerState.Starting;
    this.forget();
  }

  workerIsUp(): void {
    this.state = WorkerState.Recovering;
    this.forget();
  }

  workerIsReady(): void {
    this.state = WorkerState.Ready;
    this.readySinceMs = performance.now();
  }

  /** @returns how many consecutive workers have died without achieving anything */
  workerDied(): number {
    const livedMs = this.state === WorkerState.Ready ? performance.now() - this.readySinceMs : 0;
    // A worker that dies with an undecided batch may have died of it, however long it had waited for one.
    const hasAchieved = this.hasDecided || (livedMs > SETTLED_MS && !this.watched.isHolding());
    this.failures = hasAchieved ? 0 : this.failures + 1;
    this.state = WorkerState.Absent;
    this.forget();
    return this.failures;
  }

  /** Commands go to a worker only in this state. Whether verdicts flow is a separate question. */
  get isReady(): boolean {
    return this.state === WorkerState.Ready;
  }

  private get isProven(): boolean {
    return this.failures < 2 || this.hasDecided || performance.now() - this.readySinceMs > PROVEN_MS;
  }

  private get hasDecided(): boolean {
    return this.watched.decided() !== this.decidedBefore;
  }
}
