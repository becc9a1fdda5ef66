/** Who lives and gives no verdicts is noticed; who is idle, or slow, is left alone. */
import { Watchdog } from '../../../../src/engine/supervisor/watchdog';

function watch(given: { hasUnread?: boolean; isHolding?: boolean; works?: boolean }) {
  let steps = 0;
  let bites = 0;
  const watched = {
    hasUnread: () => given.hasUnread ?? false,
    isHolding: () => given.isHolding ?? false,
    steps: () => (given.works === true ? ++steps : steps),
  };
  const dog = new Watchdog(watched, () => bites++);
  return { dog, given, bites: () => bites };
}

function look(dog: Watchdog, times: number): void {
  for (let i = 0; i < times; i++) dog.look();
}

const rows: [string, Parameters<typeof watch>[0], number][] = [
  ['idle: nothing to read, nothing in hand', {}, 0],
  ['packets wait and it does nothing', { hasUnread: true }, 2],
  ['a batch is in hand and it does nothing', { isHolding: true }, 2],
  ['packets wait without end, and it works', { hasUnread: true, isHolding: true, works: true }, 0],
];
test.each(rows)('%s', (_what, given, bites) => {
  const watched = watch(given);
  look(watched.dog, 24);
  watched.dog.stop();
  expect(watched.bites()).toBe(bites);
});

test('a moment without packets begins the count anew, and so does a new worker', () => {
  const { dog, given, bites } = watch({ hasUnread: true });
  look(dog, 11);
  given.hasUnread = false;
  look(dog, 1);
  given.hasUnread = true;
  look(dog, 11);
  dog.restart();
  look(dog, 11);
  dog.stop();
  expect(bites()).toBe(0);
});
