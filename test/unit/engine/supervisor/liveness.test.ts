/** When verdicts flow, and when a worker is killed: a worker that works, or has nothing to do, is left alone. */
import { Liveness, type Watched } from '../../../../src/engine/supervisor/liveness';

interface Given {
  hasUnread?: boolean;
  isHolding?: boolean;
  /** It makes system calls on the queue socket. */
  works?: boolean;
  /** It looks at its clock. */
  runs?: boolean;
  decided?: number;
}

/** A liveness that observes `given`, with a worker that is ready. */
function watch(given: Given) {
  let count = 0;
  const stuck: string[] = [];
  const watched: Watched = {
    hasUnread: () => given.hasUnread ?? false,
    isHolding: () => given.isHolding ?? false,
    steps: () => (given.works === true ? ++count : count),
    decided: () => given.decided ?? 0,
    lookedMs: () => ((given.runs ?? true) ? ++count : 7),
  };
  if (given.works !== true) watched.steps = () => 0;
  const liveness = new Liveness(watched, (why) => stuck.push(why));
  start(liveness);
  return { liveness, given, stuck };
}

function start(liveness: Liveness): void {
  liveness.workerStarts();
  liveness.workerIsUp();
  liveness.workerIsReady();
}

function look(liveness: Liveness, times: number): void {
  for (let i = 0; i < times; i++) liveness.look();
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const rows: [string, Given, number, boolean][] = [
  ['idle: nothing to read, nothing in hand', {}, 0, true],
  ['packets wait and it does nothing', { hasUnread: true }, 2, false],
  ['a batch is in hand and it does nothing', { isHolding: true }, 2, false],
  ['packets wait without end, and it works', { hasUnread: true, isHolding: true, works: true }, 0, true],
  ['it is stopped and nothing waits', { runs: false }, 0, false],
];
test.each(rows)('%s', (_what, given, kills, flow) => {
  const { liveness, stuck } = watch(given);
  look(liveness, 12);
  look(liveness, 11);
  expect(liveness.verdictsFlow()).toBe(flow);
  look(liveness, 1);
  expect(stuck).toEqual(Array(kills).fill('packets wait and it does nothing'));
});

test('a worker that has not run for 15 s is killed though nothing waits', () => {
  const { liveness, stuck } = watch({ runs: false });
  look(liveness, 60);
  expect(stuck).toEqual([]);
  look(liveness, 1);
  expect(stuck).toEqual(['it has not run for 15 s']);
});

test('a moment without packets starts the count again, and so does a new worker', () => {
  const { liveness, given, stuck } = watch({ hasUnread: true });
  look(liveness, 11);
  given.hasUnread = false;
  look(liveness, 1);
  given.hasUnread = true;
  look(liveness, 11);
  liveness.workerDied();
  start(liveness);
  look(liveness, 11);
  expect(stuck).toEqual([]);
});

describe('verdicts flow', () => {
  test('only from a ready worker', () => {
    const { liveness } = watch({});
    const seen = [liveness.verdictsFlow()];
    liveness.workerDied();
    seen.push(liveness.verdictsFlow());
    liveness.workerStarts();
    seen.push(liveness.verdictsFlow());
    liveness.workerIsUp();
    seen.push(liveness.verdictsFlow());
    liveness.workerIsReady();
    expect([...seen, liveness.verdictsFlow()]).toEqual([true, false, false, false, true]);
  });

  test('not for 1 s of work that is not taken up, and again with the next step', () => {
    const { liveness, given } = watch({ hasUnread: true });
    look(liveness, 3);
    expect(liveness.verdictsFlow()).toBe(true);
    look(liveness, 1);
    expect(liveness.verdictsFlow()).toBe(false);
    given.hasUnread = false;
    look(liveness, 1);
    expect(liveness.verdictsFlow()).toBe(true);
  });

  test('after two deaths without a decision only once the next worker has decided, or lived for 5 s', () => {
    const { liveness, given } = watch({ isHolding: true });
    expect(liveness.workerDied()).toBe(1);
    start(liveness);
    expect(liveness.verdictsFlow()).toBe(true);
    expect(liveness.workerDied()).toBe(2);
    start(liveness);
    expect(liveness.verdictsFlow()).toBe(false);
    jest.advanceTimersByTime(5001);
    expect(liveness.verdictsFlow()).toBe(true);
    expect(liveness.workerDied()).toBe(3);
    start(liveness);
    given.decided = 1;
    expect(liveness.verdictsFlow()).toBe(true);
    expect(liveness.workerDied()).toBe(0);
  });

  test('a worker that has lived for a second, and dies without a batch in hand, did not die of its start', () => {
    const { liveness, given } = watch({});
    expect(liveness.workerDied()).toBe(1);
    start(liveness);
    jest.advanceTimersByTime(1001);
    expect(liveness.workerDied()).toBe(0);
    start(liveness);
    jest.advanceTimersByTime(1001);
    given.isHolding = true;
    expect(liveness.workerDied()).toBe(1);
  });
});

test('the last flow is now, when a batch was decided meanwhile, or when it was', () => {
  const { liveness, given } = watch({});
  const at = [liveness.lastFlowMs(1)];
  liveness.workerDied();
  at.push(liveness.lastFlowMs(2));
  given.decided = 7;
  at.push(liveness.lastFlowMs(3), liveness.lastFlowMs(4));
  expect(at).toEqual([1, 1, 3, 3]);
  expect(new Liveness({ ...dead }, fail).lastFlowMs(9)).toBe(-Infinity);
});

const dead: Watched = {
  ...{ hasUnread: () => false, isHolding: () => false, steps: () => 0, decided: () => 0, lookedMs: () => 0 },
};
function fail(): void {
  throw new Error('nobody is stuck');
}
