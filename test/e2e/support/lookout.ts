/** Looks at a running engine from the test's own process, through the memory that the worker writes. */
import { closeSync, openSync } from 'node:fs';
import { loadConfiguration } from '../../../src/configuration/configuration';
import { askEngine, controlSocketPath } from '../../../src/engine/control/ask';
import { mapState, stateFilePath } from '../../../src/engine/shared/state-file';
import { type Status } from '../../../src/engine/report/status';
import { type Reason } from '../../../src/splitter/reasons';
import { Splitter } from '../../../src/splitter/splitter';
import { type Stage } from './stage';

/** Bounds a failure. */
const PATIENCE_MS = 60_000;

export class Lookout {
  /** The tables' own, shared with the worker. */
  readonly memory: ArrayBuffer;
  readonly splitter: Splitter;
  private readonly stateDirectory: string;

  constructor(stage: Stage) {
    const { topology, activation, lives, capacityEntries, stateDirectory } = loadConfiguration(
      stage.engine.configurationFile,
    );
    this.stateDirectory = stateDirectory;
    const fd = openSync(stateFilePath(stateDirectory), 'r+');
    const { memory } = mapState(fd, Splitter.bufferBytes(capacityEntries, topology));
    closeSync(fd);
    this.memory = memory;
    const rules = { topology, activation, lives, capacityEntries };
    this.splitter = new Splitter({ ...rules, seed: 0, buffer: memory, isReader: true });
  }

  status(): Promise<Status> {
    return this.ask('status') as Promise<Status>;
  }

  ask(command: string, more: object = {}): Promise<unknown> {
    return askEngine(controlSocketPath(this.stateDirectory), { command, ...more });
  }

  /** The worker's process id, as soon as there is one. */
  async worker(): Promise<number> {
    const { workers } = await this.until('a worker', (status) => (status.workers[0]?.pid ?? 0) > 0);
    return workers[0]!.pid;
  }

  async until(what: string, fits: (status: Status) => boolean): Promise<Status> {
    for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await pause(2)) {
      const status = await this.status();
      if (fits(status)) return status;
    }
    throw new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`);
  }

  /** Packets decided so far, by whichever worker. */
  verdicts(): number {
    return this.splitter.counters.byReason.reduce((sum, count) => sum + count, 0);
  }

  /** Packets that got this reason so far. */
  decided(reason: Reason): number {
    return this.splitter.counters.byReason[reason]!;
  }

  /** ms until the next packet is decided. */
  async untilVerdict(): Promise<number> {
    const [before, from] = [this.verdicts(), performance.now()];
    while (this.verdicts() === before) {
      if (performance.now() - from > PATIENCE_MS) throw new Error(`no verdict within ${PATIENCE_MS} ms`);
      await pause(1);
    }
    return performance.now() - from;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `p50 12 ms, p99 30 ms, at most 31 ms` */
export function spread(milliseconds: readonly number[]): string {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms`;
}
