/** Time stamps against their naive twin in BigInt. */
import fc from 'fast-check';
import { joinNanoseconds, TimestampScale } from '../../../src/replay/timestamp';

const stamps = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test.each([
  ...Array.from({ length: 20 }, (_, exponent) => [`10^-${exponent} s`, exponent, 10n ** BigInt(exponent)] as const),
  ...[1, 10, 20, 30, 32, 36, 37, 40, 63].map((e) => [`2^-${e} s`, 0x80 | e, 2n ** BigInt(e)] as const),
])('units of %s split exactly', (_unit, resolution, units) => {
  const scale = new TimestampScale(resolution, 0);
  fc.assert(
    fc.property(stamps, (stamp) => {
      scale.split(Number(stamp >> 32n), Number(stamp & 0xffffffffn));
      expect(scale.seconds).toBe(Number(stamp / units));
      const exact = Number(((stamp % units) * 1_000_000_000n) / units);
      // Powers of two may round the last nanosecond.
      const tolerance = resolution & 0x80 ? 1 : 0;
      expect(Math.abs(scale.nanoseconds - exact)).toBeLessThanOrEqual(tolerance);
    }),
  );
});

test('nanoseconds join to 64 bits exactly', () => {
  const halves = new Uint32Array(2);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 18446744072 }), fc.integer({ min: 0, max: 999_999_999 }), (s, ns) => {
      joinNanoseconds(s, ns, halves);
      expect((BigInt(halves[0]) << 32n) | BigInt(halves[1])).toBe(BigInt(s) * 1_000_000_000n + BigInt(ns));
    }),
  );
});

test.each([
  ['before 1970', -5, 0, [0, 0]],
  ['beyond 64 bits', 1e18, 0, [0xffffffff, 0xc46535b4]],
])('times outside 64 bits of nanoseconds are clamped: %s', (_what, s, ns, expected) => {
  const halves = new Uint32Array(2);
  joinNanoseconds(s, ns, halves);
  // The last whole second: floor(2^64 / 10^9) - 1.
  const end = 18446744072n * 1_000_000_000n;
  expect([...halves]).toEqual(s < 0 ? expected : [Number(end >> 32n), Number(end & 0xffffffffn)]);
});
