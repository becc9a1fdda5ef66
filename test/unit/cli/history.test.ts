/** `acsplit history`: its text and JSON, and the times it takes. */
import { formatHistory, parseTime } from '../../../src/cli/history-text';
import { sessionJson } from '../../../src/engine/recorder/session-json';
import { Outcome, type SessionRow, Woken } from '../../../src/engine/recorder/session';
import { parseAddress } from '../../../src/packet/address';
import { Head } from '../../../src/splitter/decide/http-head';

const NOW_MS = Date.parse('2026-11-30T12:31:05.400Z');
const ROW: SessionRow = {
  ...{ cpe: parseAddress('10.1.0.5')!, collector: 'c1', woken: Woken.Response, outcome: Outcome.Closed },
  ...{ endedMs: NOW_MS, armedMs: NOW_MS - 4000, openedMs: NOW_MS - 2340, cpePort: 40001, port: 7547 },
  ...{ connections: 2, isConfirmed: true, heads: (1 << Head.Empty) | (1 << Head.Retry), lastHead: Head.Empty },
};
const UNUSED: SessionRow = {
  ...{ cpe: parseAddress('2001:db8::5')!, collector: 'c2', woken: Woken.Hand, outcome: Outcome.NoSession },
  ...{ endedMs: NOW_MS + 1000, armedMs: NOW_MS - 60_000, openedMs: undefined, cpePort: 0, port: 0 },
  ...{ connections: 0, isConfirmed: false, heads: 0, lastHead: Head.None },
};

test('a line a session, then a line an event', () => {
  const events = [{ timeMs: NOW_MS, kind: 'worker-restarted', reason: 'killed by SIGKILL' } as const];
  expect(`\n${formatHistory([ROW, UNUSED], events)}`).toBe(`
ENDED AT                      CPE  COLLECTOR  WOKEN BY  CONNECTIONS  SECONDS      ANSWERS       ENDED
2026-11-30T12:31:05Z     10.1.0.5         c1  response            2      2.3  empty+retry      closed
2026-11-30T12:31:06Z  2001:db8::5         c2      hand            0        -            -  no-session

2026-11-30T12:31:05Z  worker-restarted  reason=killed by SIGKILL
`);
  const hostile = { timeMs: NOW_MS, kind: 'operator', refused: "no collector is named '\x1b[2J\u202e'" } as const;
  expect(formatHistory([], [hostile])).toMatch(/refused=no collector is named '\?\[2J\?'\n$/);
  expect(formatHistory([], [])).toBe('nothing found\n');
  expect(formatHistory([], events)).toBe('2026-11-30T12:31:05Z  worker-restarted  reason=killed by SIGKILL\n');
});

test('JSON has names instead of numbers', () => {
  expect(sessionJson(ROW)).toEqual({
    ...{ cpe: '10.1.0.5', collector: 'c1', woken: 'response', outcome: 'closed', isConfirmed: true },
    ...{ endedMs: NOW_MS, armedMs: NOW_MS - 4000, openedMs: NOW_MS - 2340, cpePort: 40001, port: 7547 },
    ...{ connections: 2, heads: ['empty', 'retry'], lastHead: 'empty' },
  });
});

test.each<[string, number | undefined]>([
  ['90s', NOW_MS - 90_000],
  ['15m', NOW_MS - 900_000],
  ['2h', NOW_MS - 7_200_000],
  ['3d', NOW_MS - 259_200_000],
  ['2026-11-30', Date.parse('2026-11-30T00:00:00Z')],
  ['2026-11-30T22:00Z', Date.parse('2026-11-30T22:00:00Z')],
  ['yesterday', undefined],
  ['2w', undefined],
  ['12', undefined],
])('the time %s', (word, expected) => {
  expect(parseTime(word, NOW_MS)).toBe(expected);
});
