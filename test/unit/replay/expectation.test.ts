/** Compares a run with a stored transcript, and shows where they differ. */
import { difference, Expectation } from '../../../src/replay/expectation';
import { LineReader } from '../../../src/replay/line-reader';
import { MemorySource } from '../../support/memory-files';

function compare(stored: string, lines: readonly string[]): Expectation {
  const expectation = new Expectation(new LineReader(new MemorySource('stored', Buffer.from(stored), 7)));
  for (const line of lines) expectation.line(line);
  expectation.end();
  return expectation;
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `line ${i + 1}`);

test.each([
  ['nothing and nothing', '', []],
  ['the same lines', 'one\ntwo\n', ['one', 'two']],
  ['the same lines, the last without its end', 'one\ntwo', ['one', 'two']],
])('no difference: %s', (_what, stored, lines) => {
  expect(compare(stored, lines)).toMatchObject({ firstDifference: 0, report: [] });
});

// prettier-ignore
test.each([
  ['another line', 'a\nb\nc\n', ['a', 'x', 'c'], 2, ['  a', '- b', '+ x', '  c']],
  ['a line too many', 'a\nc\n', ['a', 'b', 'c'], 2, ['  a', '+ b', '  c']],
  ['a line missing', 'a\nb\nc\n', ['a', 'c'], 2, ['  a', '- b', '  c']],
  ['an end too soon', 'a\nb\n', ['a'], 2, ['  a', '- b']],
  ['more after the end', 'a\n', ['a', 'b'], 2, ['  a', '+ b']],
  ['a stored file that is empty', '', ['a'], 1, ['+ a']],
])('%s is shown in its place', (_what, stored, lines, first, report) => {
  expect(compare(stored, lines)).toMatchObject({ firstDifference: first, report });
});

test('three equal lines precede the difference, and the report is bounded', () => {
  const stored = numbered(10_000);
  const { firstDifference, report } = compare(`${stored.join('\n')}\n`, [...stored.slice(0, 5000), ...numbered(9000)]);
  expect(firstDifference).toBe(5001);
  expect(report.slice(0, 4)).toEqual(['  line 4998', '  line 4999', '  line 5000', '- line 5001']);
  expect(report.length).toBeLessThan(100);
  expect(report.at(-1)).toContain('only 40 lines');
});

test('the longest common lines are kept', () => {
  expect(difference(['a', 'b', 'c', 'd'], ['b', 'x', 'd'])).toEqual(['- a', '  b', '- c', '+ x', '  d']);
});

test('a file that is one endless line is read in pieces', () => {
  const reader = new LineReader(new MemorySource('stored', new Uint8Array(200_000).fill(0x61)));
  const lengths = [];
  for (let line = reader.next(); line !== undefined; line = reader.next()) lengths.push(line.length);
  expect(lengths).toEqual([65536, 65536, 65536, 200_000 - 3 * 65536]);
});
