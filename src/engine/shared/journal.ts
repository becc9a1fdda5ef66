/**
 * The verdict loop's journal (native/journal.h), read while the loop runs: counters that continue from worker to
 * worker, and whether a batch is in hand. Knows bytes only.
 */
import { type LoopCounters } from './binding';

const PHASE_AT = 0;
const ATTEMPTS_AT = 8;
const COUNTERS_AT = 144;
const PRISTINE_AT = 512;
const PRISTINE_BYTES = 1280;

/** In memory order. */
export const COUNTER_NAMES = [
  'batches',
  'received',
  'receiveCalls',
  'sendCalls',
  'verdictErrors',
  'verdictsLate',
  'truncated',
  'unparsed',
  'lost',
  'recovered',
  'givenUp',
] as const satisfies readonly (keyof LoopCounters)[];

/** Byte offsets and sizes; a test compares them with the addon's own. */
export const JOURNAL_LAYOUT = {
  phase: PHASE_AT,
  attempts: ATTEMPTS_AT,
  counters: COUNTERS_AT,
  counterNames: COUNTER_NAMES,
} as const;

const HOLDING = 1;

export class Journal {
  private readonly words: Uint32Array;
  private readonly values: BigUint64Array;

  /** @param capacity packets per batch */
  static bytes(capacity: number): number {
    return PRISTINE_AT + capacity * PRISTINE_BYTES;
  }

  /** @param buffer the memory given to a verdict loop as its journal */
  constructor(buffer: ArrayBuffer) {
    this.words = new Uint32Array(buffer, 0, PRISTINE_AT / 4);
    this.values = new BigUint64Array(buffer, COUNTERS_AT, COUNTER_NAMES.length);
  }

  /** A batch has been read, and not all its verdicts have been sent. */
  get isHolding(): boolean {
    return this.words[PHASE_AT / 4] === HOLDING;
  }

  /** On the queue socket, by all workers so far. */
  get systemCalls(): number {
    const { receiveCalls, sendCalls } = this.counters();
    return receiveCalls + sendCalls;
  }

  counters(): LoopCounters {
    const counters = {} as LoopCounters;
    for (const [index, name] of COUNTER_NAMES.entries()) counters[name] = Number(this.values[index]);
    return counters;
  }
}
