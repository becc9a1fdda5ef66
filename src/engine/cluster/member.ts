/**
 * What the cluster process does: it holds the connections to the stores. It takes changes of our tables from one ring,
 * publishes them, and hands rows of peers to the worker through the other. It may be killed at any moment; nobody waits
 * for it, no packet ever does. docs/decisions/cluster.md
 */
import { PAUSE_KEY } from '../../cluster/key';
import { kindOf, type PauseFields, type Row } from '../../cluster/row';
import { MOST_ROWS, Rows } from '../../cluster/rows';
import { type ClusterReport, type ClusterSettings, type FromCluster } from '../shared/cluster-protocol';
import { type ClusterRings, Tally } from '../shared/cluster-rings';
import { Peers } from './peers';
import { printable } from './replies';
import { Store } from './store';
import { readChange, writeQuestion, writeRow } from './translate';

const TICK_MS = 10;
const STATUS_MS = 500;
/** Rows handed to the worker, and rows looked at for expiry, in one step. */
const HANDED = 2000;
const SWEPT = 500;
const NAMES_MS = 1000;
/** A router is ready without a store after that. */
const ALONE_MS = 10_000;
/** One store alone is enough after that. */
const STORE_MS = 3000;
/** A router is ready after that, however slow or odd its stores are. */
const JOIN_MS = 120_000;
/** How long an act waits for the other routers. */
const CONFIRM_MS = 1500;
const PAUSE_LIFE_MS = 365 * 86_400_000;
const REFUSED_LOG_MS = 60_000;
/** Of one store, within REFUSED_LOG_MS: it may come and go twice a second. */
const MOST_LINES = 6;

interface Act {
  id: number;
  generation: number;
  untilMs: number;
}

export class ClusterMember {
  private readonly rows: Rows;
  private readonly stores: Store[];
  private readonly timers: NodeJS.Timeout[];
  private readonly peers: Peers;
  private readonly startedMs = Date.now();
  private names: string[] = [];
  private namesMs = 0;
  private isReady = false;
  private hasLoaded = false;
  private lost: number;
  /** Questions to the worker about our own rows. */
  private questions: string[] = [];
  /** Generations of the last pause or resume that was passed on, and carried out. */
  private pauseTold = 0;
  private pauseDone = 0;
  private acts: Act[] = [];
  private refused = 0;
  private refusedLogMs = 0;
  /** The last line about each store, by its address, and when there were some lately. */
  private readonly said = new Map<string, { line: string; times: number[] }>();

  constructor(
    settings: ClusterSettings,
    private readonly version: string,
    private readonly rings: ClusterRings,
    private readonly tell: (message: FromCluster) => void,
  ) {
    this.lost = this.rings.tallies[Tally.Lost];
    this.rows = new Rows(settings.name);
    const { group, name: router } = settings;
    this.peers = new Peers(router, (run) => this.stores.some((store) => store.isRun(run)), tell);
    this.stores = settings.stores.map(
      (one) =>
        new Store({
          ...{ settings: one, group, router, rows: this.rows },
          onRow: (row) => this.merge(row),
          onRefused: (key, why) => this.refuse(key, why),
          onGreeting: (greeting) => this.peers.greeted(greeting, Date.now()),
          onLoaded: () => this.loaded(),
          greeting: () => ({ ready: this.isReady, pause: this.pauseDone, version: this.version }),
          onState: (state) => this.logState(state),
        }),
    );
    this.timers = [
      setInterval(() => this.tick(), TICK_MS),
      setInterval(() => this.tell({ kind: 'status', status: this.report() }), STATUS_MS),
    ];
  }

  // ---- from the supervisor ----

  pause(id: number, paused: boolean): void {
    const nowMs = Date.now();
    const fields: PauseFields = { paused };
    const row = this.rows.act(PAUSE_KEY, fields, nowMs + PAUSE_LIFE_MS, this.clockMs(nowMs));
    this.pauseTold = this.pauseDone = row.generation;
    this.publish(row.key);
    this.acts.push({ id, generation: row.generation, untilMs: nowMs + CONFIRM_MS });
    this.tick();
  }

  paused(generation: number): void {
    this.pauseDone = generation;
    // Says so with the next call, instead of up to a second later.
    this.publish(PAUSE_KEY);
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    this.readChanges(Date.now());
    for (const timer of this.timers) clearInterval(timer);
    await Promise.all(this.stores.map((store) => store.stop()));
  }

  // ---- from the stores ----

  private merge(row: Row): void {
    const nowMs = Date.now();
    const before = this.rows.tallies.refused;
    const ours = this.rows.merge(row, nowMs);
    if (this.rows.tallies.refused > before) this.logRefused(row.key, `there is no room for more than ${MOST_ROWS}`);
    if (ours !== undefined) this.publish(ours.key);
    if (row.key === PAUSE_KEY) this.obey();
  }

  /** A pause or resume of a peer that is newer than what we have done. */
  private obey(): void {
    const row = this.rows.get(PAUSE_KEY);
    if (row === undefined || row.generation <= this.pauseTold) return;
    this.pauseTold = row.generation;
    this.tell({ kind: 'pause', paused: row.fields.paused === true, by: row.router, generation: row.generation });
  }

  private refuse(key: string, why: string): void {
    this.refused++;
    this.logRefused(key, why);
  }

  private logRefused(key: string, why: string): void {
    const nowMs = Date.now();
    if (nowMs - this.refusedLogMs < REFUSED_LOG_MS) return;
    this.refusedLogMs = nowMs;
    const message = `a row of a store is refused: ${why}; further ones are only counted for a minute`;
    this.tell({ kind: 'log', level: 'warn', message, details: { key: printable(key).slice(0, 100) } });
  }

  private loaded(): void {
    this.hasLoaded = true;
    // Ours may have changed while nobody read the ring.
    this.rings.askTour();
  }

  // ---- every few milliseconds ----

  private tick(): void {
    const nowMs = Date.now();
    this.readChanges(nowMs);
    this.lookForLosses();
    this.ask();
    this.hand();
    this.rows.sweep(nowMs, SWEPT);
    for (const store of this.stores) store.tick(nowMs);
    this.confirm(nowMs);
    this.peers.look(nowMs);
    if (!this.isReady && this.hasJoined(nowMs)) {
      this.isReady = true;
      this.tell({ kind: 'status', status: this.report() });
    }
  }

  private readChanges(nowMs: number): void {
    const { changes } = this.rings;
    if (changes.waiting === 0) return;
    if (!this.isNamed || nowMs - this.namesMs > NAMES_MS) this.readNames(nowMs);
    const clockMs = this.clockMs(nowMs);
    while (changes.first()) {
      const change = readChange(changes, this.names);
      changes.release();
      if (change.isCleared) this.rows.handAll();
      else {
        const row = this.rows.change(change, clockMs);
        if (row !== undefined) this.publish(row.key);
      }
    }
  }

  /** Of the servers, by owner id, as the worker has them. Empty until it has started. */
  private readNames(nowMs: number): void {
    this.namesMs = nowMs;
    const names = this.rings.readNames();
    if (names.join() === this.names.join()) return;
    this.names = names;
    // Rows of a collector that the worker did not know were refused.
    this.rows.handAll();
  }

  /** The worker has started. */
  private get isNamed(): boolean {
    return this.names.some((name, owner) => owner > 0 && name !== '');
  }

  /** Changes were lost: everything is asked for again, and each row that we have written. */
  private lookForLosses(): void {
    const lost = this.rings.tallies[Tally.Lost];
    if (lost === this.lost) return;
    this.lost = lost;
    this.rings.askTour();
    this.questions = [...this.rows.all()].filter(({ router }) => router === this.rows.name).map(({ key }) => key);
    const message = `${lost} changes were not told to the cluster: everything is told again`;
    this.tell({ kind: 'log', level: 'warn', message, details: { lost } });
  }

  private ask(): void {
    const { rows } = this.rings;
    while (this.questions.length > 0 && rows.next()) {
      const row = this.rows.get(this.questions.pop()!);
      if (row !== undefined && writeQuestion(rows, row)) rows.keep();
    }
    rows.publish();
  }

  private hand(): void {
    const { rings } = this;
    if (this.rows.waiting.size === 0) return;
    const nowMs = Date.now();
    if (!this.isNamed || nowMs - this.namesMs > NAMES_MS) this.readNames(nowMs);
    // Without names it would refuse them all.
    if (!this.isNamed) return;
    const ownerOf = (name: string) => (name === 'itms' ? 0 : this.names.indexOf(name, 1));
    this.rows.hand(HANDED, (row) => {
      if (kindOf(row.key) === 'go') return 0;
      if (!rings.rows.next()) return undefined;
      writeRow(rings.rows, row, rings.changes.taken, ownerOf);
      return rings.rows.keep();
    });
    rings.rows.publish();
  }

  /**
   * Everything that the stores have is in our tables; or no store answers. Our own may have started with us and be empty,
   * while another knows more: it is waited for a little.
   */
  private hasJoined(nowMs: number): boolean {
    const states = this.stores.map(({ status }) => status.state);
    const spentMs = nowMs - this.startedMs;
    if (spentMs > JOIN_MS) return true;
    if (!this.hasLoaded) return spentMs > ALONE_MS && states.every((state) => state === 'connecting');
    if (states.includes('loading') || (states.includes('connecting') && spentMs < STORE_MS)) return false;
    return this.rows.waiting.size === 0 && this.rings.rows.waiting === 0;
  }

  private confirm(nowMs: number): void {
    if (this.acts.length === 0) return;
    this.acts = this.acts.filter(({ id, generation, untilMs }) => {
      const { confirmed, missing } = this.peers.confirmed(generation, nowMs);
      if (missing.length > 0 && nowMs < untilMs) return true;
      const stores = this.stores.filter(({ status }) => status.state === 'up').length;
      this.tell({ kind: 'confirmed', id, confirmation: { confirmed, missing, stores } });
      return false;
    });
  }

  private publish(key: string): void {
    for (const store of this.stores) store.publish(key);
  }

  /** The clock of the first store that has told it. */
  private clockMs(nowMs: number): number {
    return nowMs + (this.stores.find(({ offset }) => offset !== undefined)?.offset ?? 0);
  }

  report(): ClusterReport {
    const { tallies } = this.rings;
    const { overtaken, conflicts } = this.rows.tallies;
    return {
      ready: this.isReady,
      ...this.peers.report(Date.now()),
      stores: this.stores.map(({ status }) => status),
      rows: this.rows.size,
      published: this.stores.reduce((sum, { published }) => Math.max(sum, published), 0),
      refused: this.refused + this.rows.tallies.refused + tallies[Tally.Refused],
      applied: tallies[Tally.Applied],
      ...{ overtaken, conflicts },
      lost: tallies[Tally.Lost],
      loads: this.stores.reduce((sum, { loads }) => sum + loads, 0),
    };
  }

  private logState({ address, state, error }: Store['status']): void {
    const details = { store: address, state };
    if (error === null && state !== 'up') return;
    const message =
      error === null
        ? `store ${address} is loaded and followed`
        : `store ${address} cannot be ${state === 'up' ? 'written to' : 'used'}: ${error}`;
    const nowMs = Date.now();
    const before = this.said.get(address);
    const times = (before?.times ?? []).filter((ms) => nowMs - ms < REFUSED_LOG_MS);
    if (before?.line === message || times.length === MOST_LINES) return;
    times.push(nowMs);
    this.said.set(address, { line: message, times });
    const more = times.length === MOST_LINES ? '; its further changes are not logged for a minute' : '';
    this.tell({ kind: 'log', level: error === null ? 'info' : 'warn', message: message + more, details });
  }
}
