/** Connections of the last while by row, in steps that a window of time moves over. */
import { ROWS } from './server-row';

const STEPS = 6;

export class Window {
  private readonly stepMs: number;
  private readonly all = new Int32Array(ROWS * STEPS);
  private readonly troubled = new Int32Array(ROWS * STEPS);
  private step = 0;
  /** When the step began. */
  private begunTick = 0;

  /** @param windowMs a multiple of STEPS */
  constructor(windowMs: number) {
    this.stepMs = windowMs / STEPS;
  }

  count(row: number, isInTrouble: boolean): void {
    const at = row * STEPS + this.step;
    this.all[at]++;
    if (isInTrouble) this.troubled[at]++;
  }

  /** A connection that was counted as answered is in trouble after all. */
  revise(row: number): void {
    this.troubled[row * STEPS + this.step]++;
  }

  attempts(row: number): number {
    return sumOf(this.all, row);
  }

  inTrouble(row: number): number {
    return sumOf(this.troubled, row);
  }

  /** Share of the latest connections, of the step before and of this one, that is in trouble. */
  latestShare(row: number): number {
    const now = row * STEPS + this.step;
    const before = row * STEPS + ((this.step + STEPS - 1) % STEPS);
    const all = this.all[now] + this.all[before];
    return all === 0 ? 0 : (this.troubled[now] + this.troubled[before]) / all;
  }

  clear(row: number): void {
    this.all.fill(0, row * STEPS, (row + 1) * STEPS);
    this.troubled.fill(0, row * STEPS, (row + 1) * STEPS);
  }

  /** Forgets what is too old. */
  advance(tick: number, rows: readonly number[]): void {
    const { stepMs } = this;
    for (let passed = 0; passed < STEPS && ((tick - this.begunTick) | 0) >= stepMs; passed++) {
      this.begunTick = (this.begunTick + stepMs) | 0;
      this.step = (this.step + 1) % STEPS;
      for (const row of rows) this.all[row * STEPS + this.step] = this.troubled[row * STEPS + this.step] = 0;
    }
    const behindMs = (tick - this.begunTick) | 0;
    if (behindMs >= stepMs || behindMs < 0) this.begunTick = tick;
  }
}

function sumOf(counts: Int32Array, row: number): number {
  let sum = 0;
  for (let step = 0; step < STEPS; step++) sum += counts[row * STEPS + step];
  return sum;
}
