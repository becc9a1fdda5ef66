/** Losses are logged once, with cause and number; without losses nothing is logged. */
import { watchLosses } from '../../../../src/engine/supervisor/loss-watch';
import { type Losses } from '../../../../src/engine/report/status';

test('each cause has its own warning with the new losses; no new losses, no warning', () => {
  jest.useFakeTimers();
  const losses: Losses = { queueDropped: 7, userDropped: 0, verdictsLate: 0, unparsed: 0, givenUp: 0 };
  const said: unknown[] = [];
  const silent = () => undefined;
  const watch = watchLosses({
    losses: () => ({ ...losses }),
    log: { info: silent, error: silent, warn: (fields, message) => said.push([fields, message.split(':')[0]]) },
  });
  const look = (): unknown[] => {
    jest.advanceTimersByTime(5000);
    return said.splice(0);
  };
  expect(look()).toEqual([]);
  Object.assign(losses, { queueDropped: 9, verdictsLate: 3 });
  expect(look()).toEqual([
    [{ event: 'lost', cause: 'queueDropped', packets: 2 }, '2 packets lost'],
    [{ event: 'lost', cause: 'verdictsLate', packets: 3 }, '3 packets lost'],
  ]);
  losses.userDropped = 1;
  expect(look()).toEqual([[{ event: 'lost', cause: 'userDropped', packets: 1 }, '1 packets lost']]);
  expect(look()).toEqual([]);
  watch.stop();
  losses.givenUp = 64;
  expect(look()).toEqual([]);
  jest.useRealTimers();
});
