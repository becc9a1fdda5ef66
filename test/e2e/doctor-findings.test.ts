/** `acsplit doctor`: one fault at a time, planted for real, found alone, and mended with the command that was printed. */

import { accessSync, constants, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding } from '../../src/doctor/check';
import { CHECKS } from '../../src/doctor/checks';
import { cli } from '../../src/lab/engine';
import { DoctorHost, type Planted } from './support/doctor-host';
import { sh } from './support/netns';
import { systemProgram, until } from './support/rules-host';
import { testInUserNamespace } from './support/user-namespaces';

jest.setTimeout(180_000);

let host: DoctorHost;
beforeEach(async () => {
  host = await DoctorHost.healthy(host);
});
afterAll(() => host?.close());

const WHOLE_NETWORK = '10.1.0.0/16';

/** firewalld's chains, shortened: what no zone takes is rejected. */
const FIREWALLD = `
  table inet firewalld {
    chain filter_FORWARD {
      type filter hook forward priority filter + 10; policy accept;
      ct state { established, related } accept
      iifname "lo" accept
      ct state invalid drop
      jump filter_FORWARD_ZONES
      reject with icmpx admin-prohibited
    }
    chain filter_FORWARD_ZONES {
      iifname "eth7" accept
    }
  }`;

const rows: [string, Planted][] = [
  [
    'an interface that is down',
    {
      plant: 'ip link set dev eth2 down',
      ...{ level: 'failure', check: 'interfaces' },
      ...{ says: /^eth2 is down$/, mend: /^ip link set dev eth2 up$/ },
    },
  ],
  [
    'an interface that is not there',
    {
      plant: () => {
        host.edit('interface: eth2', 'interface: eth9');
        host.program('editor', `sed -i 's/eth9/eth2/' "$1"`);
      },
      ...{ level: 'failure', check: 'interfaces' },
      ...{ says: /^eth9 does not exist on this host \(it has eth0, eth1, eth2\)/, mend: /^editor \S+acsplit\.yaml$/ },
    },
  ],
  [
    'an ACS address that is nobody’s',
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
    'an ACS address on a virtual MAC that the configuration does not name',
    {
      plant: () => {
        host.shell('ip address delete 10.1.0.1/16 dev eth0');
        host.shell('ip link add vrrp51 link eth0 type macvlan mode private');
        host.shell('ip address add 10.1.0.1/16 dev vrrp51 && ip link set dev vrrp51 up');
        host.shell(`ip route replace ${WHOLE_NETWORK} dev eth0 && sysctl -qw net.ipv4.conf.vrrp51.rp_filter=0`);
        // What the message says comes back in the test, whose engine has no other interface.
        host.program('editor', 'ip link delete vrrp51', `ip address add 10.1.0.1/16 dev eth0`);
      },
      ...{ level: 'failure', check: 'acs-address' },
      ...{
        says: /10\.1\.0\.1 is on vrrp51, a virtual MAC on eth0: .* configure cpe\.interface: \{ in: vrrp51, out: eth0 \}/,
        mend: /^editor \S+acsplit\.yaml$/,
      },
    },
  ],
  [
    'a server on this host',
    {
      plant: () => {
        host.shell('ip address add 10.3.0.2/32 dev lo');
        host.program('editor', 'ip address delete 10.3.0.2/32 dev lo');
      },
      ...{ level: 'failure', check: 'configuration' },
      ...{ says: /^collectors\.c1: 10\.3\.0\.2 is an address of this host/, mend: /^editor \S+acsplit\.yaml$/ },
    },
  ],
  [
    'a host that does not forward',
    {
      plant: 'sysctl -qw net.ipv4.ip_forward=0',
      ...{ level: 'failure', check: 'forwarding' },
      ...{ says: /does not forward/, mend: /^sysctl -w net\.ipv4\.ip_forward=1$/ },
    },
  ],
  [
    'an interface that does not forward',
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
    'a route to a collector through the wrong interface',
    {
      plant: 'ip route add 10.3.0.2 dev eth1',
      ...{ level: 'failure', check: 'routes' },
      says: /^packets for collector c1 \(10\.3\.0\.2\) leave through eth1, expected eth2$/,
      mend: /^ip route replace 10\.3\.0\.2 dev eth2$/,
      after: 'ip route delete 10.3.0.2',
    },
  ],
  [
    'no route back to the CPEs',
    {
      plant: `ip route flush root ${WHOLE_NETWORK}`,
      ...{ level: 'failure', check: 'routes' },
      ...{ says: /^packets for the CPEs \(10\.1\.0\.0\/16\) have no route/, mend: /^ip route replace \S+ dev eth0$/ },
    },
  ],
  [
    'a part of the CPEs behind another interface, which a strict rp_filter makes worse',
    {
      plant: 'ip route add 10.1.128.0/17 dev eth1',
      ...{ level: 'failure', check: 'routes' },
      says: /^10\.1\.128\.0\/17, part of the CPE network 10\.1\.0\.0\/16, is routed through eth1, expected eth0; and the rp_filter of eth0 drops/,
      mend: /^ip route delete 10\.1\.128\.0\/17 dev eth1$/,
    },
  ],
  [
    'a side with a smaller MTU',
    {
      plant: 'ip link set dev eth2 mtu 1400',
      ...{ level: 'warning', check: 'mtu' },
      ...{ says: /^eth2 has MTU 1400, but another side has 1500/, mend: /^ip link set dev eth2 mtu 1500$/ },
    },
  ],
  [
    'a link without a carrier',
    {
      plant: () => host.at('itms', 'ip link set dev eth0 down'),
      ...{ level: 'failure', check: 'interfaces', says: /^eth1 has no carrier/, mend: null },
      elsewhere: ['itms', 'ip link set dev eth0 up && ip route add default via 10.2.0.1'],
    },
  ],
  [
    'a server that answers nobody',
    {
      plant: () => {
        host.at('itms', 'ip link set dev eth0 arp off');
        host.shell('ip neighbour flush dev eth1');
      },
      ...{ level: 'failure', check: 'neighbours', mend: null },
      says: /^nobody answers ARP for 10\.2\.0\.2 on eth1 \(the ITMS\)/,
      elsewhere: ['itms', 'ip link set dev eth0 arp on'],
    },
  ],
  [
    'a wrong MAC for a server',
    {
      plant: 'ip neighbour replace 10.2.0.2 lladdr 02:00:00:00:00:99 nud permanent dev eth1',
      ...{ level: 'failure', check: 'neighbours' },
      says: /^packets to 10\.2\.0\.2 on eth1 \(the ITMS\) go to MAC 02:00:00:00:00:99 \(PERMANENT\), but \S+ has the address$/,
      mend: /^ip neighbour delete 10\.2\.0\.2 dev eth1$/,
    },
  ],
  [
    'another host with the ACS address',
    {
      plant: () => host.at('cpe', 'ip address add 10.1.0.1/16 dev eth0'),
      ...{ level: 'failure', check: 'neighbours', mend: null },
      says: /^another host \(\S+\) answers ARP for the ACS address 10\.1\.0\.1 on eth0/,
      elsewhere: ['cpe', 'ip address delete 10.1.0.1/16 dev eth0'],
    },
  ],
  [
    'a server without a route back',
    {
      plant: () => host.at('itms', 'ip route delete default'),
      ...{ level: 'failure', check: 'servers', mend: null },
      says: /^the ITMS \(10\.2\.0\.2\) answers this host, but its answers to the ACS address do not come back: there, route 10\.1\.0\.0\/16 through this router$/,
      elsewhere: ['itms', 'ip route add 10.1.0.0/16 via 10.2.0.1'],
    },
  ],
  ...(
    [
      ['refuses', 'REJECT --reject-with tcp-reset', 'refuses connections to port 7547: nothing listens there'],
      ['ignores', 'DROP', 'does not answer on port 7547, though it is up'],
    ] as const
  ).map(([does, target, effect]): [string, Planted] => [
    `a server that ${does} connections`,
    {
      plant: () => host.at('collector', `iptables-nft -A INPUT -p tcp --dport 7547 -j ${target}`),
      // Its CPEs go to the ITMS.
      ...{ level: 'warning', check: 'servers', mend: null },
      says: new RegExp(`^collector c1 \\(10\\.3\\.0\\.2\\) ${effect}`),
      elsewhere: ['collector', 'iptables-nft -F INPUT'],
    },
  ]),
  [
    'a far link that is narrower, and loses large packets without a word',
    {
      plant: () => host.at('itms', 'ip link set dev eth0 mtu 1400'),
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
  [
    'rules of ours that are gone',
    {
      plant: 'iptables -t mangle -F ACSPLIT-TO-CPE',
      ...{ level: 'failure', check: 'rules' },
      ...{ says: /^mangle ACSPLIT-TO-CPE: missing .*\(and 1 more\)$/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'rules of ours in another order',
    {
      plant:
        'iptables -t mangle -D ACSPLIT-FROM-CPE 1 && iptables -t mangle -A ACSPLIT-FROM-CPE -p tcp -m multiport --dports 7547 -j NFQUEUE --queue-num 0',
      ...{ level: 'failure', check: 'rules' },
      ...{ says: /not in its place/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'Docker’s chain with a rule that takes our traffic away',
    {
      plant: 'iptables -N DOCKER-USER && iptables -I FORWARD -j DOCKER-USER && iptables -A DOCKER-USER -i eth0 -j DROP',
      ...{ level: 'failure', check: 'foreign-rules' },
      ...{
        says: /^filter DOCKER-USER: "-i eth0 -j DROP"/,
        mend: /^iptables -t filter -D DOCKER-USER -i eth0 -j DROP$/,
      },
    },
  ],
  [
    'ufw’s chain in front of ours that accepts everything',
    {
      plant:
        'iptables -N ufw-before-input && iptables -A ufw-before-input -i eth0 -j ACCEPT && iptables -I INPUT -j ufw-before-input',
      ...{ level: 'failure', check: 'foreign-rules' },
      ...{ says: /comes before/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'a clamp behind our queues, which it never sees',
    {
      plant: 'iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
      ...{ level: 'warning', check: 'foreign-rules' },
      ...{ says: /comes behind/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'a policy that drops where we do not accept',
    {
      plant: 'iptables -t mangle -P FORWARD DROP',
      ...{ level: 'failure', check: 'forward-policy' },
      ...{ says: /^mangle FORWARD: policy DROP drops/, mend: /^iptables -t mangle -P FORWARD ACCEPT$/ },
    },
  ],
  [
    'a policy of the other back end, as an older Docker leaves it',
    {
      plant: 'iptables-legacy -P FORWARD DROP',
      ...{ level: 'failure', check: 'forward-policy' },
      says: /^iptables-legacy: filter FORWARD: policy DROP drops/,
      mend: /^iptables-legacy -t filter -P FORWARD ACCEPT$/,
    },
  ],
  [
    'a rule of the other back end',
    {
      plant: 'iptables-legacy -A FORWARD -i eth0 -o eth2 -j REJECT',
      ...{ level: 'failure', check: 'foreign-rules' },
      says: /^iptables-legacy: filter FORWARD: "-i eth0 -o eth2 -j REJECT/,
      mend: /^iptables-legacy -t filter -D FORWARD -i eth0 -o eth2 -j REJECT/,
    },
  ],
  [
    'firewalld’s chain, which iptables does not show',
    {
      plant: `nft '${FIREWALLD}'`,
      ...{ level: 'failure', check: 'firewalls' },
      says: /^nftables inet firewalld filter_FORWARD \(forward\): "reject with .*" drops sessions of CPEs/,
      mend: /^nft 'insert rule inet firewalld filter_FORWARD iifname .* ct state untracked accept'$/,
    },
  ],
  [
    'somebody else’s nftables chain whose policy is drop',
    {
      plant: `nft 'table ip own { chain pre { type filter hook prerouting priority 0; policy drop; ct state established accept; tcp dport 22 accept; }; }'`,
      ...{ level: 'failure', check: 'firewalls' },
      ...{
        says: /^nftables ip own pre \(prerouting\): policy drop drops/,
        mend: /^nft 'insert rule ip own pre iifname [^o]* ct state/,
      },
    },
  ],
  ...['ip saddr 10.1.1.0/24', 'tcp dport 7547'].map((match): [string, Planted] => [
    `nftables: ${match} drop`,
    {
      plant: `nft 'table inet own { chain pre { type filter hook prerouting priority 0; ${match} counter drop; }; }'`,
      ...{ level: 'failure', check: 'firewalls' },
      says: new RegExp(`^nftables inet own pre \\(prerouting\\): "${match} counter .*drop" drops `),
      mend: /^nft delete rule inet own pre handle \d+$/,
      after: 'nft delete table inet own',
    },
  ]),
  [
    'a drop at ingress of a device, by a set that may change',
    {
      plant: `nft 'table netdev own { set bad { type ipv4_addr; flags timeout; }; chain in { type filter hook ingress device eth0 priority 0; ip saddr @bad drop; }; }'`,
      ...{ level: 'warning', check: 'firewalls' },
      ...{
        says: /^nftables netdev own in \(ingress\): "ip saddr @bad drop" may drop /,
        mend: /^nft delete rule netdev own in handle \d+$/,
      },
      after: 'nft delete table netdev own',
    },
  ],
  [
    'a drop of what an ipset names, in raw',
    {
      plant: 'ipset create bad hash:ip && iptables -t raw -I PREROUTING -m set --match-set bad src -j DROP',
      ...{ level: 'warning', check: 'foreign-rules' },
      says: /^raw PREROUTING: "-m set --match-set bad src -j DROP" is not ours, and its set, rate or mark decides/,
      mend: /^iptables -t raw -D PREROUTING -m set --match-set bad src -j DROP$/,
      after: 'ipset destroy bad',
    },
  ],
  [
    'a listener that would take the CPEs’ answers',
    {
      plant: () => host.router.listen('split', '0.0.0.0', 40_000),
      ...{ level: 'warning', check: 'listeners' },
      ...{ says: /^node \(process \d+\) listens on any address, port 40000/, mend: /^kill \d+$/ },
    },
  ],
  [
    'a listener on a port that is steered',
    {
      plant: () => host.router.listen('split', '10.1.0.1', 7547),
      ...{ level: 'warning', check: 'listeners' },
      ...{ says: /listens on the ACS address, port 7547: CPEs cannot reach it there/, mend: /^kill \d+$/ },
    },
  ],
  [
    'a state directory that everybody may write to',
    {
      plant: () => host.shell(`chmod 0777 ${host.stateDirectory}`),
      ...{ level: 'failure', check: 'state-directory' },
      ...{ says: /^\S+ is world-writable \(mode 777\)/, mend: /^chmod 0711 \S+state$/ },
    },
  ],
  [
    'a state directory without room',
    {
      // The engine's tables keep their room until it closes them.
      plant: () => {
        host.shell(`rm ${host.stateDirectory}/tables.state`);
        const free = Number(host.shell(`df --output=avail --block-size=1M ${host.stateDirectory} | tail -n 1`));
        host.shell(`fallocate -l ${free - 5}m ${host.stateDirectory}/filler`);
      },
      ...{ level: 'failure', check: 'state-directory' },
      ...{
        says: /has \d MiB free, but tables of 65536 entries need \d+ MiB$/,
        mend: /^mount -o remount,size=\d+m \S+$/,
      },
    },
  ],
  [
    'a file that was changed since: a reload',
    {
      plant: () => host.edit(/^ttl: .*$/m, 'ttl: { armed: 61 }'),
      ...{ level: 'warning', check: 'drift' },
      ...{ says: /^the engine runs with other values than the file for ttl\.armed$/, mend: /^kill -HUP \d+$/ },
    },
  ],
  [
    'an engine that is paused',
    {
      plant: () => host.acsplit('pause'),
      ...{ level: 'warning', check: 'engine' },
      ...{ says: /paused: every session goes to the ITMS/, mend: /^acsplit resume -c \S+$/ },
    },
  ],
];

test('a host in good health: a line for each check, exit status 0', () => {
  const { status, stdout, stderr } = host.doctor([]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = stdout.split('\n').slice(0, -1);
  expect(lines.pop()).toBe('0 failures, 0 warnings');
  expect(lines).toHaveLength(CHECKS.length);
  for (const [i, { name }] of CHECKS.entries()) expect(lines[i]).toMatch(new RegExp(`^ok       ${name} +[^ ]`));
});

describe('one fault, one finding, one command', () => {
  // Each begins with the good health in which the one before it ended.
  test.each(rows)('%s', (_, planted) => host.findAndMend(planted));

  test('in text it is one line, with the command', () => {
    host.shell('sysctl -qw net.ipv4.ip_forward=0');
    const { status, stdout } = host.doctor([]);
    host.shell('sysctl -qw net.ipv4.ip_forward=1');
    expect(status).toBe(1);
    const line = /^failure +forwarding +this host does not forward packets; fix it: sysctl -w net.ipv4.ip_forward=1$/m;
    expect(stdout).toMatch(line);
    expect(stdout).toMatch(
      /\n1 failure, 0 warnings, skipped: routes \(after forwarding\), neighbours \(after routes\), /,
    );
  });
});

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

describe('faults that take more than a line to plant', () => {
  beforeEach(() => expect(host.complaints()).toEqual([]));
  afterEach(() => {
    expect(host.complaints()).toEqual([]);
    host.note();
  });

  test('missing rights: what needs them is not looked at, and said so', () => {
    const dropped = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'];
    const { ok, findings, omitted } = host.diagnose(dropped);
    const [found, ...others] = findings.filter(({ level }) => level !== 'ok');
    expect({ ok, others }).toEqual({ ok: false, others: [] });
    expect(found).toMatchObject({
      check: 'rights',
      level: 'failure',
      mend: expect.stringMatching(/^sudo acsplit doctor/),
    });
    expect(omitted).toContainEqual({ check: 'kernel-rules', until: 'rights' });
    expect(host.doctor(dropped).stdout).toMatch(/\n1 failure, 0 warnings, skipped: kernel-rules \(after rights\), /);
    expect(host.shell(found.mend!)).toMatch(/\n0 failures, 0 warnings\n$/);
  });

  // The module cannot be taken from a kernel that has it built in: iptables says what such a kernel makes it say.
  test('a kernel without the socket match', () => {
    const restore = join(host.router.binaries, 'iptables-restore');
    const loaded = join(host.router.world.directory, 'loaded');
    for (const name of ['iptables-restore', 'iptables-nft-restore', 'iptables-legacy-restore']) {
      const genuine = systemProgram('iptables-nft-restore');
      host.program(
        name,
        'input=$(cat)',
        `case "$input" in *'-m socket'*) [ -e ${loaded} ] || {`,
        'echo "Warning: Extension socket revision 0 not supported, missing kernel module?" >&2; exit 1; } ;;',
        'esac',
        `printf '%s\\n' "$input" | exec ${genuine} "$@"`,
      );
    }
    host.program('modprobe', `[ "$1" = xt_socket ] && touch ${loaded}`);
    try {
      const [found, ...others] = host.complaints();
      expect(others).toEqual([]);
      expect(found).toMatchObject({ check: 'kernel-rules', level: 'failure', mend: 'modprobe xt_socket' });
      expect(found.message).toMatch(/^iptables does not accept our rules: this kernel lacks what "socket" rules need/);
      host.shell(found.mend!);
      expect(host.complaints()).toEqual([]);
    } finally {
      for (const name of ['iptables-nft-restore', 'iptables-legacy-restore', 'modprobe', 'iptables-restore']) {
        rmSync(join(host.router.binaries, name));
      }
      symlinkSync(systemProgram('iptables-nft-restore'), restore);
    }
  });

  // Root of the machine goes beyond the limit, root of a user namespace does not. It is raised for a moment.
  const limit = '/proc/sys/net/core/rmem_max';
  const testOrSkip = isWritable(limit) ? testInUserNamespace : test.skip;
  const reason = isWritable(limit) ? '' : ' (skipped: net.core.rmem_max is not ours to write)';
  testOrSkip(`a buffer that net.core.rmem_max cuts${reason}`, () => {
    const wrapper = ['unshare', '--user', '--map-root-user', '--net', '--'];
    const find = () => host.diagnose(wrapper).findings.find(({ check }) => check === 'kernel-queues')!;
    const before = readFileSync(limit, 'utf8');
    const found = find();
    expect(found).toMatchObject({ level: 'warning' });
    expect(found.message).toMatch(/^the queue socket gets a buffer of [\d.]+ MiB instead of 384\.0 MiB/);
    expect(found.mend).toBe('sysctl -w net.core.rmem_max=201326592');
    try {
      sh('sh', '-c', found.mend!);
      expect(find()).toMatchObject({ level: 'ok' });
    } finally {
      writeFileSync(limit, before);
    }
  });

  // The limit is the whole machine's: it is put behind files that only these commands see.
  test('a connection table that is nearly full', () => {
    const directory = host.router.world.directory;
    host.shell(`echo 900 > ${directory}/count && echo 1000 > ${directory}/max`);
    const mounts = ['count', 'max'].map(
      (name) => `mount --bind ${directory}/${name} /proc/sys/net/netfilter/nf_conntrack_${name}`,
    );
    const wrapper = ['unshare', '--mount', 'sh', '-c', `${mounts.join(' && ')} && exec "$@"`, 'sh'];
    const [found, ...others] = host.complaints(wrapper);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'conntrack', level: 'warning' });
    expect(found.message).toMatch(/^900 of at most 1000 connections are tracked/);
    expect(found.mend).toBe('sysctl -w net.netfilter.nf_conntrack_max=65536');
    host.router.must([...wrapper, 'sh', '-c', found.mend!]);
    expect(host.complaints(wrapper)).toEqual([]);
  });

  test('an engine that still holds where the rules are those of `itms`', async () => {
    const pid = host.shell(`acsplit status --json -c ${host.router.configuration} | jq .pid`).trim();
    const isEmpty = () => host.shell('ipset list -terse ACSPLIT-ALIVE4').includes('Number of entries: 0');
    host.edit('onEngineDown: itms', 'onEngineDown: hold');
    host.shell(`kill -HUP ${pid}`);
    await until(isEmpty, 'the set to be empty');
    host.edit('onEngineDown: hold', 'onEngineDown: itms');
    const [found, ...others] = host.complaints();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'fallback', level: 'failure', mend: `kill -HUP ${pid}` });
    expect(found.message).toMatch(/^the engine runs but does not refresh ACSPLIT-ALIVE4: /);
    host.shell(found.mend!);
    await host.untilHealthy();
  });

  test('no engine', async () => {
    await host.router.stopEngine();
    const [found, ...others] = host.complaints();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'engine', level: 'failure', mend: expect.stringMatching(/^acsplit run -c /) });
    host.start(found.mend!);
    await host.untilHealthy();
  });

  /** Follows what doctor prints until nothing else is wrong; the checks that had a finding, in order. */
  async function follow(left?: string): Promise<string[]> {
    const checks: string[] = [];
    for (let step = 0; step < 8; step++) {
      const [found] = host.complaints().filter(({ check }) => check !== left);
      if (found === undefined) return checks;
      checks.push(found.check);
      if (/^(acsplit run|kill \d+ && tail)/.test(found.mend!)) {
        host.start(found.mend!);
        await host.untilHealthy();
      } else host.shell(found.mend!);
    }
    throw new Error(checks.join());
  }

  test('a wrong address for a server: told, corrected in the file, and each next step is printed', async () => {
    host.edit('10.2.0.2', '10.2.0.9');
    expect(await follow('neighbours')).toEqual(['rules', 'drift']);
    const [found, ...others] = host.complaints();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'neighbours', level: 'failure', mend: null });
    const file = host.router.configuration;
    expect(found.message).toBe(
      `nobody answers ARP for 10.2.0.9 on eth1 (the ITMS): it is down, or ${file} has a wrong address`,
    );
    host.edit('10.2.0.9', '10.2.0.2');
    expect(await follow()).toEqual(['rules', 'drift']);
  });

  test('CPEs behind a router: the route is printed with it, and never as on the link', async () => {
    host.at('cpe', 'ip address add 10.7.0.1/16 dev lo');
    host.edit('[10.1.0.0/16]', '[10.1.0.0/16, 10.7.0.0/16]');
    host.at('cpe', 'bash -c "true </dev/tcp/10.1.0.1/22" || true');
    const routing = () => host.complaints().find(({ check }) => check === 'routes')!;
    expect(routing().mend).toBe('ip route replace 10.7.0.0/16 via 10.1.1.1 dev eth0');
    expect(await follow()).toEqual(['routes', 'rules', 'drift']);
    host.shell('ip route delete 10.7.0.0/16 && ip neighbour flush dev eth0');
    expect(routing()).toMatchObject({ level: 'failure', mend: null });
    expect(routing().message).toMatch(/name the router in front, ip route add 10\.7\.0\.0\/16 via ROUTER dev eth0$/);
    host.edit('[10.1.0.0/16, 10.7.0.0/16]', '[10.1.0.0/16]');
    expect(await follow()).toEqual(['rules', 'drift']);
  });

  test('a changed key that takes a restart, and an upgraded program', async () => {
    host.edit('tables: { capacity: 65536 }', 'tables: { capacity: 65537 }');
    expect(await follow()).toEqual(['drift']);
    const copy = join(host.router.world.directory, 'upgraded');
    const root = join(__dirname, '../..');
    host.shell(
      `mkdir ${copy} && cp -r ${root}/dist ${copy} && ln -s ${root}/node_modules ${root}/build ${root}/iptables ${copy}`,
    );
    const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...own, version: '9.9.9' }));
    host.program('acsplit', `exec ${process.execPath} ${copy}/dist/cli/main.js "$@"`);
    const { findings } = JSON.parse(host.doctor([], '--json').stdout) as { findings: Finding[] };
    const [found, ...others] = findings.filter(({ level }) => level !== 'ok');
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'drift', level: 'warning' });
    expect(found!.message).toBe(`version ${own.version} runs, 9.9.9 is installed: restart the engine`);
    host.start(found!.mend!);
    await until(() => host.doctor([], '--quiet').stdout === '0 failures, 0 warnings\n', 'the new version');
    // Back to this version, as an upgrade as well.
    host.program('acsplit', `exec ${cli(host.router.world).join(' ')} "$@"`);
    expect(await follow()).toEqual(['drift']);
  });

  test('another program on our queues', async () => {
    await host.stopStarted();
    host.start(`acsplit run -c ${host.configuration('intruder', 'queue: { first: 1 }')}`);
    await host.untilBound(1);
    // As systemd would: again and again.
    host.start(`while :; do acsplit run -c ${host.router.configuration}; sleep 0.2; done`);
    const [found, ...others] = host.complaints();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'queue-owner', level: 'failure' });
    expect(found.message).toMatch(/^queue 1 is held by process \d+ \(node\), not by our engine$/);
    expect(found.mend).toMatch(/^kill \d+$/);
    host.shell(found.mend!);
    await host.untilHealthy();
  });
});

describe('the night page of docs/operations.md leads to the fault', () => {
  const page = readFileSync(join(__dirname, '../../docs/operations.md'), 'utf8');
  const section = page.split('\n### CPEs vanish from the ITMS\n')[1]!.split('\n### ')[0]!;
  const commands = [...section.matchAll(/`((?:acsplit|tcpdump) [^`]+)`/g)].map(([, command]) => command!);
  const step = (beginning: string) => {
    const command = commands.find((one) => one.startsWith(beginning))!;
    return command.startsWith('acsplit') ? `${command} -c ${host.router.configuration}` : command;
  };
  /** As `acsplit doctor --quiet` prints it: the checks with a finding, and the commands. */
  function look(): { checks: string[]; mends: string[] } {
    const { stdout } = host.router.run(['sh', '-c', step('acsplit doctor --quiet')]);
    const lines = stdout.split('\n').filter((line) => /^(failure|warning) /.test(line));
    const mends = lines.flatMap((line) => /; fix it: (.*)$/.exec(line)?.[1] ?? []);
    return { checks: lines.map((line) => line.split(/ +/)[1]!), mends };
  }
  /** Twenty CPEs' sessions, and what one interface of the router sees of them. */
  async function watch(device: 'eth0' | 'eth1'): Promise<string> {
    const command = step(`tcpdump -c 20 -nni ${device}`);
    const child = host.router.world.start('split', ['sh', '-c', `timeout 20 ${command} -l`]);
    let seen = '';
    let said = '';
    child.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes('listening on'), 'tcpdump');
    const dial = `for (let i = 0; i < 20; i++) require('net').connect({ host: '10.1.0.1', port: 7547, localAddress: '10.1.1.1' }).on('error', () => {}); setTimeout(() => process.exit(), 1500)`;
    await host.router.world.run('cpe', [process.execPath, '-e', dial]);
    await until(() => child.exitCode !== null, 'its end');
    return seen;
  }

  test('the ITMS refuses: step 1 says that it is not this router', () => {
    host.at('itms', 'iptables-nft -A INPUT -p tcp --dport 7547 -j REJECT --reject-with tcp-reset');
    expect(look()).toEqual({ checks: ['servers'], mends: [] });
    host.at('itms', 'iptables-nft -F INPUT');
    expect(look().checks).toEqual([]);
  });

  test('this router’s rules are gone, and it does not forward: step 1 mends one after the other', () => {
    host.shell('sysctl -qw net.ipv4.ip_forward=0 && iptables -t mangle -F ACSPLIT-FROM-CPE');
    for (let round = 0; round < 3; round++) for (const mend of look().mends) host.shell(mend);
    expect(look().checks).toEqual([]);
  });

  test('the ITMS’s firewall drops CPEs, and answers this router: step 3 shows SYNs on both sides and no answer', async () => {
    host.at('itms', 'iptables-nft -A INPUT -s 10.1.1.0/24 -j DROP');
    expect(look().checks).toEqual([]);
    expect(host.shell(step('acsplit status'))).toMatch(/: ready/);
    for (const device of ['eth0', 'eth1'] as const) {
      const seen = await watch(device);
      expect(seen).toMatch(/ 10\.1\.1\.1\.\d+ > \S+: Flags \[S\]/);
      expect(seen).not.toMatch(/Flags \[S\.\]/);
    }
    host.at('itms', 'iptables-nft -F INPUT');
    expect(await watch('eth1')).toMatch(/Flags \[S\.\]/);
  });
});

test('a broken configuration is one finding, and names the engine that still runs', () => {
  host.edit('reportPorts', 'reportPort');
  try {
    const { status, stdout } = host.doctor([], '--json');
    const { findings, omitted } = JSON.parse(stdout) as { findings: Finding[]; omitted: object[] };
    expect(status).toBe(1);
    expect(findings).toEqual([
      {
        check: 'configuration',
        level: 'failure',
        message: expect.stringMatching(
          /: unknown key "reportPort"; did you mean "reportPorts"\? \(and 1 more\); the engine that was started with it still runs \(pid \d+\)$/,
        ) as string,
        mend: `editor ${host.router.configuration}`,
      },
    ]);
    expect(omitted).toHaveLength(CHECKS.length - 1);
  } finally {
    host.edit('reportPort', 'reportPorts');
  }
});

test('run and rules install refuse a server on this host, with the reason', () => {
  host.shell('ip address add 10.2.0.2/32 dev lo');
  try {
    for (const words of ['rules install', 'run']) {
      const { status, stderr } = host.router.run(['acsplit', ...words.split(' '), '-c', host.router.configuration]);
      expect(stderr).toMatch(/itms: 10\.2\.0\.2 is an address of this host, whose packets are not forwarded/);
      expect(status).toBe(2);
    }
  } finally {
    host.shell('ip address delete 10.2.0.2/32 dev lo');
  }
});
