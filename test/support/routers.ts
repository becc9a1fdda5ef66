/**
 * Two routers of one cluster on virtual time, without a store between them: what one tells, the other takes over when
 * `settle` is called. Packets go to the one that `use` names, all with the same ends of every connection.
 */
import { decodeRow, encodeRow } from '../../src/cluster/codec';
import { type Row } from '../../src/cluster/row';
import { Rows } from '../../src/cluster/rows';
import { readChange, writeRow } from '../../src/engine/cluster/translate';
import { ClusterRings, type Tally } from '../../src/engine/shared/cluster-rings';
import { ClusterLink } from '../../src/engine/worker/cluster-link';
import { type Splitter, type SplitterOptions } from '../../src/splitter/splitter';
import { Rig } from './rig';

export class Router {
  readonly rings = new ClusterRings(new ArrayBuffer(ClusterRings.BYTES));
  readonly rows: Rows;
  readonly splitter: Splitter;
  readonly link = new ClusterLink(this.rings);
  /** Rows that wait for the other router, as text. */
  readonly outbox = new Map<string, string>();
  private readonly rig: Rig;
  private readonly names: string[];

  /** @param aheadMs what its wall clock is ahead of the store's */
  constructor(
    readonly name: string,
    private readonly aheadMs: number,
    options: Partial<SplitterOptions> = {},
  ) {
    this.rig = new Rig(options);
    this.splitter = this.rig.splitter;
    this.rows = new Rows(name);
    const feed = this.link.follow(this.splitter.state, () => undefined);
    feed.isSilent = true;
    this.splitter.listen(feed);
    feed.isSilent = false;
    this.names = this.rings.readNames();
  }

  /** Reads what the tables have told. */
  publish(nowMs: number): void {
    this.link.settle();
    const { names } = this;
    const { changes } = this.rings;
    while (changes.first()) {
      const change = readChange(changes, names);
      changes.release();
      const row = change.isCleared ? undefined : this.rows.change(change, nowMs);
      if (row) this.outbox.set(row.key, encodeRow(row, -this.aheadMs));
    }
  }

  /** Takes a row as the store has it. */
  take(key: string, text: string, nowMs: number): void {
    const row = decodeRow(key, text, -this.aheadMs);
    if (typeof row === 'string') throw new Error(`${key} ${text}: ${row}`);
    const ours = this.rows.merge(row, this.wallMs(nowMs));
    if (ours) this.outbox.set(ours.key, encodeRow(ours, -this.aheadMs));
  }

  /** Hands what is new to the tables. */
  hand(nowMs: number): void {
    this.send();
    this.hear(nowMs);
  }

  /** Puts what is new into the ring, which the tables read later. */
  send(): void {
    const { names } = this;
    const { rows, changes } = this.rings;
    const put = (row: Row) => {
      if (!rows.next()) return undefined;
      writeRow(rows, row, changes.taken, (name) => (name === 'itms' ? 0 : names.indexOf(name, 1)));
      return rows.keep();
    };
    this.rows.hand(10_000, put);
    rows.publish();
  }

  hear(nowMs: number): void {
    while (this.rings.rows.waiting > 0) this.link.hear(nowMs, this.wallMs(nowMs));
    this.link.hear(nowMs, this.wallMs(nowMs));
  }

  tally(tally: Tally): number {
    return this.rings.tallies[tally];
  }

  private wallMs(nowMs: number): number {
    return nowMs + this.aheadMs;
  }
}

export class Routers {
  readonly a: Router;
  readonly b: Router;
  /** Its splitter is that of the router in use. */
  readonly rig: Rig;

  constructor(options: Partial<SplitterOptions> = {}) {
    this.a = new Router('a', 0, options);
    this.b = new Router('b', 70_000, options);
    this.rig = new Rig(options);
    this.use('a');
  }

  use(name: 'a' | 'b'): this {
    this.rig.splitter = this[name].splitter;
    this[name].hear(this.rig.nowMs);
    return this;
  }

  /** Until neither has anything to tell. */
  settle(): this {
    const { nowMs } = this.rig;
    for (const router of [this.a, this.b]) router.publish(nowMs);
    for (let round = 0; this.a.outbox.size + this.b.outbox.size > 0; round++) {
      if (round > 9) throw new Error('the routers do not come to rest');
      this.deliver(this.a, this.b);
      this.deliver(this.b, this.a);
      for (const router of [this.a, this.b]) {
        router.hand(nowMs);
        router.publish(nowMs);
      }
    }
    return this;
  }

  /** Rows that were told since the last call, by their router. */
  told(): { from: Router; to: Router; key: string; text: string }[] {
    const { a, b } = this;
    return [
      [a, b],
      [b, a],
    ].flatMap(([from, to]) => {
      from.publish(this.rig.nowMs);
      const rows = [...from.outbox].map(([key, text]) => ({ from, to, key, text }));
      from.outbox.clear();
      return rows;
    });
  }

  /** Everything settled, then on to the other router. */
  switchTo(name: 'a' | 'b'): this {
    return this.settle().use(name);
  }

  private deliver(from: Router, to: Router): void {
    const rows = [...from.outbox];
    from.outbox.clear();
    for (const [key, text] of rows) to.take(key, text, this.rig.nowMs);
  }
}
