/** The history's files: what is written is found, whatever happened to the recorder or the disk in between. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { DayFiles, type DayFilesOptions } from '../../../../src/engine/recorder/day-files';
import { beginningOf, DAY_MS } from '../../../../src/engine/recorder/day-names';
import { type HistorySearch, readHistory } from '../../../../src/engine/recorder/read-history';
import { type HistoryEvent } from '../../../../src/engine/shared/recorder-protocol';
import { type SessionRow } from '../../../../src/engine/recorder/session';
import { sessionRows } from '../../../support/session-rows';
import { TemporaryFolder } from '../../../support/temporary';

const folder = new TemporaryFolder();
const DAY = '2026-11-29';
const NOON_MS = beginningOf(DAY) + DAY_MS / 2;
let directories = 0;

class Kept {
  readonly directory = join(folder.path, `history-${directories++}`, 'files');
  readonly rows: SessionRow[] = [];
  files!: DayFiles;
  private readonly next = sessionRows(directories, 20);

  constructor(readonly options: Partial<DayFilesOptions> = {}) {
    this.start();
  }

  /** A recorder starts; the one before was killed. */
  start(more: Partial<DayFilesOptions> = {}): void {
    this.files = new DayFiles({
      ...{
        directory: this.directory,
        keepDays: 30,
        maxBytes: 1e9,
        run: 'r1',
        segmentRows: 40,
        ...this.options,
        ...more,
      },
    });
  }

  add(count: number, nowMs = NOON_MS): this {
    for (let i = 0; i < count; i++) {
      const row = this.next(nowMs - i);
      this.rows.push(row);
      this.files.add(row);
    }
    return this;
  }

  flush(nowMs = NOON_MS): this {
    expect([this.files.flush(nowMs), this.files.failure]).toEqual([true, undefined]);
    return this;
  }

  read(search: Partial<HistorySearch> = {}): { rows: string[]; events: HistoryEvent[]; damaged: number } {
    const rows: SessionRow[] = [];
    const events: HistoryEvent[] = [];
    const found = {
      sessions: (row: SessionRow) => rows.push(row),
      events: (event: HistoryEvent) => events.push(event),
    };
    const { damaged } = readHistory({ directory: this.directory, ...search }, found);
    return { rows: texts(rows), events, damaged };
  }

  get names(): string[] {
    return readdirSync(this.directory).sort();
  }

  get bytes(): number {
    return this.names.reduce((sum, name) => sum + statSync(join(this.directory, name)).size, 0);
  }

  path(suffix: string, day = DAY): string {
    return join(this.directory, `${day}.${suffix}`);
  }
}

/** In any order. */
function texts(rows: readonly SessionRow[]): string[] {
  const sorted = (row: SessionRow) => Object.entries({ ...row, cpe: [...row.cpe] }).sort();
  return rows.map((row) => JSON.stringify(sorted(row))).sort();
}

test('rows are read as they were added, from recent rows and segments, each once', () => {
  const kept = new Kept().add(30).flush().add(30).flush().add(5).flush();
  expect(kept.names).toEqual([`${DAY}.recent`, `${DAY}.sessions`]);
  expect(kept.read()).toEqual({ rows: texts(kept.rows), events: [], damaged: 0 });
  expect(kept.files.written).toEqual({
    rows: 65,
    connections: kept.rows.reduce((sum, { connections }) => sum + connections, 0),
  });
  const { cpe } = kept.rows[7];
  const ofCpe = kept.rows.filter((row) => row.cpe[0] === cpe[0]);
  expect(kept.read({ cpe }).rows).toEqual(texts(ofCpe));
  expect(ofCpe.length).toBeGreaterThan(1);
  const [sinceMs, untilMs] = [NOON_MS - 20, NOON_MS - 10];
  const between = kept.rows.filter(({ endedMs }) => endedMs >= sinceMs && endedMs <= untilMs);
  expect(kept.read({ sinceMs, untilMs }).rows).toEqual(texts(between));
});

test('any row survives a segment: both families, unknown times, ends of the day before, the largest numbers', () => {
  const optionalMs = fc.option(fc.integer({ min: -DAY_MS, max: DAY_MS }), { nil: undefined });
  const row = fc.record({
    cpe: fc.oneof(
      fc.integer().map((word) => Int32Array.of(word)),
      fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer()).map((words) => Int32Array.from(words)),
    ),
    collector: fc.constantFrom('c1', 'ü', 'a name of thirty-one characters'),
    ...{ woken: fc.nat(4), outcome: fc.nat(17), heads: fc.nat(255), lastHead: fc.nat(7), isConfirmed: fc.boolean() },
    endedMs: fc.integer({ min: -DAY_MS, max: DAY_MS }),
    ...{ armedMs: optionalMs, openedMs: optionalMs },
    ...{ cpePort: fc.nat(65535), port: fc.nat(65535), connections: fc.nat(65535) },
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), (drafts) => {
      const rows = drafts.map((draft): SessionRow => {
        const endedMs = NOON_MS + draft.endedMs;
        const before = (ms: number | undefined) => (ms === undefined ? undefined : endedMs - Math.abs(ms));
        return { ...draft, endedMs, armedMs: before(draft.armedMs), openedMs: before(draft.openedMs) };
      });
      const kept = new Kept({ segmentRows: 1 });
      for (const one of rows) kept.files.add(one);
      kept.flush();
      expect(kept.names).toEqual([`${DAY}.sessions`]);
      expect(kept.read().rows).toEqual(texts(rows));
      for (const { cpe } of rows) {
        const same = rows.filter((other) => String(other.cpe) === String(cpe));
        expect(kept.read({ cpe }).rows).toEqual(texts(same));
      }
    }),
    { numRuns: 20 },
  );
});

test('a recorder that was killed loses what it had not flushed, and no more; the next one goes on', () => {
  const kept = new Kept().add(10).flush();
  kept.files.add(kept.rows[0]);
  kept.start();
  kept.add(3).flush().add(50).flush();
  expect(kept.read()).toEqual({ rows: texts(kept.rows), events: [], damaged: 0 });
  expect(kept.files.written.rows).toBe(63);
});

test('a recorder that was killed before it counted what it stored counts it at the next start', () => {
  const kept = new Kept().add(10).flush();
  const stored = { ...kept.files.written };
  kept.start({ already: { rows: 4, connections: 4 } });
  kept.flush();
  expect(kept.files.written).toEqual(stored);
  kept.start({ run: 'r2' });
  kept.flush();
  expect(kept.files.written).toEqual({ rows: 0, connections: 0 });
});

test('recent rows that were cut short at any byte lose the last line only', () => {
  const kept = new Kept().add(3).flush().add(2).flush();
  const whole = readFileSync(kept.path('recent'));
  for (let length = whole.length; length >= 0; length -= 13) {
    writeFileSync(kept.path('recent'), whole.subarray(0, length));
    const lines = whole.subarray(0, length).toString().split('\n').slice(0, -1);
    const expected = lines.filter((line) => line.startsWith('[')).length;
    expect(kept.read()).toMatchObject({ damaged: 0 });
    expect(kept.read().rows).toHaveLength(expected);
    const next = new Kept({ directory: kept.directory });
    next.add(1).flush();
    expect(kept.read().rows).toEqual(expect.arrayContaining(texts(next.rows)));
    expect(kept.read().rows).toHaveLength(expected + 1);
  }
});

test('a segment that was cut short at any byte is left out, and the next one takes its place', () => {
  const kept = new Kept().add(40).flush();
  const first = statSync(kept.path('sessions')).size;
  kept.add(40).flush();
  const whole = readFileSync(kept.path('sessions'));
  for (let length = first; length < whole.length; length += 61) {
    writeFileSync(kept.path('sessions'), whole.subarray(0, length));
    expect(kept.read()).toMatchObject({ damaged: 0 });
    expect(kept.read().rows).toEqual(texts(kept.rows.slice(0, 40)));
    const next = new Kept({ directory: kept.directory });
    next.add(40).flush();
    expect(kept.read().rows).toEqual(texts([...kept.rows.slice(0, 40), ...next.rows]));
  }
});

test('a damaged byte costs the chunk it is in, is counted, and ends no reading', () => {
  const kept = new Kept({ segmentRows: 1500 }).add(1500).flush();
  kept.add(5).flush();
  const whole = readFileSync(kept.path('sessions'));
  for (const at of [60, whole.length >> 1, whole.length - 20]) {
    const bytes = Buffer.from(whole);
    bytes[at] ^= 0x55;
    writeFileSync(kept.path('sessions'), bytes);
    const { rows, damaged } = kept.read();
    expect(damaged).toBe(1);
    // The index, or one chunk of 512.
    expect(rows.length).toBeLessThan(1505);
    expect(rows.length).toBeGreaterThanOrEqual(at === 60 ? 5 : 993);
  }
});

test('a recorder that is killed between a segment and the end of its recent rows stores nothing twice', () => {
  const kept = new Kept({ segmentRows: 1000 }).add(10).flush();
  const recent = readFileSync(kept.path('recent'));
  kept.flush(NOON_MS + 3600_000);
  expect(kept.names).toEqual([`${DAY}.sessions`]);
  writeFileSync(kept.path('recent'), recent);
  expect(kept.read().rows).toEqual(texts(kept.rows));
  kept.start();
  kept.flush();
  expect(kept.names).toEqual([`${DAY}.sessions`]);
  expect(kept.read().rows).toEqual(texts(kept.rows));
});

test('recent rows become a segment after an hour, at midnight, and when a recorder starts on another day', () => {
  const kept = new Kept().add(2).flush();
  kept.flush(NOON_MS + 3599_000);
  expect(existsSync(kept.path('recent'))).toBe(true);
  kept.flush(NOON_MS + 3600_000);
  expect(existsSync(kept.path('recent'))).toBe(false);
  kept.add(2, NOON_MS + 2 * 3600_000).flush(NOON_MS + DAY_MS / 2 - 1000);
  expect(existsSync(kept.path('recent'))).toBe(true);
  kept.add(1, NOON_MS + DAY_MS / 2 - 500).flush(NOON_MS + DAY_MS / 2);
  expect(kept.names).toEqual([`${DAY}.sessions`, '2026-11-30.recent']);
  kept.start();
  kept.flush(NOON_MS + 2 * DAY_MS);
  expect(kept.names).toEqual([`${DAY}.sessions`, '2026-11-30.sessions']);
  expect(kept.read().rows).toEqual(texts(kept.rows));
  const { rows } = kept.read({ untilMs: NOON_MS + DAY_MS / 2 });
  expect(rows).toEqual(texts(kept.rows));
});

test('days beyond keepDays are deleted whole, the oldest first where there are too many bytes', () => {
  const kept = new Kept({ keepDays: 3 });
  for (let day = 0; day < 4; day++) {
    kept.add(400, NOON_MS + day * DAY_MS).flush(NOON_MS + day * DAY_MS);
    kept.files.addEvents([{ timeMs: NOON_MS + day * DAY_MS, kind: 'paused' }], NOON_MS + day * DAY_MS);
  }
  const days = () => [...new Set(kept.names.map((name) => name.split('.')[0]))];
  expect(days()).toEqual(['2026-11-30', '2026-12-01', '2026-12-02']);
  kept.start({ maxBytes: kept.bytes - 1 });
  kept.flush(NOON_MS + 3 * DAY_MS);
  expect(days()).toEqual(['2026-12-01', '2026-12-02']);
  expect(kept.read().events).toHaveLength(2);
  writeFileSync(join(kept.directory, 'notes.txt'), 'not ours');
  writeFileSync(join(kept.directory, '2020-01-01.backup'), 'not ours');
  kept.flush(NOON_MS + 30 * DAY_MS);
  expect(kept.names).toEqual(['2020-01-01.backup', 'notes.txt']);
});

test('a day that reaches maxBytes alone takes no more rows, until the next day', () => {
  const kept = new Kept({ maxBytes: 1500 }).add(30).flush();
  kept.files.add(kept.rows[0]);
  expect(kept.files.flush(NOON_MS)).toBe(false);
  expect(kept.files.failure).toMatch(/history\.maxMiB/);
  expect(kept.files.waiting.rows).toBe(1);
  kept.flush(NOON_MS + DAY_MS);
  expect([kept.files.waiting.rows, kept.files.written.rows]).toEqual([0, 31]);
});

test('rows that cannot be written wait in memory, and beyond 131 072 are dropped and counted', () => {
  const kept = new Kept({ segmentRows: 1e9 });
  mkdirSync(kept.path('recent'), { recursive: true });
  kept.add(2);
  expect([kept.files.flush(NOON_MS), kept.files.failure]).toEqual([false, expect.stringMatching(/EISDIR/)]);
  expect(kept.files.waiting.rows).toBe(2);
  for (let i = 0; i < 131_072; i++) kept.files.add(kept.rows[0]);
  expect(kept.files.dropped).toEqual({ rows: 2, connections: 2 * kept.rows[0].connections });
  rmdirSync(kept.path('recent'));
  kept.flush();
  expect([kept.files.written.rows, kept.files.waiting.rows]).toEqual([131_072, 0]);
});

test('a directory that somebody removes is made again; events come after a line that was cut short', () => {
  const kept = new Kept().add(2).flush();
  const events = [{ timeMs: NOON_MS, kind: 'resumed', uid: 0 }];
  kept.files.addEvents(events, NOON_MS);
  kept.files.addEvents([{ timeMs: NOON_MS + 1, kind: 'paused', uid: 1000 }], NOON_MS);
  truncateSync(kept.path('events'), statSync(kept.path('events')).size - 5);
  kept.files.addEvents(events, NOON_MS);
  expect(kept.read()).toMatchObject({ events: [...events, ...events], damaged: 1 });
  expect(kept.read({ untilMs: NOON_MS - 1 }).events).toEqual([]);
});
