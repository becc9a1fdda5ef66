/**
 * Interfaces as routers have them, each with a session for the ITMS and a woken CPE's for the collector: bridges on both sides, a
 * macvlan, an interface that is deleted and comes back, one that comes after the engine's start. And 4096 CPE networks.
 */
import { type Peer, RulesHost } from './support/rules-host';
import { cli } from '../../src/lab/engine';
import { ADDRESSES } from '../../src/lab/world';

jest.setTimeout(180_000);

const CPE = '10.1.1.1';
const { acs, itms, collector, routers } = ADDRESSES;

let host: RulesHost;
let servers: Record<'itms' | 'c1', Peer>;
beforeEach(async () => {
  host = await RulesHost.create('nft', { cpes: [CPE] });
  host.configure(host.configurationText.replace('activation: off', 'activation: auto'));
  servers = {
    itms: await host.listen('itms', itms, 7547),
    c1: await host.listen('collector', collector, 7547),
  };
});
afterEach(async () => {
  await host?.stopEngine();
  await host?.close();
});

const shell = (...lines: string[]) => host.must(['sh', '-e', '-c', lines.join('\n')]);
const edit = (from: string | RegExp, to: string) => host.configure(host.configurationText.replace(from, to));

async function install(): Promise<void> {
  expect(host.rules('install')).toMatchObject({ status: 0, stderr: '' });
  expect(host.rules('check')).toMatchObject({ status: 0, stderr: '' });
  await host.startEngine();
}

/** The servers that have accepted a session, and then the session of the woken CPE. */
async function sessions(): Promise<string[]> {
  const accepted = () =>
    Object.entries(servers).flatMap(([name, { events }]) =>
      events.filter(({ event }) => event === 'accepted').map(() => name),
    );
  const before = accepted().length;
  await host.talk('cpe', CPE, acs, 7547);
  host.must(cli(host.world, 'activate', CPE, '--collector', 'c1', '-c', host.configuration));
  await host.talk('cpe', CPE, acs, 7547);
  expect(accepted()).toHaveLength(before + 2);
  return accepted();
}

/** `name` becomes a port of a bridge, which has its address from now on. */
const bridge = (name: string, over: string, address: string) =>
  shell(
    `ip link add ${over} type bridge`,
    `ip address flush dev ${name}`,
    `ip link set ${name} master ${over}`,
    `ip address add ${address} dev ${over}`,
    `ip link set ${over} up`,
  );

/** Docker has the kernel show bridged packets to iptables, too. */
test.each(['0', '1'])('bridges, towards CPEs and towards the ITMS; bridge-nf-call-iptables is %s', async (call) => {
  shell(`if [ -d /proc/sys/net/bridge ]; then sysctl -qw net.bridge.bridge-nf-call-iptables=${call}; fi`);
  bridge('eth0', 'br0', `${acs}/16`);
  bridge('eth1', 'br1', `${routers.itms}/24`);
  edit('interface: eth0', 'interface: br0');
  edit('interface: eth1', 'interface: br1');
  await install();
  expect((await sessions()).sort()).toEqual(['c1', 'itms']);
});

test('a macvlan in both directions', async () => {
  shell(
    'ip address flush dev eth0',
    'ip link add mac0 link eth0 type macvlan mode private',
    `ip address add ${acs}/16 dev mac0`,
    'ip link set mac0 up',
  );
  edit('interface: eth0', 'interface: mac0');
  await install();
  expect((await sessions()).sort()).toEqual(['c1', 'itms']);
});

test('an interface that is deleted, and comes back', async () => {
  await install();
  expect((await sessions()).sort()).toEqual(['c1', 'itms']);
  const far = host.world.namespace('cpe');
  shell('ip link delete eth0');
  expect(host.rules('check')).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/^interface eth0 does not exist here .*its rules steer nothing/) as string,
  });
  shell(
    `ip link add eth0 type veth peer name eth0 netns ${far}`,
    `ip address add ${acs}/16 dev eth0`,
    'ip link set eth0 up',
  );
  const [up, address, route] = [
    ['link', 'set', 'eth0', 'up'],
    ['address', 'add', `${CPE}/16`, 'dev', 'eth0'],
    ['route', 'add', 'default', 'via', acs],
  ];
  for (const words of [address, up, route]) await host.world.run('cpe', ['ip', ...words!]);
  expect(host.rules('check')).toMatchObject({ status: 0 });
  // Ends the grace that the last session has left behind.
  host.must(cli(host.world, 'deactivate', CPE, '-c', host.configuration));
  expect((await sessions()).sort()).toEqual(['c1', 'c1', 'itms', 'itms']);
});

test('one that comes after the engine’s start, for a wildcard', async () => {
  edit('interface: eth0', 'interface: [ppp+, eth0]');
  await install();
  shell('ip link set eth0 down', 'ip link set eth0 name ppp3', 'ip link set ppp3 up');
  expect((await sessions()).sort()).toEqual(['c1', 'itms']);
});

test('4096 networks: the last one’s CPE is steered', async () => {
  const networks = Array.from({ length: 4095 }, (_, index) => `100.${64 + (index >> 8)}.${index & 255}.0/24`);
  edit('networks: [10.1.0.0/16]', `networks: [${[...networks, '10.1.1.0/24'].join(',\n  ')}]`);
  await install();
  expect((await sessions()).sort()).toEqual(['c1', 'itms']);
  expect(host.rules('remove')).toMatchObject({ status: 0 });
});
