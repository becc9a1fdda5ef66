/**
 * The host changes under an engine whose fast path is on: routes, rules, interfaces, other people's filters, its own
 * configuration. The kernel stops carrying where it would do otherwise than the network stack, and carries again, each said
 * once; sessions go on either way.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Status } from '../../src/engine/report/status';
import { cli, Engine } from '../../src/lab/engine';
import { execute, isAlive } from '../../src/lab/namespaces';
import { handleOf, PRIORITY } from '../../src/steering/fast-path/place';
import { ADDRESSES, cpeAddress, FAMILY } from './support/family';
import { eventually } from './support/run-host';
import { End, hangUp, talk } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';

jest.setTimeout(180_000);

const [CPE, WOKEN] = [1, 2].map((host) => cpeAddress(1, host)) as [string, string];
const LINKS = ['eth0', 'eth1', 'eth2'];
const isIpv4 = FAMILY === 'ipv4';
const BITS = isIpv4 ? { host: 32, cpes: 16, servers: 24 } : { host: 128, cpes: 64, servers: 64 };
const OTHER_ITMS = `${ADDRESSES.itms}9`;

let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes: [CPE, WOKEN], fastPath: 'auto' });
});
afterAll(() => stage?.close());

const fastPath = async (): Promise<Status['fastPath']> => (await stage.status()).fastPath;
const split = (...words: string[]): Promise<string> => stage.world.run('split', words);
const ip = (...words: string[]): Promise<string> => split('ip', isIpv4 ? '-4' : '-6', ...words);
const acsplit = (...words: string[]): Promise<string> =>
  split(...cli(stage.world, ...words, '-c', stage.engine.configurationFile));
const filters = (link: string): Promise<string> => split('tc', 'filter', 'show', 'dev', link, 'ingress');

async function carriedPackets(): Promise<number> {
  const packets = Object.entries((await fastPath()).packets);
  return packets.reduce((sum, [outcome, count = 0]) => sum + (outcome.startsWith('carried') ? count : 0), 0);
}

async function untilStatus(fits: (told: Status['fastPath']) => boolean): Promise<Status['fastPath']> {
  let told = await fastPath();
  return eventually(`another fast path than ${JSON.stringify(told)}`, async () => {
    told = await fastPath();
    return fits(told) ? told : undefined;
  });
}
const untilStopped = (why: string) => untilStatus(({ reason }) => reason?.includes(why) === true);
const untilCarried = () =>
  untilStatus(({ carries, reason, interfaces }) => carries && reason === null && interfaces.length === LINKS.length);

/** A session is carried, or is not. */
async function sessionCarried(): Promise<boolean> {
  const before = await carriedPackets();
  expect(await stage.session(CPE)).toBe('itms');
  return (await carriedPackets()) > before;
}

/** Lines of the log since the last look. */
let seen = 0;
function logged(): string[] {
  const events = stage.engine.events('fast-path');
  const news = events.slice(seen).map(({ level, reason }) => `${level as string}: ${(reason as string) ?? 'carries'}`);
  seen = events.length;
  return news;
}

async function killEngine(): Promise<void> {
  process.kill(stage.engine.pid, 'SIGKILL');
  await eventually('the engine to die', () => !isAlive(stage.engine.pid) || undefined);
}

async function startEngine(): Promise<void> {
  stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
  seen = 0;
}

function configure(change: (text: string) => string): void {
  const file = stage.engine.configurationFile;
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

it('an ip rule by fwmark stops it while it stands; running connections go on', async () => {
  await untilCarried();
  expect(logged()).toEqual(['info: carries']);
  const connection = await stage.connect(CPE);
  await talk(connection);

  await ip('rule', 'add', 'fwmark', '1', 'lookup', 'main');
  expect(await untilStopped('fwmark')).toMatchObject({ carries: false, interfaces: [] });
  expect((await Promise.all(LINKS.map(filters))).join('')).not.toContain(`pref ${PRIORITY}`);
  await talk(connection);
  expect(await sessionCarried()).toBe(false);

  await ip('rule', 'delete', 'fwmark', '1', 'lookup', 'main');
  await untilCarried();
  const before = await carriedPackets();
  await talk(connection);
  await hangUp(connection);
  expect(await carriedPackets()).toBeGreaterThan(before);
  expect(logged()).toEqual(['warn: an ip rule routes by fwmark', 'info: carries']);
});

if (isIpv4)
  it('so does a route with an MTU that is not locked, and not what a path’s MTU has been learnt to be', async () => {
    const route = [`${ADDRESSES.itms}/${BITS.host}`, 'dev', 'eth1'];
    await ip('route', 'add', ...route, 'mtu', '1400');
    await untilStopped('not locked');
    expect(await sessionCarried()).toBe(false);
    await ip('route', 'replace', ...route, 'mtu', 'lock', '1400');
    await untilCarried();
    expect(await sessionCarried()).toBe(true);
    await ip('route', 'delete', ...route);
    expect(logged()).toEqual([expect.stringMatching(/^warn: .*not locked.* mtu 1400/), 'info: carries']);
  });

it('another program’s filter in our place is left alone, and ours attached once it has gone', async () => {
  const place = ['dev', 'eth0', 'ingress', 'protocol', 'all', 'prio', String(PRIORITY)];
  const handle = ['handle', `0x${handleOf('default').toString(16)}`, 'bpf'];
  await split('tc', 'filter', 'delete', ...place, ...handle);
  await split('tc', 'filter', 'add', ...place, ...handle, 'direct-action', 'bytecode', '1,6 0 0 4294967295,');
  const why = `eth0 has another program's filter at priority ${PRIORITY}`;
  expect(await untilStopped(why)).toMatchObject({ carries: true, interfaces: ['eth1', 'eth2'] });
  expect(await acsplit('doctor').catch(String)).toContain(`the kernel does not carry everywhere: ${why}`);
  expect(await acsplit('status')).toContain(`not everywhere: ${why}`);
  // Towards the CPEs.
  expect(await sessionCarried()).toBe(true);

  await split('tc', 'filter', 'delete', ...place, ...handle);
  await untilCarried();
  expect(logged()).toEqual([expect.stringContaining(`error: ${why}`), 'info: carries']);
});

it('an interface without Ethernet header in the place of one with it stops it', async () => {
  await split('ip', 'link', 'set', 'eth1', 'name', 'was1');
  await split('ip', 'tuntap', 'add', 'eth1', 'mode', 'tun');
  await untilStopped('eth1 has no Ethernet header');
  await split('ip', 'link', 'delete', 'eth1');
  await split('ip', 'link', 'set', 'was1', 'name', 'eth1');
  await untilCarried();
  expect(await sessionCarried()).toBe(true);
  expect(logged()).toEqual(['warn: eth1 has no Ethernet header', 'info: carries']);
});

it('rules remove takes it away from a running engine, rules install brings it back', async () => {
  await acsplit('rules', 'remove');
  await untilStopped('removed with the rules');
  expect(await filters('eth1')).toBe('');
  await acsplit('rules', 'install');
  await untilCarried();
  expect(await sessionCarried()).toBe(true);
  expect(logged()).toEqual(['warn: removed with the rules', 'info: carries']);
});

describe('a reload', () => {
  const reload = async (change: (text: string) => string): Promise<void> => {
    const before = stage.engine.events('reload').length;
    configure(change);
    await acsplit('rules', 'install');
    process.kill(stage.engine.pid, 'SIGHUP');
    await eventually('the reload', () => stage.engine.events('reload').length > before || undefined);
  };

  it('that changes the ITMS’s address: new sessions are carried there, a diverted one goes on', async () => {
    await stage.wake('c1', WOKEN);
    const diverted = await stage.connect(WOKEN);
    await talk(diverted);
    const add = ['address', 'add', `${OTHER_ITMS}/${BITS.servers}`, 'dev', 'eth0', ...(isIpv4 ? [] : ['nodad'])];
    await stage.world.run('itms', ['ip', ...add]);
    await stage.peers.itms.ask('listen', { address: OTHER_ITMS, port: 7547 });
    await reload((text) => text.replace(`address: ${ADDRESSES.itms} `, `address: ${OTHER_ITMS} `));

    const before = await carriedPackets();
    const cpe = await stage.dial(CPE);
    const far = await eventually('the other ITMS', () => {
      const fits = stage.peers.itms.events.find(
        (event) => event.event === 'accepted' && event.address === OTHER_ITMS && event.fromPort === cpe.port,
      );
      return fits?.event === 'accepted' ? new End(stage.peers.itms, fits.socket, fits.port) : undefined;
    });
    await talk({ cpe, far });
    await hangUp({ cpe, far });
    expect(await carriedPackets()).toBeGreaterThan(before);
    await talk(diverted);

    await reload((text) => text.replace(`address: ${OTHER_ITMS} `, `address: ${ADDRESSES.itms} `));
    await talk(diverted);
    await hangUp(diverted);
    await stage.untilOver(WOKEN);
    expect(await sessionCarried()).toBe(true);
  });

  it('that takes a collector away and brings it back', async () => {
    const line = /^ {2}- \{ name: c2.*\n/m.exec(readFileSync(stage.engine.configurationFile, 'utf8'))![0];
    await reload((text) => text.replace(line, ''));
    expect(await sessionCarried()).toBe(true);
    await reload((text) => text.replace('reportPorts', `${line}reportPorts`));
    await stage.wake('c2', WOKEN);
    expect(await stage.session(WOKEN)).toBe('c2');
    await stage.untilOver(WOKEN);
    expect(await sessionCarried()).toBe(true);
    await untilCarried();
  });
});

it('maps of another shape are replaced, filters of the dead engine too', async () => {
  const pins = join(stage.world.directory, 'state', 'fast-path');
  await killEngine();
  await execute(['mount', '-t', 'bpf', 'bpf', pins]);
  try {
    const map = ['type', 'hash', 'key', '4', 'value', '4', 'entries', '8', 'name', 'other'];
    await execute(['bpftool', 'map', 'create', join(pins, 'flows4'), ...map]);
    await startEngine();
    await untilCarried();
    expect(logged()).toEqual(['info: carries']);
    expect(await sessionCarried()).toBe(true);
    const shown = await execute(['bpftool', '--json', 'map', 'show', 'pinned', join(pins, 'flows4')]);
    expect((JSON.parse(shown) as { name: string }).name).toBe('flows4');
    expect((await filters('eth0')).match(new RegExp(`pref ${PRIORITY} bpf .*handle`, 'g'))).toHaveLength(1);
    expect(readdirSync(pins)).toContain('program');
    await stage.expectOneServerEach();
  } finally {
    await execute(['umount', '--lazy', pins]);
  }
});

it('an interface that is deleted and created again is carried from again', async () => {
  const connection = await stage.connect(CPE);
  const index = await split('cat', '/sys/class/net/eth0/ifindex').catch(() => '');
  await ip('link', 'delete', 'eth0');
  await untilStatus(({ interfaces }) => !interfaces.includes('eth0'));
  await ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', stage.world.namespace('cpe'));
  const noDad = isIpv4 ? [] : ['nodad'];
  await ip('address', 'add', `${ADDRESSES.acs}/${BITS.cpes}`, 'dev', 'eth0', ...noDad);
  await ip('link', 'set', 'eth0', 'up');
  const cpe = (...words: string[]) => stage.world.run('cpe', ['ip', isIpv4 ? '-4' : '-6', ...words]);
  for (const address of [CPE, WOKEN]) await cpe('address', 'add', `${address}/${BITS.cpes}`, 'dev', 'eth0', ...noDad);
  await cpe('link', 'set', 'eth0', 'up');
  await cpe('route', 'add', 'default', 'via', ADDRESSES.acs);
  await untilCarried();
  expect(await split('cat', '/sys/class/net/eth0/ifindex').catch(() => '-')).not.toBe(index);
  await talk(connection);
  await hangUp(connection);
  expect(await sessionCarried()).toBe(true);
  expect(logged()).toEqual([]);
});

describe('without the right to it', () => {
  const RIGHTS = 'no right to load BPF programs (CAP_BPF and CAP_NET_ADMIN, and no user namespace)';
  const without = ['setpriv', '--bounding-set=-bpf,-sys_admin', '--inh-caps=-all', '--'];

  beforeAll(killEngine);

  it('`auto` says so once, and serves as without it', async () => {
    stage.engine = await Engine.run(stage.world, stage.engine.configurationFile, without);
    seen = 0;
    const nothing = { mode: 'auto', loaded: false, carries: false, interfaces: [], flows: 0, packets: {} };
    expect(await fastPath()).toEqual({ ...nothing, reason: RIGHTS });
    expect(await stage.session(CPE)).toBe('itms');
    await stage.wake('c1', WOKEN);
    expect(await stage.session(WOKEN)).toBe('c1');
    expect(logged()).toEqual([`warn: ${RIGHTS}`]);
    const told = (await acsplit('doctor').catch(String)).split('\n').filter((line) => line.includes(RIGHTS));
    expect(told).toEqual([expect.stringMatching(/^ok /)]);
    await killEngine();
  });

  it.each([
    ['without CAP_BPF', without],
    ['in a user namespace', ['unshare', '--user', '--map-root-user', '--net', '--mount', 'sh', '-c']],
  ])('`on` refuses, %s', async (_, through) => {
    configure((text) => text.replace('fastPath: auto', 'fastPath: on'));
    const run = cli(stage.world, 'run', '-c', stage.engine.configurationFile);
    const links = LINKS.map((link) => `ip link add ${link} type veth peer name ${link}-`);
    const argv = through[0] === 'unshare' ? [...through, [...links, run.join(' ')].join(' && ')] : [...through, ...run];
    await expect(split(...argv)).rejects.toThrow(`fastPath is on, but ${RIGHTS}`);
  });
});
