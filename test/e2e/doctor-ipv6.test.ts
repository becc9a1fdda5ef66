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
    'an ACS address of IPv6 that is nobody’s',
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
    'a host that forwards IPv4 only',
    {
      plant: 'sysctl -qw net.ipv6.conf.all.forwarding=0',
      ...{ level: 'failure', check: 'forwarding' },
      ...{ says: /does not forward IPv6/, mend: /^sysctl -w net\.ipv6\.conf\.all\.forwarding=1$/ },
    },
  ],
  [
    'no route of IPv6 to the ITMS',
    {
      plant: 'ip -6 route delete fd00:2::/64 dev eth1',
      ...{ level: 'failure', check: 'routes' },
      says: /^packets for the ITMS \(fd00:2::2\) have no route, expected eth1$/,
      mend: /^ip -6 route replace fd00:2::2 dev eth1$/,
      after: 'ip -6 route add fd00:2::/64 dev eth1',
    },
  ],
  [
    'a part of the CPEs’ IPv6 network behind another interface',
    {
      plant: 'ip -6 route add fd00:1::a:0/112 dev eth2',
      ...{ level: 'failure', check: 'routes' },
      says: /^fd00:1::a:0\/112, part of the CPE network fd00:1::\/64, is routed through eth2, expected eth0$/,
      mend: /^ip -6 route delete fd00:1::a:0\/112 dev eth2$/,
    },
  ],
  [
    'rules of ours that are gone from ip6tables',
    {
      plant: 'ip6tables -t mangle -F ACSPLIT-TO-CPE',
      ...{ level: 'failure', check: 'rules' },
      ...{ says: /^IPv6 mangle ACSPLIT-TO-CPE: missing/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'a rule of ip6tables that takes our traffic away',
    {
      plant: 'ip6tables -I FORWARD -i eth0 -j DROP',
      ...{ level: 'failure', check: 'foreign-rules' },
      ...{ says: /^IPv6 filter FORWARD: "-i eth0 -j DROP"/, mend: /^ip6tables -t filter -D FORWARD -i eth0 -j DROP$/ },
    },
  ],
  [
    'a listener on the ACS address of IPv6',
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
