/**
 * `acsplit run` when it cannot run: one line with the reason, exit status 1 (2 for wrong arguments), and nothing left
 * behind.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, RunHost } from './support/run-host';

jest.setTimeout(120_000);

describe('an engine that cannot start', () => {
  let network: RunHost;
  beforeAll(() => {
    network = new RunHost();
  });
  afterAll(() => network.remove());

  async function refusal(words: string[], wrapper: string[] = []): Promise<{ code: number | null; line: string }> {
    const { code, stdout, stderr } = await network.acsplit(words, wrapper);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^acsplit: [^\n]+\n$/);
    return { code, line: stderr.slice('acsplit: '.length, -1) };
  }

  const own = (name: string) => `stateDirectory: ${join(network.directory, name)}`;

  test('an interface that does not exist: named, with the key and those that there are', async () => {
    const { code, line } = await refusal(['run', '-c', network.configure('no-interface.yaml', own('s1'), 'eth9')]);
    expect(code).toBe(1);
    expect(line).toBe(
      'cpe.interface: interface "eth9" does not exist on this host (it has eth0, eth1, eth2, far1, far2)',
    );
    expect(network.boundQueues()).toEqual([]);
    expect(existsSync(join(network.directory, 's1'))).toBe(false);
  });

  test('a queue that another engine has: the second says whose it is and leaves the first alone', async () => {
    const first = network.start(['run', '-c', network.configure('first.yaml', own('s2'))]);
    await first.event('ready');
    // Queues 2, 3, 4: the first two may be free; what it bound must be released.
    const second = network.configure('second.yaml', `${own('s3')}\nqueue: { first: 2 }`);
    const { code, line } = await refusal(['run', '-c', second]);
    expect(code).toBe(1);
    expect(line).toContain('cannot bind queue 2');
    expect(line).toContain(`process ${first.pid} (node) has it`);
    expect(network.boundQueues()).toEqual([0, 1, 2, 3]);
    expect(existsSync(join(network.directory, 's3'))).toBe(false);

    // It is another engine of ours, and none to be killed.
    expect(line).toContain(`the engine of instance "default" (${join(network.directory, 'first.yaml')})`);
    expect(line).not.toContain('stop');

    const namesake = network.configure('namesake.yaml', `${own('s3')}\nqueue: { first: 20 }`);
    expect(await refusal(['run', '-c', namesake])).toEqual({
      code: 1,
      line: `instance "default" runs already (pid ${first.pid}, ${join(network.directory, 'first.yaml')}): give this one another name`,
    });
    const thief = network.configure('thief.yaml', `${own('s2')}\nqueue: { first: 20 }\nname: north`);
    expect(await refusal(['run', '-c', thief])).toEqual({
      code: 1,
      line: `instance "default" (pid ${first.pid}) answers at ${join(network.directory, 's2', 'control.sock')}: give "north" a stateDirectory of its own`,
    });
    expect(network.boundQueues()).toEqual([0, 1, 2, 3]);

    const same = await refusal(['run', '-c', join(network.directory, 'first.yaml')]);
    expect(same.code).toBe(1);
    expect(same.line).toContain(`an engine is already running (pid ${first.pid})`);
    expect((await network.acsplit(['status', '-c', join(network.directory, 'first.yaml')])).code).toBe(0);
    first.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);

    const heir = await refusal(['run', '-c', thief]);
    expect(heir.line).toContain('belongs to instance "default": give "north" another');
  });

  test('two instances with names, queues and directories of their own run side by side; each is ended alone', async () => {
    const both = ['north', 'south'].map((name, i) => {
      const metrics = `metrics: { listen: "127.0.0.1:${19547 + i}" }`;
      const more = `${own(name)}\nname: ${name}\nqueue: { first: ${i * 4} }\n${metrics}`;
      return network.start(['run', '-c', network.configure(`${name}.yaml`, more)]);
    });
    for (const engine of both) await engine.event('ready');
    const names = both.map(async (_, i) => {
      const file = join(network.directory, `${['north', 'south'][i]}.yaml`);
      const { stdout } = await network.acsplit(['status', '--json', '-c', file]);
      return (JSON.parse(stdout) as { name: string }).name;
    });
    expect(await Promise.all(names)).toEqual(['north', 'south']);
    both[0]!.kill('SIGKILL');
    await both[0]!.ended;
    await eventually('the queues of one to be free', () => network.boundQueues().length === 4 || undefined);
    expect(network.boundQueues()).toEqual([4, 5, 6, 7]);
    both[1]!.kill('SIGTERM');
    expect((await both[1]!.ended).code).toBe(0);
  });

  test('a queue that a foreign program has: its process and name are said, and it keeps it', async () => {
    const program = join(network.directory, 'queue-owner');
    execFileSync('gcc', ['-o', program, join(__dirname, 'support', 'queue-owner.c'), '-lnetfilter_queue']);
    const foreign = network.startProgram(program, '2');
    await eventually('the foreign program to bind', () => network.boundQueues().length > 0 || undefined);
    const { code, line } = await refusal(['run', '-c', network.configure('foreign.yaml', own('s6'))]);
    expect(code).toBe(1);
    expect(line).toBe(
      `cannot bind queue 2: process ${foreign.pid} (queue-owner) has it; stop that process or choose other numbers (EPERM)`,
    );
    expect(network.boundQueues()).toEqual([2]);
    foreign.kill('SIGTERM');
    await foreign.ended;

    const engine = network.start(['run', '-c', join(network.directory, 'foreign.yaml')]);
    await engine.event('ready');
    engine.kill('SIGTERM');
    expect((await engine.ended).code).toBe(0);
  });

  test('without CAP_NET_ADMIN: named', async () => {
    const dropped = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'];
    const { code, line } = await refusal(['run', '-c', network.configure('no-rights.yaml', own('s4'))], dropped);
    expect(code).toBe(1);
    expect(line).toContain('CAP_NET_ADMIN is missing; run as root or grant the capability');
    expect(network.boundQueues()).toEqual([]);
  });

  test('a file where the control socket should be: kept, and the queues given back', async () => {
    mkdirSync(join(network.directory, 's5'));
    const inTheWay = join(network.directory, 's5', 'control.sock');
    writeFileSync(inTheWay, 'mine');
    const { code, line } = await refusal(['run', '-c', network.configure('in-the-way.yaml', own('s5'))]);
    expect(code).toBe(1);
    expect(line).toBe(`${inTheWay} is in the way and is no socket; remove it`);
    expect(network.boundQueues()).toEqual([]);
    expect(existsSync(inTheWay)).toBe(true);
  });

  test('a state directory that cannot be created', async () => {
    writeFileSync(join(network.directory, 'file'), '');
    const { code, line } = await refusal(['run', '-c', network.configure('no-directory.yaml', own('file/below'))]);
    expect(code).toBe(1);
    expect(line).toContain('file/below cannot be created');
    expect(network.boundQueues()).toEqual([]);
  });

  test('a missing configuration: exit status 2', async () => {
    const { code, line } = await refusal(['run', '-c', join(network.directory, 'none.yaml')]);
    expect(code).toBe(2);
    expect(line).toContain('none.yaml does not exist');
  });

  test('a wrong configuration: exit status 2, with its place', async () => {
    const file = network.configure('wrong.yaml', 'reportPort: [1]');
    const { code, line } = await refusal(['run', '-c', file]);
    expect({ code, line }).toEqual({
      code: 2,
      line: `${file}:6:1: unknown key "reportPort"; did you mean "reportPorts"?`,
    });
  });
});
