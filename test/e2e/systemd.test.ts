/**
 * The shipped units: systemd finds nothing wrong with them, the bundle and the engine work with no more than the rights they
 * give, and what the engine tells systemd is true. No systemd runs here, a socket listens in its place; with
 * ACSPLIT_SYSTEMD=real one boots in a container, and runs them (support/systemd-boot.ts).
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as readline from 'node:readline';
import { cli } from '../../src/lab/engine';
import { ADDRESSES, end } from '../../src/lab/world';
import { type Status } from '../../src/engine/report/status';
import { eventually } from './support/run-host';
import { type BackEnd, BACK_ENDS, RulesHost, until } from './support/rules-host';
import { bootedUnits } from './support/systemd-boot';
import { PYTHON } from '../support/tools';

jest.setTimeout(240_000);

const UNITS = [
  'acsplit.service',
  'acsplit-rules.service',
  'acsplit-rules.timer',
  'acsplit@.service',
  'acsplit-rules@.service',
  'acsplit-rules@.timer',
] as const;
const SERVICES = UNITS.filter((name) => name.endsWith('.service'));
/** Of an instance: a template cannot be verified by itself. */
const instanceOf = (unit: string): string => unit.replace('@.', '@north.');
const textOf = (unit: string): string => readFileSync(join(__dirname, '../../systemd', unit), 'utf8');
const UNIT = textOf('acsplit.service');
const DATAGRAMS = join(__dirname, 'support/datagrams.py');
const CPE = '10.1.1.1';
const GROUP = 'daemon';
const { acs, itms } = ADDRESSES;

/** The unit's value of a setting; of one that is commented out with `#` before it. */
function setting(name: string): string {
  const values = [...UNIT.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);
  expect([name, values.length]).toEqual([name, 1]);
  return values[0];
}

/** Root without capabilities but these, and without a way to new ones, as the unit has it. */
function bounded(capabilities: string, group?: string): string[] {
  const kept = capabilities.split(' ').map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`);
  const groups = group === undefined ? '--clear-groups' : `--groups=${group}`;
  return ['setpriv', '--no-new-privs', '--inh-caps=-all', `--bounding-set=-all,${kept.join(',')}`, groups, '--'];
}

describe('systemd-analyze', () => {
  let directory: string;
  beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'acsplit-units-'))));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  // It looks for the programs; acsplit is not installed on the machine of a test.
  beforeEach(() => {
    for (const unit of UNITS)
      writeFileSync(join(directory, unit), textOf(unit).replaceAll(/^(Exec\w+=\+?)acsplit /gm, '$1/bin/true '));
  });
  const analyze = (...words: string[]) => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', words, { encoding: 'utf8', cwd: directory });
    return { status, said: stdout + stderr };
  };
  const verify = () => analyze('verify', '--man=no', ...UNITS.map((unit) => join(directory, instanceOf(unit))));

  test('verify finds nothing wrong', () => {
    expect(verify()).toEqual({ status: 0, said: '' });
  });

  test.each(UNITS)('verify finds something wrong with %s when there is', (unit) => {
    appendFileSync(join(directory, unit), '[Unit]\nCollectMode=perhaps\n');
    expect(verify().said).toContain('perhaps');
  });

  test.each(SERVICES)('security: little is left to take away from %s', (unit) => {
    // Tenths of its exposure level, of which a unit without settings has 96.
    const words = ['security', '--offline=yes', '--no-pager', '--threshold=25', join(directory, instanceOf(unit))];
    copyFileSync(join(directory, unit), join(directory, instanceOf(unit)));
    const { status, said } = analyze(...words);
    if (unit.includes('@')) rmSync(join(directory, instanceOf(unit)));
    expect([status, said.split('\n').find((line) => line.includes('Overall'))]).toEqual([0, expect.any(String)]);
  });

  test.each([
    ['acsplit.service', 'acsplit@.service'],
    ['acsplit-rules.service', 'acsplit-rules@.service'],
    ['acsplit-rules.timer', 'acsplit-rules@.timer'],
  ] as const)('%s and %s differ in nothing but the instance', (one, template) => {
    const settings = (text: string) => text.replace(/^#.*\n/gm, '');
    const ofNone = settings(textOf(template))
      .replaceAll('@%i', '')
      .replaceAll(/,? (of )?instance %i/g, '')
      .replaceAll(' -c /etc/acsplit/%i.yaml', '')
      .replaceAll('acsplit-%i', 'acsplit');
    expect(ofNone).toBe(settings(textOf(one)));
  });
});

if (process.env.ACSPLIT_SYSTEMD === 'real') describe('under a systemd of their own', bootedUnits);

const hosts = new Map<BackEnd, RulesHost>();
beforeAll(async () => {
  for (const backEnd of BACK_ENDS) hosts.set(backEnd, await RulesHost.create(backEnd, { cpes: [CPE] }));
});
afterAll(async () => {
  for (const host of hosts.values()) await host.close();
});

describe.each(BACK_ENDS)('with the rights that the unit gives, and iptables-%s', (backEnd) => {
  let host: RulesHost;
  beforeAll(() => void (host = hosts.get(backEnd)!));

  test('the bundle is installed, the engine runs, a session passes, and all is taken back', async () => {
    host.configure(host.configurationText.replace(/fastPath: \w+/, 'fastPath: on'));
    // With all of root's rights, as `+` says.
    expect(setting('ExecStartPre')).toMatch(/^\+sh -c '.*exec acsplit rules install'$/);
    expect(host.rules('install')).toMatchObject({ status: 0, stderr: '' });
    const run = [...bounded(setting('CapabilityBoundingSet')), ...cli(host.world, 'run', '-c', host.configuration)];
    expect(host.rules('check')).toMatchObject({ status: 0, stderr: '' });
    const engine = host.world.start('split', run);
    await until(() => readStatus(host)?.ready === true, 'the engine to be ready');
    expect(readStatus(host)?.fastPath).toMatchObject({ carries: true, reason: null });
    const service = await host.listen('itms', itms, 7547);
    await host.talk('cpe', CPE, acs, 7547);
    expect(readStatus(host)?.packets.byReason).toMatchObject({ 'to-itms': expect.any(Number) as number });
    for (const pid of [engine.pid!, readStatus(host)!.workers[0].pid]) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(/^CapEff:\t(\w+)$/m.exec(status)?.[1]).toBe('0000008000001000');
    }
    await service.stop();
    await end(engine);
    expect(engine.exitCode).toBe(0);
    expect(host.rules('remove')).toMatchObject({ status: 0, stderr: '' });
    expect(host.savedRules()).not.toContain('ACSPLIT');
  });

  test('the rules are restored with only the rights that their own unit gives', () => {
    const [, kept] = /^CapabilityBoundingSet=(.*)$/m.exec(textOf('acsplit-rules.service'))!;
    const acsplit = (words: string) => [...bounded(kept), ...cli(host.world, 'rules', words, '-c', host.configuration)];
    expect(host.run(acsplit('check'))).toMatchObject({ status: 1, stderr: '' });
    expect(host.run(acsplit('install'))).toMatchObject({ status: 0, stderr: '' });
    expect(host.run(acsplit('check'))).toMatchObject({ status: 0, stderr: '' });
    expect(host.rules('remove')).toMatchObject({ status: 0, stderr: '' });
  });

  test('the rules take more than that: one line, and nothing is left of them', () => {
    const install = cli(host.world, 'rules', 'install', '-c', host.configuration);
    const { status, stderr } = host.run([...bounded(setting('CapabilityBoundingSet')), ...install]);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^acsplit: [^\n]*CAP_NET_RAW[^\n]*\n$/)]);
    expect(host.state()).not.toContain('ACSPLIT');
  });
});

describe('the control socket of a group', () => {
  let host: RulesHost;
  let before: string;
  beforeAll(() => {
    host = hosts.get('nft')!;
    before = host.configurationText;
    host.configure(`${before}controlGroup: ${GROUP}\n`);
  });
  afterAll(() => host.configure(before));

  const connectAs = (group: string) => {
    const program = `import socket; socket.socket(socket.AF_UNIX).connect("${host.world.directory}/state/control.sock")`;
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', `--groups=${group}`, '--', PYTHON];
    return host
      .run([...nobody, '-c', program])
      .stderr.trimEnd()
      .split('\n')
      .at(-1);
  };

  test('without membership, and without CAP_CHOWN, the engine names what is missing', () => {
    const run = cli(host.world, 'run', '-c', host.configuration);
    const { status, stderr } = host.run([...bounded(setting('CapabilityBoundingSet')), ...run]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^acsplit: controlGroup: [^\n]+SupplementaryGroups=\n$/),
    ]);
    expect(existsSync(join(host.world.directory, 'state/control.sock'))).toBe(false);
  });

  test('as a member it serves root and the group only', async () => {
    const engine = host.world.start('split', [
      ...bounded(setting('CapabilityBoundingSet'), GROUP),
      ...cli(host.world, 'run', '-c', host.configuration),
    ]);
    await until(() => readStatus(host)?.ready === true, 'the engine to be ready');
    const { mode, uid } = statSync(join(host.world.directory, 'state/control.sock'));
    expect([mode & 0o777, uid]).toEqual([0o660, 0]);
    spawnSync('chmod', ['711', host.world.directory]);
    expect(connectAs(GROUP)).toBe('');
    expect(connectAs('mail')).toMatch(/Permission denied/);
    await end(engine);
  });
});

/** Listens where systemd would, on the router; what comes is put into `told`. */
async function listenAt(host: RulesHost, socket: string, told: string[]): Promise<ChildProcess> {
  const listener = host.world.start('split', [PYTHON, DATAGRAMS, socket]);
  readline.createInterface({ input: listener.stdout! }).on('line', (line) => told.push(JSON.parse(line) as string));
  await until(() => told.shift() === 'listening', 'the listener');
  return listener;
}

describe('what systemd is told', () => {
  let host: RulesHost;
  let engine: ChildProcess;
  const told: string[] = [];
  beforeAll(async () => {
    host = hosts.get('nft')!;
    const socket = join(host.world.directory, 'notify');
    await listenAt(host, socket, told);
    // A sign of life every 300 ms.
    const watched = ['env', `NOTIFY_SOCKET=${socket}`, 'WATCHDOG_USEC=900000'];
    engine = host.world.start('split', [...watched, ...cli(host.world, 'run', '-c', host.configuration)]);
  });
  const signs = () => told.filter((text) => text === 'WATCHDOG=1').length;
  const others = () => told.filter((text) => text !== 'WATCHDOG=1');
  const more = (count = signs()) => until(() => signs() > count + 1, 'more signs of life');

  test('ready once verdicts flow, and from then on that it lives', async () => {
    await until(() => told.length > 0, 'a word');
    expect(told[0]).toBe('READY=1\nSTATUS=verdicts flow');
    expect(readStatus(host)?.ready).toBe(true);
    await more();
  });

  test('nothing of it reaches the worker', () => {
    const environment = readFileSync(`/proc/${readStatus(host)!.workers[0].pid}/environ`, 'utf8');
    expect(environment).toContain('PATH=');
    expect(environment).not.toMatch(/NOTIFY_SOCKET|WATCHDOG_/);
  });

  test('a reload begins, at a time of its own clock, and ends', async () => {
    const begun = process.hrtime.bigint() / 1000n;
    engine.kill('SIGHUP');
    await until(() => others().length === 3, 'the end of the reload');
    const [, reloading, ready] = others();
    const time = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading)?.[1] ?? '0');
    expect(time >= begun && time <= process.hrtime.bigint() / 1000n).toBe(true);
    expect(ready).toMatch(/^READY=1\n/);
  });

  test('a stopped worker is not reported alive; one that continues is', async () => {
    const { pid } = readStatus(host)!.workers[0];
    const stayTheSame = async (ms: number) => {
      const before = signs();
      await new Promise((resolve) => setTimeout(resolve, ms));
      return signs() === before || undefined;
    };
    process.kill(pid, 'SIGSTOP');
    // What was answered before may still be under way.
    await eventually('the signs of life to stop', () => stayTheSame(1000));
    expect(await stayTheSame(1000)).toBe(true);
    process.kill(pid, 'SIGCONT');
    await more();
  });

  test('that it ends, and nothing after that', async () => {
    await end(engine);
    expect(engine.exitCode).toBe(0);
    await until(() => others().length === 4, 'the last word');
    expect(told.at(-1)).toBe('STOPPING=1');
  });
});

test('a name in the abstract namespace is one', async () => {
  const told: string[] = [];
  const socket = '@acsplit/notify';
  const listener = await listenAt(hosts.get('nft')!, socket, told);
  const addon = join(__dirname, '../../build/Release/acsplit.node');
  hosts
    .get('nft')!
    .must([process.execPath, '-e', `require(${JSON.stringify(addon)}).sendDatagram('${socket}', 'ä=1\\n')`]);
  await until(() => told.length > 0, 'a word');
  expect(told).toEqual(['ä=1\n']);
  await end(listener);
});

test.each([
  ['there', '/nowhere/notify', 'ENOENT'],
  ['a socket', 'vsock:2:1234', 'EAFNOSUPPORT'],
])('a service manager that is not %s is one line in the log, and no failure', async (_, socket, code) => {
  const host = hosts.get('nft')!;
  const engine = host.world.start('split', [
    ...['env', `NOTIFY_SOCKET=${socket}`, 'WATCHDOG_USEC=300000'],
    ...cli(host.world, 'run', '-c', host.configuration),
  ]);
  let log = '';
  engine.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await until(() => readStatus(host)?.ready === true && log.includes('notify-failed'), 'the engine to be ready');
  await end(engine);
  const lines = log.split('\n').filter((line) => line.includes('notify-failed'));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0])).toMatchObject({ level: 'warn', path: socket, code });
});

function readStatus(host: RulesHost): Status | undefined {
  const { status, stdout } = host.run(cli(host.world, 'status', '--json', '-c', host.configuration));
  return status === 0 ? (JSON.parse(stdout) as Status) : undefined;
}
