/**
 * Writes our changes to one store. A write is one call: it compares, sets the keys with their lives, and appends one entry
 * to the stream. Entries are numbered within a run; repeating one is harmless.
 */
import { randomBytes } from 'node:crypto';
import { encodeRow } from '../../cluster/codec';
import { type Row } from '../../cluster/row';
import { WRITE, WRITE_SHA } from './entries';
import { type Reply, StoreError } from './replies';

const HEARTBEAT_MS = 1000;
/** Rows of one call, and those of one CPE more: what one decision has changed is of one CPE, and travels in one entry. */
const ROWS = 200;
/** At most: Lua unpacks no more than some 8000 words. A CPE with so many rows is hostile. */
const MOST_ROWS = 1000;
/** Entries that the stream keeps: at 300 changes a second, a minute. */
const STREAM_ENTRIES = 20_000;
/** Of a row, in a store; a row without a life would stay for ever. */
const MAX_LIFE_MS = 400 * 86_400_000;
/** Runs whose last entries may still be read. */
const EARLIER_RUNS = 8;

export interface PublisherOptions {
  /** Of the keys of rows. */
  prefix: string;
  stream: string;
  router: string;
  /** All that is known here. */
  rows: { get(key: string): Row | undefined };
  /** What to tell of ourselves. */
  greeting: () => { ready: boolean; pause: number; version: string };
}

export type Ask = (words: readonly (string | number)[], timeoutMs?: number) => Promise<Reply>;

export class Publisher {
  published = 0;
  /** Keys by CPE. */
  private readonly pending = new Map<string, Set<string>>();
  private run = '';
  private number = 0;
  private readonly earlierRuns: string[] = [];
  private wroteMs = 0;

  constructor(private readonly options: PublisherOptions) {}

  /** The store is new, or something is missing: what it lacks is added afterwards. */
  beginRun(): void {
    this.pending.clear();
    this.earlierRuns.push(this.run);
    if (this.earlierRuns.length > EARLIER_RUNS) this.earlierRuns.shift();
    this.run = randomBytes(6).toString('hex');
    this.number = 0;
  }

  /** One of our own runs. */
  isRun(run: string): boolean {
    return run === this.run || this.earlierRuns.includes(run);
  }

  add(key: string): void {
    const cpe = cpeOf(key);
    const keys = this.pending.get(cpe);
    if (keys === undefined) this.pending.set(cpe, new Set([key]));
    else keys.add(key);
  }

  /** There is something to write, or a heartbeat is due. */
  isDue(nowMs: number): boolean {
    return this.pending.size > 0 || nowMs - this.wroteMs >= HEARTBEAT_MS;
  }

  /**
   * One call. @param offsetMs what the store's clock is ahead of ours
   * @returns whether more is pending @throws Error nothing is lost then
   */
  async write(ask: Ask, nowMs: number, offsetMs: number): Promise<boolean> {
    const { options, pending } = this;
    const keys = this.take();
    const names: string[] = [];
    const texts: (string | number)[] = [];
    for (const key of keys) {
      const row = options.rows.get(key);
      const lifeMs = Math.min(MAX_LIFE_MS, Math.ceil((row?.deadlineMs ?? 0) - nowMs));
      if (row === undefined || lifeMs <= 0) continue;
      names.push(options.prefix + key);
      texts.push(encodeRow(row, offsetMs), lifeMs);
    }
    const { stream, prefix, router } = options;
    const head = [names.length + 1, stream, ...names, STREAM_ENTRIES, prefix.length + 1, router, this.run];
    try {
      await evaluate(ask, [...head, this.number + 1, JSON.stringify(options.greeting()), ...texts]);
    } catch (error) {
      for (const key of keys) this.add(key);
      throw error;
    }
    this.number++;
    this.published += names.length;
    this.wroteMs = Date.now();
    return pending.size > 0;
  }

  /** Keys of the next call. What changes meanwhile is written with the one after it. */
  private take(): string[] {
    const { pending } = this;
    const taken: string[] = [];
    for (const [cpe, keys] of pending) {
      if (taken.length >= ROWS || (taken.length > 0 && taken.length + keys.size > MOST_ROWS)) break;
      for (const key of keys) {
        if (taken.length === MOST_ROWS) break;
        keys.delete(key);
        taken.push(key);
      }
      if (keys.size === 0) pending.delete(cpe);
    }
    return taken;
  }
}

/** The part of a key that its CPE's other rows have, too. */
function cpeOf(key: string): string {
  return key.split('/', 2)[1] ?? '';
}

async function evaluate(ask: Ask, words: readonly (string | number)[]): Promise<void> {
  try {
    await ask(['EVALSHA', WRITE_SHA, ...words]);
  } catch (error) {
    if (!(error instanceof StoreError) || !error.message.startsWith('NOSCRIPT')) throw error;
    await ask(['EVAL', WRITE, ...words]);
  }
}
