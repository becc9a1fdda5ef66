/** `acsplit run` and `status` on real queues. */
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type RunningEngine } from '../../src/engine';
import { type Status } from '../../src/engine/report/status';
import { sh } from './support/netns';
import { eventually, RunHost } from './support/run-host';

jest.setTimeout(120_000);

const FACE = join(__dirname, '..', '..', 'dist', 'engine');

describe('a running engine', () => {
  let network: RunHost;
  beforeAll(() => {
    network = new RunHost();
  });
  afterAll(() => network.remove());

  async function readStatus(file: string): Promise<Status> {
    const { code, stdout, stderr } = await network.acsplit(['status', '--json', '-c', file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as Status;
  }

  test('logs ready, has its four queues, tells its status, and on SIGTERM gives everything back', async () => {
    const file = network.configure('a.yaml');
    const engine = network.start(['run', '-c', file]);
    expect(await engine.event('ready')).toMatchObject({ queues: [0, 1, 2, 3], activation: 'auto' });
    expect(network.boundQueues()).toEqual([0, 1, 2, 3]);
    const socket = statSync(join(network.stateDirectory, 'control.sock'));
    expect(socket.isSocket() && socket.mode & 0o777).toBe(0o660);

    const status = await readStatus(file);
    expect(Object.keys(status)).toEqual(
      `version name pid ready paused activation uptimeMs workers tables packets events queues losses fastPath history cluster configuration fallback rules servers`.split(
        ' ',
      ),
    );
    expect(status).toMatchObject({
      pid: engine.pid,
      ready: true,
      paused: false,
      activation: 'auto',
      workers: [{ restarts: 0 }],
      tables: { connectionRequests: { count: 0, capacity: 4096, full: 0 } },
      packets: { received: 0, rewritten: 0, accepted: 0, dropped: 0, byReason: {} },
    });
    expect(status.queues.map(({ number, side }) => `${number} ${side}`)).toEqual([
      '0 cpe',
      '1 itms',
      '2 collector',
      '3 host',
    ]);

    engine.kill('SIGTERM');
    const ended = await engine.ended;
    expect(ended.code).toBe(0);
    expect(ended.stdout).toBe('');
    expect(network.boundQueues()).toEqual([]);
    expect(() => statSync(join(network.stateDirectory, 'control.sock'))).toThrow(/ENOENT/);

    const gone = await network.acsplit(['status', '-c', file]);
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toMatch(/^acsplit: no engine is running here .*\n$/);
  });

  /** `listEngines()`, asked on the host. */
  async function listEngines(): Promise<RunningEngine[]> {
    const program = `console.log(JSON.stringify(require(${JSON.stringify(FACE)}).listEngines()))`;
    const { stdout } = await network.startProgram(process.execPath, '-e', program).ended;
    return JSON.parse(stdout) as RunningEngine[];
  }

  test('is listed with its configuration file and its socket, from the host alone, until it ends or is killed', async () => {
    const file = network.configure('listed.yaml');
    const engine = network.start(['run', '-c', file]);
    await engine.event('ready');
    expect(await listEngines()).toMatchObject([
      { pid: engine.pid, name: 'default', file, socket: join(network.stateDirectory, 'control.sock'), firstQueue: 0 },
    ]);
    engine.kill('SIGKILL');
    await engine.ended;
    expect(await listEngines()).toEqual([]);

    const next = network.start(['run', '-c', file]);
    await next.event('ready');
    expect((await listEngines()).map(({ pid }) => pid)).toEqual([next.pid]);
    next.kill('SIGTERM');
    await next.ended;
    expect(await listEngines()).toEqual([]);
  });

  test("a CPE's SYN passes through: counted by its reason, and the queue holds nothing back", async () => {
    const file = network.configure('a.yaml');
    const engine = network.start(['run', '-c', file]);
    await engine.event('ready');
    const rule = ['PREROUTING', '-i', 'eth0', '-d', '10.1.0.1', '-p', 'tcp', '-j', 'NFQUEUE', '--queue-num', '0'];
    sh('ip', 'netns', 'exec', network.host, 'iptables', '-w', '-t', 'mangle', '-A', ...rule);

    network.startInCpe('timeout', '5', 'bash', '-c', ': < /dev/tcp/10.1.0.1/7547');
    const status = await eventually('the SYN in the status', async () => {
      const now = await readStatus(file);
      return now.packets.received > 0 ? now : undefined;
    });
    expect(status.packets).toMatchObject({
      received: status.packets.byReason['to-itms'] + (status.packets.byReason['pinned'] ?? 0),
      rewritten: status.packets.received,
      accepted: status.packets.received,
      dropped: 0,
    });
    expect(status.queues[0]).toMatchObject({ waiting: 0, queueDropped: 0, userDropped: 0, lost: 0 });
    const text = (await network.acsplit(['status', '-c', file])).stdout;
    expect(text).toMatch(/^to-itms\s+[1-9]\d*$/m);
    expect(text).toMatch(/^cpe \(0\)\s+0\s+0\s+0\s+0$/m);

    engine.kill('SIGINT');
    expect((await engine.ended).code).toBe(0);
  });

  test('SIGHUP reloads it; neither that nor nonsense on the control socket ends it', async () => {
    const file = network.configure('a.yaml');
    const engine = network.start(['run', '-c', file]);
    await engine.event('ready');
    engine.kill('SIGHUP');
    await engine.event('reload');

    const path = join(network.stateDirectory, 'control.sock');
    for (const nonsense of ['\n', 'GET / HTTP/1.1\r\n\r\n', '{"command":"__proto__"}\n', 'x'.repeat(100_000), '\0\n']) {
      const answer = await new Promise<string>((resolve) => {
        let text = '';
        const socket = connect(path, () => socket.write(nonsense));
        socket.on('data', (chunk) => (text += chunk.toString()));
        socket.on('error', () => resolve(text));
        socket.on('close', () => resolve(text));
      });
      expect(JSON.parse(answer)).toMatchObject({ ok: false });
    }
    expect((await readStatus(file)).ready).toBe(true);
    engine.kill('SIGTERM');
    expect((await engine.ended).code).toBe(0);
  });

  test('a killed engine leaves its socket, and the next one replaces it', async () => {
    const file = network.configure('a.yaml');
    const first = network.start(['run', '-c', file]);
    await first.event('ready');
    first.kill('SIGKILL');
    await first.ended;
    expect(statSync(join(network.stateDirectory, 'control.sock')).isSocket()).toBe(true);

    const gone = await network.acsplit(['status', '-c', file]);
    expect(gone.code).toBe(1);

    const second = network.start(['run', '-c', file]);
    await second.event('ready');
    expect((await readStatus(file)).pid).toBe(second.pid);
    second.kill('SIGTERM');
    expect((await second.ended).code).toBe(0);
  });
});
