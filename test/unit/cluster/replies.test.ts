/** Replies of a store in any pieces; what no store sends is refused, and costs no more than it may. */
import { BrokenStore, type Reply, ReplyReader, StoreError } from '../../../src/engine/cluster/replies';
import { rowsOf } from '../../../src/engine/cluster/scan';
import { entriesIn, readEntry } from '../../../src/engine/cluster/entries';

const bytes = (text: string) => Buffer.from(text.replaceAll('|', '\r\n'));

test('replies read alike in whatever pieces they come', () => {
  const stream = bytes('+OK|:-7|$-1|*-1|*0|$0||$6|a|bé|*2|*2|$2|id|*1|$1|x|:1|-OOM \u001b[2J full|*3|:1|$1|y|*0|');
  const expected: Reply[] = [
    ...['OK', -7, null, null, [], '', 'a\r\nbé'],
    [['id', ['x']], 1],
    new StoreError('OOM ?[2J full'),
    [1, 'y', []],
  ];
  for (let size = 1; size <= stream.length; size++) {
    const reader = new ReplyReader();
    const replies: Reply[] = [];
    for (let at = 0; at < stream.length; at += size) replies.push(...reader.read(stream.subarray(at, at + size)));
    expect(replies).toEqual(expected);
  }
});

test.each<[what: string, sent: string[]]>([
  ['another protocol', ['HTTP/1.1 400 Bad Request|']],
  ['a number that is none', [':1e3|']],
  ['a number without digits', [':|']],
  ['a length that is none', ['$x|']],
  ['a line without end', Array<string>(3).fill('+'.repeat(30_000))],
  ['a text longer than the memory', ['$999999999999|']],
  ['a list longer than the memory', ['*999999999|']],
  ['lists in lists in lists', ['*1|'.repeat(7)]],
  ['lists in lists that never end', ['*900|', ...Array<string>(60).fill('*1|:1|'.repeat(10))]],
  ['long texts in a list that never ends', ['*100|', ...Array<string>(65).fill(`$1048576|${'x'.repeat(1 << 20)}|`)]],
])('%s is refused', (_what, sent) => {
  const reader = new ReplyReader(1000);
  expect(() => sent.map((piece) => reader.read(bytes(piece)))).toThrow(BrokenStore);
});

test('a list of keys that does not end, or is longer than a group can be, is left', async () => {
  const all = async (answer: (cursor: number) => Reply) => {
    let cursor = 0;
    const ask = ([command]: readonly (string | number)[]) =>
      Promise.resolve(command === 'SCAN' ? answer(cursor++) : ['row']);
    const found: string[] = [];
    for await (const page of rowsOf(ask, 'p:', { found: 20, calls: 50 })) found.push(...page.map(([key]) => key));
    return found;
  };
  expect(await all((cursor) => [cursor < 20 ? '1' : '0', cursor < 20 ? [`p:${cursor}`] : ['other']])).toHaveLength(20);
  await expect(all(() => ['1', []])).rejects.toThrow('its list of keys does not end');
  await expect(all((cursor) => ['1', [`p:${cursor}`]])).rejects.toThrow('it has more than 20 rows');
  await expect(all(() => ['x', []])).rejects.toThrow('neither Valkey nor Redis');
  await expect(all(() => ['0', 7])).rejects.toThrow('neither Valkey nor Redis');
});

test('rows of keys that are too long are not asked for', async () => {
  const asked: unknown[] = [];
  const ask = (words: readonly (string | number)[]) => {
    asked.push(words);
    return Promise.resolve(words[0] === 'SCAN' ? ['0', ['p:short', `p:${'k'.repeat(5000)}`]] : ['row']);
  };
  const pages = [];
  for await (const page of rowsOf(ask, 'p:')) pages.push(...page);
  expect(pages).toEqual([
    ['short', 'row'],
    ['k'.repeat(5000), ''],
  ]);
  expect(asked.at(-1)).toEqual(['MGET', 'p:short']);
});

test('entries of a stream are checked', () => {
  expect(entriesIn(null)).toEqual([]);
  expect(
    entriesIn([
      [
        's',
        [
          ['1-0', ['p', 'a', 7, 'x']],
          ['1-1', null],
        ],
      ],
    ]),
  ).toEqual([
    ['1-0', ['p', 'a', '', 'x']],
    ['1-1', []],
  ]);
  for (const reply of [
    'x',
    7,
    [],
    [7],
    [['s']],
    [['s', [7]]],
    [['s', [['x', []]]]],
    [['s', [[['1-0'], []]]]],
  ] as Reply[])
    expect(() => entriesIn(reply)).toThrow(BrokenStore);
  expect(readEntry(['p', 'a', 'u', 'ab', 'n', '1', 'h', '{"pause":1e999}'])).toMatchObject({ router: 'a', number: 1 });
  expect(readEntry(['p', 'a', 'u', 'ab', 'n', '1', 'h', 'null'])).toBeUndefined();
});
