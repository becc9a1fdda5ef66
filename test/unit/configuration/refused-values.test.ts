/** The one line that refuses each invalid configuration: addresses, networks, names and ports. */
import { SMALLEST, BOTH_FAMILIES, withLine, withMore, expectRefused } from './sources';

describe('an invalid configuration is refused in one line: place, found, expected', () => {
  const rows: [string, string, string][] = [
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
  ];
  test.each(rows)('%s', (_, source, expected) => expectRefused(source, expected));
});
