/** The state file as the supervisor holds it: opened before any worker, looked at beside it, made anew between two. */
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { Splitter } from '../splitter/splitter';
import { engineTime } from './engine-clock';
import { type EngineLog } from './engine-log';
import { openState, type StateFile, type StateHeader } from './state-file';
import { type Rules } from './worker-protocol';

export interface HeldStateOptions extends Rules {
  capacityEntries: number;
  stateDirectory: string;
  log: EngineLog;
}

export class HeldState {
  /** Looks at the worker's memory. */
  look: Splitter;
  /** Packets by queue that had been decided before this engine opened its queues. */
  earlier: readonly number[];
  private file: StateFile;

  /** @throws EngineError, see openState */
  constructor(private options: HeldStateOptions) {
    this.file = this.open();
    const { replaced } = this.file;
    if (replaced !== undefined) {
      options.log.warn({ event: 'state-replaced', reason: replaced }, `tables begin anew: ${replaced}`);
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

  /** `look`, with the time of the worker's last look. */
  asOfNow(): Splitter {
    this.look.state.advance(engineTime(this.header.hands));
    return this.look;
  }

  /** The same memory, by other rules. */
  reload(options: HeldStateOptions): void {
    this.options = options;
    this.look = this.lookAt();
  }

  /** Only ever between two workers. @param reason why these tables are of no use */
  replace(reason: string): void {
    this.options.log.error({ event: 'state-replaced', reason }, `tables begin anew: ${reason}`);
    this.header.spoil();
    this.close();
    this.file = this.open();
    this.look = this.lookAt();
    this.earlier = this.earlier.map(() => 0);
  }

  close(): void {
    closeSync(this.file.fd);
  }

  private open(): StateFile {
    const { options } = this;
    const { stateDirectory, capacityEntries, topology } = options;
    return openState({
      directory: stateDirectory,
      capacityEntries,
      memoryBytes: Splitter.bufferBytes(capacityEntries, topology),
      tryOut: (memory) => void new Splitter({ ...options, seed: seed(), buffer: memory }),
    });
  }

  private lookAt(): Splitter {
    return new Splitter({ ...this.options, seed: 0, buffer: this.file.memory, isReader: true });
  }
}

/** For the hashes of tables that are not there yet. */
export function seed(): number {
  return randomBytes(4).readInt32LE();
}
