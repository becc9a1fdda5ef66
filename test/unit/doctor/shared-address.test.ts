/** doctor on a router of a cluster whose kernel takes the ACS address as its own, whichever router has it. */
import { parseConfiguration } from '../../../src/configuration/configuration';
import { done, plantedHost } from './planted-host';
import { link, named } from './planted-findings';

const CLUSTER = "cluster: { group: north, name: a, stores: [{ address: '10.9.0.2:6379' }] }";

function find(arp: Readonly<Record<string, number>>, { dev = 'lo', cluster = CLUSTER } = {}) {
  const lines = [
    'cpe: { interface: eth0, address: 10.1.0.1, networks: [10.1.0.0/16] }',
    'itms: { interface: eth1, address: 10.2.0.2 }',
    'collectors: [{ name: c1, interface: eth2, address: 10.3.0.2 }]',
    'reportPorts: [7547]',
    cluster,
  ];
  const files = Object.entries(arp).map(([name, value]) => [`/proc/sys/net/ipv4/conf/${name}`, `${value}\n`]);
  const host = plantedHost({
    files: Object.fromEntries(files) as Record<string, string>,
    programs: {
      'ip -j': done(JSON.stringify([link('eth0')])),
      'ip -j address': done('[]'),
      'ip -j -4 route show table local': done(JSON.stringify([{ type: 'local', dst: '10.1.0.1', dev }])),
    },
  });
  return named('acs-address').find(host, parseConfiguration(lines.join('\n'), '/etc/acsplit/acsplit.yaml'));
}

const arp = (all: [ignore: number, announce: number], own: [ignore: number, announce: number]) => ({
  'all/arp_ignore': all[0],
  'all/arp_announce': all[1],
  'eth0/arp_ignore': own[0],
  'eth0/arp_announce': own[1],
});

test.each([
  ['answers', arp([0, 2], [0, 0]), 'sysctl -w net.ipv4.conf.all.arp_ignore=1'],
  ['asks', arp([1, 1], [0, 0]), 'sysctl -w net.ipv4.conf.all.arp_announce=2'],
  [
    'answers and asks',
    arp([0, 0], [0, 1]),
    'sysctl -w net.ipv4.conf.all.arp_ignore=1 && sysctl -w net.ipv4.conf.all.arp_announce=2',
  ],
])('ARP that %s in the name of the address is a failure', async (_, settings, mend) => {
  const message =
    'both routers have a route for the ACS address 10.1.0.1, and ARP on eth0 gives it away: CPEs send to the standby router';
  expect(await find(settings)).toEqual([{ check: 'acs-address', level: 'failure', message, mend }]);
});

test.each([
  ['set for all', arp([1, 2], [0, 0]), {}],
  ['set for the interface', arp([0, 0], [2, 2]), {}],
  ['not needed: the address is on an interface alone', arp([0, 0], [0, 0]), { dev: 'eth0' }],
  ['not needed: no cluster', arp([0, 0], [0, 0]), { cluster: '' }],
])('ARP that is %s is fine', async (_, settings, more) => {
  expect(await find(settings, more)).toMatchObject([{ level: 'ok' }]);
});

test('the router that has only the route says so', async () => {
  const message = "10.1.0.1 is another router's now";
  expect(await find(arp([1, 2], [0, 0]))).toMatchObject([{ level: 'ok', message }]);
});
