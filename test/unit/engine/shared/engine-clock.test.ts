/**
 * The clock that lives are measured by stops while no worker decides, within bounds, whichever process dies meanwhile.
 */
import {
  EngineClock,
  engineLag,
  engineTime,
  HANDS,
  LONGEST_STALL_MS,
} from '../../../../src/engine/shared/engine-clock';

/** As a host has been up for some days; with a fraction that float64 just holds. */
const BOOTTIME_MS = 400_000_000.123_456;

let hands: Float64Array;
let told: number[];
beforeEach(() => {
  hands = new Float64Array(HANDS);
  told = [];
});

const clockAt = (boottimeMs: number, longestStallMs = LONGEST_STALL_MS) =>
  new EngineClock(hands, boottimeMs, longestStallMs, (ms) => told.push(ms));

test('begins at CLOCK_BOOTTIME', () => {
  expect(clockAt(BOOTTIME_MS).look(BOOTTIME_MS)).toBe(BOOTTIME_MS);
});

test.each([
  [0, 0],
  [25, 25],
  [250, 250],
  // Lags are whole ms.
  [250.5, 250.5],
  [251, 250],
  [10_000, 250],
  [60_000, 250],
  [60_001, 60_001],
  [3_600_000, 3_600_000],
])('of %d ms without a look, %d ms pass', (gapMs, passedMs) => {
  const clock = clockAt(BOOTTIME_MS);
  const before = clock.look(BOOTTIME_MS);
  expect(clock.look(BOOTTIME_MS + gapMs) - before).toBeCloseTo(passedMs, 6);
});

test('on a host where it can look only every 400 ms it is slow, but keeps running', () => {
  const clock = clockAt(BOOTTIME_MS);
  for (let look = 1; look < 100; look++) clock.look(BOOTTIME_MS + 400 * look);
  expect(clock.look(BOOTTIME_MS + 40_000) - BOOTTIME_MS).toBeCloseTo(25_000, 6);
});

test('when the kernel takes over after a while, a longer stall counts in full', () => {
  const clock = clockAt(BOOTTIME_MS, 4500);
  expect(clock.look(BOOTTIME_MS + 4500) - BOOTTIME_MS).toBeCloseTo(250, 6);
  expect(clock.look(BOOTTIME_MS + 10_000) - BOOTTIME_MS).toBeCloseTo(5750, 6);
});

test('a clock tells whether the gap was long enough for the kernel to take over', () => {
  const stalls: [number, boolean][] = [];
  const clockAfter = (gapMs: number) =>
    new EngineClock(hands, BOOTTIME_MS + gapMs, 4500, (ms, isLong) => stalls.push([ms, isLong]));
  expect(clockAfter(0).absentMs).toBe(0);
  expect(clockAfter(4500).absentMs).toBe(4500);
  const clock = clockAfter(9001);
  expect(clock.absentMs).toBe(4501);
  clock.look(BOOTTIME_MS + 9001 + 4500);
  clock.look(BOOTTIME_MS + 9001 + 4500 + 4501);
  expect(stalls).toEqual([
    [4500, false],
    [4501, true],
  ]);
});

test('the next worker continues where the last one died', () => {
  clockAt(BOOTTIME_MS).look(BOOTTIME_MS + 100);
  const next = clockAt(BOOTTIME_MS + 5100);
  expect(next.look(BOOTTIME_MS + 5125) - BOOTTIME_MS).toBeCloseTo(100 + 250 + 25, 6);
});

test('a second without a look is told, a start is not', () => {
  const clock = clockAt(BOOTTIME_MS);
  clock.look(BOOTTIME_MS + 999);
  clockAt(BOOTTIME_MS + 5000);
  clock.look(BOOTTIME_MS + 7000);
  expect(told.map(Math.round)).toEqual([2000]);
});

test('readers have its last look, and exactly the time that a packet had', () => {
  const clock = clockAt(BOOTTIME_MS);
  clock.look(BOOTTIME_MS + 10_000.777);
  const engineMs = clock.look(BOOTTIME_MS + 10_001.333_333);
  expect(engineTime(hands)).toBe(engineMs);
  expect(engineMs + engineLag(hands)).toBe(BOOTTIME_MS + 10_001.333_333);
});

test.each([
  ['a look that has yet to come', [BOOTTIME_MS + 1, 0]],
  ['no number', [Number.NaN, Number.NaN]],
  ['a lag of more than there was', [BOOTTIME_MS - 1, BOOTTIME_MS]],
  ['a negative lag', [BOOTTIME_MS - 1, -1]],
  ['a lag of half a ms', [BOOTTIME_MS - 1, 0.5]],
  ['infinity', [BOOTTIME_MS - 1, Number.POSITIVE_INFINITY]],
])('damaged hands (%s): begins at CLOCK_BOOTTIME', (_what, damaged) => {
  hands.set(damaged);
  expect(clockAt(BOOTTIME_MS).look(BOOTTIME_MS)).toBe(BOOTTIME_MS);
});
