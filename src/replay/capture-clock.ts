/** The clock of a replay: whole milliseconds of capture time since the first packet. */

const NANOSECONDS_PER_MS = 1_000_000;

export class CaptureClock {
  /** Packets older than the one before them. */
  outOfOrder = 0;
  firstSeconds = 0;
  firstNanoseconds = 0;
  private isRunning = false;
  private lastSeconds = 0;
  private lastNanoseconds = 0;
  /** The last packet's millisecond, and when it begins. */
  private ms = 0;
  private msSeconds = Number.NaN;
  private msNanoseconds = 0;

  /** From the first packet to the last, in seconds. */
  get spanSeconds(): number {
    return this.lastSeconds - this.firstSeconds + (this.lastNanoseconds - this.firstNanoseconds) / 1e9;
  }

  /** Takes a packet's time. Returns its ms since the first packet, rounded down; negative before it. */
  advance(seconds: number, nanoseconds: number): number {
    if (!this.isRunning) {
      this.isRunning = true;
      this.firstSeconds = seconds;
      this.firstNanoseconds = nanoseconds;
    } else if (seconds < this.lastSeconds || (seconds === this.lastSeconds && nanoseconds < this.lastNanoseconds)) {
      this.outOfOrder++;
    }
    this.lastSeconds = seconds;
    this.lastNanoseconds = nanoseconds;
    const sinceMs = nanoseconds - this.msNanoseconds;
    if (seconds === this.msSeconds && sinceMs >= 0 && sinceMs < NANOSECONDS_PER_MS) return this.ms;
    const wholeMs = Math.floor((nanoseconds - this.firstNanoseconds) / NANOSECONDS_PER_MS);
    this.msSeconds = seconds;
    this.msNanoseconds = this.firstNanoseconds + wholeMs * NANOSECONDS_PER_MS;
    this.ms = (seconds - this.firstSeconds) * 1000 + wholeMs;
    return this.ms;
  }
}
