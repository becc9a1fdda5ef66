/** Each change of a server's state is told once, in log and history, and none is lost between two looks. */
import { parseAddress } from '../../../../src/packet/address';
import { composeServers } from '../../../../src/engine/report/servers';
import { watchServers } from '../../../../src/engine/supervisor/server-log';
import { Health } from '../../../../src/splitter/health/health';
import { type ServerRows } from '../../../../src/splitter/health/server-row';

const C1 = 1;
const CPES = [1, 2, 3, 4, 5].map((n) => Int32Array.of(n));

function fail(health: Health, nowMs: number): void {
  health.advance(nowMs);
  for (const cpe of CPES) {
    health.opened(C1, cpe, 40_000, 7547, nowMs);
    health.reset(C1, cpe, 40_000, 7547, nowMs, 0);
  }
}

function accept(health: Health, nowMs: number): void {
  health.advance(nowMs);
  health.opened(C1, CPES[0]!, 40_001, 7547, nowMs);
  health.accepted(C1, CPES[0]!, 40_001, 7547, nowMs, 0);
}

function watched(rows: ServerRows) {
  const said: unknown[] = [];
  const say = (fields: object, message: string) => said.push([fields, message]);
  const noted: unknown[] = [];
  const watch = watchServers({
    changes: (since, visit) => rows.readChanges(since, visit),
    serverOf: (row) => (row === 2 * C1 ? { server: 'c1', address: '10.3.0.2' } : undefined),
    log: { info: say, warn: say, error: say },
    note: (kind, details) => noted.push({ kind, ...details }),
    effect: () => 'so be it',
  });
  return { said, noted, watch };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('down and up again between two looks: both are told, once', () => {
  const health = new Health({ seed: 1, turnsAway: true });
  health.watch([{ owner: C1, address: parseAddress('10.3.0.2')! }]);
  const { said, noted, watch } = watched(health.rows);
  fail(health, 1000);
  accept(health, 1100);
  jest.advanceTimersByTime(1000);
  const why = '5 CPEs in a row were refused';
  const fields = { server: 'c1', address: '10.3.0.2' };
  expect(said).toEqual([
    [{ event: 'server-down', ...fields, why }, `collector c1 (10.3.0.2) is down: ${why}; so be it`],
    [{ event: 'server-up', ...fields }, 'collector c1 (10.3.0.2) is up'],
  ]);
  expect(noted).toEqual([
    { kind: 'server', state: 'down', ...fields, why },
    { kind: 'server', state: 'up', ...fields },
  ]);
  watch.stop();
  fail(health, 2000);
  jest.advanceTimersByTime(1000);
  expect(said).toHaveLength(2);
});

test('beyond the ring only the latest changes are told', () => {
  const health = new Health({ seed: 1, turnsAway: true });
  health.watch([{ owner: C1, address: parseAddress('10.3.0.2')! }]);
  const { said } = watched(health.rows);
  for (let n = 1; n <= 200; n++) {
    fail(health, n * 1000);
    accept(health, n * 1000 + 500);
  }
  jest.advanceTimersByTime(1000);
  expect(said).toHaveLength(256);
});

test('a status has the worst of a server’s addresses, with the address, and the sums of both', () => {
  const health = new Health({ seed: 1, turnsAway: true });
  const addresses = ['10.3.0.2', '2001:db8::2'].map((text) => parseAddress(text)!);
  health.watch(addresses.map((address) => ({ owner: C1, address })));
  fail(health, 1000);
  accept(health, 2000);
  fail(health, 3000);
  health.opened(C1, Int32Array.of(0, 0, 0, 1), 1, 7547, 1);
  const state = { families: [{ family: 'ipv4' }, { family: 'ipv6' }], owners: { idOf: () => C1 } } as never;
  const { c1, itms } = composeServers({ state, collectors: ['c1'], rows: health.rows, nowMs: 4500 });
  expect(c1).toMatchObject({ state: 'down', sinceMs: 1500, why: '10.3.0.2: 5 CPEs in a row were refused' });
  expect(c1).toMatchObject({ opened: 12, answered: 1, refused: 10, unanswered: 0, answerMs: 0 });
  expect(c1!.addresses.map(({ address, state: one, opened }) => [address, one, opened])).toEqual([
    ['10.3.0.2', 'down', 11],
    ['2001:db8::2', 'up', 1],
  ]);
  expect(itms).toMatchObject({ state: 'up', why: null, answerMs: null });
});
