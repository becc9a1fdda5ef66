/**
 * The hand on the dead-man's switch: twice a second, and only while verdicts flow, it puts everything anew into the sets
 * that the rules look at. Let go of, by whatever death, they empty themselves, and the kernel alone sends the CPEs to the
 * ITMS. docs/decisions/engine-down.md
 */
import { type Family } from '../../packet/address';
import { loadAddon, type SystemError } from '../shared/binding';
import { type EngineLog } from '../shared/engine-log';

/** A set in the kernel (ipset) that empties itself. */
export interface SelfEmptyingSet {
  name: string;
  family: Family;
  /** What is put in is out again after so long. */
  seconds: number;
}

export interface SwitchOptions {
  /** Asked at each renewal: a reload may change them. None where nobody else is to take over. */
  sets: () => readonly SelfEmptyingSet[];
  /** When verdicts last flowed, by the given clock; see Liveness. */
  lastFlowMs: (nowMs: number) => number;
  log: EngineLog;
}

/** For tests. */
export interface SwitchSystem {
  /** @throws SystemError */
  fill: (set: SelfEmptyingSet) => void;
  nowMs: () => number;
}

const SYSTEM: SwitchSystem = {
  fill: ({ name, family, seconds }) => loadAddon().fillSet(name, family === 'ipv4' ? 4 : 6, seconds),
  nowMs: () => performance.now(),
};

const INTERVAL_MS = 500;
/**
 * A worker that has died is given so long to be there again: with the life of what was last put in, the kernel takes over
 * 4.5 s after the last sign of life, and never for a death of 3.5 s.
 */
const PATIENCE_MS = 1500;

/** From a worker's last sign of life to the kernel's rules, at the most. */
export function takeoverMs({ seconds }: SelfEmptyingSet): number {
  return PATIENCE_MS + seconds * 1000;
}

export class DeadMansSwitch {
  private filledMs = Infinity;
  private readonly complained = new Set<string>();
  private readonly timer: NodeJS.Timeout;

  /** Takes hold at once. */
  constructor(
    private readonly options: SwitchOptions,
    private readonly system: SwitchSystem = SYSTEM,
  ) {
    this.hold();
    this.timer = setInterval(() => this.hold(), INTERVAL_MS);
    this.timer.unref();
  }

  hold(): void {
    const nowMs = this.system.nowMs();
    if (nowMs - this.options.lastFlowMs(nowMs) > PATIENCE_MS) return;
    const sets = this.options.sets();
    for (const set of sets) this.renew(set);
    if (sets.length > 0) this.tellFall(nowMs, sets[0].seconds);
  }

  /** Lets go: what was put in last outlives this by its seconds, so that a restart within them is no fall. */
  stop(): void {
    clearInterval(this.timer);
  }

  /** Between two renewals the sets were empty for a while. */
  private tellFall(nowMs: number, seconds: number): void {
    const fallenMs = Math.round(nowMs - this.filledMs - seconds * 1000);
    this.filledMs = nowMs;
    if (fallenMs <= 0) return;
    const what = `no verdicts flowed: for ${fallenMs} ms the kernel sent new sessions to the ITMS`;
    this.options.log.warn({ event: 'fallback', fallenMs }, what);
  }

  private renew(set: SelfEmptyingSet): void {
    try {
      this.system.fill(set);
      this.complained.delete(set.name);
    } catch (error) {
      const { code, message } = error as SystemError;
      // No such set: the rules are not installed (yet).
      if (code === 'ENOENT' || this.complained.has(set.name)) return;
      this.complained.add(set.name);
      const what = `set ${set.name} cannot be renewed: ${message}; the kernel sends sessions to the ITMS without the engine`;
      this.options.log.error({ event: 'switch', set: set.name, code }, what);
    }
  }
}
