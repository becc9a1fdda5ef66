/** Real TCP through real queues: rewritten, checksums right, nothing lost, whatever the lengths. */
import * as path from 'node:path';
import { ACS, SERVER, TestNetwork, type Running } from './support/netns';
import { type DriverOptions, type DriverReport } from './support/native-driver';

jest.setTimeout(120_000);

const PEER = [process.execPath, path.join(__dirname, 'support/tcp-peer.js')];
const PORT = '7547';
const FIRST_QUEUE = 20;

let network: TestNetwork;

beforeEach(() => {
  network = new TestNetwork();
  network.queueTraffic(FIRST_QUEUE);
});
afterEach(() => network.remove());

async function startDriver(changes: Partial<DriverOptions> & { gso?: boolean } = {}): Promise<Running> {
  const { gso = true, ...rest } = changes;
  const options: DriverOptions = {
    queue: { first: FIRST_QUEUE, count: 3, length: 4096, gso, receiveBufferBytes: 32 << 20 },
    decide: 'rewrite',
    acs: ACS,
    server: SERVER,
    ...rest,
  };
  const driver = network.startScript('router', 'native-driver.ts', options);
  expect(await driver.line()).toMatchObject({ ready: true });
  return driver;
}

async function startServer(): Promise<void> {
  await network.start('server', ...PEER, 'serve', SERVER, PORT).line();
}

/** Checksum errors that the TCP of a namespace has seen. */
function checksumErrors(place: 'client' | 'server'): number {
  const [names, values] = network
    .run(place, 'cat', '/proc/net/snmp')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('InCsumErrors')]);
}

const CLEAN = { verdictErrors: 0, verdictsLate: 0, truncated: 0, unparsed: 0, lost: 0 };

test.each([{ gso: true }, { gso: false }])(
  'messages of every length from 1 to 300 bytes pass both ways, %j',
  async ({ gso }) => {
    const driver = await startDriver({ gso });
    await startServer();

    const client = network.start('client', ...PEER, 'lengths', ACS, PORT, '300');

    expect(await client.line()).toEqual({ echoed: 300, from: ACS });
    const report = await driver.finish<DriverReport>();
    expect(report.counters).toMatchObject(CLEAN);
    expect(report.rewrittenOdd).toBeGreaterThanOrEqual(300);
    expect(report.byQueue[0]).toBeGreaterThanOrEqual(300);
    expect(report.byQueue[1]).toBeGreaterThanOrEqual(300);
    expect(report.byQueue[0] + report.byQueue[1]).toBe(report.counters.received);
    // Without GSO the kernel fills checksums in before it queues; with it, we must.
    expect(report.checksumNotReady > 0).toBe(gso);
    expect([checksumErrors('client'), checksumErrors('server')]).toEqual([0, 0]);
  },
);

test.each([{ gso: true }, { gso: false }])('16 MiB up and down arrive unchanged, %j', async ({ gso }) => {
  const driver = await startDriver({ gso });
  await startServer();
  const bytes = 16 << 20;

  const client = network.start('client', ...PEER, 'bulk', ACS, PORT, `${bytes}`);

  expect(await client.line()).toEqual({ receivedBytes: bytes, equal: true });
  const report = await driver.finish<DriverReport>();
  expect(report.counters).toMatchObject(CLEAN);
  expect(report.gso > 0).toBe(gso);
  expect(report.longest > 1500).toBe(gso);
  expect([checksumErrors('client'), checksumErrors('server')]).toEqual([0, 0]);
});

test('256 waiting packets are four batches, a receive and a send call each', async () => {
  const driver = await startDriver();
  network.run('server', 'iptables', '-I', 'INPUT', '-p', 'tcp', '-j', 'DROP'); // it must not answer
  driver.child.kill('SIGSTOP');
  network.start('client', 'hping3', '-q', '-A', '-c', '256', '-i', 'u200', '-p', PORT, ACS);
  await until(() => queueRow(FIRST_QUEUE).waiting === 256);

  driver.child.kill('SIGCONT');

  await until(() => queueRow(FIRST_QUEUE).waiting === 0);
  const { counters } = await driver.finish<DriverReport>();
  expect(counters).toMatchObject({ ...CLEAN, received: 256, batches: 4, sendCalls: 4 });
  // And a call that finds nothing more, before the loop sleeps again.
  expect(counters.receiveCalls - counters.batches).toBeLessThanOrEqual(2);
});

test('a batch of one packet works as well', async () => {
  const driver = await startDriver({ capacity: 1 });
  await startServer();

  const client = network.start('client', ...PEER, 'bulk', ACS, PORT, '1000001');

  expect(await client.line()).toEqual({ receivedBytes: 1000001, equal: true });
  const { counters } = await driver.finish<DriverReport>();
  expect(counters).toMatchObject({ ...CLEAN, batches: counters.received });
});

test('packets accepted untouched reach the host itself', async () => {
  const driver = await startDriver({ decide: 'accept' });
  await network.start('router', ...PEER, 'serve', ACS, PORT).line();

  const client = network.start('client', ...PEER, 'lengths', ACS, PORT, '20');

  expect(await client.line()).toEqual({ echoed: 20, from: ACS });
  const report = await driver.finish<DriverReport>();
  expect(report.counters).toMatchObject(CLEAN);
  expect(report.byQueue[0]).toBeGreaterThanOrEqual(20);
});

test('dropped packets are gone: the queue is empty and nothing was answered', async () => {
  const driver = await startDriver({ decide: 'drop' });
  await network.start('router', ...PEER, 'serve', ACS, PORT).line();
  network.start('client', ...PEER, 'lengths', ACS, PORT, '1');

  // Two SYNs: the first was dropped, so TCP sent it again.
  await until(() => {
    const { lastId, waiting } = queueRow(FIRST_QUEUE);
    return lastId >= 2 && waiting === 0;
  });

  expect((await driver.finish<DriverReport>()).counters).toMatchObject(CLEAN);
});

test('the tables are swept while nothing passes', async () => {
  // It tells at its end only; on a busy machine a sweep may come late.
  for (let waitMs = 250, sweeps = 0; sweeps === 0; waitMs *= 2) {
    expect(waitMs).toBeLessThan(30_000);
    const driver = await startDriver();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    ({ sweeps } = await driver.finish<DriverReport>());
  }
});

test('a flush of all queues by another program is only counted', async () => {
  const driver = await startDriver();
  await startServer();
  driver.child.kill('SIGSTOP');
  const client = network.start('client', ...PEER, 'lengths', ACS, PORT, '5');
  await until(() => queueRow(FIRST_QUEUE).waiting > 0);
  network.run('router', 'nft', 'add table ip other');
  network.run('router', 'nft', 'add chain ip other c { type filter hook forward priority 0; }');
  network.run('router', 'nft', 'delete table ip other');
  driver.child.kill('SIGCONT');

  expect(await client.line()).toEqual({ echoed: 5, from: ACS });
  const { counters } = await driver.finish<DriverReport>();
  expect(counters.verdictsLate).toBeGreaterThan(0);
  expect(counters.verdictErrors).toBe(0);
});

/** /proc/net/netfilter/nfnetlink_queue: number, port id, waiting, mode, range, dropped, user dropped, last id. */
function queueRow(queue: number): { waiting: number; lastId: number } {
  const rows = network.run('router', 'cat', '/proc/net/netfilter/nfnetlink_queue').split('\n');
  const row = rows.map((line) => line.trim().split(/\s+/).map(Number)).find((fields) => fields[0] === queue);
  if (row === undefined) throw new Error(`queue ${queue} is not bound`);
  return { waiting: row[2], lastId: row[7] };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the condition did not come true within 30 s');
}
