/** Faults of the network for `acsplit doctor`, each with its finding: interfaces, addresses, routes, hosts next to us, servers. */
import { type DoctorHost, type Planted } from './doctor-host';

const WHOLE_NETWORK = '10.1.0.0/16';

export const networkRows = (host: () => DoctorHost): [string, Planted][] => [
  [
    'interface down',
    {
      plant: 'ip link set dev eth2 down',
      ...{ level: 'failure', check: 'interfaces' },
      ...{ says: /^eth2 is down$/, mend: /^ip link set dev eth2 up$/ },
    },
  ],
  [
    'interface missing',
    {
      plant: () => {
        host().edit('interface: eth2', 'interface: eth9');
        host().program('editor', `sed -i 's/eth9/eth2/' "$1"`);
      },
      ...{ level: 'failure', check: 'interfaces' },
      ...{ says: /^eth9 does not exist on this host \(it has eth0, eth1, eth2\)/, mend: /^editor \S+acsplit\.yaml$/ },
    },
  ],
  [
    'ACS address missing',
    {
      plant: `ip address delete 10.1.0.1/16 dev eth0 && ip route add ${WHOLE_NETWORK} dev eth0`,
      ...{ level: 'warning', check: 'acs-address' },
      ...{
        says: /^the ACS address 10\.1\.0\.1 is not an address of this host/,
        mend: /^ip address add 10\.1\.0\.1\/16 dev eth0$/,
      },
    },
  ],
  [
    'ACS address on a virtual MAC',
    {
      plant: () => {
        host().shell('ip address delete 10.1.0.1/16 dev eth0');
        host().shell('ip link add vrrp51 link eth0 type macvlan mode private');
        host().shell('ip address add 10.1.0.1/16 dev vrrp51 && ip link set dev vrrp51 up');
        host().shell(`ip route replace ${WHOLE_NETWORK} dev eth0 && sysctl -qw net.ipv4.conf.vrrp51.rp_filter=0`);
        // What the message says comes back in the test, whose engine has no other interface.
        host().program('editor', 'ip link delete vrrp51', `ip address add 10.1.0.1/16 dev eth0`);
      },
      ...{ level: 'failure', check: 'acs-address' },
      ...{
        says: /10\.1\.0\.1 is on vrrp51, a virtual MAC on eth0: .* configure cpe\.interface: \{ in: vrrp51, out: eth0 \}/,
        mend: /^editor \S+acsplit\.yaml$/,
      },
    },
  ],
  [
    'server’s address on this host',
    {
      plant: () => {
        host().shell('ip address add 10.3.0.2/32 dev lo');
        host().program('editor', 'ip address delete 10.3.0.2/32 dev lo');
      },
      ...{ level: 'failure', check: 'configuration' },
      ...{ says: /^collectors\.c1: 10\.3\.0\.2 is an address of this host/, mend: /^editor \S+acsplit\.yaml$/ },
    },
  ],
  [
    'ip_forward off',
    {
      plant: 'sysctl -qw net.ipv4.ip_forward=0',
      ...{ level: 'failure', check: 'forwarding' },
      ...{ says: /does not forward/, mend: /^sysctl -w net\.ipv4\.ip_forward=1$/ },
    },
  ],
  [
    'an interface’s forwarding off',
    {
      plant: 'sysctl -qw net.ipv4.conf.eth1.forwarding=0',
      ...{ level: 'failure', check: 'forwarding' },
      ...{ says: /^eth1 does not forward/, mend: /^sysctl -w net\.ipv4\.conf\.eth1\.forwarding=1$/ },
    },
  ],
  [
    'no route to the ITMS',
    {
      plant: 'ip route delete 10.2.0.0/24',
      ...{ level: 'failure', check: 'routes' },
      ...{
        says: /^packets for the ITMS \(10\.2\.0\.2\) have no route/,
        mend: /^ip route replace 10\.2\.0\.2 dev eth1$/,
      },
      after: 'ip route add 10.2.0.0/24 dev eth1 src 10.2.0.1',
    },
  ],
  [
    'wrong route to a collector',
    {
      plant: 'ip route add 10.3.0.2 dev eth1',
      ...{ level: 'failure', check: 'routes' },
      says: /^packets for collector c1 \(10\.3\.0\.2\) leave through eth1, expected eth2$/,
      mend: /^ip route replace 10\.3\.0\.2 dev eth2$/,
      after: 'ip route delete 10.3.0.2',
    },
  ],
  [
    'no route to the CPEs',
    {
      plant: `ip route flush root ${WHOLE_NETWORK}`,
      ...{ level: 'failure', check: 'routes' },
      ...{ says: /^packets for the CPEs \(10\.1\.0\.0\/16\) have no route/, mend: /^ip route replace \S+ dev eth0$/ },
    },
  ],
  [
    'rp_filter',
    {
      plant: 'ip route add 10.1.128.0/17 dev eth1',
      ...{ level: 'failure', check: 'routes' },
      says: /^10\.1\.128\.0\/17, part of the CPE network 10\.1\.0\.0\/16, is routed through eth1, expected eth0; and the rp_filter of eth0 drops/,
      mend: /^ip route delete 10\.1\.128\.0\/17 dev eth1$/,
    },
  ],
  [
    'smaller MTU of one side',
    {
      plant: 'ip link set dev eth2 mtu 1400',
      ...{ level: 'warning', check: 'mtu' },
      ...{ says: /^eth2 has MTU 1400, but another side has 1500/, mend: /^ip link set dev eth2 mtu 1500$/ },
    },
  ],
  [
    'no carrier',
    {
      plant: () => host().at('itms', 'ip link set dev eth0 down'),
      ...{ level: 'failure', check: 'interfaces', says: /^eth1 has no carrier/, mend: null },
      elsewhere: ['itms', 'ip link set dev eth0 up && ip route add default via 10.2.0.1'],
    },
  ],
  [
    'ITMS unreachable',
    {
      plant: () => {
        host().at('itms', 'ip link set dev eth0 arp off');
        host().shell('ip neighbour flush dev eth1');
      },
      ...{ level: 'failure', check: 'neighbours', mend: null },
      says: /^nobody answers ARP for 10\.2\.0\.2 on eth1 \(the ITMS\)/,
      elsewhere: ['itms', 'ip link set dev eth0 arp on'],
    },
  ],
  [
    'wrong MAC',
    {
      plant: 'ip neighbour replace 10.2.0.2 lladdr 02:00:00:00:00:99 nud permanent dev eth1',
      ...{ level: 'failure', check: 'neighbours' },
      says: /^packets to 10\.2\.0\.2 on eth1 \(the ITMS\) go to MAC 02:00:00:00:00:99 \(PERMANENT\), but \S+ has the address$/,
      mend: /^ip neighbour delete 10\.2\.0\.2 dev eth1$/,
    },
  ],
  [
    'duplicate ACS address',
    {
      plant: () => host().at('cpe', 'ip address add 10.1.0.1/16 dev eth0'),
      ...{ level: 'failure', check: 'neighbours', mend: null },
      says: /^another host \(\S+\) answers ARP for the ACS address 10\.1\.0\.1 on eth0/,
      elsewhere: ['cpe', 'ip address delete 10.1.0.1/16 dev eth0'],
    },
  ],
  [
    'ITMS without a route back',
    {
      plant: () => host().at('itms', 'ip route delete default'),
      ...{ level: 'failure', check: 'servers', mend: null },
      says: /^the ITMS \(10\.2\.0\.2\) answers this host, but its answers to the ACS address do not come back: there, route 10\.1\.0\.0\/16 through this router$/,
      elsewhere: ['itms', 'ip route add 10.1.0.0/16 via 10.2.0.1'],
    },
  ],
  ...(['itms', 'collector'] as const).flatMap((role) =>
    (
      [
        [
          'refuses',
          '--syn -j REJECT --reject-with tcp-reset',
          'refuses connections to port 7547: nothing listens there',
        ],
        ['silent', '-j DROP', 'does not answer on port 7547, though it is up'],
        ['accepts and resets', '--tcp-flags SYN,ACK ACK -j REJECT --reject-with tcp-reset', '.* and resets them'],
      ] as const
    ).map(([does, target, effect]): [string, Planted] => [
      `${role === 'itms' ? 'ITMS' : 'collector'} ${does}`,
      {
        plant: () => host().at(role, `iptables-nft -A INPUT -p tcp --dport 7547 ${target}`),
        // A collector's CPEs go to the ITMS.
        ...{ level: role === 'itms' ? 'failure' : 'warning', check: 'servers', mend: null },
        says: new RegExp(`^${role === 'itms' ? 'the ITMS' : 'collector c1'} \\([\\d.]+\\) ${effect}`),
        elsewhere: [role, 'iptables-nft -F INPUT'],
      },
    ]),
  ),
  [
    'collector dies in mid-session',
    {
      plant: async () => {
        host().acsplit('activate 10.1.1.1 --collector c1');
        const session = host().router.connect('cpe', '10.1.1.1', '10.1.0.1', 7547);
        await session.echo('running');
        host().servers.collector!.signal('SIGKILL');
        await session.until('closed');
      },
      ...{ level: 'warning', check: 'servers', mend: null },
      says: /^collector c1 \([\d.]+\) refuses connections to port 7547: nothing listens there/,
      elsewhere: () => host().serve('collector'),
    },
  ],
  [
    'ITMS takes every second SYN',
    {
      plant: () =>
        host().at('itms', 'iptables-nft -A INPUT -p tcp --syn -m statistic --mode nth --every 2 --packet 0 -j DROP'),
      ...{ level: 'warning', check: 'servers', mend: null },
      says: /^the ITMS \(10\.2\.0\.2\) took [1-9]\d*\.\d s to accept a connection to port 7547/,
      elsewhere: ['itms', 'iptables-nft -F INPUT'],
    },
  ],
  [
    'ITMS accepts and hangs',
    {
      plant: () => host().servers.itms!.signal('SIGSTOP'),
      ...{ level: 'failure', check: 'servers', mend: null },
      says: /^the ITMS \(10\.2\.0\.2\) accepts connections to port 7547 and then says nothing/,
      elsewhere: () => host().servers.itms!.signal('SIGCONT'),
    },
  ],
  [
    'ITMS answers slowly',
    {
      plant: () => host().serve('itms', 1500),
      ...{ level: 'warning', check: 'servers', mend: null },
      says: /^the ITMS \(10\.2\.0\.2\) took [1-9]\d*\.\d s to answer on port 7547/,
      elsewhere: () => host().serve('itms'),
    },
  ],
  [
    'far MTU (silent)',
    {
      plant: () => host().at('itms', 'ip link set dev eth0 mtu 1400'),
      ...{ level: 'failure', check: 'mtu' },
      says: /^the way to the ITMS \(10\.2\.0\.2\) loses packets of 1500 bytes without an error, those of 1400 arrive/,
      elsewhere: ['itms', 'ip link set dev eth0 mtu 1500'],
      mend: /^ip route replace 10\.2\.0\.2 dev eth1 mtu lock 1400 && iptables -t mangle -I FORWARD .* --clamp-mss-to-pmtu$/,
      after:
        'ip route delete 10.2.0.2 && iptables -t mangle -D FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
    },
  ],
  [
    'BIG TCP',
    {
      plant: 'ip link set dev eth1 gso_max_size 100000 gro_max_size 130000',
      ...{ level: 'failure', check: 'big-tcp' },
      says: /^eth1 .*gso_max_size 100000, gro_max_size 130000/,
      mend: /^ip link set dev eth1 gso_max_size 65536 gro_max_size 65536$/,
    },
  ],
];
