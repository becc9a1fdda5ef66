/**
 * The recorder between ring and files: in quiet, every diverted SYN is in exactly one count, whenever recorders are
 * killed, fall behind or find no room.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Recorder } from '../../../../src/engine/recorder/recorder';
import { DayFiles } from '../../../../src/engine/recorder/day-files';
import { readHistory } from '../../../../src/engine/recorder/read-history';
import { type SessionRow } from '../../../../src/engine/recorder/session';
import { Count, FlowRing, marksOf, SLOTS } from '../../../../src/engine/shared/flow-ring';
import { Seen } from '../../../../src/tables/connection-row';
import { Cause, Change } from '../../../../src/tables/flow-port';
import { TemporaryFolder } from '../../../support/temporary';

const ACTIVATED = 1;
const REPORTS = 2;
const NOON_MS = Date.parse('2026-11-29T12:00:00Z');
const folder = new TemporaryFolder();
let directories = 0;

class Bench {
  readonly directory = join(folder.path, String(directories++), 'history');
  readonly memory = new ArrayBuffer(FlowRing.BYTES);
  readonly ring = new FlowRing(this.memory);
  recorder!: Recorder;
  nowMs = NOON_MS;
  private diverted = 0;

  constructor() {
    this.ring.setName(1, 'c1');
    this.start();
  }

  /** A recorder starts; the one before was killed. */
  start(): void {
    const { counts } = this.ring;
    const already = { rows: counts[Count.Rows], connections: counts[Count.Connections] };
    const { directory } = this;
    const files = new DayFiles({ directory, keepDays: 2, maxBytes: 1e9, run: 'r1', already });
    this.recorder = new Recorder(new FlowRing(this.memory), files);
    this.recorder.flush(this.nowMs);
  }

  /** A session opens. @returns ends it */
  open(): () => void {
    const n = ++this.diverted;
    const cpe = Int32Array.of(n);
    const put = (table: number, change: Change, cause = Cause.Packet, seen = Seen.Syn as number) => {
      const isOpened = table === REPORTS && change === Change.Opened;
      this.ring.put(this.nowMs, table, change, cause, marksOf(1, 0, seen), (40001 << 16) | 7547, cpe, isOpened);
    };
    put(ACTIVATED, Change.Armed, Cause.Response);
    put(REPORTS, Change.Opened);
    return () => {
      put(ACTIVATED, Change.Disarmed, Cause.Over);
      put(REPORTS, Change.Closed, Cause.Packet, Seen.Syn | Seen.Answer | Seen.FinOfCpe | Seen.FinOfServer);
    };
  }

  rows(): SessionRow[] {
    const rows: SessionRow[] = [];
    readHistory({ directory: this.directory }, { sessions: (row) => rows.push(row), events: () => undefined });
    return rows;
  }

  /** Every diverted SYN is counted once. */
  expectAll(): void {
    while (this.ring.waiting > 0) this.recorder.read();
    this.recorder.flush(this.nowMs);
    const { counts } = this.ring;
    const places = [Count.OpenedLost, Count.DroppedConnections, Count.PendingConnections, Count.Forgotten];
    const elsewhere = [...places, Count.Repeated].reduce((sum, count) => sum + counts[count], 0);
    expect(counts[Count.Opened]).toBe(this.diverted);
    expect(counts[Count.Connections] + elsewhere).toBe(this.diverted);
    expect(this.rows().reduce((sum, { connections }) => sum + connections, 0)).toBe(counts[Count.Connections]);
  }
}

test('sessions come from the ring into the files', () => {
  const bench = new Bench();
  const ends = [bench.open(), bench.open(), bench.open()];
  bench.expectAll();
  ends[0]!();
  ends[1]!();
  bench.expectAll();
  expect(bench.ring.counts[Count.Rows]).toBe(2);
  bench.recorder.end(bench.nowMs);
  expect(bench.rows()).toHaveLength(3);
});

test('a recorder that is killed at any moment forgets what it had in memory, and that is counted', () => {
  const bench = new Bench();
  const ends = Array.from({ length: 10 }, () => bench.open());
  bench.recorder.read();
  ends.slice(0, 4).forEach((end) => end());
  bench.recorder.read();
  bench.start();
  expect(bench.ring.counts[Count.Forgotten]).toBe(10);
  bench.expectAll();
  ends.slice(4, 6).forEach((end) => end());
  bench.open()();
  bench.expectAll();
  // Two that ended were open when the first recorder died: nothing is known of them but their ends.
  expect(bench.rows().map(({ connections }) => connections)).toEqual([1]);
  bench.open();
  bench.start();
  bench.expectAll();
  expect(bench.ring.counts[Count.Forgotten]).toBe(10);
});

test('a recorder that falls behind loses what the ring has no room for', () => {
  const bench = new Bench();
  for (let n = 0; n < SLOTS / 2; n++) bench.open()();
  bench.expectAll();
  const { counts } = bench.ring;
  expect(counts[Count.Lost]).toBe(4 * (SLOTS / 2) - (SLOTS - 1));
  expect(counts[Count.OpenedLost]).toBe(SLOTS / 4);
  expect(counts[Count.Rows]).toBe(SLOTS / 4 - 1);
});

test('while the files cannot be opened the ring keeps what comes; when it can be written again, all is written', () => {
  const bench = new Bench();
  bench.open()();
  bench.expectAll();
  rmSync(bench.directory, { recursive: true });
  writeFileSync(bench.directory, 'in the way');
  bench.start();
  expect(bench.recorder.failure).toMatch(/EEXIST|ENOTDIR/);
  bench.open()();
  bench.recorder.read();
  expect(bench.ring.waiting).toBe(4);
  rmSync(bench.directory);
  mkdirSync(dirname(bench.directory), { recursive: true });
  bench.recorder.flush(bench.nowMs);
  bench.recorder.read();
  bench.recorder.flush(bench.nowMs);
  expect([bench.recorder.failure, bench.rows().length]).toEqual([undefined, 1]);
  expect(bench.ring.counts[Count.Connections]).toBe(2);
});
