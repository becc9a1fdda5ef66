/**
 * doctor and a virtual MAC as keepalived's use_vmac makes one: the ACS address on a macvlan, packets in by it and out by its
 * parent. Each setting that would lead CPEs to the parent's MAC, or leave them without an answer, is found and mended.
 */
import { cli } from '../../src/lab/engine';
import { ADDRESSES, end } from '../../src/lab/world';
import { DoctorHost, type Planted } from './support/doctor-host';
import { until } from './support/rules-host';

jest.setTimeout(180_000);

const CPE = '10.1.1.1';
const MAC = '00:00:5e:00:01:33';
const set = (setting: string, value: number) => `sysctl -qw net.ipv4.conf.${setting}=${value}`;

let host: DoctorHost;
let parentMac: string;
beforeAll(async () => {
  host = await DoctorHost.create();
  await host.router.stopEngine();
  host.shell('ip address add 10.1.0.2/16 dev eth0 && ip address delete 10.1.0.1/16 dev eth0');
  // Deleting the first address of a network deletes the others.
  host.shell('ip address replace 10.1.0.2/16 dev eth0');
  host.shell(`ip link add vrrp.51 link eth0 address ${MAC} type macvlan mode private`);
  host.shell('ip address add 10.1.0.1/32 dev vrrp.51 && ip link set dev vrrp.51 up');
  host.shell('sysctl -qw net.ipv4.conf.vrrp/51.rp_filter=2 net.ipv4.conf.vrrp/51.arp_ignore=1');
  host.shell([set('all.arp_ignore', 1), set('all.arp_announce', 2)].join(' && '));
  parentMac = host.shell("ip -br link show eth0 | awk '{ print $3 }'").trim();
  host.edit('interface: eth0', 'interface: { in: vrrp.51, out: eth0 }');
  host.acsplit('rules install');
  await host.router.startEngine();
});
afterAll(() => host?.close());

/** The MACs that a CPE, which has forgotten everything, is told for the ACS address. */
async function learned(): Promise<string[]> {
  const { world } = host.router;
  const dump = world.start('cpe', ['tcpdump', '-i', 'eth0', '-nn', '-l', 'arp[6:2] == 2']);
  let [said, complaints] = ['', ''];
  dump.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  dump.stderr!.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const macs = () => [...said.matchAll(/10\.1\.0\.1 is-at ([0-9a-f:]{17})/g)].map(([, mac]) => mac!);
  await until(() => complaints.includes('listening on'), 'tcpdump');
  // A second question a moment later: each host that answers has answered the first by then.
  const ask = `ip neighbour flush dev eth0; echo > /dev/udp/${ADDRESSES.acs}/9; sleep 0.5`;
  await world.run('cpe', ['bash', '-c', `${ask}; ${ask}`]);
  await until(() => macs().length > 0, 'an answer');
  await end(dump);
  return macs();
}

test('in order: the CPE learns the virtual MAC alone, its session passes, and doctor finds nothing', async () => {
  expect(new Set(await learned())).toEqual(new Set([MAC]));
  await host.router.talk('cpe', CPE, ADDRESSES.acs, 7547);
  expect(host.complaints()).toEqual([]);
});

test('the parent that answers for the address is a failure, and leads the CPE astray', async () => {
  host.shell(set('all.arp_ignore', 0));
  expect(await learned()).toContain(parentMac);
  // What comes in by the parent is refused by the router itself.
  const learn = ['lladdr', parentMac, 'nud', 'reachable', 'dev', 'eth0'];
  await host.router.world.run('cpe', ['ip', 'neighbour', 'replace', ADDRESSES.acs, ...learn]);
  await expect(host.router.talk('cpe', CPE, ADDRESSES.acs, 7547)).rejects.toThrow('ECONNREFUSED');
  await host.findAndMend({
    plant: ':',
    ...{ level: 'failure', check: 'acs-address' },
    says: /^eth0 answers ARP requests for 10\.1\.0\.1, which is on vrrp\.51/,
    mend: /^sysctl -w net\.ipv4\.conf\.eth0\.arp_ignore=1$/,
  });
  expect(new Set(await learned())).toEqual(new Set([MAC]));
  await host.router.talk('cpe', CPE, ADDRESSES.acs, 7547);
});

const rows: [string, Planted][] = [
  [
    'requests in the name of the address',
    {
      plant: set('all.arp_announce', 1),
      ...{ level: 'failure', check: 'acs-address' },
      says: /^eth0 sends ARP requests in the name of 10\.1\.0\.1, which is on vrrp\.51/,
      mend: /^sysctl -w net\.ipv4\.conf\.eth0\.arp_announce=2$/,
    },
  ],
  [
    'arp_filter, so that nobody answers',
    {
      plant: set('all.arp_filter', 1),
      ...{ level: 'failure', check: 'acs-address' },
      says: /^vrrp\.51 does not answer ARP requests for 10\.1\.0\.1 \(arp_filter\)/,
      mend: /^sysctl -w net\.ipv4\.conf\.all\.arp_filter=0$/,
    },
  ],
  [
    'a strict filter on the way back',
    {
      plant: 'sysctl -qw net.ipv4.conf.vrrp/51.rp_filter=1',
      ...{ level: 'failure', check: 'routes' },
      says: /^the rp_filter of vrrp\.51 drops packets/,
      mend: /^sysctl -w net\.ipv4\.conf\.vrrp\/51\.rp_filter=2$/,
    },
  ],
  [
    'a virtual MAC on a server’s side',
    {
      plant: () => {
        host.shell('ip link add vrrp.52 link eth1 address 00:00:5e:00:01:34 type macvlan mode private');
        host.shell('ip address add 10.2.0.9/32 dev vrrp.52 && ip link set dev vrrp.52 up');
        host.program('editor', 'ip link delete vrrp.52');
      },
      ...{ level: 'failure', check: 'acs-address' },
      says: /^10\.2\.0\.9 is on vrrp\.52, a virtual MAC on eth1: what servers send to it comes in by vrrp\.52, past our rules/,
      mend: /^editor \/etc\/keepalived\/keepalived\.conf$/,
    },
  ],
];

test.each(rows)('%s: found, and mended by the printed command', async (_, planted) => {
  await host.findAndMend(planted);
});

test('with both interfaces named, the kernel’s ARP may be as it is', () => {
  host.edit('interface: { in: vrrp.51, out: eth0 }', 'interface: [eth0, { in: vrrp.51, out: eth0 }]');
  host.shell([set('all.arp_ignore', 0), set('all.arp_announce', 0), set('eth0.arp_ignore', 0)].join(' && '));
  host.shell(set('eth0.arp_announce', 0));
  const found = host.complaints().filter(({ check }) => check === 'acs-address');
  expect(found).toEqual([]);
});

describe('an ACS address that is not local', () => {
  beforeAll(() => void host.shell('ip address delete 10.1.0.1/32 dev vrrp.51'));

  test('rules install says that they steer nothing for now, and is no failure', () => {
    const { status, stdout, stderr } = host.router.rules('install');
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^installed: /)]);
    expect(stderr).toBe(
      'acsplit: the ACS address 10.1.0.1 is not an address of this host now: these rules steer nothing for now (normal on a standby router)\n',
    );
  });

  test('so does the engine when it starts and when it reloads', async () => {
    await host.router.stopEngine();
    const engine = host.router.world.start('split', cli(host.router.world, 'run', '-c', host.router.configuration));
    let said = '';
    engine.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const events = () => said.split('\n').filter((line) => line.includes('"event":"acs-address"'));
    await until(() => events().length === 1, 'the engine to say so');
    expect(JSON.parse(events()[0]!)).toMatchObject({
      ...{ level: 'warn', addresses: ['10.1.0.1'] },
      msg: 'the ACS address 10.1.0.1 is not an address of this host now: no packet reaches this engine (normal on a standby router)',
    });
    engine.kill('SIGHUP');
    await until(() => events().length === 2, 'the engine to say so again');
    await end(engine);
  });

  test('a local route makes it one: nothing is said', () => {
    host.shell('ip route add local 10.1.0.1 dev lo');
    expect(host.router.rules('install')).toMatchObject({ status: 0, stderr: '' });
    host.shell('ip route delete local 10.1.0.1 dev lo');
  });
});
