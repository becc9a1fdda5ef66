/**
 * The supervisor's view of the state file: opened before any worker starts, read while workers run, reset between two
 * workers.
 */
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { adoptEarlier, earlierBytes } from '../../splitter/memory/earlier-layout';
import { Splitter } from '../../splitter/splitter';
import { families } from '../../splitter/topology';
import { engineTime, lastLookMs } from '../shared/engine-clock';
import { type EngineLog } from '../shared/engine-log';
import { type QueueCounters, readQueueCounters } from '../shared/queue-counters';
import { resetTables, openState, type StateFile, type StateOptions } from '../shared/state-file';
import { type StateHeader } from '../shared/state-header';
import { decidedSoFar } from '../report/status';
import { type Reloadable } from '../shared/worker-protocol';

export interface HeldStateOptions extends Reloadable {
  capacityEntries: number;
  stateDirectory: string;
  /** The instance. */
  name: string;
  queue: { first: number };
  log: EngineLog;
}

export class HeldState {
  /** A reader of the worker's memory. */
  look: Splitter;
  /**
   * What `look` had counted by queue when this engine opened its queues. Negative after a reset: our count restarted
   * while the kernel's continued.
   */
  earlier: readonly number[];
  private file: StateFile;

  /** @throws EngineError, see openState */
  constructor(private options: HeldStateOptions) {
    this.file = openState(this.fileOptions());
    const { replaced, adopted, isPauseUnknown, header } = this.file;
    if (adopted !== undefined) {
      const message = `took over ${adopted} entries of acsplit 0.1.0; connections learn their numbers from their server's next packet`;
      options.log.info({ event: 'state-adopted', entries: adopted }, message);
    }
    if (replaced !== undefined) {
      const message = resetMessage(replaced, isPauseUnknown ? undefined : header.paused);
      options.log.warn({ event: 'state-replaced', reason: replaced, paused: header.paused }, message);
    }
    this.look = this.lookAt();
    this.earlier = [...this.look.counters.byQueue];
  }

  get fd(): number {
    return this.file.fd;
  }

  get header(): StateHeader {
    return this.file.header;
  }

  /** For how long no worker had looked, ms; null when none ever has, as after a boot. */
  absentMs(boottimeMs: number): number | null {
    const lookedMs = lastLookMs(this.header.hands);
    const absentMs = Math.round(boottimeMs - lookedMs);
    return lookedMs > 0 && absentMs >= 0 ? absentMs : null;
  }

  /** `look`, set to the time of the worker's last look. */
  asOfNow(): Splitter {
    this.look.state.advance(engineTime(this.header.hands));
    return this.look;
  }

  /** The same memory under new settings. */
  reload(options: HeldStateOptions): void {
    this.options = options;
    this.look = this.lookAt();
  }

  /**
   * Only call this between two workers.
   * @param reason why these tables are unusable
   * @throws Error when they cannot be reset
   */
  replace(reason: string, kernel: readonly QueueCounters[] = readQueueCounters()): void {
    const { byQueue } = this.look.counters;
    const { first } = this.options.queue;
    this.earlier = this.earlier.map((earlier, i) => {
      const queue = kernel.find(({ number }) => number === first + i);
      return queue ? -decidedSoFar(queue, byQueue[i] - earlier) : 0;
    });
    const message = resetMessage(reason, resetTables(this.file, this.fileOptions()));
    this.options.log.error({ event: 'state-replaced', reason, paused: this.header.paused }, message);
    this.look = this.lookAt();
  }

  close(): void {
    closeSync(this.file.fd);
  }

  private fileOptions(): StateOptions {
    const { options } = this;
    const { stateDirectory, name, capacityEntries, topology } = options;
    return {
      ...{ directory: stateDirectory, name },
      capacityEntries,
      memoryBytes: Splitter.bufferBytes(capacityEntries, topology),
      adopt: (earlier, buffer) => {
        const expected = earlierBytes(earlier.capacityEntries, families(topology));
        // The header counts in units of 8 bytes.
        if (Math.ceil(expected / 8) * 8 !== earlier.memoryBytes) throw new Error('its tables have another shape');
        const splitter = { ...options, seed: seed(), buffer };
        return adoptEarlier(splitter, earlier.memory, earlier.capacityEntries, engineTime(earlier.hands));
      },
      tryOut: (memory) => void new Splitter({ ...options, seed: seed(), buffer: memory }),
    };
  }

  private lookAt(): Splitter {
    return new Splitter({ ...this.options, seed: 0, buffer: this.file.memory, isReader: true });
  }
}

/** @param paused undefined when the earlier state is unknown */
function resetMessage(reason: string, paused: boolean | undefined): string {
  const words = `tables reset: ${reason}`;
  if (paused === undefined) return `${words}; diverting is not paused: if it was, acsplit pause`;
  return paused ? `${words}; diverting stays paused` : words;
}

/** Seeds the hashes of new tables. */
export function seed(): number {
  return randomBytes(4).readInt32LE();
}
