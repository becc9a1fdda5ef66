/** Keys that came later: interfaces apart, addresses that wake, a canary, a rate, an instance. */
import { parseConfiguration } from '../../../src/configuration/configuration';
import { withLine, withMore, complaint } from './sources';

describe('keys of the second edition', () => {
  const COLLECTOR = '  - { name: c1, interface: eth2, address: 10.3.0.2, MORE }';
  const collector = (more: string) => withLine(9, COLLECTOR.replace('MORE', more));
  const topology = (source: string) => parseConfiguration(source, 'a.yaml').topology;
  const cpeInterfaces = (text: string) => topology(withLine(2, `  interface: ${text}`)).cpe.interfaces;

  test.each([
    ['eth0', [['eth0', 'eth0']]],
    ['ppp+', [['ppp+', 'ppp+']]],
    [
      '[vlan10, vlan11, ppp+]',
      [
        ['vlan10', 'vlan10'],
        ['vlan11', 'vlan11'],
        ['ppp+', 'ppp+'],
      ],
    ],
    ['{ in: vrrp.51, out: eth0 }', [['vrrp.51', 'eth0']]],
    [
      '[vlan10, { in: vrrp.51, out: eth0 }]',
      [
        ['vlan10', 'vlan10'],
        ['vrrp.51', 'eth0'],
      ],
    ],
  ])('cpe.interface: %s', (text, expected) => {
    expect(cpeInterfaces(text)).toEqual(expected.map(([incoming, outgoing]) => ({ in: incoming, out: outgoing })));
  });

  test('further addresses that wake CPEs, of servers of either kind', () => {
    const both = collector('requestAddresses: [10.3.0.4, 10.3.0.5]').replace(
      '10.2.0.2',
      '10.2.0.2\n  requestAddresses: [10.2.0.9]',
    );
    expect(topology(both).itms.requestAddresses).toEqual([{ ipv4: '10.2.0.9' }]);
    expect(topology(both).collectors[0]?.requestAddresses).toEqual([{ ipv4: '10.3.0.4' }, { ipv4: '10.3.0.5' }]);
  });

  test('a canary and a limit', () => {
    expect(topology(collector('networks: [10.1.4.0/24, 10.1.0.0/16], maxPerSecond: 200')).collectors[0]).toMatchObject({
      networks: ['10.1.4.0/24', '10.1.0.0/16'],
      maxPerSecond: 200,
    });
  });

  test('request ports: any, or these', () => {
    expect(topology(withMore('requestPorts: any')).requestPorts).toBeUndefined();
    expect(topology(withMore('requestPorts: [7547, 30005]')).requestPorts).toEqual([7547, 30005]);
  });

  const cluster = (text: string) => withMore(`cluster: { group: g, name: a, stores: [${text}] }`);

  test('a cluster: stores by address or socket, with a user, a password and TLS', () => {
    const text = '{ address: /run/store }, { address: "[2001:db8::9]:6379", user: u, passwordFile: /etc/p, tls: {} }';
    expect(parseConfiguration(cluster(text), 'a.yaml').cluster?.stores).toEqual([
      { address: '/run/store', user: undefined, passwordFile: undefined, tls: undefined },
      { address: '[2001:db8::9]:6379', user: 'u', passwordFile: '/etc/p', tls: { ca: undefined } },
    ]);
  });

  test('4096 networks of CPEs', () => {
    const networks = Array.from({ length: 4096 }, (_, i) => `    - 10.${64 + (i >> 8)}.${i & 255}.0/24`).join('\n');
    expect(topology(withLine(4, `  networks:\n${networks}`)).cpe.networks).toHaveLength(4096);
    expect(complaint(withLine(4, `  networks:\n${networks}\n    - 10.200.0.0/24`))).toContain(
      'a list of 1 to 4096 networks',
    );
  });

  const rows: [what: string, source: string, expected: string][] = [
    [
      'no interface',
      withLine(2, '  interface: []'),
      '2:3: cpe.interface: found an empty list, expected an interface, or a list of 1 to 64',
    ],
    ['every interface', withLine(2, '  interface: +'), '2:14: cpe.interface: found "+", expected an interface name'],
    [
      'a wildcard in the middle',
      withLine(2, '  interface: p+p0'),
      '2:14: cpe.interface: found "p+p0", expected an interface name',
    ],
    [
      'an interface twice',
      withLine(2, '  interface: [ppp0, ppp0]'),
      '2:21: cpe.interface[1]: found "ppp0", expected each interface once',
    ],
    [
      'only one direction',
      withLine(2, '  interface: { in: eth0 }'),
      '2:3: cpe.interface: found a mapping, expected an interface name',
    ],
    [
      'a wildcard for a server',
      withLine(6, '  interface: eth+'),
      '6:14: itms.interface: found "eth+", expected an interface name',
    ],
    [
      'out by a server’s interface',
      withLine(2, '  interface: { in: eth0, out: eth1 }'),
      '6:14: itms.interface: found "eth1", which is the CPEs\' interface',
    ],
    [
      'a request address of another server',
      collector('requestAddresses: [10.2.0.2]'),
      'collectors[0].requestAddresses[0]: found 10.2.0.2, which is already the ITMS; expected a different address',
    ],
    [
      'a request address of a family without an ACS address',
      collector('requestAddresses: ["2001:db8::4"]'),
      'expected no IPv6 address, because the ACS address has no IPv6 address',
    ],
    [
      'a request address that is none',
      collector('requestAddresses: [10.3.0]'),
      'collectors[0].requestAddresses[0]: found "10.3.0", expected an IPv4 or IPv6 address',
    ],
    [
      'a canary where no CPE lives',
      collector('networks: [10.2.4.0/24]'),
      'collectors[0].networks[0]: found 10.2.4.0/24, expected a part of one of cpe.networks',
    ],
    [
      'a canary larger than the CPEs’ network',
      collector('networks: [10.0.0.0/8]'),
      'found 10.0.0.0/8, expected a part of one of cpe.networks',
    ],
    [
      'a canary of the other family',
      collector('networks: ["2001:db8::/32"]'),
      'found 2001:db8::/32, expected a part of one of cpe.networks',
    ],
    [
      'a limit of 0',
      collector('maxPerSecond: 0'),
      'collectors[0].maxPerSecond: found 0, expected a number of sessions from 1 to 1000000',
    ],
    [
      'request ports that are none',
      withMore('requestPorts: all'),
      '11:15: requestPorts: found "all", expected any, or a list of 1 to 64 ports',
    ],
    [
      'a router without a name',
      withMore('cluster: { group: g, stores: [{ address: /a }] }'),
      '11:1: cluster.name: missing, expected a name of 1 to 31 letters',
    ],
    [
      'a group whose name has blanks',
      withMore('cluster: { group: g g, name: a, stores: [{ address: /a }] }'),
      'cluster.group: found "g g", expected a name of 1 to 31 letters',
    ],
    ['no store', cluster(''), 'cluster.stores: found an empty list, expected a list of 1 to 4 stores'],
    [
      'a store without a port',
      cluster('{ address: redis }'),
      'cluster.stores[0].address: found "redis", expected an address and a port such as 192.0.2.1:6379',
    ],
    [
      'a store twice',
      cluster('{ address: /a }, { address: /a }'),
      'cluster.stores[1].address: found /a a second time, expected a different store',
    ],
    [
      'a user without a password',
      cluster('{ address: /a, user: u }'),
      'cluster.stores[0].user: found a user, expected passwordFile beside it',
    ],
    ['a long name', withMore('name: northernmost'), '11:7: name: found "northernmost", expected a name of 1 to 10'],
  ];
  test.each(rows)('refused: %s', (_, source, expected) => expect(complaint(source)).toContain(expected));
});
