/** What a valid configuration file means. */
import { parseConfiguration } from '../../../src/configuration/configuration';
import { DEFAULT_LIVES } from '../../../src/splitter/topology';
import { SMALLEST, BOTH_FAMILIES, withLine, withMore } from './sources';

describe('a configuration with only what must be said', () => {
  const configuration = parseConfiguration(SMALLEST, '/etc/acsplit/acsplit.yaml');

  test('names the three sides', () => {
    expect(configuration.topology).toEqual({
      cpe: { interfaces: [{ in: 'eth0', out: 'eth0' }], address: { ipv4: '10.1.0.1' }, networks: ['10.1.0.0/16'] },
      itms: { interface: 'eth1', address: { ipv4: '10.2.0.2' } },
      collectors: [{ name: 'c1', interface: 'eth2', address: { ipv4: '10.3.0.2' } }],
      reportPorts: [7547],
      itmsPorts: [],
    });
  });

  test('has the documented default for everything else', () => {
    expect(configuration).toMatchObject({
      activation: 'auto',
      lives: DEFAULT_LIVES,
      capacityEntries: 1048576,
      queue: { first: 0, length: 16384, gso: true },
      onEngineDown: 'itms',
      name: 'default',
      stateDirectory: '/run/acsplit',
      metrics: { listen: '127.0.0.1:9547' },
      file: '/etc/acsplit/acsplit.yaml',
    });
  });
});

describe('valid configurations', () => {
  const rows: [string, string, (c: ReturnType<typeof parseConfiguration>) => unknown, unknown][] = [
    [
      'one life, the others keeping theirs',
      withMore('ttl: { armed: 45 }'),
      (c) => c.lives,
      { ...DEFAULT_LIVES, armed: 45 },
    ],
    ['a life of a fraction of a second', withMore('ttl: { grace: 0.5 }'), (c) => c.lives.grace, 0.5],
    ['activation off, which YAML 1.2 reads as a word', withMore('activation: off'), (c) => c.activation, 'off'],
    ['a small table', withMore('tables: { capacity: 64 }'), (c) => c.capacityEntries, 64],
    ['another first queue', withMore('queue: { first: 40 }'), (c) => c.queue, { first: 40, length: 16384, gso: true }],
    [
      'an address as a list of one',
      withLine(3, '  address: [10.1.0.1]'),
      (c) => c.topology.cpe.address.ipv4,
      '10.1.0.1',
    ],
    [
      'an interface of ITMS and collector both',
      withLine(6, '  interface: eth2'),
      (c) => c.topology.itms.interface,
      'eth2',
    ],
    ['a VLAN interface', withLine(2, '  interface: bond0.4000'), (c) => c.topology.cpe.interfaces[0].in, 'bond0.4000'],
    [
      'an address of each family, in whichever order',
      BOTH_FAMILIES.replace('[10.2.0.2, 2001:db8:2::2]', '[2001:DB8:2:0:0::2, 10.2.0.2]'),
      (c) => [c.topology.cpe, c.topology.itms.address, c.topology.collectors[0].address],
      [
        {
          interfaces: [{ in: 'eth0', out: 'eth0' }],
          address: { ipv4: '10.1.0.1', ipv6: '2001:db8:1::1' },
          networks: ['10.1.0.0/16', '2001:db8:1::/48'],
        },
        { ipv4: '10.2.0.2', ipv6: '2001:db8:2::2' },
        { ipv4: '10.3.0.2', ipv6: '2001:db8:3::2' },
      ],
    ],
    [
      'IPv6 alone',
      SMALLEST.replace('10.1.0.1', '2001:db8:1::1')
        .replace('10.1.0.0/16', '2001:db8:1::/48')
        .replace('10.2.0.2', '[2001:db8:2::2]')
        .replace('10.3.0.2', '2001:db8:3::2'),
      (c) => [c.topology.cpe.address, c.topology.itms.address, c.topology.collectors[0].address],
      [{ ipv6: '2001:db8:1::1' }, { ipv6: '2001:db8:2::2' }, { ipv6: '2001:db8:3::2' }],
    ],
    [
      'a network of all IPv6',
      BOTH_FAMILIES.replace('2001:db8:1::/48', '::/0'),
      (c) => c.topology.cpe.networks[1],
      '::/0',
    ],
    [
      'the whole of IPv4 as the CPEs',
      withLine(4, '  networks: [0.0.0.0/0]'),
      (c) => c.topology.cpe.networks,
      ['0.0.0.0/0'],
    ],
    ['the engine held', withMore('onEngineDown: hold'), (c) => c.onEngineDown, 'hold'],
    ['a group for the control socket', withMore('controlGroup: acsplit'), (c) => c.controlGroup, 'acsplit'],
    ['metrics on IPv6 loopback', withMore("metrics: { listen: '[::1]:9547' }"), (c) => c.metrics.listen, '[::1]:9547'],
    ['the highest port that is not kept', withLine(10, 'reportPorts: [60999]'), (c) => c.topology.reportPorts, [60999]],
    [
      'sixty-four report ports',
      withLine(10, `reportPorts: [${Array.from({ length: 64 }, (_, i) => i + 1).join()}]`),
      (c) => c.topology.reportPorts.length,
      64,
    ],
    ['Windows line ends', SMALLEST.replaceAll('\n', '\r\n'), (c) => c.topology.cpe.interfaces[0].in, 'eth0'],
    ['a byte order mark', `\ufeff${SMALLEST}`, (c) => c.topology.cpe.interfaces[0].in, 'eth0'],
  ];
  test.each(rows)('%s', (_, source, read, expected) => {
    expect(read(parseConfiguration(source, 'a.yaml'))).toEqual(expected);
  });
});
