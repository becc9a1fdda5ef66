/**
 * The dead-man's switch: twice a second, while verdicts flow, the supervisor refreshes the sets that the iptables rules
 * match. If refreshing stops, the entries expire, and the kernel alone sends the CPEs to the ITMS.
 * docs/decisions/engine-down.md
 */
import { closeSync } from 'node:fs';
import { type Family } from '../../packet/address';
import { loadAddon, type SystemError } from '../shared/binding';
import { type EngineLog } from '../shared/engine-log';

/** A set in the kernel (ipset) whose entries expire. */
export interface SelfEmptyingSet {
  name: string;
  family: Family;
  /** Lifetime of an entry. */
  seconds: number;
}

export interface SwitchOptions {
  /** Called at each refresh, because a reload may change the sets. Empty with `onEngineDown: hold`. */
  sets: () => readonly SelfEmptyingSet[];
  /** When verdicts last flowed, by the given clock. See Liveness. */
  lastFlowMs: (nowMs: number) => number;
  /** Called at each refresh: until then the kernel does not take over, ms from now; 0: it never does. */
  onRefresh?: (forMs: number) => void;
  /** Called when the sets have become empty while we watch. */
  onBegin: () => void;
  /** Called when the sets were empty for a while, before they are refreshed: no new packet has reached the queues yet. */
  onReturn?: () => void;
  /** Called after that refresh: for how long they were empty, and which process caused it. */
  onFall: (fallenMs: number, cause: 'worker' | 'supervisor') => void;
  log: EngineLog;
}

/** For tests. */
export interface SwitchSystem {
  /** @throws SystemError */
  fill: (set: SelfEmptyingSet) => void;
  nowMs: () => number;
  close: () => void;
}

/**
 * Talks to the kernel through one socket that stays open, so that a host out of descriptors does not look like a dead
 * engine.
 */
class KernelSets implements SwitchSystem {
  private socket = -1;

  fill({ name, family, seconds }: SelfEmptyingSet): void {
    const { openSetSocket, fillSet } = loadAddon();
    if (this.socket < 0) this.socket = openSetSocket();
    fillSet(this.socket, name, family === 'ipv4' ? 4 : 6, seconds);
  }

  nowMs(): number {
    return performance.now();
  }

  close(): void {
    if (this.socket >= 0) closeSync(this.socket);
    this.socket = -1;
  }
}

const INTERVAL_MS = 500;
/**
 * How long refreshing continues after verdicts last flowed, to allow a worker restart. With entries of 3 s the kernel
 * takes over 4.5 s after the last sign of life, and never if the worker is back within 3.5 s.
 */
const PATIENCE_MS = 1500;
/** A longer gap between two refreshes means that the supervisor itself did not run. */
const STALL_MS = 1500;

/** The longest time from a worker's last sign of life until the kernel's rules take over. */
export function takeoverMs({ seconds }: SelfEmptyingSet): number {
  return PATIENCE_MS + seconds * 1000;
}

/** The shortest, where the supervisor died as well: a refresh may have been due, and nobody had patience. */
export function soonestTakeoverMs({ seconds }: SelfEmptyingSet): number {
  return seconds * 1000 - 2 * INTERVAL_MS;
}

export class DeadMansSwitch {
  private filledMs = Infinity;
  private isFallen = false;
  private lookedMs: number;
  /** How long the supervisor did not run since the sets were last refreshed. */
  private stalledMs = 0;
  private readonly complained = new Set<string>();
  private readonly timer: NodeJS.Timeout;

  /** Refreshes at once, then at each interval. */
  constructor(
    private readonly options: SwitchOptions,
    private readonly system: SwitchSystem = new KernelSets(),
  ) {
    this.lookedMs = system.nowMs();
    this.hold();
    this.timer = setInterval(() => this.hold(), INTERVAL_MS);
    this.timer.unref();
  }

  hold(): void {
    const nowMs = this.system.nowMs();
    this.noteStall(nowMs);
    const sets = this.options.sets();
    if (nowMs - this.options.lastFlowMs(nowMs) > PATIENCE_MS) return this.tellBegin(nowMs, sets);
    const seconds = sets.length > 0 ? sets[0].seconds : 0;
    const fallenMs = sets.length > 0 ? Math.round(nowMs - this.filledMs - seconds * 1000) : 0;
    if (sets.length > 0) this.filledMs = nowMs;
    if (fallenMs > 0) this.options.onReturn?.();
    for (const set of sets) this.refresh(set);
    this.options.onRefresh?.(seconds * 1000);
    if (fallenMs > 0) this.tellFall(fallenMs);
    this.stalledMs = 0;
  }

  /** Stops refreshing. The entries live on for their seconds, so a quick restart goes unnoticed. */
  stop(): void {
    clearInterval(this.timer);
    this.system.close();
  }

  private noteStall(nowMs: number): void {
    const gapMs = Math.round(nowMs - this.lookedMs);
    this.lookedMs = nowMs;
    if (gapMs <= STALL_MS) return;
    this.stalledMs += gapMs;
    this.options.log.warn(
      { event: 'supervisor-stalled', stalledMs: gapMs },
      `the supervisor did not run for ${gapMs} ms: it was stopped, or had no CPU time; the worker may have gone on`,
    );
  }

  private tellBegin(nowMs: number, sets: readonly SelfEmptyingSet[]): void {
    if (this.isFallen || sets.length === 0 || nowMs - this.filledMs <= sets[0].seconds * 1000) return;
    this.isFallen = true;
    this.options.onBegin();
  }

  private tellFall(fallenMs: number): void {
    this.isFallen = false;
    this.options.onFall(fallenMs, this.stalledMs >= fallenMs ? 'supervisor' : 'worker');
  }

  private refresh(set: SelfEmptyingSet): void {
    try {
      this.system.fill(set);
      this.complained.delete(set.name);
    } catch (error) {
      const { code, message } = error as SystemError;
      // No such set: the rules are not installed (yet).
      if (code === 'ENOENT' || this.complained.has(set.name)) return;
      this.complained.add(set.name);
      const what = `cannot refresh set ${set.name}: ${message}; the kernel sends sessions to the ITMS without the engine`;
      this.options.log.error({ event: 'switch', set: set.name, code }, what);
    }
  }
}
