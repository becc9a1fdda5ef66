/**
 * Tables are reset where there is no room for two state files: under another capacity, over a damaged file, and in a
 * running engine. A pause stays, and earlier packet counts are not lost.
 */
import { closeSync, mkdirSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { stateFilePath } from '../../src/engine/shared/state-file';
import { HEADER_BYTES } from '../../src/engine/shared/state-header';
import { type Status } from '../../src/engine/report/status';
import { sh } from './support/netns';
import { eventually, RunHost, type RunningCommand } from './support/run-host';

jest.setTimeout(120_000);

/** Some 15 MiB of tables, then some 20. */
const [CAPACITY, MORE] = [65_536, 84_000];
/** Room for the larger of two files, and not for both. */
const ROOM = '23m';
const TABLE_MAGIC = Buffer.from('psca');

describe('tables that are reset', () => {
  let network: RunHost;
  let directory: string;
  let engine: RunningCommand | undefined;
  beforeAll(() => {
    network = new RunHost();
  });
  afterAll(() => network.remove());
  beforeEach(() => {
    directory = join(network.directory, 'small');
    mkdirSync(directory, { recursive: true });
    sh('mount', '-t', 'tmpfs', '-o', `size=${ROOM}`, 'tmpfs', directory);
  });
  afterEach(async () => {
    engine?.kill('SIGKILL');
    await engine?.ended;
    await eventually('an end of its worker', () => network.boundQueues().length === 0 || undefined);
    sh('umount', directory);
  });

  const configure = (capacity: number): string => {
    // However long a start takes, the kernel must not have stood in meanwhile: that would end the activations.
    const file = network.configure('small.yaml', `onEngineDown: hold\nstateDirectory: ${directory}`);
    sh('sed', '-i', `s/capacity: 4096/capacity: ${capacity}/`, file);
    return file;
  };
  const begin = async (capacity = CAPACITY): Promise<void> => {
    engine = network.start(['run', '-c', configure(capacity)]);
    await engine.event('ready');
  };
  const end = async (): Promise<void> => {
    engine!.kill('SIGTERM');
    expect((await engine!.ended).code).toBe(0);
  };
  const output = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await network.acsplit([...words, '-c', join(network.directory, 'small.yaml')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };
  const status = (): Promise<Status> => network.status(directory);

  test('another capacity: the room of the old file is the new one’s, and diverting stays paused', async () => {
    await begin();
    await output('pause');
    await end();
    expect(statSync(stateFilePath(directory)).size).toBeGreaterThan(5 * 2 ** 20);
    await begin(MORE);
    const reason = `tables.capacity was ${CAPACITY} and is ${MORE}`;
    expect(await engine!.event('state-replaced')).toMatchObject({
      ...{ level: 'warn', reason, paused: true },
      msg: `tables reset: ${reason}; diverting stays paused`,
    });
    expect(await status()).toMatchObject({ ready: true, paused: true });
    await end();
  });

  test('a capacity for which there is no room at all: refused, and the tables stay as they are', async () => {
    await begin();
    await output('activate', '10.1.0.9', '--collector', 'c1');
    await output('pause');
    await end();
    const { code, stderr } = await network.acsplit(['run', '-c', configure(4 * CAPACITY)]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^acsplit: no room for the state file: [^\n]+\n$/)]);
    await begin();
    expect(engine!.events().filter(({ event }) => event === 'state-replaced')).toEqual([]);
    expect(await status()).toMatchObject({ paused: true, tables: { activatedCpes: { count: 1 } } });
    await end();
  });

  test.each([
    ['header', 4, 'its header is damaged', false],
    ['table', -1, 'a damaged table header', true],
  ])('a damaged %s: an engine starts', async (_, at, reason, paused) => {
    await begin();
    await output('pause');
    await end();
    flip(stateFilePath(directory), at);
    await begin();
    expect(await engine!.event('state-replaced')).toMatchObject({ reason, paused });
    const { msg } = await engine!.event('state-replaced');
    expect(msg).toMatch(paused ? /; diverting stays paused$/ : /; diverting is not paused: if it was, acsplit pause$/);
    expect(await status()).toMatchObject({ ready: true, paused });
    await end();
  });

  test('a damaged table under a running engine whose worker dies: the next worker serves, paused, and nothing is lost', async () => {
    await begin();
    await output('pause');
    const rule = ['PREROUTING', '-i', 'eth0', '-d', '10.1.0.1', '-p', 'tcp', '-j', 'NFQUEUE', '--queue-num', '0'];
    sh('ip', 'netns', 'exec', network.host, 'iptables', '-w', '-t', 'mangle', '-A', ...rule);
    const connect = ['timeout', '1', 'bash', '-c', ': < /dev/tcp/10.1.0.1/7547'];
    network.startInCpe(...connect);
    const { workers } = await eventually('a packet that was decided', async () => {
      const now = await status();
      return now.packets.received > 0 ? now : undefined;
    });
    flip(stateFilePath(directory), -1);
    process.kill(workers[0]!.pid, 'SIGKILL');
    expect(await engine!.event('state-replaced')).toMatchObject({
      ...{ level: 'error', reason: 'a damaged table header', paused: true },
    });
    await engine!.event('worker-restarted');
    network.startInCpe(...connect);
    const now = await eventually('another packet', async () => {
      const found = await status();
      return found.packets.received > 0 ? found : undefined;
    });
    expect(now).toMatchObject({ ready: true, paused: true, workers: [{ restarts: 2 }] });
    expect(now.queues.map(({ lost }) => lost)).toEqual([0, 0, 0, 0]);
    await end();
  });
});

/** Another bit in the byte; -1: in the seed of the first table. */
function flip(file: string, at: number): void {
  const fd = openSync(file, 'r+');
  const bytes = Buffer.alloc(statSync(file).size);
  readSync(fd, bytes);
  const offset = at >= 0 ? at : bytes.indexOf(TABLE_MAGIC, HEADER_BYTES) + 16;
  writeSync(
    fd,
    bytes.subarray(offset, offset + 1).map((byte) => byte ^ 1),
    0,
    1,
    offset,
  );
  closeSync(fd);
}
