/** The supervisor is killed, the worker is stopped, the disk is full: what the next start finds. */
import { mkdirSync } from 'node:fs';
import { isAlive } from '../../src/cli/lab/namespaces';
import { type Status } from '../../src/engine/status';
import { sh } from './support/netns';
import { eventually, RunHost, type RunningCommand } from './support/run-host';

jest.setTimeout(120_000);

describe('an engine', () => {
  let network: RunHost;
  beforeAll(() => {
    network = new RunHost();
  });
  afterAll(() => network.remove());

  const json = async (...words: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await network.acsplit([...words, '-c', network.configure('a.yaml')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.startsWith('{') || stdout.startsWith('[') ? JSON.parse(stdout) : stdout;
  };
  const status = (): Promise<Status> => json('status', '--json') as Promise<Status>;
  const begin = async (): Promise<RunningCommand> => {
    const engine = network.start(['run', '-c', network.configure('a.yaml')]);
    await engine.event('ready');
    return engine;
  };

  test.each(['alone', 'and its worker'])(
    'whose supervisor is killed %s: the next takes tables and pause over',
    async (how) => {
      const engine = await begin();
      await json('activate', '10.1.0.9', '--collector', 'c1');
      await json('pause');
      const worker = (await status()).workers[0]!.pid;
      if (how === 'and its worker') process.kill(worker, 'SIGKILL');
      engine.kill('SIGKILL');
      await engine.ended;
      await eventually('the worker to die', () => !isAlive(worker) || undefined);
      expect(network.boundQueues()).toEqual([]);

      const next = await begin();
      expect(await status()).toMatchObject({ paused: true, workers: [{ restarts: 0 }] });
      expect(await json('tables', 'activated', '--json')).toMatchObject([
        { cpe: '10.1.0.9', collector: 'c1', phase: 'armed' },
      ]);
      await json('deactivate', '10.1.0.9');
      await json('resume');
      next.kill('SIGTERM');
      expect((await next.ended).code).toBe(0);
    },
  );

  test('whose worker lives and does nothing gets another, and says why; a pause outlives the worker', async () => {
    const engine = await begin();
    await json('pause');
    const worker = (await status()).workers[0]!.pid;
    process.kill(worker, 'SIGSTOP');
    const rule = ['PREROUTING', '-i', 'eth0', '-d', '10.1.0.1', '-p', 'tcp', '-j', 'NFQUEUE', '--queue-num', '0'];
    sh('ip', 'netns', 'exec', network.host, 'iptables', '-w', '-t', 'mangle', '-A', ...rule);
    network.startInCpe('timeout', '20', 'bash', '-c', ': < /dev/tcp/10.1.0.1/7547');
    expect(await engine.event('worker-stuck')).toMatchObject({ pid: worker });
    expect(await engine.event('worker-died')).toMatchObject({ pid: worker, signal: 'SIGKILL' });
    await engine.event('worker-restarted');
    const now = await eventually('the SYN in the status', async () => {
      const found = await status();
      return found.packets.received > 0 ? found : undefined;
    });
    expect(now).toMatchObject({ ready: true, paused: true, workers: [{ restarts: 1 }] });
    await json('resume');
    engine.kill('SIGTERM');
    expect((await engine.ended).code).toBe(0);
  });

  test('that finds no room for its state file says how much it needs, and leaves nothing behind', async () => {
    const small = `${network.directory}/small`;
    mkdirSync(small);
    sh('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small);
    try {
      const file = network.configure('small.yaml', `stateDirectory: ${small}`);
      const { code, stderr } = await network.acsplit(['run', '-c', file]);
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^acsplit: no room for the state file: \S+ must hold \d+ MiB; lower tables\.capacity .*\n$/,
      );
      expect(sh('ls', '-A', small).trim()).toBe('');
      expect(network.boundQueues()).toEqual([]);
    } finally {
      sh('umount', small);
    }
  });
});
