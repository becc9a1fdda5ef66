/** Opening queues: what is refused, and whether the message says why. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { closeQueues, loadAddon, openQueues, type QueueOptions } from '../../src/engine/shared/binding';
import { ACS, SERVER, TestNetwork, type Running } from './support/netns';
import { type DriverReport } from './support/native-driver';
import { testInUserNamespace } from './support/user-namespaces';

jest.setTimeout(60_000);

const QUEUES: QueueOptions = { first: 40, count: 3, length: 1024, gso: true, receiveBufferBytes: 8 << 20 };

describe('in a namespace', () => {
  let network: TestNetwork;
  beforeAll(() => {
    network = new TestNetwork();
  });
  afterAll(() => network.remove());

  function start(queue: Partial<QueueOptions>, ...wrapper: string[]): Running {
    const options = { queue: { ...QUEUES, ...queue }, decide: 'accept', acs: ACS, server: SERVER };
    return network.startScript('router', 'native-driver.ts', options, ...wrapper);
  }

  test('the receive buffer is granted as asked, and the queues stand in /proc until they are closed', async () => {
    const driver = start({});
    expect(await driver.line()).toMatchObject({ ready: true, receiveBufferBytes: 8 << 20 });
    expect(boundQueues()).toEqual([40, 41, 42]);

    expect((await driver.finish<DriverReport>()).counters.received).toBe(0);

    expect(boundQueues()).toEqual([]);
  });

  test('a queue that another process has is refused with that process by name; what was bound is released', async () => {
    const first = start({ first: 42, count: 1 });
    const { pid } = await first.line<{ pid: number }>();

    const second = start({});

    expect(await second.line()).toEqual({
      error: {
        code: 'EPERM',
        errno: -1,
        syscall: 'bind',
        queue: 42,
        message: `cannot bind queue 42: process ${pid} (node) has it; stop that process or choose other numbers (EPERM)`,
      },
    });
    await second.ended;
    expect(boundQueues()).toEqual([42]);
    await first.finish();
  });

  test('without CAP_NET_ADMIN the message says so', async () => {
    const driver = start({}, 'setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin');

    expect(await driver.line()).toMatchObject({
      error: {
        code: 'EPERM',
        queue: 40,
        message: 'cannot bind queue 40: CAP_NET_ADMIN is missing; run as root or grant the capability (EPERM)',
      },
    });
  });

  testInUserNamespace('a capability that does not hold over this namespace is told apart', async () => {
    const driver = start({}, 'unshare', '--user', '--map-root-user');

    expect(await driver.line()).toMatchObject({
      error: {
        code: 'EPERM',
        message:
          'cannot bind queue 40: refused although the process has CAP_NET_ADMIN; ' +
          'it may not hold over this network namespace (EPERM)',
      },
    });
  });

  testInUserNamespace('where the limit of the receive buffer may not be passed, less is granted and said', async () => {
    const limit = Number(fs.readFileSync('/proc/sys/net/core/rmem_max', 'utf8'));
    const asked = 4 * limit;
    const unprivileged = ['unshare', '--user', '--map-root-user', '--net'];

    const driver = start({ receiveBufferBytes: asked }, ...unprivileged);

    const { receiveBufferBytes } = await driver.line<{ receiveBufferBytes: number }>();
    expect(receiveBufferBytes).toBe(2 * limit);
  });

  test('packets that come while the next queue is being bound are answered, not left behind', async () => {
    network.queueTraffic(40);
    // A flood on queue 40 while 40 to 55 are bound one after the other.
    const flood = network.start('client', 'hping3', '-q', '--flood', '-S', '-p', '7547', ACS);
    const driver = start({ count: 16 });
    expect(await driver.line()).toMatchObject({ ready: true });
    await until(() => queueRow(40).lastId > 1000);
    flood.child.kill('SIGKILL');
    await flood.ended;

    await until(() => queueRow(40).waiting === 0);
    await driver.finish();
  });

  /** /proc/net/netfilter/nfnetlink_queue: number, port id, waiting, mode, range, dropped, user dropped, last id. */
  function queueRows(): number[][] {
    const text = network.run('router', 'cat', '/proc/net/netfilter/nfnetlink_queue');
    return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim().split(/\s+/).map(Number)]));
  }

  function boundQueues(): number[] {
    return queueRows().map((row) => row[0]);
  }

  function queueRow(queue: number): { waiting: number; lastId: number } {
    const row = queueRows().find((fields) => fields[0] === queue)!;
    return { waiting: row[2], lastId: row[7] };
  }
});

test.each([
  [{ first: 65535, count: 2 }, 'openQueues: queue numbers end at 65535'],
  [{ first: -1 }, 'openQueues: first must be a whole number from 0 to 65535'],
  [{ first: 1.5 }, 'openQueues: first must be a whole number from 0 to 65535'],
  [{ count: 0 }, 'openQueues: count must be a whole number from 1 to 16'],
  [{ count: 17 }, 'openQueues: count must be a whole number from 1 to 16'],
  [{ length: 0 }, 'openQueues: length must be a whole number from 1 to 16777216'],
  [{ receiveBufferBytes: Number.NaN }, 'openQueues: receiveBufferBytes must be a whole number from 1 to 2147483646'],
  [{ gso: 'yes' }, 'openQueues: gso must be a boolean'],
])('openQueues refuses %j', (wrong, words) => {
  expect(() => openQueues({ ...QUEUES, ...(wrong as Partial<QueueOptions>) })).toThrow(words);
});

test('openQueues refuses to go without an object', () => {
  expect(() => loadAddon().openQueues(undefined as unknown as QueueOptions)).toThrow('an options object is expected');
});

test('close leaves descriptors alone that are no queue sockets, so closing twice cannot hit a stranger', () => {
  const file = fs.openSync(__filename, 'r');
  closeQueues(file);
  closeQueues(-1);
  closeQueues(99999);

  expect(fs.fstatSync(file).isFile()).toBe(true);
  fs.closeSync(file);
});

test('an addon that is not built is said in one line', () => {
  expect(() => loadAddon(path.join(__dirname, 'none.node'))).toThrow(
    /^the native addon is not there \(no .*none\.node\): run npm run build$/,
  );

  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'acsplit-'));
  const broken = path.join(directory, 'broken.node');
  fs.writeFileSync(broken, 'not an addon');
  expect(() => loadAddon(broken)).toThrow(
    /^the native addon does not load \(.*\): install libnetfilter-queue1 and libmnl0, then run npm run build$/,
  );
  fs.rmSync(directory, { recursive: true });
});

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the condition did not come true within 30 s');
}
