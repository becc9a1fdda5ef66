/** Probes: a connection to every server, on real sockets; and what is told of a server that is down and answers. */
import { EventEmitter } from 'node:events';
import net, { createServer, type Server } from 'node:net';
import { parseAddress } from '../../../../src/packet/address';
import { Probe, type ProbeTarget } from '../../../../src/engine/supervisor/probe';
import { Servers } from '../../../../src/engine/supervisor/servers';
import { Health } from '../../../../src/splitter/health/health';
import { eventually } from '../../../e2e/support/run-host';

let listener: Server;
let port: number;

beforeAll(async () => {
  listener = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  port = (listener.address() as { port: number }).port;
});
afterAll(() => listener.close());

test('each target is connected to at once; its result is kept by its address', async () => {
  const answered: ProbeTarget[] = [];
  const targets = [
    { server: 'itms', address: '127.0.0.1', port },
    { server: 'c1', address: '127.0.0.2', port },
  ];
  const probe = new Probe({ targets: () => targets, interval: () => 60, onAnswer: (target) => answered.push(target) });
  await eventually('both results', () => probe.results.size === 2 || undefined);
  expect(Object.fromEntries(probe.results)).toEqual({ '127.0.0.1': 'answers', '127.0.0.2': 'ECONNREFUSED' });
  expect(answered).toEqual([targets[0]]);
  probe.stop();
});

test('without an interval there are none; a reload that has one begins', async () => {
  let interval: number | undefined;
  const targets = () => [{ server: 'itms', address: '127.0.0.1', port }];
  const probe = new Probe({ targets, interval: () => interval, onAnswer: () => undefined });
  expect(probe.results.size).toBe(0);
  interval = 60;
  probe.begin();
  await eventually('a result', () => probe.results.size === 1 || undefined);
  interval = undefined;
  probe.begin();
  expect(probe.results.size).toBe(0);
});

test('a probe that waits in vain does not undo what a later one has found', () => {
  jest.useFakeTimers();
  const sockets: EventEmitter[] = [];
  const connect = jest.spyOn(net, 'connect').mockImplementation((() => {
    sockets.push(Object.assign(new EventEmitter(), { destroy: () => undefined, unref: () => undefined }));
    return sockets.at(-1);
  }) as never);
  const answered: ProbeTarget[] = [];
  const targets = () => [{ server: 'c1', address: '127.0.0.1', port }];
  const probe = new Probe({ targets, interval: () => 1, onAnswer: (target) => answered.push(target) });
  jest.advanceTimersByTime(1000);
  const [first, second] = sockets;
  second!.emit('connect');
  first!.emit('timeout');
  expect([...probe.results]).toEqual([['127.0.0.1', 'answers']]);
  expect(answered).toHaveLength(1);
  probe.begin();
  jest.advanceTimersByTime(1000);
  const [, , third, fourth] = sockets;
  probe.begin();
  for (const socket of [third!, fourth!]) socket.emit('timeout');
  expect(probe.results.size).toBe(0);
  probe.stop();
  connect.mockRestore();
  jest.useRealTimers();
});

test('the worker hears only of a server that is down', async () => {
  const buffer = new ArrayBuffer(Health.BYTES);
  const health = new Health({ buffer, seed: 1, turnsAway: true });
  const address = parseAddress('127.0.0.1')!;
  health.watch([{ owner: 1, address }]);
  const probed: string[] = [];
  const collector = { name: 'c1', interface: 'eth2', address: { ipv4: '127.0.0.1' } };
  const topology = { itms: { address: {} }, collectors: [collector], reportPorts: [port] };
  const settings = { topology, onCollectorDown: 'itms', probe: { interval: 60 } };
  const servers = new Servers({
    memory: buffer,
    settings: () => settings as never,
    look: () => ({ state: { families: [{ family: 'ipv4' }], owners: { idOf: () => 1 } } as never, nowMs: 1000 }),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    note: () => undefined,
    onProbed: (server, family) => probed.push(`${server} ${family}`),
  });
  servers.start();
  await eventually('a result', () => servers.status()['c1']!.addresses[0]!.probe === 'answers' || undefined);
  expect(probed).toEqual([]);
  health.advance(1000);
  for (let n = 1; n <= 5; n++) {
    health.opened(1, Int32Array.of(n), 1, port, n);
    health.reset(1, Int32Array.of(n), 1, port, n, 0);
  }
  servers.reload();
  await eventually('a message', () => probed.length === 1 || undefined);
  expect(probed).toEqual(['c1 ipv4']);
  health.probed(1, 1);
  expect(servers.status()['c1']).toMatchObject({ state: 'up' });
  servers.stop();
});
