/**
 * The clock that lives are measured by: CLOCK_BOOTTIME minus the time in which no worker decided packets. After a stop,
 * a kill or a time without CPU the engine continues where it was, and so do the connections whose packets waited.
 * docs/decisions/engine-clock.md
 */

/**
 * The most that passes between two looks. Looks are 25 ms apart, and a garbage collection takes no longer than this.
 */
const LONGEST_STEP_MS = 250;
/** A longer stall counts in full: by then TCP, CPEs and collectors have given up. */
export const LONGEST_STALL_MS = 60_000;
/** A stall of this length is reported. */
const TOLD_MS = 1000;

/** Float64 words in memory that outlives a worker, CLOCK_BOOTTIME in ms. */
const enum Hand {
  /** When a worker last looked. */
  Seen,
  /** How far the engine's clock is behind CLOCK_BOOTTIME. A whole number, so subtracting and adding it is exact. */
  Lag,
}

export const HANDS = 2;

/** The worker's clock; every look advances it. */
export class EngineClock {
  /** For how long nobody had looked when this clock began, ms. */
  readonly absentMs: number = 0;

  /**
   * Continues from where the last worker left it; starts at CLOCK_BOOTTIME when there was none, or when the hands are
   * damaged.
   *
   * @param hands shared with readers and with the next worker
   * @param longestStallMs see LONGEST_STALL_MS; less where another party serves the CPEs by then
   * @param onStall called after a second or more without a look; `isLong` when it exceeded `longestStallMs`
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
      this.absentMs = gapMs;
    } else {
      hands[Hand.Lag] = 0;
    }
    hands[Hand.Seen] = boottimeMs;
  }

  /** The engine's time in ms. */
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

  /** How much of a gap between two looks goes into the lag: whole ms. */
  private forgiven(gapMs: number): number {
    const isStall = gapMs > LONGEST_STEP_MS && gapMs <= this.longestStallMs;
    return isStall ? Math.floor(gapMs - LONGEST_STEP_MS) : 0;
  }
}

/** The engine's time when a worker last looked, for readers in another process. */
export function engineTime(hands: Float64Array): number {
  return hands[Hand.Seen] - hands[Hand.Lag];
}

/**
 * When a worker last looked, CLOCK_BOOTTIME in ms. Callers only compare it for change, so a damaged hand does not
 * matter.
 */
export function lastLookMs(hands: Float64Array): number {
  return hands[Hand.Seen];
}

/** Add this to an engine time to get CLOCK_BOOTTIME, as of the last stall. */
export function engineLag(hands: Float64Array): number {
  return hands[Hand.Lag];
}

function isSound(hands: Float64Array, boottimeMs: number): boolean {
  const seenMs = hands[Hand.Seen];
  const lagMs = hands[Hand.Lag];
  return seenMs > 0 && seenMs <= boottimeMs && lagMs >= 0 && lagMs < seenMs && lagMs % 1 === 0;
}
