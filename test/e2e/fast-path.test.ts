/**
 * The fast path on: the kernel carries undiverted sessions, and diverted ones between their SYN+ACK and their end;
 * connections to the ITMS's own address are nobody's. Engines die and come back, filters of others stay.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute, isAlive } from '../../src/lab/namespaces';
import { cli, configurationText, Engine } from '../../src/lab/engine';
import { type Status } from '../../src/engine/report/status';
import { PRIORITY } from '../../src/steering/fast-path/place';
import { ADDRESSES, cpeAddress, FAMILY } from './support/family';
import { eventually } from './support/run-host';
import { End, hangUp, talk } from './support/tcp-end';
import { type ReportConnection, TcpStage } from './support/tcp-stage';
import { PYTHON } from '../support/tools';

jest.setTimeout(180_000);

const [CPE, WOKEN, DIRECT] = [1, 2, 3].map((host) => cpeAddress(1, host)) as [string, string, string];
const LINKS = ['eth0', 'eth1', 'eth2'];

let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes: [CPE, WOKEN, DIRECT], fastPath: 'on' });
});
afterAll(() => stage?.close());

async function fastPath(): Promise<Status['fastPath']> {
  return (await stage.status()).fastPath;
}

async function counted(name: string): Promise<number> {
  return (await fastPath()).packets[name] ?? 0;
}

function tc(...words: string[]): Promise<string> {
  return stage.world.run('split', ['tc', ...words]);
}

function acsplit(...words: string[]): Promise<string> {
  return stage.world.run('split', cli(stage.world, ...words, '-c', stage.engine.configurationFile));
}

async function killEngine(): Promise<void> {
  process.kill(stage.engine.pid, 'SIGKILL');
  await eventually('the engine to die', () => !isAlive(stage.engine.pid) || undefined);
}

it('is attached to all interfaces', async () => {
  expect(await fastPath()).toMatchObject({ mode: 'on', carries: true, interfaces: LINKS, reason: null });
});

it('of an undiverted session the engine decides the SYN alone, and is told of the SYN+ACK', async () => {
  const before = (await stage.status()).packets.received;
  const [to, from] = [await counted('carried-to-itms'), await counted('carried-from-itms')];

  expect(await stage.session(CPE)).toBe('itms');

  const after = await stage.status();
  expect(after.packets.received - before).toBe(1);
  expect(after.packets.byReason['report-to-itms']).toBeUndefined();
  expect((after.fastPath.packets['carried-to-itms'] ?? 0) - to).toBeGreaterThan(3);
  expect((after.fastPath.packets['carried-from-itms'] ?? 0) - from).toBeGreaterThan(2);
  await stage.expectOneServerEach();
});

/** What the engine has decided on report connections that it has diverted. */
async function decidedOfDiverted(): Promise<number> {
  const { byReason } = (await stage.status()).packets;
  return ['report-to-owner', 'report-answered', 'report-finished', 'report-reset']
    .map((reason) => byReason[reason] ?? 0)
    .reduce((sum, one) => sum + one);
}

it('of a diverted session the engine sees how it begins and ends, and the next one is the ITMS’s', async () => {
  const carried = (await counted('carried-to-itms')) + (await counted('carried-from-itms'));
  await stage.wake('c1', WOKEN);
  const connection = await stage.connect(WOKEN);
  expect(connection.server).toBe('c1');
  const before = await decidedOfDiverted();
  const [to, from] = [await counted('carried-to-collector'), await counted('carried-from-collector')];
  for (let i = 0; i < 5; i++) await talk(connection);
  expect((await counted('carried-to-collector')) - to).toBeGreaterThanOrEqual(5);
  expect((await counted('carried-from-collector')) - from).toBeGreaterThanOrEqual(5);
  expect(await decidedOfDiverted()).toBe(before);
  await eventually('the flow to be counted', async () => (await fastPath()).flows === 1 || undefined);
  expect((await stage.entries('connections', WOKEN)).map(({ phase }) => phase)).toEqual(['established']);
  expect(await stage.activation(WOKEN)).toMatchObject({ phase: 'consumed' });
  await hangUp(connection);
  await eventually('no flow', async () => (await fastPath()).flows === 0 || undefined);
  expect(await decidedOfDiverted()).toBeGreaterThan(before);
  expect((await counted('carried-to-itms')) + (await counted('carried-from-itms'))).toBe(carried);
  await stage.untilOver(WOKEN);
  expect(await stage.session(WOKEN)).toBe('itms');
  expect((await counted('carried-to-itms')) + (await counted('carried-from-itms'))).toBeGreaterThan(carried);
  await stage.expectOneServerEach();
});

it('running connections outlive the engine, diverted ones too', async () => {
  const undiverted = await stage.connect(CPE);
  await talk(undiverted);
  await stage.wake('c1', WOKEN);
  const diverted = await stage.connect(WOKEN);
  await talk(diverted);
  expect([undiverted.server, diverted.server]).toEqual(['itms', 'c1']);

  await killEngine();
  await talk(undiverted);
  await talk(diverted);
  await talk(undiverted);

  stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
  expect(await fastPath()).toMatchObject({ carries: true, interfaces: LINKS });
  await talk(diverted);
  await talk(undiverted);
  await hangUp(diverted);
  await hangUp(undiverted);
  await stage.expectOneServerEach();
});

it('an engine takes over the maps of a dead one by their pins, where their file system has stayed', async () => {
  // As systemd or an operator mounts it: `ip netns exec` gives each engine mounts of its own, which die with it.
  const pins = join(stage.world.directory, 'state', 'fast-path');
  await killEngine();
  await execute(['mount', '-t', 'bpf', 'bpf', pins]);
  try {
    stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
    await stage.wake('c1', WOKEN);
    const [diverted, undiverted] = [await stage.connect(WOKEN), await stage.connect(CPE)];
    await talk(undiverted);
    const before = await counted('carried-to-itms');
    const filter = await tc('filter', 'show', 'dev', 'eth0', 'ingress');

    await killEngine();
    await talk(undiverted);
    stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);

    // Counters are a map like the others; a fresh one would begin at 0.
    expect(await counted('carried-to-itms')).toBeGreaterThan(before);
    expect(await tc('filter', 'show', 'dev', 'eth0', 'ingress')).not.toBe(filter);
    await talk(diverted);
    await talk(undiverted);
    expect([diverted.server, undiverted.server]).toEqual(['c1', 'itms']);
    await hangUp(undiverted);

    // While the kernel serves alone, the CPE boots onto the port of its diverted connection.
    const { port } = diverted.cpe;
    await killEngine();
    await stage.whileDropping('cpe', `OUTPUT -p tcp -s ${WOKEN}`, () => diverted.cpe.reset());
    const booted = await stage.connect(WOKEN, { fromPort: port });
    expect(booted.server).toBe('itms');
    await talk(booted);
    stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
    const remembered = await stage.entries('connections', WOKEN);
    expect(remembered.filter(({ cpePort }) => cpePort === port)).toEqual([]);
    await talk(booted);
    await hangUp(booted);
    await stage.expectOneServerEach();
    expect(readdirSync(pins)).toEqual(expect.arrayContaining(['flows4', 'flows6', 'foreign4', 'program']));
    await killEngine();
    await acsplit('rules', 'remove');
    expect(existsSync(pins)).toBe(false);
  } finally {
    if (existsSync(pins)) await execute(['umount', '--lazy', pins]);
  }
  await acsplit('rules', 'install');
  stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
  expect(await stage.session(CPE)).toBe('itms');
});

it('a worker that dies changes nothing', async () => {
  await stage.wake('c1', WOKEN);
  const diverted = await stage.connect(WOKEN);
  const [{ pid, restarts }] = (await stage.status()).workers as [{ pid: number; restarts: number }];
  process.kill(pid, 'SIGKILL');
  await eventually('another worker', async () => {
    const status = await stage.status();
    return (status.ready && status.workers[0]!.restarts > restarts) || undefined;
  });
  await talk(diverted);
  expect(diverted.server).toBe('c1');
  await hangUp(diverted);
  await stage.untilOver(WOKEN);
  expect(await stage.session(WOKEN)).toBe('itms');
  await stage.expectOneServerEach();
});

it('a session whose SYN was repeated while the engine stood still goes through the engine, in order', async () => {
  const before = await counted('overtaking');
  const { pid } = (await stage.status()).workers[0]!;
  process.kill(pid, 'SIGSTOP');
  let connecting: Promise<ReportConnection>;
  try {
    connecting = stage.connect(CPE);
    await eventually('the SYN to be repeated', async () => {
      const { queues } = await stage.status();
      return queues.some(({ side, waiting }) => side === 'cpe' && waiting! >= 2) || undefined;
    });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const connection = await connecting;
  await talk(connection);
  expect(await counted('overtaking')).toBeGreaterThan(before);
  const carried = await counted('carried-to-itms');
  await talk(connection);
  expect(await counted('carried-to-itms')).toBe(carried);
  await hangUp(connection);
  await stage.expectOneServerEach();
});

/** A filter of somebody else, which drops all that it sees: tc-bpf(8), classic BPF that returns TC_ACT_SHOT. */
async function whileDropping(priority: number, happen: () => Promise<void>): Promise<void> {
  const place = ['dev', 'eth0', 'ingress', 'protocol', 'all', 'prio', String(priority)];
  await tc('filter', 'add', ...place, 'handle', '1', 'bpf', 'direct-action', 'bytecode', '1,6 0 0 2,');
  try {
    await happen();
  } finally {
    await tc('filter', 'delete', ...place);
  }
}

/** Whether a SYN, which is passed on, finds its way. */
function refused(): Promise<unknown> {
  return expect(stage.dial(DIRECT, { timeoutMs: 700 })).rejects.toThrow();
}

it('a filter before ours decides first, one behind ours sees what is passed on', async () => {
  const connection = await stage.connect(CPE);
  await talk(connection);
  await whileDropping(60_000, async () => {
    await talk(connection);
    await refused();
  });
  const carried = await counted('carried-to-itms');
  await whileDropping(1, async () => {
    await connection.cpe.send('dropped at first');
    expect(await counted('carried-to-itms')).toBe(carried);
  });
  expect((await connection.far.receive('dropped at first'.length)).text).toBe('dropped at first');
  await hangUp(connection);
});

it('leaves a frame with a VLAN tag alone', async () => {
  const before = await counted('vlan-tag');
  const mac = async (role: 'cpe' | 'split') =>
    (await stage.world.run(role, ['cat', '/sys/class/net/eth0/address'])).trim().replaceAll(':', '');
  const type = CPE.includes(':') ? '86dd' : '0800';
  const frame = `${await mac('split')}${await mac('cpe')}81000064${type}${'00'.repeat(46)}`;
  const send = `import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0)); s.send(bytes.fromhex("${frame}"))`;
  await stage.world.run('cpe', [PYTHON, '-c', send]);
  await eventually('the tag to be counted', async () => (await counted('vlan-tag')) > before || undefined);
});

it('sends a traced CPE’s packets to the engine while it is traced', async () => {
  const connection = await stage.connect(CPE);
  // What the program has just found out about such packets is void.
  await talk(connection);
  await stage.control('packets', { cpe: CPE });
  const before = (await stage.status()).packets.byReason['report-to-itms'] ?? 0;
  await talk(connection);
  expect((await stage.status()).packets.byReason['report-to-itms']).toBeGreaterThan(before);
  expect(await counted('watched')).toBeGreaterThan(0);
  await hangUp(connection);
  await stage.expectOneServerEach();
});

it('a CPE reaches the report port at the ITMS’s own address', async () => {
  const order = { from: DIRECT, to: ADDRESSES.itms, toPort: 7547 };
  const { socket, port } = await stage.peers.cpe.ask<{ socket: number; port: number }>('connect', order);
  const { server, far } = await stage.accepted(DIRECT, port);
  expect(server).toBe('itms');
  const direct = { cpe: new End(stage.peers.cpe, socket, port), far };
  await talk(direct);
  expect(await counted('direct')).toBeGreaterThan(1);
  expect(await counted('foreign')).toBeGreaterThan(1);
  await hangUp(direct);
});

it('takes its filters away with the rules, and leaves those of others and their qdisc', async () => {
  await tc('qdisc', 'replace', 'dev', 'lo', 'clsact');
  const place = ['dev', 'eth0', 'ingress', 'protocol', 'all', 'prio', '9'];
  await tc('filter', 'add', ...place, 'handle', '1', 'bpf', 'direct-action', 'bytecode', '1,6 0 0 4294967295,');
  expect(await tc('filter', 'show', 'dev', 'eth0', 'ingress')).toContain(`pref ${PRIORITY} bpf`);
  expect(await tc('qdisc', 'show', 'dev', 'eth1')).toContain('clsact');

  await acsplit('rules', 'remove');

  expect(await tc('filter', 'show', 'dev', 'eth0', 'ingress')).not.toContain(`pref ${PRIORITY} bpf`);
  expect(await tc('filter', 'show', 'dev', 'eth0', 'ingress')).toContain('pref 9 bpf');
  expect(await tc('qdisc', 'show', 'dev', 'eth0')).toContain('clsact');
  expect(await tc('qdisc', 'show', 'dev', 'eth1')).not.toContain('clsact');
  expect(await tc('qdisc', 'show', 'dev', 'lo')).toContain('clsact');
  await eventually('the engine to see it', async () => !(await fastPath()).carries || undefined);
});

describe('where the kernel cannot do what the network stack would do', () => {
  const configure = (mode: 'auto' | 'on') =>
    writeFileSync(
      stage.engine.configurationFile,
      configurationText(stage.world.directory, { family: FAMILY, secondCollector: true, fastPath: mode }),
    );

  beforeAll(async () => {
    await killEngine();
    await stage.world.run('split', ['ip', 'rule', 'add', 'fwmark', '1', 'lookup', 'main']);
  });

  it('`on` refuses to start, and says why', async () => {
    configure('on');
    await expect(acsplit('run')).rejects.toThrow('fastPath is on, but an ip rule routes by fwmark');
  });

  it('`auto` says why, and goes on without', async () => {
    configure('auto');
    await acsplit('rules', 'install');
    stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
    expect(stage.engine.events('fast-path')).toMatchObject([{ level: 'warn', reason: 'an ip rule routes by fwmark' }]);
    expect(await fastPath()).toMatchObject({ mode: 'auto', carries: false, reason: 'an ip rule routes by fwmark' });
    expect(await stage.session(WOKEN)).toBe('itms');
  });
});
