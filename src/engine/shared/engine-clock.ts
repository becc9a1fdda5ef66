/**
 * The clock by which lives are counted: CLOCK_BOOTTIME, less the time in which nobody decided. An engine that was stopped,
 * killed or without processor time goes on where it was, and so do the connections whose packets waited for it.
 * docs/decisions/engine-clock.md
 */

/** Between two looks so much passes at the most. Looks are 25 ms apart, and a collection of garbage takes no longer. */
const LONGEST_STEP_MS = 250;
/** A longer stall counts in full: by then TCP, CPEs and collectors have given up what they were about. */
export const LONGEST_STALL_MS = 60_000;
/** So long without a verdict is told. */
const TOLD_MS = 1000;

/** Float64 words of memory that outlives a worker, CLOCK_BOOTTIME in ms. */
const enum Hand {
  /** When a worker last looked. */
  Seen,
  /** How far behind CLOCK_BOOTTIME the engine's clock is; whole, so that taking it off and adding it again is exact. */
  Lag,
}

export const HANDS = 2;

/** The worker's: every look moves it on. */
export class EngineClock {
  /** Nobody had looked for longer than `longestStallMs` when this clock began. */
  readonly wasAway: boolean = false;

  /**
   * Goes on where the last worker left it, or begins at CLOCK_BOOTTIME where none has, or where the hands are damaged.
   *
   * @param hands shared with readers, and with the worker after this one
   * @param longestStallMs see LONGEST_STALL_MS; less where somebody else serves the CPEs by then
   * @param onStall told of a second or more without a look; `isLong` where it was longer than `longestStallMs`
   */
  constructor(
    private readonly hands: Float64Array,
    boottimeMs: number,
    public longestStallMs: number,
    private readonly onStall: (stalledMs: number, isLong: boolean) => void,
  ) {
    if (isSound(hands, boottimeMs)) {
      const gapMs = boottimeMs - hands[Hand.Seen];
      hands[Hand.Lag] += this.forgiven(gapMs);
      this.wasAway = gapMs > longestStallMs;
    } else {
      hands[Hand.Lag] = 0;
    }
    hands[Hand.Seen] = boottimeMs;
  }

  /** The engine's time, ms. */
  look(boottimeMs: number): number {
    const { hands } = this;
    const gapMs = boottimeMs - hands[Hand.Seen];
    if (gapMs > LONGEST_STEP_MS) {
      hands[Hand.Lag] += this.forgiven(gapMs);
      const isLong = gapMs > this.longestStallMs;
      if (gapMs >= TOLD_MS) this.onStall(gapMs, isLong);
    }
    hands[Hand.Seen] = boottimeMs;
    return boottimeMs - hands[Hand.Lag];
  }

  /** What a gap between two looks adds to the lag: whole ms. */
  private forgiven(gapMs: number): number {
    const isStall = gapMs > LONGEST_STEP_MS && gapMs <= this.longestStallMs;
    return isStall ? Math.floor(gapMs - LONGEST_STEP_MS) : 0;
  }
}

/** The engine's time when a worker last looked, for those who look on. */
export function engineTime(hands: Float64Array): number {
  return hands[Hand.Seen] - hands[Hand.Lag];
}

/** When a worker last looked, CLOCK_BOOTTIME in ms. Anything that changes: a damaged hand is as good. */
export function lastLookMs(hands: Float64Array): number {
  return hands[Hand.Seen];
}

/** What makes a CLOCK_BOOTTIME of a time of the engine's, as of its last stall. */
export function engineLag(hands: Float64Array): number {
  return hands[Hand.Lag];
}

function isSound(hands: Float64Array, boottimeMs: number): boolean {
  const seenMs = hands[Hand.Seen];
  const lagMs = hands[Hand.Lag];
  return seenMs > 0 && seenMs <= boottimeMs && lagMs >= 0 && lagMs < seenMs && lagMs % 1 === 0;
}
