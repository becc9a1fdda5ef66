/** The pin cache: a SYN that went to the ITMS is remembered for 130 s, and a flood can only make it forget. */
import * as fc from 'fast-check';
import { PinCache } from '../../../src/tables/pin-cache';
import { addressNamed, cpeNumbered, neighbours, WORDS } from '../../support/family';

const CPE = addressNamed('10.1.2.3');
const NOBODY = new Int32Array(WORDS);
const LIFE_MS = 130_000;
const FLOOD = 200_000;

function cacheOf(nowMs = 1_000, buffer = new ArrayBuffer(PinCache.bytes(WORDS))): PinCache {
  const pins = new PinCache(buffer, 0, WORDS, 42);
  pins.advance(nowMs);
  return pins;
}

describe('this very SYN, and no other', () => {
  test.each<[string, Int32Array, number, number, number, boolean]>([
    ['the same SYN', CPE, 50_000, 7547, 1, true],
    ...neighbours(CPE).map((cpe): [string, Int32Array, number, number, number, boolean] => [
      `CPE ${cpe}`,
      cpe,
      50_000,
      7547,
      1,
      false,
    ]),
    ['another CPE port', CPE, 50_001, 7547, 1, false],
    ['another report port', CPE, 50_000, 7548, 1, false],
    ['another ISN', CPE, 50_000, 7547, 2, false],
    ['the ports the other way round', CPE, 7547, 50_000, 1, false],
  ])('%s', (_what, cpe, cpePort, reportPort, isn, expected) => {
    const pins = cacheOf();
    pins.pin(CPE, 50_000, 7547, 1);
    expect(pins.isPinned(cpe, cpePort, reportPort, isn)).toBe(expected);
  });

  test('nothing is pinned in a new cache, not even zeros', () => {
    expect(cacheOf(0).isPinned(NOBODY, 0, 0, 0)).toBe(false);
  });

  test('a new ISN on the same ports takes the old one’s place', () => {
    const pins = cacheOf();
    for (let isn = 1; isn <= 100; isn++) pins.pin(CPE, 50_000, 7547, isn);
    expect([pins.isPinned(CPE, 50_000, 7547, 100), pins.isPinned(CPE, 50_000, 7547, 99)]).toEqual([true, false]);
  });
});

describe('a SYN that the ITMS has answered', () => {
  test('keeps its pin, however many other SYNs come to its ports', () => {
    const pins = cacheOf();
    pins.pin(CPE, 50_000, 7547, 1);
    pins.pinAnswered(CPE, 50_000, 7547, 1);
    for (let isn = 2; isn <= 100; isn++) pins.pin(CPE, 50_000, 7547, isn);
    const pinned = (isn: number) => pins.isPinned(CPE, 50_000, 7547, isn);
    expect([1, 2, 99, 100].map(pinned)).toEqual([true, false, false, true]);
  });

  test('is pinned even when another SYN has come before the answer', () => {
    const pins = cacheOf();
    for (const isn of [1, 2]) pins.pin(CPE, 50_000, 7547, isn);
    pins.pinAnswered(CPE, 50_000, 7547, 1);
    expect([1, 2].map((isn) => pins.isPinned(CPE, 50_000, 7547, isn))).toEqual([true, true]);
  });

  test('gives way to the next one that the ITMS answers', () => {
    const pins = cacheOf();
    for (const isn of [1, 2]) {
      pins.pin(CPE, 50_000, 7547, isn);
      pins.pinAnswered(CPE, 50_000, 7547, isn);
    }
    expect([1, 2].map((isn) => pins.isPinned(CPE, 50_000, 7547, isn))).toEqual([false, true]);
  });

  test('takes one line, and two with a later SYN', () => {
    const buffer = new ArrayBuffer(PinCache.bytes(WORDS));
    const pins = cacheOf(1_000, buffer);
    const linesUsed = () => new Int32Array(buffer).filter((word) => word === 1_000).length;
    const used: number[] = [];
    for (const isn of [5, 6, 7]) {
      pins.pin(CPE, 50_000, 7547, isn);
      used.push(linesUsed());
      pins.pinAnswered(CPE, 50_000, 7547, isn);
      used.push(linesUsed());
    }
    expect(used).toEqual([1, 1, 2, 1, 2, 1]);
  });

  test('is renewed by its retransmission, and loses its place after 130 s', () => {
    const pins = cacheOf(0);
    pins.pinAnswered(CPE, 50_000, 7547, 1);
    pins.advance(100_000);
    pins.pin(CPE, 50_000, 7547, 1);
    pins.advance(200_000);
    expect(pins.isPinned(CPE, 50_000, 7547, 1)).toBe(true);
    pins.advance(300_000);
    for (const isn of [1, 2]) pins.pin(CPE, 50_000, 7547, isn);
    expect([1, 2].map((isn) => pins.isPinned(CPE, 50_000, 7547, isn))).toEqual([false, true]);
  });
});

describe('for 130 s, at any value of the clock', () => {
  const DAY_MS = 86_400_000;
  test.each([
    ['at boot', 0],
    ['at tick 0 after a wrap', 2 ** 32],
    ['2^31 ms after boot', 2 ** 31 - 60_000],
    ['2^32 ms after boot', 2 ** 32 - 60_000],
    ['today, in ms since 1970', 1_763_900_000_000],
  ])('%s', (_when, atMs) => {
    const pins = cacheOf(atMs);
    pins.pin(CPE, 50_000, 7547, 1);
    const pinnedAfter = (ms: number) => {
      pins.advance(atMs + ms);
      return pins.isPinned(CPE, 50_000, 7547, 1);
    };
    expect([0, 1, LIFE_MS - 2, LIFE_MS + 2, DAY_MS, 25 * DAY_MS, 40 * DAY_MS].map(pinnedAfter)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  test('a clock that steps back a little forgets nothing', () => {
    const pins = cacheOf(1_000_000);
    pins.pin(CPE, 50_000, 7547, 1);
    const pinnedAt = (nowMs: number) => {
      pins.advance(nowMs);
      return pins.isPinned(CPE, 50_000, 7547, 1);
    };
    expect([999_990, 1_000_000 - LIFE_MS, 999_999 - LIFE_MS].map(pinnedAt)).toEqual([true, true, false]);
  });
});

describe('a flood', () => {
  test('of 200 000 SYNs pins itself and forgets others: it never invents one', () => {
    const pins = cacheOf();
    pins.pin(CPE, 50_000, 7547, 1);
    pins.advance(1_001);
    for (let n = 0; n < FLOOD; n++) pins.pin(cpeNumbered(Math.imul(n, 0x9e3779b1)), n & 0xffff, 7547, n);
    let kept = 0;
    for (let n = 0; n < FLOOD; n++) {
      if (pins.isPinned(cpeNumbered(Math.imul(n, 0x9e3779b1)), n & 0xffff, 7547, n)) kept++;
      if (pins.isPinned(cpeNumbered(Math.imul(n, 0x9e3779b1)), n & 0xffff, 7547, n + 1))
        throw new Error('a pin of nobody');
    }
    expect(kept).toBeGreaterThan(50_000);
    expect(kept).toBeLessThanOrEqual(65_536);
    expect(pins.isPinned(CPE, 50_000, 7547, 1)).toBe(false);
  });

  test('the oldest of a set is overwritten first: a thousand newer SYNs leave a pin alone', () => {
    const pins = cacheOf();
    for (let n = 0; n < 1_000; n++) pins.pin(cpeNumbered(n), 50_000, 7547, n);
    let kept = 0;
    for (let n = 0; n < 1_000; n++) if (pins.isPinned(cpeNumbered(n), 50_000, 7547, n)) kept++;
    expect(kept).toBe(1_000);
  });
});

describe('a set has four lines', () => {
  /** Five CPE ports whose SYNs fall into one set. */
  function ofOneSet(pins: PinCache): number[] {
    const { set } = pins as unknown as { set(cpe: Int32Array, ports: number): number };
    const setOf = (port: number) => set.call(pins, CPE, (port << 16) | 7547);
    const bySet = new Map<number, number[]>();
    for (let port = 1; port < 65_536; port++) {
      const ports = bySet.get(setOf(port)) ?? [];
      bySet.set(setOf(port), [...ports, port]);
      if (ports.length === 4) return [...ports, port];
    }
    throw new Error('no such set');
  }

  test.each([
    ['at boot', 0],
    ['2^31 ms after boot', 2 ** 31 - 5],
    ['2^31 ms and more', 2 ** 31 + 5_000],
    ['2^32 ms after boot', 2 ** 32 - 5],
  ])('%s: they are filled first, then the oldest is overwritten', (_when, beginMs) => {
    const pins = cacheOf(beginMs);
    const [a, b, c, d, e] = ofOneSet(pins);
    const pinned = () => [a, b, c, d, e].map((port) => pins.isPinned(CPE, port, 7547, port));
    let nowMs = beginMs;
    const pin = (port: number) => {
      pins.advance((nowMs += 2));
      pins.pin(CPE, port, 7547, port);
    };
    [a, b, c, d].forEach(pin);
    expect(pinned()).toEqual([true, true, true, true, false]);
    pin(a);
    pin(e);
    expect(pinned()).toEqual([true, false, true, true, true]);
    pin(b);
    expect(pinned()).toEqual([true, true, false, true, true]);
    expect([b, c, d, e].map((port) => pins.isPinned(CPE, port, 7547, a))).toEqual([false, false, false, false]);
  });
});

test('whatever it says is pinned went to the ITMS within 130 s (naive twin: a Map)', () => {
  const cpe = fc.integer({ min: -2, max: 40_000 });
  const step = fc.record({
    afterMs: fc.constantFrom(0, 1, 999, 65_000, LIFE_MS, 25 * 86_400_000),
    cpe,
    isn: fc.integer({ min: 0, max: 2 }),
    isAnswer: fc.boolean(),
  });
  const buffer = new ArrayBuffer(PinCache.bytes(WORDS));
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 10, maxLength: 200 }),
      fc.constantFrom(0, 2 ** 32 - 200_000),
      (steps, beginMs) => {
        new Int32Array(buffer).fill(0);
        let nowMs = beginMs;
        const pins = cacheOf(nowMs, buffer);
        const latest = new Map<number, { isn: number; atMs: number }>();
        const answered = new Map<number, { isn: number; atMs: number }>();
        for (const one of steps) {
          pins.advance((nowMs += one.afterMs));
          const pin = { isn: one.isn, atMs: nowMs };
          if (one.isAnswer) {
            pins.pinAnswered(cpeNumbered(one.cpe), 50_000, 7547, one.isn);
            answered.set(one.cpe, pin);
          } else {
            pins.pin(cpeNumbered(one.cpe), 50_000, 7547, one.isn);
            const held = answered.get(one.cpe);
            if (held?.isn === one.isn && nowMs - held.atMs <= LIFE_MS) held.atMs = nowMs;
            latest.set(one.cpe, pin);
          }
          for (const other of steps) {
            // Tick 0 is an empty line's, so that its SYNs count as a ms younger.
            const expected = [latest, answered].some((kept) => {
              const known = kept.get(other.cpe);
              return known?.isn === other.isn && nowMs - known.atMs <= LIFE_MS + 1;
            });
            if (pins.isPinned(cpeNumbered(other.cpe), 50_000, 7547, other.isn) && !expected)
              throw new Error(`pinned: ${other.cpe}`);
          }
          if (!pins.isPinned(cpeNumbered(one.cpe), 50_000, 7547, one.isn)) throw new Error(`not pinned: ${one.cpe}`);
        }
      },
    ),
    { numRuns: 50 },
  );
});
