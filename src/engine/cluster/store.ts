/**
 * One of the group's stores: keeps a connection, loads what it has, follows its stream, and writes what is pending.
 *
 * A write is one call: it compares, sets the keys with their lives, and appends one entry to the stream. Entries are
 * numbered. When a number is missing, or the store is another or a new one, everything is loaded again, and what the
 * store lacks is written. Repeating is harmless.
 */
import { randomBytes } from 'node:crypto';
import { decodeRow, encodeRow, FORMAT } from '../../cluster/codec';
import { compare, type Row } from '../../cluster/row';
import { type StoreSettings, type StoreStatus } from '../shared/cluster-protocol';
import { entriesIn, type Greeting, readEntry, rowsIn, WRITE, WRITE_SHA } from './entries';
import { Connection, notAStore, type Reply, StoreError } from './resp';

const HEARTBEAT_MS = 1000;
const CLOCK_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 500;
/** Between two attempts to write to a store that refuses: it may be out of memory. */
const REFUSED_MS = 1000;
/** Rows of one call. */
const MAX_ROWS = 200;
const MAX_ENTRIES = 500;
/** Entries that the stream keeps: at 300 changes a second, a minute. */
const STREAM_ENTRIES = 20_000;
const BLOCK_MS = 2000;
const SCANNED = 1000;
/** Of one group. */
const MAX_ROUTERS = 64;
/** Between two loads, for whatever reason. */
const LOAD_MS = 1000;
/** Of a row, in a store; a row without a life would stay for ever. */
const MAX_LIFE_MS = 400 * 86_400_000;

export interface StoreOptions {
  settings: StoreSettings;
  group: string;
  router: string;
  /** All that is known here. */
  rows: { get(key: string): Row | undefined; all(): Iterable<Row> };
  onRow: (row: Row) => void;
  onRefused: (key: string, why: string) => void;
  onGreeting: (greeting: Greeting) => void;
  onLoaded: () => void;
  /** What to tell of ourselves. */
  greeting: () => { ready: boolean; pause: number; version: string };
  onState: (state: StoreStatus) => void;
}

export class Store {
  published = 0;
  loads = 0;
  private loadedMs = 0;
  private state: StoreStatus['state'] = 'connecting';
  private error: string | null = null;
  private advice: string | null = null;
  private offsetMs = 0;
  private readonly prefix: string;
  private readonly stream: string;
  private readonly token: string;
  private readonly pending = new Set<string>();
  private commands: Connection | undefined;
  private follower: Connection | undefined;
  private run = '';
  private number = 0;
  /** Its last entries may still be read. */
  private readonly earlierRuns: string[] = [];
  private isWriting = false;
  private wroteMs = 0;
  private refusedMs = 0;
  private clockMs = 0;
  /** What the store says it is. */
  private found = '';
  private isStopping = false;
  /** Number of the last entry of each router's run. */
  private readonly numbers = new Map<string, { run: string; number: number }>();

  constructor(private readonly options: StoreOptions) {
    this.prefix = `acsplit:{${options.group}}:${FORMAT}:row:`;
    this.token = `acsplit:{${options.group}}:${FORMAT}:store`;
    this.stream = `acsplit:{${options.group}}:${FORMAT}:changes`;
    void this.keep();
  }

  get status(): StoreStatus {
    const { state, error, advice, offsetMs } = this;
    return { address: this.options.settings.address, state, offsetMs: Math.round(offsetMs), error, advice };
  }

  /** Undefined while its clock is not known. */
  get offset(): number | undefined {
    return this.clockMs > 0 ? this.offsetMs : undefined;
  }

  /** One of our own runs, at present. */
  isRun(run: string): boolean {
    return run === this.run || this.earlierRuns.includes(run);
  }

  publish(key: string): void {
    // Until it is loaded nothing needs to wait: what it lacks is written then.
    if (this.state === 'up') this.pending.add(key);
  }

  /** Writes what is pending, and the heartbeat. Call it often. */
  tick(nowMs: number): void {
    if (this.state !== 'up' || this.isWriting || nowMs < this.refusedMs) return;
    if (this.pending.size === 0 && nowMs - this.wroteMs < HEARTBEAT_MS) return;
    this.isWriting = true;
    void this.write(nowMs)
      .catch((error: Error) => this.refused(error))
      .finally(() => (this.isWriting = false));
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    if (this.state === 'up' && !this.isWriting) await this.write(Date.now()).catch(() => undefined);
    this.drop();
  }

  /** Connects, again and again. */
  private async keep(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    while (!this.isStopping) {
      try {
        this.commands = await Connection.open(this.options.settings);
        this.follower = await Connection.open(this.options.settings);
        delayMs = FIRST_DELAY_MS;
        await this.follow();
      } catch (error) {
        this.tell('connecting', (error as Error).message);
      }
      this.drop();
      await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
      delayMs = Math.min(MAX_DELAY_MS, delayMs * 2);
    }
  }

  private drop(): void {
    this.commands?.close();
    this.follower?.close();
    this.commands = this.follower = undefined;
  }

  /** Until something fails. @throws Error */
  private async follow(): Promise<never> {
    for (;;) {
      await this.lookAtClock();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, this.loadedMs + LOAD_MS - Date.now())));
      let last = await this.load();
      for (let isWhole = true; isWhole;) {
        const reply = await this.askFollower([
          'XREAD',
          'COUNT',
          MAX_ENTRIES,
          'BLOCK',
          BLOCK_MS,
          'STREAMS',
          this.stream,
          last,
        ]);
        if (Date.now() - this.clockMs > CLOCK_MS) isWhole = await this.lookAtClock();
        for (const [id, fields] of entriesIn(reply)) {
          last = id;
          if (!this.hear(id, fields)) isWhole = false;
        }
      }
    }
  }

  /** @returns false when it is another store than before */
  private async lookAtClock(): Promise<boolean> {
    const before = Date.now();
    const time = await this.ask(['TIME']);
    const after = Date.now();
    if (!Array.isArray(time)) throw notAStore();
    const storeMs = Number(time[0]) * 1000 + Number(time[1]) / 1000;
    this.offsetMs = storeMs - (before + after) / 2;
    this.clockMs = after;
    // Nothing is on disk: a store that has lost its rows, however it did, has lost this as well.
    await this.ask(['SET', this.token, randomBytes(12).toString('hex'), 'NX']);
    const token = await this.ask(['GET', this.token]);
    this.advice = await this.advise();
    const isSame = token === this.found;
    this.found = String(token);
    return isSame;
  }

  /** What INFO tells; a store whose ACL does not allow it is not judged. */
  private async advise(): Promise<string | null> {
    try {
      return adviceOn(String(await this.ask(['INFO'])));
    } catch (error) {
      if (error instanceof StoreError) return null;
      throw error;
    }
  }

  /** Reads all rows. @returns the stream's last entry before that */
  private async load(): Promise<string> {
    const { options } = this;
    this.tell('loading', null);
    this.pending.clear();
    this.numbers.clear();
    this.earlierRuns.push(this.run);
    if (this.earlierRuns.length > 8) this.earlierRuns.shift();
    this.run = randomBytes(6).toString('hex');
    this.number = 0;
    const newest = await this.ask(['XREVRANGE', this.stream, '+', '-', 'COUNT', 1]);
    const last = Array.isArray(newest) && Array.isArray(newest[0]) ? String(newest[0][0]) : '0-0';
    const found = new Map<string, Row>();
    let cursor = '0';
    do {
      const page = await this.ask(['SCAN', cursor, 'MATCH', `${escaped(this.prefix)}*`, 'COUNT', SCANNED], 10_000);
      if (!Array.isArray(page) || !Array.isArray(page[1])) throw notAStore();
      cursor = String(page[0]);
      const keys = page[1].map(String).filter((key) => key.startsWith(this.prefix));
      if (keys.length === 0) continue;
      const texts = await this.ask(['MGET', ...keys], 10_000);
      keys.forEach((key, i) => {
        const text = Array.isArray(texts) ? texts[i] : null;
        const row = typeof text === 'string' ? this.read(key.slice(this.prefix.length), text) : undefined;
        if (row !== undefined) found.set(row.key, row);
      });
    } while (cursor !== '0');
    this.loads++;
    const nowMs = (this.loadedMs = Date.now());
    // Only what the store lacks.
    this.tell('up', null);
    for (const row of options.rows.all()) {
      const there = found.get(row.key);
      if (row.deadlineMs > nowMs && (there === undefined || compare(row, there) > 0)) this.pending.add(row.key);
    }
    for (const row of found.values()) options.onRow(row);
    options.onLoaded();
    return last;
  }

  /** @returns false when entries are missing */
  private hear(id: string, fields: readonly string[]): boolean {
    const { options } = this;
    const entry = readEntry(fields);
    const isKnown = entry !== undefined && this.numbers.has(entry.router);
    if (entry === undefined || (!isKnown && this.numbers.size >= MAX_ROUTERS)) {
      options.onRefused(id, entry === undefined ? 'it is no entry of this format' : 'there are too many routers');
      return true;
    }
    const { router, run, number, told } = entry;
    const lagMs = Math.max(0, Date.now() + this.offsetMs - Number(id.split('-')[0]));
    options.onGreeting({ router, run, ...told, lagMs });
    for (const [key, text] of rowsIn(fields)) {
      const row = this.read(key, text);
      if (row !== undefined) options.onRow(row);
    }
    const before = this.numbers.get(router);
    this.numbers.set(router, { run, number });
    // The first entry of a run that we follow from its start is the first one.
    if (before === undefined) return true;
    return before.run === run ? number <= before.number + 1 : number <= 1;
  }

  private read(key: string, text: string): Row | undefined {
    const row = decodeRow(key, text, this.offsetMs);
    if (typeof row !== 'string') return row;
    this.options.onRefused(key, row);
    return undefined;
  }

  private async write(nowMs: number): Promise<void> {
    const { options, prefix, offsetMs } = this;
    const keys: string[] = [];
    const rows: (string | number)[] = [];
    for (const key of this.pending) {
      if (keys.length === MAX_ROWS) break;
      keys.push(key);
      const row = options.rows.get(key);
      const lifeMs = Math.min(MAX_LIFE_MS, Math.ceil((row?.deadlineMs ?? 0) - nowMs));
      if (row === undefined || lifeMs <= 0) continue;
      rows.push(prefix + key, encodeRow(row, offsetMs), lifeMs);
    }
    const count = rows.length / 3;
    const names = Array.from({ length: count }, (_, i) => rows[3 * i]);
    const texts = Array.from({ length: count }, (_, i) => [rows[3 * i + 1], rows[3 * i + 2]]).flat();
    // What changes meanwhile is written with the next call.
    for (const key of keys) this.pending.delete(key);
    const hello = JSON.stringify(options.greeting());
    const words = [count + 1, this.stream, ...names, STREAM_ENTRIES, prefix.length + 1, options.router, this.run];
    try {
      await this.evaluate([...words, this.number + 1, hello, ...texts]);
    } catch (error) {
      for (const key of keys) this.pending.add(key);
      throw error;
    }
    this.number++;
    this.published += count;
    this.wroteMs = Date.now();
    if (this.error !== null) this.tell(this.state, null);
  }

  private async evaluate(words: readonly (string | number)[]): Promise<void> {
    try {
      await this.ask(['EVALSHA', WRITE_SHA, ...words]);
    } catch (error) {
      if (!(error instanceof StoreError) || !error.message.startsWith('NOSCRIPT')) throw error;
      await this.ask(['EVAL', WRITE, ...words]);
    }
  }

  /** A store that refuses to be written to may still be read. */
  private refused(error: Error): void {
    if (!(error instanceof StoreError)) return this.drop();
    this.refusedMs = Date.now() + REFUSED_MS;
    this.tell(this.state, error.message);
  }

  private ask(words: readonly (string | number)[], timeoutMs?: number): Promise<Reply> {
    if (!this.commands) throw new Error('no connection');
    return this.commands.ask(words, timeoutMs);
  }

  private askFollower(words: readonly (string | number)[]): Promise<Reply> {
    if (!this.follower) throw new Error('no connection');
    return this.follower.ask(words, BLOCK_MS + 3000);
  }

  private tell(state: StoreStatus['state'], error: string | null): void {
    if (state === this.state && error === this.error) return;
    this.state = state;
    this.error = error;
    this.options.onState(this.status);
  }
}

/** What docs/cluster.md asks of a store. @param info what INFO answers */
export function adviceOn(info: string): string | null {
  const valueOf = (name: string) => new RegExp(`^${name}:([^\\r\\n]*)`, 'm').exec(info)?.[1];
  const policy = valueOf('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') return `maxmemory-policy is ${policy}: set noeviction`;
  const isOnDisk = valueOf('aof_enabled') === '1' || Number(valueOf('rdb_saves') ?? 0) > 0;
  return isOnDisk ? 'it writes to disk: set appendonly no and save ""' : null;
}

/** For MATCH, where braces mean nothing but some characters do. */
function escaped(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}
