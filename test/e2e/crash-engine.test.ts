/** The supervisor is killed, the worker is stopped, another version installed, the disk full: what the next start finds. */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../../src/lab/namespaces';
import { type Status } from '../../src/engine/report/status';
import { sh } from './support/netns';
import { eventually, RunHost, type RunningCommand } from './support/run-host';

jest.setTimeout(120_000);

const SKEW = /^acsplit: this is acsplit [\d.]+, and the engine \(pid \d+\) runs [\d.]+: restart it when it suits\n$/;

describe('an engine', () => {
  let network: RunHost;
  beforeAll(() => {
    network = new RunHost();
  });
  afterAll(() => network.remove());

  // With `itms` the kernel takes over within seconds of a death, and what is armed ends: engine-down.test.ts.
  const configure = (more = ''): string =>
    network.configure('a.yaml', `stateDirectory: ${network.stateDirectory}\nonEngineDown: hold\n${more}`);
  const json = async (...words: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await network.acsplit([...words, '-c', configure()]);
    // Between an upgrade and a restart, each command says so.
    const more = stderr.replace(SKEW, '');
    expect({ code, more }).toEqual({ code: 0, more: '' });
    return stdout.startsWith('{') || stdout.startsWith('[') ? JSON.parse(stdout) : stdout;
  };
  const status = (): Promise<Status> => network.status();
  const begin = async (): Promise<RunningCommand> => {
    const engine = network.start(['run', '-c', configure()]);
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

  test('with an unresponsive worker refuses commands, and does not run them later', async () => {
    const engine = await begin();
    const { workers } = await status();
    const worker = workers[0]!.pid;
    process.kill(worker, 'SIGSTOP');
    try {
      const paused = await network.acsplit(['pause', '-c', configure()]);
      expect(paused).toMatchObject({ code: 1, stderr: 'acsplit: no worker answers; see status, and the log\n' });
      configure('activation: "off"');
      engine.kill('SIGHUP');
      await engine.event('reload-refused');
    } finally {
      process.kill(worker, 'SIGCONT');
    }
    // It reads in order: earlier messages come first.
    await json('activate', '10.1.0.9', '--collector', 'c1');
    expect(await status()).toMatchObject({ paused: false, activation: 'auto', workers });
    await json('deactivate', '10.1.0.9');
    engine.kill('SIGTERM');
    expect((await engine.ended).code).toBe(0);
  });

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

  test('under which another version is installed, or all is removed, keeps running, its worker too; the next start is the new version', async () => {
    const installed = join(network.directory, 'installed');
    const root = join(__dirname, '..', '..');
    cpSync(join(root, 'dist'), join(installed, 'dist'), { recursive: true });
    for (const name of ['build', 'node_modules']) symlinkSync(join(root, name), join(installed, name));
    const install = (version: string): void =>
      writeFileSync(join(installed, 'package.json'), JSON.stringify({ name: 'acsplit', version }));
    const before = network.program;
    network.program = join(installed, 'dist', 'cli', 'main.js');
    try {
      install('1.0.0');
      const engine = await begin();
      await json('activate', '10.1.0.9', '--collector', 'c1');
      install('2.0.0');
      expect((await network.acsplit(['status', '-c', configure()])).stderr).toMatch(SKEW);
      expect(await status()).toMatchObject({ version: '1.0.0', ready: true });
      const killWorker = async (): Promise<void> => {
        const { workers } = await status();
        process.kill(workers[0]!.pid, 'SIGKILL');
        await eventually('another worker', async () => {
          const now = await status();
          return (now.ready && now.workers[0]!.restarts > workers[0]!.restarts) || undefined;
        });
      };
      await killWorker();
      expect(await engine.event('upgraded')).toMatchObject({ level: 'warn', installed: '2.0.0', running: '1.0.0' });
      // In the middle of an upgrade nothing is there.
      network.program = before;
      renameSync(installed, `${installed}.gone`);
      await killWorker();
      expect(await status()).toMatchObject({ version: '1.0.0', ready: true, workers: [{ restarts: 2 }] });
      expect(await json('tables', 'activated', '--json')).toMatchObject([{ cpe: '10.1.0.9', phase: 'armed' }]);
      const warnings = engine.events().filter(({ event }) => event === 'upgraded' || event === 'worker-stuck');
      expect(warnings).toHaveLength(1);
      engine.kill('SIGTERM');
      expect((await engine.ended).code).toBe(0);
      expect(network.boundQueues()).toEqual([]);

      renameSync(`${installed}.gone`, installed);
      network.program = join(installed, 'dist', 'cli', 'main.js');
      const next = await begin();
      expect(await status()).toMatchObject({ version: '2.0.0', ready: true });
      expect(await json('tables', 'activated', '--json')).toMatchObject([{ cpe: '10.1.0.9', phase: 'armed' }]);
      next.kill('SIGTERM');
      expect((await next.ended).code).toBe(0);
    } finally {
      network.program = before;
    }
  });

  test('whose state directory vanishes is within reach again, and is paused by the command; the log says so', async () => {
    const engine = await begin();
    rmSync(network.stateDirectory, { recursive: true });
    expect(await engine.event('control-socket')).toMatchObject({
      level: 'warn',
      control: join(network.stateDirectory, 'control.sock'),
    });
    await json('pause');
    expect(await status()).toMatchObject({ pid: expect.any(Number), ready: true, paused: true });
    await json('resume');
    engine.kill('SIGTERM');
    expect((await engine.ended).code).toBe(0);
    expect(existsSync(join(network.stateDirectory, 'control.sock'))).toBe(false);
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
