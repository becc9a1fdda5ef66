/** The operator's commands to the worker: an invalid one gives one line and changes nothing. */
import { changes } from '../../../../src/engine/worker/commands';
import { Splitter } from '../../../../src/splitter/splitter';
import { TOPOLOGY } from '../../../support/rig';

const NOW_MS = 1000;
const CPE = '10.1.0.5';

const splitter = (capacityEntries = 16) =>
  new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries, seed: 1 });
const collector = TOPOLOGY.collectors[0]!.name;

const refused: [what: string, request: Record<string, unknown>, words: RegExp][] = [
  ['no CPE', { collector }, /^cpe must be an IPv4 or IPv6 address$/],
  ['a CPE that is no address', { cpe: '10.1.0', collector }, /^cpe must be an IPv4 or IPv6 address$/],
  ['no collector', { cpe: CPE }, /^activate needs a collector$/],
  ['a collector that is no word', { cpe: CPE, collector: 1 }, /^activate needs a collector$/],
  ['a stranger', { cpe: '192.0.2.1', collector }, /^192\.0\.2\.1 is in none of cpe\.networks$/],
  ['an unknown collector', { cpe: CPE, collector: 'nobody' }, /^no collector is named 'nobody'$/],
];
test.each(refused)('%s is refused', (_what, request, words) => {
  const one = splitter();
  expect(() => changes(one, { paused: false }, NOW_MS).activate!({ command: 'activate', ...request })).toThrow(words);
  expect(one.tables.activatedCpes.count).toBe(0);
});

test('where no CPE lives is nothing to deactivate, unless it lived there before a reload', () => {
  const one = splitter();
  const { activate, deactivate } = changes(one, { paused: false }, NOW_MS);
  expect(deactivate!({ command: 'deactivate', cpe: CPE })).toEqual({ ended: false });
  activate!({ command: 'activate', cpe: CPE, collector });
  one.isCpe = () => false;
  expect(deactivate!({ command: 'deactivate', cpe: CPE })).toEqual({ ended: true });
  expect(() => deactivate!({ command: 'deactivate', cpe: CPE })).toThrow(/^10\.1\.0\.5 is in none of cpe\.networks$/);
});

test('a full table is said', () => {
  const one = splitter(1);
  const { activate } = changes(one, { paused: false }, NOW_MS);
  activate!({ command: 'activate', cpe: CPE, collector });
  expect(() => activate!({ command: 'activate', cpe: '10.1.0.6', collector })).toThrow(
    /^the table of activated CPEs is full; raise tables\.capacity$/,
  );
});

test('a pause outlives the worker, and returns the earlier state', () => {
  const memory = { paused: false };
  const one = splitter();
  const { pause, resume } = changes(one, memory, NOW_MS);
  expect(pause!({ command: 'pause' })).toEqual({ paused: true, was: false });
  expect([memory.paused, one.paused]).toEqual([true, true]);
  expect(resume!({ command: 'resume' })).toEqual({ paused: false, was: true });
  expect([memory.paused, one.paused]).toEqual([false, false]);
});
