/** `acsplit doctor` where both families are carried: the same checks, each family by itself. */

import { DoctorHost, type Planted } from './support/doctor-host';

jest.setTimeout(180_000);

let host: DoctorHost;
beforeEach(async () => {
  host = await DoctorHost.healthy(host, { ipv6: true });
});
afterAll(() => host?.close());

test('in good health: every way of both families was asked for', () => {
  const { findings } = host.diagnose();
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
  const said = Object.fromEntries(findings.map(({ check, message }) => [check, message]));
  expect(said.routes).toMatch(/^8 routes between CPEs and servers use the right interface/);
  expect(said.forwarding).toBe('on, for IPv4 and IPv6');
  expect(said['kernel-rules']).toBe('iptables and ip6tables accepted all our rules in a scratch namespace');
});

const rows: [string, Planted][] = [
  [
    'ACS address missing (IPv6)',
    {
      plant: 'ip -6 address delete fd00:1::1/64 dev eth0 && ip -6 route add fd00:1::/64 dev eth0',
      ...{ level: 'warning', check: 'acs-address' },
      ...{
        says: /^the ACS address fd00:1::1 is not an address of this host/,
        mend: /^ip address add fd00:1::1\/64 dev eth0$/,
      },
    },
  ],
  [
    'forwarding off (IPv6)',
    {
      plant: 'sysctl -qw net.ipv6.conf.all.forwarding=0',
      ...{ level: 'failure', check: 'forwarding' },
      ...{ says: /does not forward IPv6/, mend: /^sysctl -w net\.ipv6\.conf\.all\.forwarding=1$/ },
    },
  ],
  [
    'no route to the ITMS (IPv6)',
    {
      plant: 'ip -6 route delete fd00:2::/64 dev eth1',
      ...{ level: 'failure', check: 'routes' },
      says: /^packets for the ITMS \(fd00:2::2\) have no route, expected eth1$/,
      mend: /^ip -6 route replace fd00:2::2 dev eth1$/,
      after: 'ip -6 route add fd00:2::/64 dev eth1',
    },
  ],
  [
    'CPEs behind another interface (IPv6)',
    {
      plant: 'ip -6 route add fd00:1::a:0/112 dev eth2',
      ...{ level: 'failure', check: 'routes' },
      says: /^fd00:1::a:0\/112, part of the CPE network fd00:1::\/64, is routed through eth2, expected eth0$/,
      mend: /^ip -6 route delete fd00:1::a:0\/112 dev eth2$/,
    },
  ],
  [
    'ITMS unreachable (IPv6)',
    {
      plant: () => {
        host.at('itms', 'ip6tables -A INPUT -p icmpv6 --icmpv6-type neighbour-solicitation -j DROP');
        host.shell('ip -6 neighbour flush dev eth1');
      },
      ...{ level: 'failure', check: 'neighbours', mend: null },
      says: /^nobody answers neighbour discovery for fd00:2::2 on eth1 \(the ITMS\)/,
      elsewhere: ['itms', 'ip6tables -F INPUT'],
    },
  ],
  [
    'wrong MAC (IPv6)',
    {
      plant: 'ip -6 neighbour replace fd00:2::2 lladdr 02:00:00:00:00:99 nud permanent dev eth1',
      ...{ level: 'failure', check: 'neighbours' },
      says: /^packets to fd00:2::2 on eth1 \(the ITMS\) go to MAC 02:00:00:00:00:99 \(PERMANENT\), but \S+ has the address$/,
      mend: /^ip -6 neighbour delete fd00:2::2 dev eth1$/,
    },
  ],
  [
    'duplicate ACS address (IPv6)',
    {
      plant: () => host.at('cpe', 'ip -6 address add fd00:1::1/64 dev eth0 nodad'),
      ...{ level: 'failure', check: 'neighbours', mend: null },
      says: /^another host \(\S+\) answers neighbour discovery for the ACS address fd00:1::1 on eth0/,
      elsewhere: ['cpe', 'ip -6 address delete fd00:1::1/64 dev eth0'],
    },
  ],
  [
    'rules missing (IPv6)',
    {
      plant: 'ip6tables -t mangle -F ACSPLIT-TO-CPE',
      ...{ level: 'failure', check: 'rules' },
      ...{ says: /^IPv6 mangle ACSPLIT-TO-CPE: missing/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'drop in FORWARD (IPv6)',
    {
      plant: 'ip6tables -I FORWARD -i eth0 -j DROP',
      ...{ level: 'failure', check: 'foreign-rules' },
      ...{ says: /^IPv6 filter FORWARD: "-i eth0 -j DROP"/, mend: /^ip6tables -t filter -D FORWARD -i eth0 -j DROP$/ },
    },
  ],
  [
    'listener on a high port (IPv6)',
    {
      plant: () => host.router.listen('split', 'fd00:1::1', 40_000),
      ...{ level: 'warning', check: 'listeners' },
      ...{ says: /listens on the ACS address, port 40000/, mend: /^kill \d+$/ },
    },
  ],
];

describe('one fault, one finding, one command', () => {
  test.each(rows)('%s', (_, planted) => host.findAndMend(planted));
});
