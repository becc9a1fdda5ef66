/** `tables --sort`: addresses by number, not by text; what does not differ keeps its order. */
import { type SortKey, sortEntries } from '../../../src/cli/sort-entries';
import { type ActivationEntry, type ConnectionEntry } from '../../../src/splitter/entries';

const activation = (cpe: string, collector: string, phase: ActivationEntry['phase'], idleMs: number) => ({
  ...{ cpe, collector, phase, idleMs },
  remainingMs: 60_000 - idleMs,
});
const ACTIVATIONS: ActivationEntry[] = [
  activation('10.1.0.10', 'c2', 'grace', 300),
  activation('2001:db8::5', 'c1', 'armed', 100),
  activation('10.1.0.9', 'c10', 'armed', 200),
  activation('192.0.2.1', 'c1', 'consumed', 400),
];

test.each<[SortKey, string]>([
  ['cpe', '10.1.0.9 10.1.0.10 192.0.2.1 2001:db8::5'],
  ['server', '2001:db8::5 192.0.2.1 10.1.0.9 10.1.0.10'],
  ['phase', '2001:db8::5 10.1.0.9 192.0.2.1 10.1.0.10'],
  ['idle', '2001:db8::5 10.1.0.9 10.1.0.10 192.0.2.1'],
  ['left', '192.0.2.1 10.1.0.10 10.1.0.9 2001:db8::5'],
])('by %s', (key, expected) => {
  const entries = [...ACTIVATIONS];
  sortEntries(entries, key, false);
  expect(entries.map(({ cpe }) => cpe).join(' ')).toBe(expected);
});

test('connections by their server; reversed, the greatest first', () => {
  const ends = {
    cpe: '10.1.0.9',
    cpePort: 1,
    port: 7547,
    ownPort: 7547,
    phase: 'fin',
    idleMs: 1,
    remainingMs: 1,
  } as const;
  const entries: ConnectionEntry[] = ['c1', 'itms', 'c2'].map((owner) => ({ ...ends, owner }));
  sortEntries(entries, 'server', true);
  expect(entries.map(({ owner }) => owner)).toEqual(['itms', 'c2', 'c1']);
});
