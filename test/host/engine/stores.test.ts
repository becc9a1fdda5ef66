/**
 * Stores that are odd, full, replicas, away or hostile: what is wrong is said in one line, the other store is enough, and
 * all routers agree again afterwards. The packets of a router are decided by the test, and never wait.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StoreSettings } from '../../../src/engine/shared/cluster-protocol';
import { holds, Link, Listener, Router, storeAt } from '../../support/cluster-router';
import { OddStore } from '../../support/odd-store';
import { RedisServer } from '../../support/redis';

const directory = mkdtempSync(join(tmpdir(), 'acsplit-stores-'));
const routers: Router[] = [];
const servers: { end: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const router of routers.splice(0)) await router.end();
  for (const server of servers.splice(0)) await server.end();
});
afterAll(() => rmSync(directory, { recursive: true }));

async function begin<T extends { start(): Promise<unknown>; end(): Promise<void> }>(server: T): Promise<T> {
  servers.push(server);
  await server.start();
  return server;
}
const redis = (...more: string[]) => begin(new RedisServer(more));

function router(name: string, ...stores: StoreSettings[]): Router {
  const one = new Router(name, stores);
  routers.push(one);
  return one;
}

const at = ({ address }: { address: string }, more: Partial<StoreSettings> = {}): StoreSettings => ({
  ...{ address, user: undefined, passwordFile: undefined, tls: undefined, ...more },
});
const ready = (...all: Router[]) =>
  holds(() => expect(all.map(({ report }) => report.ready)).toEqual(all.map(() => true)));
const warnings = ({ told }: Router) =>
  told.flatMap((message) => (message.kind === 'log' && message.level === 'warn' ? [message.message] : []));

/** A list that never ends, as long as somebody listens. */
function trickle(socket: Socket): undefined {
  socket.write('*1000000\r\n');
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : void socket.write(':1\r\n')), 100);
  return undefined;
}

const NOT_A_STORE = 'the server is neither Valkey nor Redis';
const NOT_OURS = 'an answer is longer than any of Valkey or Redis: it is not a store of ours';

test('whatever one store answers, one line says so, and the other store is enough', async () => {
  const good = await redis();
  const odd: [command: string, answer: ConstructorParameters<typeof OddStore>[1], error: string][] = [
    ['TIME', () => '*2|$1|x|$1|y|', NOT_A_STORE],
    ['TIME', () => '$4|1e99|', NOT_A_STORE],
    ['GET', () => '-ERR \u001b[2J no|', 'ERR ?[2J no'],
    ['SCAN', () => '*2|$1|x|*0|', NOT_A_STORE],
    ['SCAN', () => '*2|$1|0|$999999999999|', NOT_OURS],
    ['SCAN', () => '*2|$1|0|*1|$20|acsplit:{g}:v1:row:x|', NOT_A_STORE],
    ['XREAD', () => '*1|*2|$1|s|*1|:5|', NOT_A_STORE],
    ['XREAD', () => '\u0000\u0001garbage|', NOT_A_STORE],
    ['XREAD', () => '*-1|*-1|', 'an answer came without a command: the server is not a store of ours'],
    ['XREAD', () => '*1|*1|*1|*1|*1|*1|*1|', NOT_OURS],
    ['XREAD', (socket) => trickle(socket), 'no answer within 5000 ms'],
    ['EVALSHA', () => undefined, 'no answer within 3000 ms'],
    ['INFO', () => undefined, 'no answer within 3000 ms'],
  ];
  const stores = await Promise.all(odd.map(([command, answer]) => begin(new OddStore(command, answer))));
  const all = stores.map((store, n) => router(`r${n}`, at(store), storeAt(good)));
  const healthy = router('healthy', storeAt(good));
  await ready(healthy, ...all);
  healthy.rig.activate('c1');
  all[0]!.rig.activate('c2', '10.1.7.2');
  for (const one of all) {
    await holds(() => expect([one.rig.activation(), one.rig.activation('10.1.7.2')]).toEqual(['armed c1', 'armed c2']));
  }
  await holds(() => expect(healthy.rig.activation('10.1.7.2')).toBe('armed c2'));
  // A busy machine may be slow to connect; what is wrong with the store is said in one line, however often it is tried.
  const said = (n: number) =>
    warnings(all[n]!)
      .map((line) => line.replace('; its further changes are not logged for a minute', ''))
      .filter((line) => line.includes(stores[n]!.address) && !line.endsWith('no connection'));
  for (const [n, [, , error]] of odd.entries()) {
    await holds(() => expect([...new Set(said(n))]).toEqual([`store ${stores[n]!.address} cannot be used: ${error}`]));
  }
});

test('a store that is full, or a replica, is read all the same', async () => {
  const port = (await begin(new Listener(() => undefined))).port + 1;
  const main = await redis('--port', `${port}`, '--maxmemory', '1');
  const replica = await redis('--replicaof', '127.0.0.1', `${port}`);
  const [a, b] = [router('a', storeAt(main)), router('b', storeAt(replica))];
  await ready(a, b);
  await holds(() =>
    expect(a.report.stores[0]).toMatchObject({ state: 'up', error: expect.stringMatching(/^OOM/) as string }),
  );
  main.cli('CONFIG', 'SET', 'maxmemory', '0');
  a.rig.activate('c1');
  await holds(() => expect(b.rig.activation()).toBe('armed c1'));
  await holds(() =>
    expect(b.report.stores[0]).toMatchObject({ state: 'up', error: expect.stringMatching(/^READONLY/) as string }),
  );
  expect(a.report.stores[0]).toMatchObject({ state: 'up', error: null });
  // It is a store of its own now: what it lacks is written.
  replica.cli('REPLICAOF', 'NO', 'ONE');
  b.rig.activate('c2', '10.1.7.2');
  await holds(() => expect(replica.cli('KEYS', '*')).toContain('ac/10.1.7.2'));
});

test('a password that changes while a router is connected costs nothing but a line', async () => {
  const store = await redis('--requirepass', 'one');
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, 'one\n');
  const [a, b] = ['a', 'b'].map((name) => router(name, storeAt(store, { passwordFile })));
  await ready(a!, b!);
  store.cli('-a', 'one', '--no-auth-warning', 'CONFIG', 'SET', 'requirepass', 'two');
  store.cli('-a', 'two', '--no-auth-warning', 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await holds(() => expect(a!.report.stores[0]!.error).toMatch(/^WRONGPASS/));
  a!.rig.activate('c1');
  writeFileSync(passwordFile, 'two\n');
  await holds(() => expect(b!.rig.activation()).toBe('armed c1'));
  expect(warnings(a!).filter((line) => line.includes('WRONGPASS'))).toHaveLength(1);
});

test('each router is cut off from one store, then from both; what both did meanwhile becomes one', async () => {
  const stores = [await redis(), await redis()];
  const links = await Promise.all([0, 1, 0, 1].map((n) => begin(new Link(stores[n]!))));
  const [a1, a2, b1, b2] = links as [Link, Link, Link, Link];
  const a = router('a', at(a1), at(a2));
  const b = router('b', at(b1), at(b2));
  await ready(a, b);
  a.rig.wake('c1').divert('c1');
  await holds(() => expect(b.rig.report()).toBe('established c1'));

  // a has the first store only, and b the second only: they share none.
  a2.cut();
  b1.cut();
  await holds(() =>
    expect([a.report.stores[1]!.error, b.report.stores[0]!.error]).toEqual(
      Array(2).fill(expect.stringMatching(/no answer|no connection/)),
    ),
  );
  a.rig.activate('c1', '10.1.7.2');
  b.rig.activate('c2', '10.1.7.3');
  // Both are active: they wake the same CPE for different collectors, and one loses a session that the other goes on with.
  a.rig.activate('c1', '10.1.7.4');
  b.rig.activate('c2', '10.1.7.4');
  b.rig.from('c1', 'RST');
  a1.cut();
  b2.cut();
  await holds(() => expect(a.report.stores.map(({ state }) => state)).toEqual(['connecting', 'connecting']));
  await holds(() => expect(b.report.stores.map(({ state }) => state)).toEqual(['connecting', 'connecting']));
  // Alone, each goes on.
  a.rig.activate('c1', '10.1.7.5');
  expect([a.rig.activation('10.1.7.5'), a.rig.report(), b.rig.report()]).toEqual([
    'armed c1',
    'established c1',
    'reset c1',
  ]);

  for (const link of links) link.heal();
  const seen = ({ rig }: Router) => ['2', '3', '4', '5'].map((n) => rig.activation(`10.1.7.${n}`));
  await holds(() => expect(seen(a)).toEqual(seen(b)));
  await holds(() => expect([seen(a)[0], seen(a)[1], seen(a)[3]]).toEqual(['armed c1', 'armed c2', 'armed c1']));
  expect(seen(a)[2]).toMatch(/^armed c[12]$/);
  await holds(() => expect([a.rig.report(), b.rig.report()]).toEqual(['reset c1', 'reset c1']));
  expect([a, b].map(({ report }) => report.lost + report.refused)).toEqual([0, 0]);
});

test('TLS: the right authority and name, and what is said of others', async () => {
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: directory, stdio: 'pipe' });
  const authority = (name: string) =>
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`],
    );
  authority('ours');
  authority('theirs');
  const certificate = (name: string, address: string) => {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=store',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    writeFileSync(join(directory, `${name}.ext`), `subjectAltName=IP:${address}\n`);
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ours.pem',
      '-CAkey',
      'ours.key',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  };
  certificate('right', '127.0.0.1');
  certificate('other', '192.0.2.1');
  const file = (name: string) => join(directory, name);
  const free = async () => {
    const listener = await new Listener(() => undefined).start();
    await listener.end();
    return listener.port;
  };
  const secure = async (name: string) => {
    const port = await free();
    const files = ['--tls-cert-file', file(`${name}.pem`), '--tls-key-file', file(`${name}.key`)];
    await redis('--tls-port', `${port}`, ...files, '--tls-ca-cert-file', file('ours.pem'), '--tls-auth-clients', 'no');
    return { address: `127.0.0.1:${port}` };
  };
  const [right, other, plainPort] = [await secure('right'), await secure('other'), await free()];
  await redis('--port', `${plainPort}`);
  const tls = { ca: file('ours.pem') };
  const [a, b] = ['a', 'b'].map((name) => router(name, at(right, { tls })));
  await ready(a!, b!);
  a!.rig.activate('c1');
  await holds(() => expect(b!.rig.activation()).toBe('armed c1'));
  const said = async (store: StoreSettings, line: RegExp) => {
    const one = router('x', store);
    await holds(() => expect(one.report.stores[0]!.error).toMatch(line));
    await one.end();
  };
  await said(
    at(right, { tls: { ca: file('theirs.pem') } }),
    /^self-signed certificate in certificate chain|^unable to (verify|get)/,
  );
  await said(at(right, { tls: { ca: file('nothing.pem') } }), /^ENOENT.*nothing\.pem/);
  await said(at(other, { tls }), /^Hostname\/IP does not match/);
  await said(at({ address: `127.0.0.1:${plainPort}` }, { tls }), /^no answer to the TLS handshake/);
  await said(at(right), /closed the connection|ECONNRESET/);
});
