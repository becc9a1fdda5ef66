/** Routers of a cluster with real stores: redis-server on sockets of their own, no packet queue. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StoreSettings } from '../../../src/engine/shared/cluster-protocol';
import { holds, Listener, Router, storeAt } from '../../support/cluster-router';
import { RedisServer } from '../../support/redis';

const routers: Router[] = [];
const servers: RedisServer[] = [];
afterEach(async () => {
  for (const router of routers.splice(0)) await router.end();
  for (const server of servers.splice(0)) await server.end();
});

async function redis(...more: string[]): Promise<RedisServer> {
  const server = await new RedisServer(more).start();
  servers.push(server);
  return server;
}

function router(name: string, at: RedisServer[], more: Partial<StoreSettings> = {}): Router {
  const one = new Router(
    name,
    at.map((server) => storeAt(server, more)),
  );
  routers.push(one);
  return one;
}

const ready = (...all: Router[]) =>
  holds(() => expect(all.map(({ report }) => report.ready)).toEqual(all.map(() => true)));

test('what is loaded before the worker has started waits for it', async () => {
  const stores = [await redis()];
  const a = router('a', stores);
  await ready(a);
  a.rig.wake('c1').divert('c1');
  // A row of each table; later ones follow.
  await holds(() => expect(a.report.published).toBeGreaterThanOrEqual(3));
  const late = new Router('b', [storeAt(stores[0]!)], 'g', false);
  routers.push(late);
  const loaded = () => late.told.filter((message) => message.kind === 'status' && message.status.loads === 1);
  await holds(() => expect(loaded().length).toBeGreaterThan(1));
  expect(late.report.ready).toBe(false);
  late.work();
  await ready(late);
  await holds(() => expect([late.rig.activation(), late.rig.report()]).toEqual(['consumed c1', 'established c1']));
  expect(late.report.refused).toBe(0);
});

test('two routers, two stores: activations and sessions cross; a store dies; a third router joins; a store comes back empty', async () => {
  const stores = [await redis(), await redis()];
  const [a, b] = [router('a', stores), router('b', stores)];
  await ready(a, b);
  a.rig.wake('c1');
  await holds(() => expect(b.rig.activation()).toBe('armed c1'));
  b.rig.divert('c1');
  await holds(() => expect([a.rig.activation(), a.rig.report()]).toEqual(['consumed c1', 'established c1']));
  await holds(() => expect(a.report.peers).toMatchObject([{ name: 'b', ready: true, version: '1.0.0' }]));
  expect(a.report.lost + a.report.refused).toBe(0);

  await stores[0]!.kill();
  b.rig.activate('c2', '10.1.7.2');
  await holds(() => expect(a.rig.activation('10.1.7.2')).toBe('armed c2'));
  await holds(() => expect(a.report.stores[0]).toMatchObject({ state: 'connecting' }));

  const c = router('c', stores);
  await ready(c);
  expect([c.rig.activation(), c.rig.report(), c.rig.activation('10.1.7.2')]).toEqual([
    'consumed c1',
    'established c1',
    'armed c2',
  ]);

  await stores[0]!.start();
  await holds(() => expect(stores[0]!.cli('KEYS', '*:rp/*')).toContain('rp/10.1.7.1/40001/7547'));
  await stores[1]!.kill();
  b.rig.from('c1', 'RST');
  await holds(() => expect(a.rig.report()).toBe('reset c1'));
});

test('a router that was away returns with old rows: what happened meanwhile stands', async () => {
  const stores = [await redis()];
  const [a, b] = [router('a', stores), router('b', stores)];
  await ready(a, b);
  a.rig.wake('c1').divert('c1');
  a.rig.activate('c2', '10.1.7.2');
  await holds(() => expect([b.rig.report(), b.rig.activation('10.1.7.2')]).toEqual(['established c1', 'armed c2']));
  await a.member.stop();
  b.rig.from('c1', 'RST');
  b.rig.cpe('SYN', { cpe: '10.1.7.2', sequence: 9 });
  b.rig.activate('c1', '10.1.7.3');
  // Of a router that is alone: it tells when it is back.
  a.rig.activate('c2', '10.1.7.4');
  await holds(() => expect(stores[0]!.cli('GET', 'acsplit:{g}:v1:row:ac/10.1.7.3')).toContain('c1'));
  a.member = a.join();
  await ready(a);
  await holds(() => expect([a.rig.report(), a.rig.report(40001, '10.1.7.2')]).toEqual(['reset c1', 'unanswered c2']));
  await holds(() =>
    expect([a.rig.activation('10.1.7.3'), b.rig.activation('10.1.7.4')]).toEqual(['armed c1', 'armed c2']),
  );
});

test('hostile rows and entries are refused and counted; another group and another format are not seen', async () => {
  const store = await redis();
  const a = router('a', [store]);
  await ready(a);
  const row = (key: string, text: string) => store.cli('SET', `acsplit:{g}:v1:row:${key}`, text);
  const entry = (...fields: string[]) => store.cli('XADD', 'acsplit:{g}:v1:changes', '*', ...fields);
  const good = `${Date.now()} 2 0 x {"d":${Date.now() + 60_000},"collector":"c1","phase":1,"grace":0,"cpePort":0,"port":0,"phaseAt":${Date.now()},"armedAt":${Date.now()},"askedAt":0,"sessionAt":0}`;
  row('ac/10.1.7.1', 'nonsense');
  row('ac/10.1.7.1/2', good);
  row('ac/10.1.7.5', good.replace('"c1"', '"nobody"'));
  row('ac/192.0.2.1', good);
  store.cli('SET', 'acsplit:{other}:v1:row:ac/10.1.7.7', good);
  store.cli('SET', 'acsplit:{g}:v2:row:ac/10.1.7.7', good);
  entry('nonsense', 'x');
  entry('p', 'x\u001b[2J', 'u', 'ab', 'n', '1', 'h', '{}');
  entry('p', 'x', 'u', 'ab', 'n', 'many', 'h', '{}');
  entry(
    'p',
    'x',
    'u',
    'ab',
    'n',
    '1',
    'h',
    '{"version":"\\u001b[2J"}',
    'r',
    `ac/10.1.7.8 ${good}`,
    'r',
    'rp/x 1',
    'z',
    '1',
  );
  await holds(() => expect(a.rig.activation('10.1.7.8')).toBe('armed c1'));
  expect(a.report.peers).toMatchObject([{ name: 'x', version: 'unknown' }]);
  expect(a.report.refused).toBe(4);
  const b = router('b', [store]);
  await ready(b);
  // Two that are no rows, two that are not of this configuration.
  await holds(() => expect(b.report.refused).toBeGreaterThanOrEqual(4));
  expect(['10.1.7.1', '10.1.7.5', '10.1.7.7'].map((cpe) => b.rig.activation(cpe))).toEqual(['none', 'none', 'none']);
  expect(b.lines.filter((line) => line.includes('refused'))).toHaveLength(1);
});

test('a row whose generation nobody could outbid is refused, and gives way', async () => {
  const store = await redis();
  const a = router('a', [store]);
  await ready(a);
  const ends = Date.now() + 3_600_000;
  const fields = {
    collector: 'c2',
    phase: 1,
    grace: 0,
    cpePort: 0,
    port: 0,
    phaseAt: 1,
    armedAt: 1,
    askedAt: 0,
    sessionAt: 0,
  };
  const text = (generation: number) => `${generation} 5 0 x ${JSON.stringify({ d: ends, ...fields })}`;
  const key = 'acsplit:{g}:v1:row:ac/10.1.7.1';
  store.cli('SET', key, text(2 ** 53 - 2));
  const rows = ['r', `ac/10.1.7.1 ${text(Date.now() + 2 * 86_400_000)}`];
  store.cli('XADD', 'acsplit:{g}:v1:changes', '*', 'p', 'x', 'u', 'ab', 'n', '1', 'h', '{}', ...rows);
  await holds(() => expect(a.report.refused).toBe(1));
  const b = router('b', [store]);
  await ready(b);
  expect([b.report.refused, b.rig.activation()]).toEqual([1, 'none']);
  a.rig.activate('c1');
  await holds(() => expect([a.rig.activation(), b.rig.activation()]).toEqual(['armed c1', 'armed c1']));
  expect(store.cli('GET', key)).toContain('"collector":"c1"');
});

test('rows of a later version: what they add is kept and passed on, by a router that changes them and by one that joins', async () => {
  const store = await redis();
  const [a, b] = [router('a', [store]), router('b', [store])];
  await ready(a, b);
  a.rig.wake('c1').divert('c1');
  const key = 'acsplit:{g}:v1:row:rp/10.1.7.1/40001/7547';
  await holds(() => expect(store.cli('GET', key)).toMatch(/^\d+ 3 /));
  // As a router of the next version would write it: a field more in the row, in the entry and in what it says of itself.
  const [, generation, rest] = /^(\d+) \d+ \d+ \S+ \{(.*)\}/.exec(store.cli('GET', key))! as unknown as [
    string,
    string,
    string,
  ];
  const next = `${generation} 3 1 z {${rest},"colour":{"of":["later"]}}`;
  store.cli('SET', key, next, 'PX', '600000');
  const hello = '{"ready":true,"version":"99.0.0","mood":[1]}';
  const entry = ['p', 'z', 'u', 'ab', 'n', '1', 'h', hello, 'r', `rp/10.1.7.1/40001/7547 ${next}`, 'later', 'x'];
  store.cli('XADD', 'acsplit:{g}:v1:changes', '*', ...entry);
  const later = expect.objectContaining({ name: 'z', version: '99.0.0' }) as unknown;
  await holds(() => expect([a.report.peers, b.report.peers]).toEqual(Array(2).fill(expect.arrayContaining([later]))));
  await holds(() => expect(b.rig.report()).toBe(a.rig.report()));
  // This version changes the entry: a FIN of the server.
  b.rig.from('c1', 'FIN');
  await holds(() => expect(store.cli('GET', key)).toMatch(/^\d+ 4 \d+ b .*"colour":\{"of":\["later"\]\}/));
  // An empty store is filled by a router that has it from others.
  await store.kill();
  await store.start();
  await holds(() => expect(store.cli('GET', key)).toContain('"colour":{"of":["later"]}'));
  const c = router('c', [store]);
  await ready(c);
  await holds(() => expect([a, c].map(({ rig }) => rig.report())).toEqual(Array(2).fill(b.rig.report())));
  expect([a, b, c].map(({ report }) => report.refused)).toEqual([0, 0, 0]);
});

test('a store that is out of memory, or that stops, delays nothing for good', async () => {
  const store = await redis();
  const [a, b] = [router('a', [store]), router('b', [store])];
  await ready(a, b);
  store.cli('CONFIG', 'SET', 'maxmemory', '1');
  a.rig.activate('c1');
  await holds(() => expect(a.report.stores[0]!.error).toMatch(/OOM/));
  store.cli('CONFIG', 'SET', 'maxmemory', '0');
  await holds(() => expect(b.rig.activation()).toBe('armed c1'));
  expect(a.report.stores[0]).toMatchObject({ state: 'up', error: null });
  store.signal('SIGSTOP');
  a.rig.activate('c2', '10.1.7.2');
  await holds(() => expect(a.report.stores[0]!.error).toMatch(/no answer/));
  store.signal('SIGCONT');
  await holds(() => expect(b.rig.activation('10.1.7.2')).toBe('armed c2'));
  expect(a.lines.join('\n')).toMatch(/store .* cannot be written to: OOM.*\n.*store .* cannot be used: no answer/s);
});

test('a wrong password, a server that is none, and no server at all: one line each', async () => {
  const store = await redis('--requirepass', 'right');
  const file = join(mkdtempSync(join(tmpdir(), 'acsplit-password-')), 'p');
  writeFileSync(file, 'wrong\n');
  const a = router('a', [store], { passwordFile: file });
  await holds(() => expect(a.report.stores[0]!.error).toMatch(/^WRONGPASS/));
  writeFileSync(file, 'right\n');
  await ready(a);
  expect(a.lines.filter((line) => line.includes('WRONGPASS'))).toHaveLength(1);
  const odd = await new Listener((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).start();
  const b = router('b', [store], { address: odd.address });
  await holds(() => expect(b.report.stores[0]!.error).toBe('the server is neither Valkey nor Redis'));
  await odd.end();
  await holds(() => expect(b.report.stores[0]!.error).toMatch(/ECONNREFUSED/));
  expect(b.report.ready).toBe(false);
  // After ten seconds without any store it goes on alone.
  await ready(b);
});

test('a pause is one of all routers, and says who has confirmed', async () => {
  const store = await redis();
  const [a, b] = [router('a', [store]), router('b', [store])];
  await ready(a, b);
  await holds(() => expect([a.report.peers.length, b.report.peers.length]).toEqual([1, 1]));
  a.member.pause(7, true);
  await holds(() => expect(b.told).toContainEqual(expect.objectContaining({ kind: 'pause', paused: true, by: 'a' })));
  const { generation } = b.told.find((message) => message.kind === 'pause') as { generation: number };
  b.member.paused(generation);
  await holds(() =>
    expect(a.told).toContainEqual({
      kind: 'confirmed',
      id: 7,
      confirmation: { confirmed: ['b'], missing: [], stores: 1 },
    }),
  );
  const c = router('c', [store]);
  await holds(() => expect(c.told).toContainEqual(expect.objectContaining({ kind: 'pause', paused: true, by: 'a' })));
});
