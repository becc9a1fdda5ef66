/** The configuration file: the meaning of a valid one, and the one line that refuses each invalid one. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration, parseConfiguration } from '../../../src/configuration/configuration';
import { ConfigurationError, UsageError } from '../../../src/configuration/errors';
import { DEFAULT_LIVES } from '../../../src/splitter/topology';

const SMALLEST = `cpe:
  interface: eth0
  address: 10.1.0.1
  networks: [10.1.0.0/16]
itms:
  interface: eth1
  address: 10.2.0.2
collectors:
  - { name: c1, interface: eth2, address: 10.3.0.2 }
reportPorts: [7547]
`;

/** The same hosts in both families. */
const BOTH_FAMILIES = SMALLEST.replace('10.1.0.1', '[10.1.0.1, 2001:db8:1::1]')
  .replace('10.1.0.0/16', '10.1.0.0/16, 2001:db8:1::/48')
  .replace('10.2.0.2', '[10.2.0.2, 2001:db8:2::2]')
  .replace('10.3.0.2', '[10.3.0.2, 2001:db8:3::2]');

/** The smallest configuration with one line replaced: `line` begins with the old line's number. */
function withLine(number: number, text: string): string {
  const lines = SMALLEST.split('\n');
  lines[number - 1] = text;
  return lines.join('\n');
}

function withMore(text: string): string {
  return `${SMALLEST}${text}\n`;
}

function complaint(source: string): string {
  try {
    parseConfiguration(source, 'a.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).exitCode).toBe(2);
    return (error as UsageError).message;
  }
  return 'accepted';
}

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

describe('an invalid configuration is refused in one line: place, found, expected', () => {
  const rows: [string, string, string][] = [
    // Keys
    [
      'a misspelt key, with the near miss',
      withLine(3, '  adress: 10.1.0.1'),
      '3:3: cpe: unknown key "adress"; did you mean "address"? (and 1 more)',
    ],
    ['a misspelt section', withMore('activaton: off'), '11:1: unknown key "activaton"; did you mean "activation"?'],
    [
      'wrong case',
      withMore('stateDIRECTORY: /run/a'),
      '11:1: unknown key "stateDIRECTORY"; did you mean "stateDirectory"?',
    ],
    [
      'a key that resembles none',
      withMore('queue: { watermelon: 3 }'),
      '11:10: queue: unknown key "watermelon", expected one of first, length, gso',
    ],
    [
      'a life that does not exist',
      withMore('ttl:\n  armd: 60'),
      '12:3: ttl: unknown key "armd"; did you mean "armed"?',
    ],
    [
      'a misspelt key of a collector',
      withLine(9, '  - { nme: c1, interface: eth2, address: 10.3.0.2 }'),
      '9:7: collectors[0]: unknown key "nme"; did you mean "name"? (and 1 more)',
    ],
    [
      'the same key twice',
      withMore('reportPorts: [9090]'),
      '11:1: key "reportPorts" appears twice (first in line 10), expected once',
    ],
    ['a prototype as a key', withMore('__proto__: { activation: off }'), '11:1: unknown key "__proto__"'],
    ['a merge key', withMore('<<: { activation: off }'), '11:1: unknown key "<<"'],
    ['a key that is a list', withMore('? [a]\n: 1'), '11:3: found a key that is not a word'],
    // Types
    [
      'a number for an interface',
      withLine(2, '  interface: 7'),
      '2:14: cpe.interface: found 7, expected an interface name',
    ],
    [
      'text for a port',
      withLine(10, 'reportPorts: [http]'),
      '10:15: reportPorts[0]: found "http", expected a port from 1 to 65535',
    ],
    [
      'a quoted port',
      withLine(10, 'reportPorts: ["7547"]'),
      '10:15: reportPorts[0]: found "7547", expected a port from 1 to 65535',
    ],
    [
      'a bare port for a list',
      withLine(10, 'reportPorts: 7547'),
      '10:14: reportPorts: found 7547, expected a list of 1 to 64 ports',
    ],
    [
      'a mapping for the list of collectors',
      `${SMALLEST.split('\n').slice(0, 8).join('\n')}\n  c1: { }\nreportPorts: [1]\n`,
      '8:1: collectors: found a mapping, expected a list of 1 to 64 collectors',
    ],
    [
      'nothing for a section',
      withMore('queue:'),
      '11:1: queue: found nothing, expected a mapping with first, length, gso',
    ],
    ['a word for a switch', withMore('queue: { gso: yes }'), '11:15: queue.gso: found "yes", expected true or false'],
    [
      'text for a life',
      withMore('ttl: { armed: 60s }'),
      '11:15: ttl.armed: found "60s", expected seconds from 0.1 to 604800',
    ],
    ['a life without end', withMore('ttl: { armed: .inf }'), '11:15: ttl.armed: found Infinity, expected seconds'],
    ['a life that is no number', withMore('ttl: { armed: .nan }'), '11:15: ttl.armed: found NaN, expected seconds'],
    ['a list for the whole', '- a\n- b\n', '1:1: found a list of 2, expected a mapping with cpe, itms'],
    ['a word for the whole', 'hello\n', '1:1: found "hello", expected a mapping with cpe, itms'],
    ['an empty file', '', '1:1: found nothing, expected a mapping with cpe, itms'],
    ['only a comment', '# soon\n', '1:1: found nothing, expected a mapping with cpe, itms'],
    [
      'no ITMS',
      SMALLEST.replace(/itms:\n.*\n.*\n/, ''),
      '1:1: itms: missing, expected a mapping with interface, address',
    ],
    [
      'a collector without a name',
      withLine(9, '  - { interface: eth2, address: 10.3.0.2 }'),
      '9:5: collectors[0].name: missing, expected a name of 1 to 31',
    ],
    [
      'no ACS address',
      SMALLEST.replace('  address: 10.1.0.1\n', ''),
      '1:1: cpe.address: missing, expected an IPv4 or IPv6 address',
    ],
    // Addresses and networks
    [
      'a malformed address',
      withLine(3, '  address: 10.1.0.256'),
      '3:12: cpe.address: found "10.1.0.256", expected an IPv4 or IPv6 address such as 10.1.0.1 or 2001:db8::1',
    ],
    [
      'a name for an address',
      withLine(7, '  address: itms.example'),
      '7:12: itms.address: found "itms.example", expected an IPv4 or IPv6 address such as 10.1.0.1 or 2001:db8::1',
    ],
    [
      'an address with a length',
      withLine(7, '  address: 10.2.0.2/24'),
      '7:12: itms.address: found "10.2.0.2/24", expected an IPv4 or IPv6 address',
    ],
    [
      'an ACS address of the wrong family',
      withLine(3, '  address: 2001:db8::1'),
      '4:3: cpe.networks: found no IPv6 network, expected one, because the ACS address has an IPv6 address' +
        ' (and 5 more)',
    ],
    [
      'a server of the wrong family',
      withLine(7, '  address: 2001:db8::2'),
      '7:12: itms.address: found 2001:db8::2, expected an IPv4 address too, because the ACS address has one (and 1 more)',
    ],
    [
      'a server of one family too many',
      withLine(9, '  - { name: c1, interface: eth2, address: [10.3.0.2, "2001:db8::3"] }'),
      '9:34: collectors[0].address: found 2001:db8::3, expected no IPv6 address, because the ACS address has none',
    ],
    [
      'a server of one family too few',
      BOTH_FAMILIES.replace('[10.3.0.2, 2001:db8:3::2]', '10.3.0.2'),
      '9:43: collectors[0].address: found 10.3.0.2, expected an IPv6 address too, because the ACS address has one',
    ],
    [
      'a family of which no CPE lives anywhere',
      BOTH_FAMILIES.replace('[10.1.0.0/16, 2001:db8:1::/48]', '[10.1.0.0/16]'),
      '4:3: cpe.networks: found no IPv6 network, expected one, because the ACS address has an IPv6 address',
    ],
    [
      'a network of a family that nobody has',
      withLine(4, '  networks: [10.1.0.0/16, "2001:db8::/32"]'),
      '4:27: cpe.networks[1]: found 2001:db8::/32, expected no IPv6 network, because the ACS address has no IPv6 address',
    ],
    [
      'two IPv6 addresses',
      withLine(3, '  address: [10.1.0.1, 2001:db8::1, 2001:db8::9]'),
      '3:36: cpe.address[2]: found "2001:db8::9", expected one IPv6 address',
    ],
    [
      'a malformed IPv6 address',
      withLine(3, '  address: 2001:db8::1::2'),
      '3:12: cpe.address: found "2001:db8::1::2", expected an IPv4 or IPv6 address',
    ],
    ...['::', '::1', 'ff02::1', 'fe80::1', 'febf::1', '::ffff:10.1.0.1'].map((text): [string, string, string] => [
      `an address that no host is reached by through routers: ${text}`,
      withLine(3, `  address: "${text}"`),
      `3:12: cpe.address: found "${text}", expected a host's unicast IPv6 address`,
    ]),
    [
      'an IPv6 network with host bits, and the network meant',
      withLine(4, '  networks: ["2001:db8:1:2::3/47"]'),
      '4:14: cpe.networks[0]: found "2001:db8:1:2::3/47", expected a network without host bits: 2001:db8::/47',
    ],
    [
      'a longer prefix than IPv6 has',
      withLine(4, '  networks: ["2001:db8::/129"]'),
      '4:14: cpe.networks[0]: found "2001:db8::/129", expected an IPv4 or IPv6 network',
    ],
    [
      'two servers with one IPv6 address, differently written',
      BOTH_FAMILIES.replace('2001:db8:3::2', '2001:DB8:2:0::2'),
      '9:34: collectors[0].address: found 2001:db8:2::2, which is already the ITMS; expected a different address',
    ],
    [
      'two addresses of one family',
      withLine(3, '  address: [10.1.0.1, 10.1.0.9]'),
      '3:23: cpe.address[1]: found "10.1.0.9", expected one IPv4 address',
    ],
    [
      'no address',
      withLine(3, '  address: []'),
      '3:3: cpe.address: found an empty list, expected an address, or one of each family',
    ],
    [
      'a loopback address',
      withLine(7, '  address: 127.0.0.1'),
      '7:12: itms.address: found "127.0.0.1", expected a host\'s unicast IPv4 address',
    ],
    [
      'a multicast address',
      withLine(7, '  address: 224.0.0.1'),
      '7:12: itms.address: found "224.0.0.1", expected a host\'s unicast IPv4 address',
    ],
    [
      'a network with host bits, and the network meant',
      withLine(4, '  networks: [10.1.2.3/13]'),
      '4:14: cpe.networks[0]: found "10.1.2.3/13", expected a network without host bits: 10.0.0.0/13',
    ],
    [
      'a network without a length',
      withLine(4, '  networks: [10.1.0.0]'),
      '4:14: cpe.networks[0]: found "10.1.0.0", expected an IPv4 or IPv6 network such as 10.1.0.0/16 or 2001:db8:1::/48',
    ],
    [
      'a length beyond 32',
      withLine(4, '  networks: [10.1.0.0/33]'),
      '4:14: cpe.networks[0]: found "10.1.0.0/33", expected an IPv4 or IPv6 network',
    ],
    [
      'a netmask',
      withLine(4, '  networks: [10.1.0.0/255.255.0.0]'),
      '4:14: cpe.networks[0]: found "10.1.0.0/255.255.0.0", expected an IPv4 or IPv6 network',
    ],
    [
      'two servers with one address',
      withLine(9, '  - { name: c1, interface: eth2, address: 10.2.0.2 }'),
      '9:43: collectors[0].address: found 10.2.0.2, which is already the ITMS; expected a different address',
    ],
    [
      'an ITMS with the ACS address',
      withLine(7, '  address: 10.1.0.1'),
      '7:12: itms.address: found 10.1.0.1, which is already the ACS address; expected a different address',
    ],
    [
      'two collectors with one address',
      withLine(
        9,
        '  - { name: c1, interface: eth2, address: 10.3.0.2 }\n  - { name: c2, interface: eth3, address: 10.3.0.2 }',
      ),
      '10:43: collectors[1].address: found 10.3.0.2, which is already collector "c1"',
    ],
    // Names
    [
      'two collectors with one name',
      withLine(
        9,
        '  - { name: c1, interface: eth2, address: 10.3.0.2 }\n  - { name: c1, interface: eth2, address: 10.3.0.3 }',
      ),
      '10:13: collectors[1].name: found "c1" a second time, expected a different name',
    ],
    [
      'a collector called itms',
      withLine(9, '  - { name: itms, interface: eth2, address: 10.3.0.2 }'),
      '9:13: collectors[0].name: found "itms", expected a name of 1 to 31',
    ],
    [
      'an interface name of 16 bytes',
      withLine(2, '  interface: abcdefghijklmnop'),
      '2:14: cpe.interface: found "abcdefghijklmnop", expected an interface name: 1 to 15',
    ],
    [
      'an interface wildcard that takes in a server’s interface',
      withLine(2, '  interface: eth+'),
      '6:14: itms.interface: found "eth1", which is the CPEs\' interface; expected the one towards this server',
    ],
    [
      'an interface name with a blank and a rule',
      withLine(2, '  interface: "eth0 -j ACCEPT"'),
      '2:14: cpe.interface: found "eth0 -j ACCEPT", expected an interface name',
    ],
    [
      'an interface name with a line end',
      withLine(2, '  interface: "eth0\\n"'),
      '2:14: cpe.interface: found "eth0\\n", expected an interface name',
    ],
    [
      'an empty interface name',
      withLine(2, "  interface: ''"),
      '2:14: cpe.interface: found "", expected an interface name',
    ],
    [
      "an ITMS on the CPEs' interface",
      withLine(6, '  interface: eth0'),
      '6:14: itms.interface: found "eth0", which is the CPEs\' interface',
    ],
    // Ports and lists
    [
      'a report port that is kept for remapping',
      withLine(10, 'reportPorts: [61000]'),
      '10:15: reportPorts[0]: found 61000, expected a port below 61000 (61000-65535 are reserved for remapped connections)',
    ],
    [
      'an ITMS port that is kept for remapping',
      withMore('itmsPorts: [65535]'),
      '11:13: itmsPorts[0]: found 65535, expected a port below 61000',
    ],
    [
      'a report port that is an ITMS port too',
      withMore('itmsPorts: [8080, 7547]'),
      '11:19: itmsPorts[1]: found 7547, which is already a report port; expected a different port',
    ],
    [
      'a report port twice',
      withLine(10, 'reportPorts: [7547, 7547]'),
      '10:21: reportPorts[1]: found 7547, which is already a report port; expected a different port',
    ],
    ['port 0', withLine(10, 'reportPorts: [0]'), '10:15: reportPorts[0]: found 0, expected a port from 1 to 65535'],
    [
      'port 65536',
      withLine(10, 'reportPorts: [65536]'),
      '10:15: reportPorts[0]: found 65536, expected a port from 1 to 65535',
    ],
    [
      'half a port',
      withLine(10, 'reportPorts: [7547.5]'),
      '10:15: reportPorts[0]: found 7547.5, expected a port from 1 to 65535',
    ],
    [
      'sixty-five report ports',
      withLine(10, `reportPorts: [${Array.from({ length: 65 }, (_, i) => i + 1).join()}]`),
      '10:1: reportPorts: found a list of 65, expected a list of 1 to 64 ports',
    ],
    [
      'no report port',
      withLine(10, 'reportPorts: []'),
      '10:1: reportPorts: found an empty list, expected a list of 1 to 64 ports',
    ],
    [
      'no network',
      withLine(4, '  networks: []'),
      '4:3: cpe.networks: found an empty list, expected a list of 1 to 4096 networks',
    ],
    [
      'no collector',
      SMALLEST.replace(/collectors:\n.*\n/, 'collectors: []\n'),
      '8:1: collectors: found an empty list, expected a list of 1 to 64 collectors',
    ],
    // Limits
    [
      'a table of nothing',
      withMore('tables: { capacity: 0 }'),
      '11:21: tables.capacity: found 0, expected a number of entries from 16 to 16777216',
    ],
    [
      'a table beyond memory',
      withMore('tables: { capacity: 1e12 }'),
      '11:21: tables.capacity: found 1000000000000, expected a number of entries from 16',
    ],
    [
      'a queue number beyond 16 bits',
      withMore('queue: { first: 65533 }'),
      '11:17: queue.first: found 65533, expected a queue number from 0 to 65532',
    ],
    [
      'a queue too long for a receive buffer',
      withMore('queue: { length: 1000000 }'),
      '11:18: queue.length: found 1000000, expected a number of packets from 64 to 131072',
    ],
    [
      'a negative life',
      withMore('ttl: { grace: -1 }'),
      '11:15: ttl.grace: found -1, expected seconds from 0.1 to 604800',
    ],
    // Choices
    [
      'a misspelt activation',
      withMore('activation: respnse'),
      '11:13: activation: found "respnse", expected one of auto, fin, response, off; did you mean "response"?',
    ],
    [
      'an engine that is to do something else when it is down',
      withMore('onEngineDown: its'),
      '11:15: onEngineDown: found "its", expected one of itms, hold; did you mean "itms"?',
    ],
    [
      'a relative state directory',
      withMore('stateDirectory: run/acsplit'),
      '11:17: stateDirectory: found "run/acsplit", expected an absolute path',
    ],
    [
      'a state directory too long for a socket',
      withMore(`stateDirectory: /${'d'.repeat(100)}`),
      '11:17: stateDirectory: found "/ddd',
    ],
    [
      'a word where a mapping belongs, though a key is much like it',
      withMore('metrics: lisen'),
      '11:10: metrics: found "lisen", expected a mapping with listen',
    ],
    [
      'a group that begins like an option',
      withMore('controlGroup: -R'),
      '11:15: controlGroup: found "-R", expected the name of a group of this host',
    ],
    [
      'a metrics port alone',
      withMore('metrics: { listen: 9547 }'),
      '11:20: metrics.listen: found 9547, expected an address and a port such as 127.0.0.1:9547',
    ],
    [
      'a metrics host by name',
      withMore('metrics: { listen: localhost:9547 }'),
      '11:20: metrics.listen: found "localhost:9547", expected an address and a port',
    ],
    // YAML itself
    ['a bracket left open', withLine(10, 'reportPorts: [7547'), ': not valid YAML: '],
    ['a tab for indentation', withLine(2, '\tinterface: eth0'), '2:1: not valid YAML: '],
    ['a second document', withMore('---\ncpe: { }'), '11:1: not valid YAML: '],
    ['an unknown tag', withLine(2, '  interface: !!js/function eth0'), '2:14: not valid YAML: '],
    ['an alias', withMore('itmsPorts: &p [80]\nttl: *p'), '12:6: found the alias *p, expected the value itself'],
    [
      'an alias bomb',
      `a: &a [x]\n${[...'bcdefghij'].map((c, i) => `${c}: &${c} [${`*${'abcdefghi'[i]},`.repeat(9)}]`).join('\n')}`,
      '2:8: found the alias *a',
    ],
    ['a tower of brackets', `cpe: ${'['.repeat(100_000)}`, '1:22: nested too deeply'],
    ['a tower of dashes', `cpe:\n  ${'- '.repeat(2_000)}x`, '2:'],
    ['a terminal escape', withLine(2, '  interface: "\\e[2J"'), '2:14: cpe.interface: found "\\u001b[2J", expected'],
    [
      'a very long value',
      withLine(2, `  interface: ${'x'.repeat(3000)}`),
      `2:14: cpe.interface: found "${'x'.repeat(48)}…", expected`,
    ],
  ];

  test.each(rows)('%s', (_, source, expected) => {
    const line = complaint(source);
    expect(line).toContain(expected);
    expect(line).toMatch(/^a\.yaml:\d+:\d+: \S/);
    expect(line).not.toContain('\n');
    expect(line.length).toBeLessThan(400);
  });
});

describe('a file that cannot be read is refused in one line', () => {
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-configuration-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const inDirectory = (name: string) => join(directory, name);
  mkdirSync(inDirectory('directory.yaml'));
  writeFileSync(inDirectory('latin1.yaml'), Buffer.from([0x23, 0xe9, 0x0a]));
  writeFileSync(inDirectory('huge.yaml'), Buffer.alloc(300 * 1024, '#'));
  writeFileSync(inDirectory('plain'), SMALLEST);

  const rows: [string, string, RegExp][] = [
    ['missing', inDirectory('none.yaml'), /none\.yaml does not exist; create it, or name another with -c FILE$/],
    ['a directory', inDirectory('directory.yaml'), /is a directory, expected a YAML file$/],
    ['below a file', inDirectory('plain/x.yaml'), /does not exist: a part of its path is not a directory$/],
    ['not UTF-8', inDirectory('latin1.yaml'), /is not UTF-8 text$/],
    ['much too large', inDirectory('huge.yaml'), /is larger than 262144 bytes/],
    ['a device without an end', '/dev/zero', /is larger than 262144 bytes/],
    ['a name with a line end', inDirectory('a\nb.yaml'), /a\\nb\.yaml does not exist/],
  ];
  test.each(rows)('%s', (_, file, expected) => {
    expect(() => loadConfiguration(file)).toThrow(UsageError);
    expect(() => loadConfiguration(file)).toThrow(expected);
  });

  test('a good one is read', () => {
    expect(loadConfiguration(inDirectory('plain')).file).toBe(inDirectory('plain'));
  });
});

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
    ['a long name', withMore('name: northernmost'), '11:7: name: found "northernmost", expected a name of 1 to 10'],
  ];
  test.each(rows)('refused: %s', (_, source, expected) => expect(complaint(source)).toContain(expected));
});

describe('several errors', () => {
  const problems = (source: string): ConfigurationError => {
    try {
      parseConfiguration(source, 'a.yaml');
    } catch (error) {
      return error as ConfigurationError;
    }
    throw new Error('accepted');
  };

  test('are reported all at once, in the order of the file, missing keys last', () => {
    const error = problems('cpe: { interface: 7, adress: 10.1.0.1 }\nitms: 5\nreportPorts: [0]\ncolectors: []\n');
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.problems.map((line) => line.replace(/, expected.*/, ''))).toEqual([
      'a.yaml:1:19: cpe.interface: found 7',
      'a.yaml:1:22: cpe: unknown key "adress"; did you mean "address"?',
      'a.yaml:2:7: itms: found 5',
      'a.yaml:3:15: reportPorts[0]: found 0',
      'a.yaml:4:1: unknown key "colectors"; did you mean "collectors"?',
      'a.yaml:1:1: cpe.address: missing',
      'a.yaml:1:1: cpe.networks: missing',
      'a.yaml:1:1: collectors: missing',
    ]);
    expect(error.untold).toBe(0);
  });

  test('24 000 unknown keys: refused quickly, twenty told, the others counted', () => {
    const source = SMALLEST + Array.from({ length: 24_000 }, (_, i) => `k${i}:`).join('\n');
    const startMs = performance.now();
    const error = problems(source);
    // Each looked up in a list of all took 36 s on an idle machine, and takes 1 s in an index.
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(error.problems).toHaveLength(20);
    expect(error.problems[0]).toMatch(/^a\.yaml:11:1: unknown key "k0"/);
    expect(error.untold).toBe(23_980);
  });
});
