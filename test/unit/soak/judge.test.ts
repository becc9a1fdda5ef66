/** The soak's verdict: flat is flat, growth is found, and growth at the start does not count. */
import { judge, type Sample } from '../../soak/judge';

const series = (of: (n: number) => Partial<Sample>, count = 90): Sample[] =>
  Array.from({ length: count }, (_, n) => ({ ownKib: 60_000, descriptors: 20, ...of(n) }));

test.each<[what: string, ok: boolean, samples: Sample[]]>([
  ['flat', true, series(() => ({}))],
  ['a heap that breathes', true, series((n) => ({ ownKib: 60_000 + 9000 * (n % 5) }))],
  ['grown in its first third', true, series((n) => ({ ownKib: 20_000 + 2000 * Math.min(n, 29) }))],
  ['somebody asks now and then', true, series((n) => ({ descriptors: 20 + (n % 3 === 0 ? 2 : 0) }))],
  ['a leak', false, series((n) => ({ ownKib: 60_000 + 200 * n }))],
  ['a slow leak of descriptors', false, series((n) => ({ descriptors: 20 + Math.floor(n / 12) }))],
  ['too short to say', false, series(() => ({}), 8)],
])('%s', (_what, ok, samples) => {
  expect(judge('worker', samples).ok).toBe(ok);
});

test('the verdict in words', () => {
  expect(
    judge(
      'worker',
      series((n) => ({ ownKib: 1024 * n })),
    ).words,
  ).toBe('worker: 45.0 MiB, then 75.0 MiB; 20 descriptors, then 20: GROWN');
});
