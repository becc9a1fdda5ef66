/**
 * The addon in careless programs: exceptions, garbage collection, threads, buffers that disappear. Nothing crashes or
 * hangs.
 */
import * as fs from 'node:fs';
import { loadAddon, type NativeLoopOptions } from '../../src/engine/shared/binding';
import { PacketBatch } from '../../src/packet/batch';
import { ACS, SERVER, TestNetwork, type Running } from './support/netns';
import { type DriverOptions, type DriverReport } from './support/native-driver';
import { type Scenario } from './support/native-lifetime';

jest.setTimeout(60_000);

describe('in a namespace', () => {
  let network: TestNetwork;
  beforeEach(() => {
    network = new TestNetwork();
    network.queueTraffic(40);
  });
  afterEach(() => network.remove());

  async function play(scenario: Scenario): Promise<Running> {
    const program = network.startScript(
      'router',
      'native-lifetime.ts',
      { scenario },
      'env',
      'NODE_OPTIONS=--expose-gc',
    );
    expect(await program.line()).toEqual({ ready: true });
    return program;
  }

  async function startDriver(decide: DriverOptions['decide']): Promise<Running> {
    const queue = { first: 40, count: 2, length: 64, gso: true, receiveBufferBytes: 1 << 20 };
    const driver = network.startScript('router', 'native-driver.ts', { queue, decide, acs: ACS, server: SERVER });
    expect(await driver.line()).toMatchObject({ ready: true });
    return driver;
  }

  function sendSyn(): void {
    network.start('client', 'hping3', '-q', '-c', '1', '-S', '-p', '7547', ACS);
  }

  function serverSegments(): number {
    const [names, values] = network
      .run('server', 'cat', '/proc/net/snmp')
      .split('\n')
      .filter((line) => line.startsWith('Tcp:'))
      .map((line) => line.split(' '));
    return Number(values[names.indexOf('InSegs')]);
  }

  test('what decide throws ends the process like any uncaught exception', async () => {
    const driver = await startDriver('throw');
    sendSyn();

    const { code, stderr } = await driver.ended;

    expect(code).toBe(1);
    expect(stderr).toContain('Error: the rules broke');
    expect(serverSegments()).toBe(0);
  });

  test('after a caught exception the loop is stopped and no verdict was sent', async () => {
    const program = await play('caught');
    sendSyn();

    expect(await program.line()).toEqual({ uncaught: 'the rules broke', sendCalls: 0 });
    expect(await program.line()).toEqual({ refusal: 'VerdictLoop: was stopped; make a new one' });
  });

  test('stop inside a batch sends its verdicts first', async () => {
    const driver = await startDriver('stop');
    sendSyn();

    const { counters } = await driver.line<DriverReport>();

    expect(counters).toMatchObject({ batches: 1, received: 1, sendCalls: 1, verdictErrors: 0 });
    expect((await driver.ended).code).toBe(0);
    expect(serverSegments()).toBe(1);
  });

  test('a running loop without references is not collected', async () => {
    const program = await play('forgotten');
    sendSyn();

    expect(await program.line()).toEqual({ count: 1, isNow: true });
  });

  test('stopped and never started loops are collected in peace', async () => {
    const program = await play('discarded');

    expect(await program.line()).toEqual({ done: true });
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test.each([
    ['transferred', 'recvmmsg'],
    ['transferredInside', 'sendmsg'],
  ] as const)('a region that was %s stops the loop with an error', async (scenario, syscall) => {
    const program = await play(scenario);
    sendSyn();

    expect(await program.line()).toEqual({ loopError: { code: 'EFAULT', syscall } });
    expect((await program.ended).code).toBe(0);
  });

  test('nonsense in the columns is refused and counted', async () => {
    const program = await play('nonsense');
    sendSyn();

    expect(await program.line()).toEqual({ verdictErrors: 1 });
  });

  test('threads come and go over one descriptor', async () => {
    const program = await play('worker');
    sendSyn();

    expect(await program.line()).toEqual({ count: 1 });
  });

  test('a process may exit with the loop running', async () => {
    const program = await play('exit');

    expect(await program.ended).toMatchObject({ code: 0, stderr: '' });
  });
});

const GOOD: NativeLoopOptions = {
  fd: 0,
  firstQueue: 0,
  region: new ArrayBuffer(PacketBatch.regionBytes(2)),
  capacity: 2,
  onBatch: () => undefined,
  onError: () => undefined,
};

test.each<[string, object, string]>([
  ['no number for fd', { fd: '3' }, 'fd, firstQueue and capacity must be numbers'],
  ['a view instead of the buffer', { region: new Uint8Array(200000) }, 'region must be an ArrayBuffer'],
  ['a shared buffer', { region: new SharedArrayBuffer(200000) }, 'region must be an ArrayBuffer'],
  ['a small region', { capacity: 3 }, 'region is too small for the capacity'],
  ['spins that is no boolean', { spins: 1 }, 'spins must be a boolean'],
  ['no capacity', { capacity: 0 }, 'capacity must be from 1 to 1024'],
  ['a capacity that is no number', { capacity: Number.NaN }, 'capacity must be from 1 to 1024'],
  ['a queue beyond 16 bits', { firstQueue: 65536 }, 'firstQueue must be from 0 to 65535'],
  ['no onBatch', { onBatch: undefined }, 'onBatch and onError must be functions'],
  ['a closed descriptor', { fd: 99999 }, 'fd is not a netfilter netlink socket'],
])('VerdictLoop refuses %s', (_what, wrong, words) => {
  expect(() => new (loadAddon().VerdictLoop)({ ...GOOD, ...wrong })).toThrow(`VerdictLoop: ${words}`);
});

test('VerdictLoop refuses a descriptor of something else', () => {
  const fd = fs.openSync(__filename, 'r');
  expect(() => new (loadAddon().VerdictLoop)({ ...GOOD, fd })).toThrow('fd is not a netfilter netlink socket');
  fs.closeSync(fd);
});

test('VerdictLoop lets an exception of a getter pass', () => {
  const options = {
    get fd(): number {
      throw new Error('from the getter');
    },
  };
  expect(() => new (loadAddon().VerdictLoop)(options as NativeLoopOptions)).toThrow('from the getter');
});
