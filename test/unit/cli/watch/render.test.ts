/** The watcher's screen, as goldens that look like the terminal. UPDATE_GOLDENS=1 rewrites them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { History } from '../../../../src/cli/watch/history';
import { countText, renderLine, renderWatch, type Screen } from '../../../../src/cli/watch/render';
import { inColour, plain } from '../../../../src/cli/watch/style';
import { serverStatus } from '../../../support/server-status';
import { type Status } from '../../../../src/engine/report/status';
import { QUIET } from '../../../support/quiet-status';

const GOLDENS = join(__dirname, 'goldens');
const SCREEN: Screen = { columns: 80, rows: 24, paint: plain, isAscii: false, intervalMs: 1000, clock: '22:37:04' };

/** A busy engine after `n` seconds. */
function statusAfter(n: number, more: Partial<Status> = {}): Status {
  const wave = (packets: number) => Math.round(packets * (n + 2 * Math.sin(n / 3)));
  const [cpe, itms, collector] = [wave(1234), wave(890), wave(77)];
  const queue = { queueDropped: 0, userDropped: 0, lost: 0 };
  return {
    version: '0.1.0',
    name: 'default',
    pid: 70,
    ready: true,
    paused: false,
    activation: 'auto',
    uptimeMs: 3_900_000 + n * 1000,
    workers: [{ pid: 77, restarts: 0 }],
    tables: {
      connectionRequests: { count: 812, capacity: 1_048_576, full: 0 },
      activatedCpes: { count: 41, capacity: 1_048_576, full: 0 },
      reportConnections: { count: 39, capacity: 1_048_576, full: 0 },
    },
    packets: {
      received: cpe + itms + collector,
      rewritten: cpe + itms + collector,
      accepted: cpe + itms + collector,
      dropped: n,
      byReason: {
        'to-itms': wave(310),
        'report-to-itms': wave(900),
        'itms-forwarded': wave(880),
        diverted: wave(3),
        'report-to-owner': wave(20),
        'report-answered': wave(25),
        'request-opened': wave(4),
        'request-followed': wave(30),
        'answer-to-owner': wave(28),
        'request-finished': wave(4),
        pinned: 17,
        'malformed-tcp': n,
      },
    },
    events: { diverted: wave(3) },
    queues: [
      { number: 0, side: 'cpe', received: cpe, waiting: 12, ...queue },
      { number: 1, side: 'itms', received: itms, waiting: 0, ...queue },
      { number: 2, side: 'collector', received: collector, waiting: 0, ...queue },
      { number: 3, side: 'host', received: 0, waiting: 0, ...queue },
    ],
    losses: { queueDropped: 0, userDropped: 0, verdictsLate: 0, unparsed: 0, givenUp: 0 },
    ...QUIET,
    history: { state: 'off' },
    cluster: { state: 'off' },
    servers: {
      itms: serverStatus({ opened: wave(310), answered: wave(310), sinceMs: 3_900_000, answerMs: 2 }),
      c1: serverStatus({ opened: wave(3), answered: wave(3), sinceMs: 3_900_000, answerMs: 4 }),
    },
    ...more,
  };
}

function busy(last: Partial<Status> = {}): History {
  const history = new History();
  for (let n = 0; n <= 60; n++) history.add({ atMs: 5000 + n * 1000, status: statusAfter(n, n === 60 ? last : {}) });
  return history;
}

const fresh = () => {
  const history = new History();
  history.add({ atMs: 0, status: statusAfter(0) });
  return history;
};

const troubled = busy({
  ready: true,
  paused: true,
  workers: [{ pid: 99, restarts: 3 }],
  tables: {
    connectionRequests: { count: 60_000, capacity: 65_536, full: 1_234_567 },
    activatedCpes: { count: 50_000, capacity: 65_536, full: 0 },
    reportConnections: { count: 1, capacity: 65_536, full: 0 },
  },
  queues: [
    { number: 0, side: 'cpe', received: 99, waiting: 16_384, queueDropped: 4711, userDropped: 0, lost: 0 },
    { number: 1, side: 'itms', received: 99, waiting: 0, queueDropped: 0, userDropped: 12, lost: 12 },
    { number: 2, side: 'collector', received: 99, waiting: null, queueDropped: null, userDropped: null, lost: 0 },
    { number: 3, side: 'host', received: 5, waiting: 0, queueDropped: 0, userDropped: 0, lost: 0 },
  ],
});

const failing = busy({
  servers: {
    itms: serverStatus({ opened: 99_000, answered: 90_000, refused: 8000, unanswered: 1000, answerMs: 12 }),
    c1: serverStatus({
      state: 'degraded',
      sinceMs: 4000,
      why: '4 of 12 connections in 30 s failed or waited a second',
    }),
    c2: serverStatus({ state: 'down', sinceMs: 35_000, why: '5 CPEs in a row were refused', refused: 5 }),
  },
});

const flushed = busy({
  losses: { queueDropped: 0, userDropped: 0, verdictsLate: 1, unparsed: 23, givenUp: 4_294_967_296 },
});

const kept = {
  ...{ directory: '/h', pid: 8, restarts: 0, sessions: 81_204, open: 39, waiting: 0, events: 12, bytes: 3 << 20 },
  lost: { changes: 0, connections: 0, sessions: 0, events: 0 },
};
const night = busy({
  history: { ...kept, state: 'failing', lost: { ...kept.lost, connections: 7 } },
  fallback: { active: true, times: 2, totalMs: 65_000, sessions: 14 },
  configuration: { ...QUIET.configuration, differs: ['activation', 'itms.address'] },
});

describe('on a terminal', () => {
  const rows: [string, History, Partial<Screen>][] = [
    ['80x24', busy(), {}],
    ['80x24-first-look', fresh(), {}],
    ['80x24-in-trouble', troubled, {}],
    ['80x24-engine-gone', busy(), { notice: 'no engine answers; waiting for one' }],
    ['80x24-without-utf8', busy(), { isAscii: true }],
    ['80x24-servers-in-trouble', failing, {}],
    ['40x12-servers-in-trouble', failing, { columns: 40, rows: 12 }],
    ['80x24-also-lost', flushed, {}],
    ['60x24-in-trouble', troubled, { columns: 60 }],
    ['50x24-in-trouble', troubled, { columns: 50 }],
    ['40x12-narrow', busy(), { columns: 40, rows: 12 }],
    ['132x43-wide', busy(), { columns: 132, rows: 43 }],
    ['80x24-with-history', busy({ history: { ...kept, state: 'on' } }), {}],
    ['80x24-at-night', night, {}],
    ['80x24-nobody-yet', new History(), {}],
  ];
  test.each(rows)('%s', (name, history, more) => {
    const screen = { ...SCREEN, ...more };
    const lines = renderWatch(history, screen);
    expect(lines.length).toBeLessThanOrEqual(screen.rows);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(screen.columns);
    const file = join(GOLDENS, `${name}.txt`);
    const text = `${lines.join('\n')}\n`;
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  test.each(rows)('%s: colour changes no cell', (_, history, more) => {
    const screen = { ...SCREEN, ...more };
    const painted = renderWatch(history, { ...screen, paint: inColour });
    const bare = painted.map((line) => line.replace(/\x1b\[\d+m/g, '').trimEnd());
    expect(bare).toEqual(renderWatch(history, screen));
    for (const line of painted) expect(line.lastIndexOf('\x1b[0m')).toBeGreaterThanOrEqual(line.lastIndexOf('\x1b[3'));
  });
});

describe('what colour says, words or figures say too', () => {
  test('losses are red, and so is a table nearly full; one that fills is yellow', () => {
    const text = renderWatch(troubled, { ...SCREEN, paint: inColour }).join('\n');
    expect(text).toMatch(/\x1b\[31m +4711\x1b\[0m/);
    expect(text).toMatch(/connectionRequests.*\x1b\[31m█/);
    expect(text).toMatch(/activatedCpes.*\x1b\[33m█/);
    expect(text).toMatch(/\x1b\[33mPAUSED/);
    expect(text).toMatch(/\x1b\[33m3 restarts/);
  });

  test('losses of no particular side come below, in red, worded as in `status`', () => {
    const text = renderWatch(flushed, { ...SCREEN, paint: inColour }).join('\n');
    expect(text).toContain('\x1b[31malso lost: 1 flushed by the kernel\x1b[0m\n');
    expect(text).toContain('\x1b[31malso lost: 23 unreadable\x1b[0m\n');
    expect(renderWatch(busy(), SCREEN).join('\n')).not.toContain('also lost');
  });

  test.each([38, 46, 47, 55, 56, 60, 65, 66, 68, 69, 80])('%d columns: no figure of a loss is cut off', (columns) => {
    const [lines, more] = [troubled, flushed].map((history) => renderWatch(history, { ...SCREEN, columns }));
    expect(lines?.find((line) => line.startsWith('PACKETS'))).toMatch(/ LOST$/);
    expect(lines?.find((line) => line.startsWith('from CPEs'))).toMatch(/ 4711$/);
    expect(lines?.find((line) => line.startsWith('TABLE'))).toMatch(/ REFUSED$/);
    expect(lines?.find((line) => line.startsWith('connectionRequests'))).toMatch(/ 1\.23M$/);
    expect(more?.filter((line) => line.startsWith('also lost: '))).toHaveLength(3);
    if (columns >= 60) expect(more).toContain('also lost: 4.29G that crashed two workers');
  });
});

describe('keys', () => {
  const heads = (sort: 'rate' | 'total' | 'name') => {
    const lines = renderWatch(busy(), { ...SCREEN, rows: 60, sort });
    const at = lines.findIndex((line) => line.startsWith('VERDICTS BY'));
    return { head: lines[at]!.split(/ {2,}/)[0], rows: lines.slice(at + 1).map((line) => line.split(/ +/)) };
  };
  test('s: reasons by rate, by total, by name', () => {
    expect(heads('rate').head).toBe('VERDICTS BY REASON');
    const totals = heads('total');
    expect(totals.head).toBe('VERDICTS BY TOTAL');
    const counts = totals.rows.map(([, , total]) => Number(total)).filter((total) => !Number.isNaN(total));
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    const names = heads('name').rows.map(([name]) => name);
    expect(names).toEqual([...names].sort());
    expect(new Set(names)).toEqual(new Set(totals.rows.map(([name]) => name)));
  });

  test('?: the keys, and no figures', () => {
    const text = renderWatch(busy(), { ...SCREEN, hasHelp: true }).join('\n');
    expect(text).toContain('q   quit');
    expect(text).not.toContain('from CPEs');
  });

  test('f: what comes later is not in the picture', () => {
    const history = busy();
    const frozen = history.frozen();
    const before = renderWatch(frozen, SCREEN);
    for (let n = 61; n < 70; n++) history.add({ atMs: 5000 + n * 1000, status: statusAfter(n) });
    expect(renderWatch(frozen, SCREEN)).toEqual(before);
    expect(renderWatch(history, SCREEN)).not.toEqual(before);
  });
});

test('what the kernel carries stands beside what is decided, by side', () => {
  const history = new History();
  const packets = {
    'carried-to-itms': 0,
    'carried-to-collector': 0,
    'carried-from-itms': 0,
    'carried-from-collector': 0,
  };
  const at = (n: number): Status => {
    const counted = Object.entries(packets).map(([name], i): [string, number] => [name, n * 10 ** (i + 1)]);
    const fastPath = { mode: 'auto', loaded: true, carries: true, interfaces: [], reason: null, flows: 0 } as const;
    return { ...statusAfter(n), fastPath: { ...fastPath, interfaces: [], packets: Object.fromEntries(counted) } };
  };
  for (const n of [0, 1]) history.add({ atMs: n * 1000, status: at(n) });
  const lines = renderWatch(history, SCREEN);
  const carried = (label: string) =>
    lines
      .find((line) => line.startsWith(label))
      ?.slice(29, 38)
      .trim();
  expect(lines.find((line) => line.startsWith('PACKETS'))).toMatch(
    /^PACKETS +\/S +CARRIED +PEAK +LAST .* WAITING +LOST$/,
  );
  expect(['from CPEs', 'from the ITMS', 'from collectors'].map(carried)).toEqual(['110', '1000', '10000']);
  for (const line of lines) expect([...line].length).toBeLessThanOrEqual(80);
});

test('a table that is 0.0 % full shows an empty bar', () => {
  const history = new History();
  const table = (count: number) => ({ count, capacity: 65_536, full: 0 });
  const tables = { connectionRequests: table(32), activatedCpes: table(33), reportConnections: table(0) };
  history.add({ atMs: 0, status: { ...statusAfter(0), tables } });
  const bars = renderWatch(history, SCREEN).filter((line) => line.includes('%'));
  expect(bars.map((line) => /[█░]+ +[\d.]+ %/.exec(line)?.[0])).toEqual([
    '░░░░░░░░░░░░░  0.0 %',
    '█░░░░░░░░░░░░  0.1 %',
    '░░░░░░░░░░░░░  0.0 %',
  ]);
});

describe('rates', () => {
  test('are counted from one look to the next, by the time that really passed', () => {
    const history = new History();
    history.add({ atMs: 1000, status: statusAfter(0) });
    const later = statusAfter(0);
    later.queues[0].received += 500;
    later.uptimeMs += 2000;
    history.add({ atMs: 3000, status: later });
    expect(history.rates).toHaveLength(1);
    expect(history.rates[0].queues).toEqual([250, 0, 0, 0]);
  });

  test('another engine starts over: its first counters give no rate', () => {
    const history = busy();
    const known = history.rates.length;
    history.add({ atMs: 90_000, status: { ...statusAfter(0), uptimeMs: 12 } });
    expect(history.rates).toHaveLength(known);
  });
});

test('in a pipe: a line', () => {
  expect(renderLine(busy(), '22:37:04')).toMatchInlineSnapshot(
    `"22:37:04 ready  cpe 1687/s  itms 1217/s  collector 106/s  diverted 4.0/s  connections 39  waiting 12  dropped 60  lost 0  restarts 0"`,
  );
  expect(renderLine(new History(), '22:37:04')).toBe('22:37:04 no engine');
});

test.each([
  [0, '0'],
  [99_999, '99999'],
  [123_456, '123k'],
  [1_234_567, '1.23M'],
  [98_765_432, '98.8M'],
  [4_294_967_296, '4.29G'],
])('%d is %s', (count, text) => {
  expect(countText(count)).toBe(text);
});
