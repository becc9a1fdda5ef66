/**
 * Notices a worker that lives and gives no verdicts: something waits for it (packets to be read, or a batch in hand), and
 * it neither reads nor sends. Never asks how many packets wait in the kernel: those may be a dead table's.
 *
 * Counts looks, not time: a supervisor that was stopped itself has looked at nothing meanwhile.
 */

export interface Watched {
  /** Packets wait to be read from the queue socket. */
  hasUnread(): boolean;
  /** A batch has been read and not answered. */
  isHolding(): boolean;
  /** System calls of the worker so far; grows with everything it does. */
  steps(): number;
}

const INTERVAL_MS = 250;
/** Looks in a row without a step: 3 s. Workers on a busy machine are slow, not dead. */
const MOST_LOOKS = 12;
/** After so many, 1 s, it is no longer said to be alive. */
const CALM_LOOKS = 4;

export class Watchdog {
  private looks = 0;
  private steps = 0;
  private readonly timer: NodeJS.Timeout;

  /** @param bite called when the worker has done nothing for too long; looking begins anew */
  constructor(
    private readonly watched: Watched,
    private readonly bite: () => void,
  ) {
    this.timer = setInterval(() => this.look(), INTERVAL_MS);
    this.timer.unref();
  }

  /** Whatever waited when it looked the last times was taken up. */
  get isCalm(): boolean {
    return this.looks < CALM_LOOKS;
  }

  look(): void {
    const steps = this.watched.steps();
    const isIdle = !this.watched.hasUnread() && !this.watched.isHolding();
    this.looks = isIdle || steps !== this.steps ? 0 : this.looks + 1;
    this.steps = steps;
    if (this.looks < MOST_LOOKS) return;
    this.looks = 0;
    this.bite();
  }

  /** A new worker is given its time. */
  restart(): void {
    this.looks = 0;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
