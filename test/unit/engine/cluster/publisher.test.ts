/** What one entry of the stream holds, against a store that answers at once. */
import { type Row } from '../../../../src/cluster/row';
import { Publisher } from '../../../../src/engine/cluster/publisher';

const NOW = 1_700_000_000_000;
const PREFIX = 'acsplit:{g}:v1:row:';

/** Calls, each as the keys that it wrote. */
function publisher() {
  const written: string[][] = [];
  let fails = 0;
  const row = (key: string): Row => ({
    ...{ key, generation: 1, step: 1, refresh: 0, router: 'a', deadlineMs: NOW + 1000, fields: {} },
  });
  const made = new Publisher({
    ...{ prefix: PREFIX, stream: 's', router: 'a', rows: { get: row } },
    greeting: () => ({ ready: true, pause: 0, version: '1' }),
  });
  const ask = (words: readonly (string | number)[]) => {
    if (fails-- > 0) return Promise.reject(new Error('gone'));
    written.push(words.filter((word) => String(word).startsWith(PREFIX)).map((word) => String(word).slice(19)));
    return Promise.resolve(1);
  };
  const write = async () => {
    while (await made.write(ask, NOW, 0));
    return written.splice(0);
  };
  return { made, write, fail: (times: number) => (fails = times) };
}

const connections = (cpe: string, count: number) =>
  Array.from({ length: count }, (_, n) => `rp/${cpe}/${40_000 + n}/7547`);

test('what one decision has changed is in one entry, however much waits, and whatever of it waited before', async () => {
  const { made, write } = publisher();
  made.add('ac/10.1.0.1');
  for (let n = 2; n < 251; n++) made.add(`ac/10.1.0.${n}`);
  for (let n = 1; n < 251; n++) made.add(`rp/10.1.0.${n}/40000/7547`);
  const entries = await write();
  expect(entries.length).toBe(3);
  expect(entries.flat().length).toBe(500);
  for (const keys of entries) {
    for (const key of keys) expect(keys.filter((one) => one.split('/')[1] === key.split('/')[1]).length).toBe(2);
    expect(keys.length).toBeLessThanOrEqual(201);
  }
});

test('a CPE with more rows than a call takes is split; another CPE is not', async () => {
  const { made, write } = publisher();
  for (const key of [...connections('10.1.0.1', 2500), 'ac/10.1.0.2', ...connections('10.1.0.2', 16)]) made.add(key);
  expect((await write()).map(({ length }) => length)).toEqual([1000, 1000, 500, 17]);
});

test('what a store has not taken is written with the next call, with what came meanwhile', async () => {
  const { made, write, fail } = publisher();
  made.add('ac/10.1.0.1');
  fail(1);
  await expect(write()).rejects.toThrow('gone');
  made.add('rp/10.1.0.1/40000/7547');
  made.add('go/pause');
  expect(await write()).toEqual([['ac/10.1.0.1', 'rp/10.1.0.1/40000/7547', 'go/pause']]);
});
