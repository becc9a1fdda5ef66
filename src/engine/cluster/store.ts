/**
 * One of the group's stores: keeps two connections to it, loads what it has, and follows its stream. publisher.ts writes.
 *
 * When the number of an entry is missing, or the store is another or a new one, everything is loaded again, and what the
 * store lacks is written.
 */
import { randomBytes } from 'node:crypto';
import { decodeRow, FORMAT } from '../../cluster/codec';
import { compare, type Row, type Version } from '../../cluster/row';
import { type StoreSettings, type StoreStatus } from '../shared/cluster-protocol';
import { entriesIn, type Greeting, MOST_AHEAD_MS, readEntry, rowsIn } from './entries';
import { type Ask, Publisher } from './publisher';
import { BrokenStore, notAStore, printable, StoreError } from './replies';
import { Connection } from './resp';
import { rowsOf } from './scan';

const CLOCK_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 500;
/** After an answer that no store of ours gives. */
const BROKEN_MS = 3000;
/** Between two attempts at a store that refuses: it may be out of memory, or know another password. */
const REFUSED_MS = 1000;
/** Of one answer, some of them with 200 rows. */
const MAX_ENTRIES = 100;
const BLOCK_MS = 2000;
/** Of one group. */
const MAX_ROUTERS = 64;
/** Between two loads, for whatever reason. */
const LOAD_MS = 1000;
/** A load that takes longer is of no use: the other store is faster. */
const MOST_LOAD_MS = 300_000;
const MAX_CLOCK_MS = 8.64e15;

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
  loads = 0;
  private loadedMs = 0;
  private state: StoreStatus['state'] = 'connecting';
  private error: string | null = null;
  private advice: string | null = null;
  private offsetMs = 0;
  private readonly prefix: string;
  private readonly stream: string;
  private readonly token: string;
  private readonly publisher: Publisher;
  private commands: Connection | undefined;
  private follower: Connection | undefined;
  private isWriting = false;
  private refusedMs = 0;
  private clockMs = 0;
  /** What the store says it is. */
  private found = '';
  private isStopping = false;
  /** Number of the last entry of each router's run. */
  private readonly numbers = new Map<string, { run: string; number: number }>();

  constructor(private readonly options: StoreOptions) {
    const { group, router, rows, greeting } = options;
    const place = `acsplit:{${group}}:${FORMAT}`;
    this.prefix = `${place}:row:`;
    this.token = `${place}:store`;
    this.stream = `${place}:changes`;
    this.publisher = new Publisher({ prefix: this.prefix, stream: this.stream, router, rows, greeting });
    void this.keep();
  }

  get status(): StoreStatus {
    const { state, error, advice, offsetMs } = this;
    return { address: this.options.settings.address, state, offsetMs: Math.round(offsetMs), error, advice };
  }

  get published(): number {
    return this.publisher.published;
  }

  /** Undefined while its clock is not known. */
  get offset(): number | undefined {
    return this.clockMs > 0 ? this.offsetMs : undefined;
  }

  /** One of our own runs, at present. */
  isRun(run: string): boolean {
    return this.publisher.isRun(run);
  }

  publish(key: string): void {
    // Until it is loaded nothing needs to wait: what it lacks is written then.
    if (this.state === 'up') this.publisher.add(key);
  }

  /** Writes what is pending, and the heartbeat. Call it often. */
  tick(nowMs: number): void {
    if (this.state !== 'up' || this.isWriting || nowMs < this.refusedMs || !this.publisher.isDue(nowMs)) return;
    this.isWriting = true;
    void this.write()
      .catch((error: Error) => this.refused(error))
      .finally(() => (this.isWriting = false));
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    if (this.state === 'up' && !this.isWriting) await this.write().catch(() => undefined);
    this.drop();
  }

  /** Until nothing is pending. */
  private async write(): Promise<void> {
    for (let isMore = true; isMore && this.state === 'up';) {
      isMore = await this.publisher.write(this.ask, Date.now(), this.offsetMs);
      if (this.error !== null) this.tell(this.state, null);
    }
  }

  /** Connects, again and again. */
  private async keep(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    while (!this.isStopping) {
      try {
        this.commands = await Connection.open(this.options.settings);
        this.follower = await Connection.open(this.options.settings);
        delayMs = FIRST_DELAY_MS;
        if (!this.isStopping) await this.follow();
      } catch (error) {
        this.tell('connecting', (error as Error).message);
        if (error instanceof BrokenStore) delayMs = BROKEN_MS;
        if (error instanceof StoreError) delayMs = REFUSED_MS;
      }
      this.drop();
      await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
      delayMs = Math.min(MAX_DELAY_MS, 2 * delayMs);
    }
  }

  /** @param why what those hear that still wait */
  private drop(why?: Error): void {
    this.commands?.close(why);
    this.follower?.close(why);
    this.commands = this.follower = undefined;
  }

  /** Until something fails. @throws Error */
  private async follow(): Promise<never> {
    for (;;) {
      await this.lookAtClock();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, this.loadedMs + LOAD_MS - Date.now())));
      let last = await this.load();
      for (let isWhole = true; isWhole;) {
        const after = ['COUNT', MAX_ENTRIES, 'BLOCK', BLOCK_MS, 'STREAMS', this.stream, last];
        const reply = await this.askFollower(['XREAD', ...after]);
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
    const storeMs = Array.isArray(time) ? Number(time[0]) * 1000 + Number(time[1]) / 1000 : NaN;
    if (!(storeMs >= 0 && storeMs <= MAX_CLOCK_MS)) throw notAStore();
    this.offsetMs = storeMs - (before + after) / 2;
    this.clockMs = after;
    this.advice = await this.advise();
    const token = await this.lookAtToken();
    const isSame = token === this.found;
    this.found = token;
    return isSame;
  }

  /** Nothing is on disk: a store that has lost its rows, however it did, has lost this as well. */
  private async lookAtToken(): Promise<string> {
    const token = await this.ask(['GET', this.token]);
    if (token !== null) return String(token);
    try {
      await this.ask(['SET', this.token, randomBytes(12).toString('hex'), 'NX']);
    } catch (error) {
      // It is full, or a replica: it can be read all the same, and is another one once it has a token.
      if (!(error instanceof StoreError)) throw error;
    }
    return String(await this.ask(['GET', this.token]));
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
    const { options, publisher } = this;
    const endMs = Date.now() + MOST_LOAD_MS;
    this.tell('loading', null);
    this.numbers.clear();
    publisher.beginRun();
    const newest = await this.ask(['XREVRANGE', this.stream, '+', '-', 'COUNT', 1]);
    const [[last] = ['0-0', []]] = entriesIn([['', newest]]);
    // Versions that the store has, of rows that are known here: their number is bounded, whatever the store has.
    const found = new Map<string, Version>();
    for await (const page of rowsOf(this.ask, this.prefix)) {
      if (Date.now() > endMs) throw new Error(`its rows could not be read within ${MOST_LOAD_MS / 1000} s`);
      for (const [key, text] of page) {
        const row = this.read(key, text);
        if (row === undefined) continue;
        options.onRow(row);
        if (options.rows.get(row.key) !== undefined) found.set(row.key, versionOf(row));
      }
    }
    this.loads++;
    const nowMs = (this.loadedMs = Date.now());
    this.tell('up', null);
    // Only what the store lacks.
    for (const row of options.rows.all()) {
      const there = found.get(row.key);
      if (row.deadlineMs > nowMs && (there === undefined || compare(row, there) > 0)) publisher.add(row.key);
    }
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
    const isAhead = typeof row !== 'string' && row.generation > Date.now() + this.offsetMs + MOST_AHEAD_MS;
    if (typeof row !== 'string' && !isAhead) return row;
    this.options.onRefused(key, typeof row === 'string' ? row : 'its generation is of the future');
    return undefined;
  }

  /** A store that refuses to be written to may still be read. */
  private refused(error: Error): void {
    if (!(error instanceof StoreError)) return this.drop(error);
    this.refusedMs = Date.now() + REFUSED_MS;
    this.tell(this.state, error.message);
  }

  private readonly ask: Ask = async (words, timeoutMs) => {
    if (!this.commands) throw new Error('no connection');
    return this.commands.ask(words, timeoutMs);
  };

  private async askFollower(words: readonly (string | number)[]) {
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

function versionOf({ generation, step, refresh, router }: Row): Version {
  return { generation, step, refresh, router };
}

/** What docs/cluster.md asks of a store. @param info what INFO answers */
export function adviceOn(info: string): string | null {
  const valueOf = (name: string) => new RegExp(`^${name}:([^\\r\\n]*)`, 'm').exec(info)?.[1];
  const policy = valueOf('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction')
    return `maxmemory-policy is ${printable(policy)}: set noeviction`;
  const isOnDisk = valueOf('aof_enabled') === '1' || Number(valueOf('rdb_saves') ?? 0) > 0;
  return isOnDisk ? 'it writes to disk: set appendonly no and save ""' : null;
}
