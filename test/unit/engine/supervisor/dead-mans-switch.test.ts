/** When the sets are refreshed and when no longer; what is logged when they cannot be. */
import { DeadMansSwitch, type SelfEmptyingSet } from '../../../../src/engine/supervisor/dead-mans-switch';
import { Liveness } from '../../../../src/engine/supervisor/liveness';

const SETS: SelfEmptyingSet[] = [
  { name: 'four', family: 'ipv4', seconds: 3 },
  { name: 'six', family: 'ipv6', seconds: 3 },
];

/** What a switch asks, with a worker that is there while `isAlive`. */
function lastFlow(given: { isAlive: boolean; decided?: number }) {
  const nothing = { hasUnread: () => false, isHolding: () => false, steps: () => 0, lookedMs: () => 0 };
  const liveness = new Liveness({ ...nothing, decided: () => given.decided ?? 0 }, () => undefined);
  return (nowMs: number) => {
    if (given.isAlive && !liveness.isReady) liveness.workerIsReady();
    if (!given.isAlive && liveness.isReady) liveness.workerDied();
    return liveness.lastFlowMs(nowMs);
  };
}

/** A switch under fake timers, with its refreshes and log lines. */
function make(given: {
  isAlive: boolean;
  decided?: number;
  sets?: readonly SelfEmptyingSet[];
  code?: string;
  stoppedMs?: number;
}) {
  let closed = false;
  const filled: { atMs: number; name: string }[] = [];
  const said: object[] = [];
  const begun: number[] = [];
  const falls: { fallenMs: number; cause: string }[] = [];
  const order: string[] = [];
  const from = performance.now();
  const nowMs = () => performance.now() - from;
  const log = { error: (fields: object) => said.push(fields), warn: (fields: object) => said.push(fields) } as never;
  const dead = new DeadMansSwitch(
    {
      ...{ sets: () => given.sets ?? SETS, lastFlowMs: lastFlow(given), log },
      onBegin: () => begun.push(nowMs()),
      onReturn: () => order.push('return'),
      onFall: (fallenMs, cause) => {
        order.push('fall');
        falls.push({ fallenMs, cause });
      },
    },
    {
      fill: ({ name }) => {
        if (given.code !== undefined) throw Object.assign(new Error(given.code), { code: given.code });
        filled.push({ atMs: nowMs(), name });
        order.push(name);
      },
      nowMs: () => nowMs() + (given.stoppedMs ?? 0),
      close: () => (closed = true),
    },
  );
  const lastMs = () => filled.at(-1)?.atMs ?? -1;
  return { dead, filled, said, begun, falls, order, lastMs, isClosed: () => closed };
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('every set is filled at once, and twice a second', () => {
  const { dead, filled } = make({ isAlive: true });
  jest.advanceTimersByTime(1000);
  dead.stop();
  expect(filled.map(({ atMs, name }) => `${name} ${atMs}`)).toEqual(
    [0, 500, 1000].flatMap((ms) => [`four ${ms}`, `six ${ms}`]),
  );
});

test('when a worker stops giving signs of life, the sets are empty within 5 s of the last one', () => {
  const given = { isAlive: true };
  const { dead, lastMs } = make(given);
  jest.advanceTimersByTime(10_000);
  given.isAlive = false;
  jest.advanceTimersByTime(20_000);
  dead.stop();
  expect(lastMs()).toBeGreaterThan(10_000);
  expect(lastMs() + 3000).toBeLessThanOrEqual(15_000);
});

test('one that is back within 3.5 s was never missed, at whatever moment it died', () => {
  for (let diesMs = 0; diesMs < 1000; diesMs += 50) {
    const given = { isAlive: true };
    const { dead, filled } = make(given);
    jest.advanceTimersByTime(5000 + diesMs);
    given.isAlive = false;
    jest.advanceTimersByTime(3500);
    given.isAlive = true;
    jest.advanceTimersByTime(1000);
    dead.stop();
    const times = filled.filter(({ name }) => name === 'four').map(({ atMs }) => atMs);
    const pauses = times.slice(1).map((time, i) => time - times[i]!);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(3000);
  }
});

test('a worker that is back too late: the fall is told when it begins and when it ends; one that was not missed tells nothing', () => {
  const given = { isAlive: true };
  const { dead, begun, falls } = make(given);
  jest.advanceTimersByTime(10_000);
  given.isAlive = false;
  jest.advanceTimersByTime(3400);
  given.isAlive = true;
  jest.advanceTimersByTime(10_000);
  expect([begun, falls]).toEqual([[], []]);
  given.isAlive = false;
  jest.advanceTimersByTime(10_000);
  expect(begun).toHaveLength(1);
  expect(begun[0]).toBeGreaterThan(23_400 + 3000);
  expect(begun[0]).toBeLessThanOrEqual(23_400 + 5000);
  given.isAlive = true;
  jest.advanceTimersByTime(2000);
  dead.stop();
  // The last renewal was up to 1.5 s after the last sign of life; the first after it, up to 0.5 s after the next.
  expect(falls).toEqual([{ fallenMs: expect.any(Number) as number, cause: 'worker' }]);
  const { fallenMs } = falls[0]!;
  expect(fallenMs).toBeGreaterThanOrEqual(5500);
  expect(fallenMs).toBeLessThanOrEqual(7500);
});

test('a supervisor that was stopped says so, and that the fall was its own', () => {
  const given: { isAlive: boolean; stoppedMs?: number } = { isAlive: true };
  const { dead, said, begun, falls } = make(given);
  jest.advanceTimersByTime(1000);
  given.stoppedMs = 2000;
  jest.advanceTimersByTime(1000);
  expect(said).toEqual([{ event: 'supervisor-stalled', stalledMs: 2500 }]);
  given.stoppedMs = 12_000;
  jest.advanceTimersByTime(1000);
  dead.stop();
  expect(said.slice(1)).toEqual([{ event: 'supervisor-stalled', stalledMs: 10_500 }]);
  expect([begun, falls]).toEqual([[], [{ fallenMs: 7500, cause: 'supervisor' }]]);
});

test('the worker hears of a takeover before the sets are full: later, it would end what was armed since', () => {
  const given: { isAlive: boolean; stoppedMs?: number } = { isAlive: true };
  const { dead, order } = make(given);
  order.length = 0;
  given.stoppedMs = 10_000;
  jest.advanceTimersByTime(500);
  dead.stop();
  expect(order).toEqual(['return', 'four', 'six', 'fall']);
});

test('a worker that dies before each look, and has given verdicts each time, is alive', () => {
  const given = { isAlive: false, decided: 0 };
  const { dead, filled } = make(given);
  for (let second = 0; second < 10; second++) {
    given.decided += 2;
    jest.advanceTimersByTime(1000);
  }
  dead.stop();
  expect(filled.filter(({ name }) => name === 'four').length).toBeGreaterThanOrEqual(20);
});

test('nothing is filled before there was a sign of life', () => {
  const { dead, filled } = make({ isAlive: false });
  jest.advanceTimersByTime(2000);
  dead.stop();
  expect(filled).toEqual([]);
});

test('nor after it was stopped; the last entries live out their time', () => {
  const { dead, lastMs, isClosed } = make({ isAlive: true });
  jest.advanceTimersByTime(1200);
  dead.stop();
  jest.advanceTimersByTime(5000);
  expect([lastMs(), isClosed()]).toEqual([1000, true]);
});

test('a reload may take the sets away', () => {
  const given: { isAlive: boolean; sets?: readonly SelfEmptyingSet[] } = { isAlive: true };
  const { dead, filled } = make(given);
  given.sets = [];
  jest.advanceTimersByTime(2000);
  dead.stop();
  expect(filled).toHaveLength(2);
});

test('a set that is not there is no fault: the rules are not installed yet', () => {
  const { dead, said } = make({ isAlive: true, code: 'ENOENT' });
  dead.stop();
  expect(said).toEqual([]);
});

test('any other refusal is said once for each set, and again when it comes again', () => {
  const given: { isAlive: boolean; code?: string } = { isAlive: true, code: 'EPERM' };
  const { dead, said } = make(given);
  jest.advanceTimersByTime(5000);
  expect(said).toEqual(SETS.map(({ name }) => ({ event: 'switch', set: name, code: 'EPERM' })));
  delete given.code;
  jest.advanceTimersByTime(1000);
  given.code = 'EPROTO';
  jest.advanceTimersByTime(1000);
  dead.stop();
  expect(said).toHaveLength(4);
});
