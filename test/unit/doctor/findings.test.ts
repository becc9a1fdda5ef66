/**
 * doctor's table, and its judgement of facts that no test can plant on a real host; test/e2e/doctor-findings covers the
 * rest.
 */
import { steeringOf } from '../../../src/configuration/configuration';
import { clusterOf, store } from '../../support/cluster-status';
import { serverStatus } from '../../support/server-status';
import { type Status } from '../../../src/engine/report/status';
import { renderRules } from '../../../src/steering/iptables';
import { aliveSet, CONFIGURATION, done, type Plants, refused } from './planted-host';
import { findings, link, links } from './planted-findings';

const MISSING_SOCKET = refused('Warning: Extension socket revision 0 not supported, missing kernel module?');
const MISSING_PROGRAM = refused('unshare: failed to execute iptables-restore: No such file or directory', 127);

const LISTENER_HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const listener = (local: string, state: string) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0\n`;

const holder = { pid: 77, name: 'suricata' };
const status = (more: Partial<Status>) => ({
  status: {
    version: '1',
    ready: true,
    paused: false,
    workers: [],
    queues: [{ number: 0 }],
    ...more,
  } as unknown as Status,
});
const directory = { isDirectory: true, mode: 0o750, isWritable: true, bytes: 0 };

/** What iptables-save would print right after the installation: built-in chains are declared there as well. */
function installed(): string {
  const text = renderRules(CONFIGURATION.topology, steeringOf(CONFIGURATION)).replaceAll(/^-I/gm, '-A');
  return text.replace(
    /^\*.*$/gm,
    '$&\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]',
  );
}

type Planted = [string, string, Plants, string, RegExp | string];
const rows: Planted[] = [
  [
    'an interface without a carrier',
    'interfaces',
    { programs: links(link('eth0'), link('eth1', { flags: ['UP', 'NO-CARRIER'] }), link('eth2')) },
    'eth1 has no carrier',
    'see: ip link show dev eth1',
  ],
  [
    'IPv4 sizes of BIG TCP, which newer kernels count apart',
    'big-tcp',
    { programs: links(link('eth0', { gso_ipv4_max_size: 70_000 }), link('eth1'), link('eth2')) },
    'eth0 builds packets larger',
    'ip link set dev eth0 gso_ipv4_max_size 65536',
  ],
  [
    'a back end that refuses the bundle where the other takes it',
    'kernel-rules',
    { programs: { iptables: MISSING_SOCKET, 'iptables-legacy': done() } },
    'iptables-legacy does',
    'update-alternatives --set iptables /usr/sbin/iptables-legacy',
  ],
  [
    'a kernel without a match, under both back ends',
    'kernel-rules',
    { programs: { iptables: MISSING_SOCKET } },
    'socket',
    'modprobe xt_socket',
  ],
  [
    'no iptables at all',
    'kernel-rules',
    { programs: { iptables: MISSING_PROGRAM } },
    'iptables',
    'apt-get install --reinstall iptables',
  ],
  [
    'a kernel without super-packets',
    'kernel-queues',
    { trial: { code: 'EOPNOTSUPP', message: 'cannot bind queue 0' } },
    'cannot bind queue 0',
    'editor /etc/acsplit/acsplit.yaml',
  ],
  [
    'a kernel without queues',
    'kernel-queues',
    { trial: { code: 'EPROTONOSUPPORT', message: 'cannot open a queue socket' } },
    'cannot open a queue socket',
    'modprobe nfnetlink_queue',
  ],
  [
    'an addon that is not built',
    'addon',
    { addonComplaint: 'the native addon is not built' },
    'not built',
    /^npm --prefix \S+ run install$/,
  ],
  [
    'older kernels: a filtered source is EXDEV, and the mend is the filter where both routes are right',
    'routes',
    {
      programs: {
        'ip -j -4 route get 10.2.0.2': done('[{"dev":"eth1"}]'),
        'ip -j -4 route get 10.3.0.2': done('[{"dev":"eth2"}]'),
        'ip -j -4 route get 10.2.0.2 from': refused('RTNETLINK answers: Invalid cross-device link'),
        'ip -j -4 route get 10.1.128.2': done('[{"dev":"eth0"}]'),
        'ip -j -4 route show': done('[]'),
      },
    },
    'the rp_filter of eth0 drops packets for the ITMS (10.2.0.2)',
    'sysctl -w net.ipv4.conf.eth0.rp_filter=2',
  ],
  [
    'a black hole, which newer kernels answer like a filter',
    'routes',
    {
      programs: {
        'ip -j -4 route get 10.2.0.2': refused('RTNETLINK answers: Invalid argument'),
        'ip -j -4 route get 10.3.0.2': done('[{"dev":"eth2"}]'),
        'ip -j -4 route get 10.1.128.2': done('[{"dev":"eth0"}]'),
        'ip -j -4 route show': done('[]'),
        'ip -j -4 route show dev eth1': done('[{"dst":"10.9.0.0/16","gateway":"10.2.0.254"}]'),
      },
    },
    'packets for the ITMS (10.2.0.2) have no route',
    'ip -4 route replace 10.2.0.2 via 10.2.0.254 dev eth1'.replace(' -4', ''),
  ],
  ['no nft to look with', 'firewalls', { programs: {} }, 'cannot inspect', 'apt-get install nftables'],
  [
    'a listener of a service that systemd keeps',
    'listeners',
    {
      files: {
        '/proc/net/tcp': LISTENER_HEAD + listener('0100010A:A000', '01') + listener('0100010A:1D7B', '0A'),
        '/proc/77/cgroup': '0::/system.slice/nginx.service\n',
      },
      holders: { 77: { pid: 77, name: 'nginx' } },
    },
    'nginx (process 77) listens on the ACS address, port 7547: CPEs cannot',
    'systemctl stop nginx.service',
  ],
  [
    'an IPv6 listener on any address takes IPv4 too',
    'listeners',
    { files: { '/proc/net/tcp6': LISTENER_HEAD + listener(`${'0'.repeat(32)}:8000`, '0A') } },
    'a process that cannot be seen from here listens on any address, port 32768',
    'see: ss -Hltnp sport = :32768',
  ],
  [
    'an IPv6 listener on the ACS address, written as IPv6',
    'listeners',
    { files: { '/proc/net/tcp6': LISTENER_HEAD + listener('0000000000000000FFFF00000100010A:8000', '0A') } },
    'listens on the ACS address, port 32768',
    'see: ss -Hltnp sport = :32768',
  ],
  [
    'rules of ours in the other back end as well',
    'rules',
    {
      programs: {
        'iptables-save': done(`# Generated by iptables-save v1.8.9 (nf_tables)\n${installed()}`),
        'iptables-legacy-save': done('*mangle\n:ACSPLIT-CPE - [0:0]\nCOMMIT\n'),
      },
    },
    'table mangle: rules of ours stand in iptables-legacy as well',
    'iptables-legacy-save | grep -v ACSPLIT- | iptables-legacy-restore',
  ],
  [
    'rules of ours in the file that is restored at boot',
    'rules',
    {
      files: { '/etc/iptables/rules.v4': installed(), '/etc/iptables/rules.v6': ':ACSPLITTER - [0:0]' },
      programs: { 'iptables-save': done(`# Generated by iptables-save v1.8.9 (nf_tables)\n${installed()}`) },
    },
    '/etc/iptables/rules.v4 holds rules of ours',
    "sed -i '/ACSPLIT[-@]/d' /etc/iptables/rules.v4",
  ],
  [
    'rules that iptables cannot read',
    'rules',
    { programs: { 'iptables-save': done("# Table `filter' is incompatible, use 'nft' tool.\n") } },
    'nft list table ip filter',
    'see: undefined',
  ],
  [
    'a queue whose owner is hidden',
    'queue-owner',
    { holders: { 2: { isHidden: true } } },
    'queue 2 is held by a process that cannot be seen',
    /^editor /,
  ],
  [
    'a queue that suricata has, while our engine answers',
    'queue-owner',
    {
      holders: { 0: { pid: 5, name: 'node' }, 1: { pid: 4, name: 'node' }, 2: holder },
      engine: status({ workers: [{ pid: 5, restarts: 0 }] }),
      // The worker's parent, which also holds the socket, is not a stranger.
      files: { '/proc/5/status': 'Name:\tnode\nPPid:\t4\n' },
    },
    'queue 2 is held by process 77 (suricata)',
    'kill 77',
  ],
  [
    'a state directory that is a file',
    'state-directory',
    { entries: { '/run/acsplit': { ...directory, isDirectory: false } } },
    'is not a directory',
    'rm /run/acsplit && install -d -m 0711 /run/acsplit',
  ],
  [
    'a state directory on a read-only file system',
    'state-directory',
    { entries: { '/run/acsplit': { ...directory, isWritable: false } } },
    'is not writable',
    /^editor /,
  ],
  [
    'a state directory below a file',
    'state-directory',
    { entries: { '/run': { ...directory, isDirectory: false } } },
    'cannot create /run/acsplit: /run is not a writable directory',
    /^editor /,
  ],
  [
    'a state directory without room on a disk',
    'state-directory',
    { entries: { '/run/acsplit': directory }, freeBytes: 2 ** 20 },
    'has 1 MiB free',
    /^editor /,
  ],
  [
    'an engine that is not ready',
    'engine',
    { engine: status({ ready: false }) },
    'not ready yet',
    'see: acsplit status',
  ],
  [
    'an engine that is silent',
    'engine',
    { engine: { complaint: 'the engine does not answer' } },
    'does not answer',
    'see: acsplit status',
  ],
  [
    'an engine that refreshes nothing, where systemd knows it',
    'fallback',
    {
      engine: status({ pid: 4 }),
      programs: { 'ipset list -terse ACSPLIT-ALIVE4': aliveSet(0) },
      entries: { '/usr/lib/systemd/system/acsplit.service': directory },
    },
    'does not refresh ACSPLIT-ALIVE4: the kernel bypasses it',
    'systemctl reload acsplit',
  ],
  [
    'stores of which none works',
    'cluster',
    { engine: status({ cluster: clusterOf({ stores: [store({ state: 'connecting', error: 'ECONNREFUSED' })] }) }) },
    'store 192.0.2.1:6379: ECONNREFUSED: start redis-server there; none works: a switch resets diverted sessions',
    'see: acsplit status',
  ],
  ...(
    [
      ['no connection', 'look at the link and the firewall between'],
      ['no answer within 3000 ms', 'its machine hangs, or the link is too slow'],
      ['WRONGPASS invalid username-password pair', "compare user and passwordFile with the store's acsplit.acl"],
      ['NOPERM this user has no permissions', 'its acsplit.acl is not the one of this version'],
      ['OOM command not allowed', 'raise its maxmemory'],
      ["READONLY You can't write against a read only replica.", 'it is a replica: REPLICAOF NO ONE'],
      ['self-signed certificate in certificate chain', 'compare tls.ca, its certificate and its address'],
    ] as const
  ).map(([error, remedy]): Planted => [
    `one of two stores: ${error}`,
    'cluster',
    { engine: status({ cluster: clusterOf({ stores: [store(), store({ error })] }) }) },
    `store 192.0.2.1:6379: ${error}: ${remedy}; 1 of 2 still work`,
    'see: acsplit status',
  ]),
  [
    'a store that is being read',
    'cluster',
    { engine: status({ cluster: clusterOf({ stores: [store(), store({ state: 'loading' })] }) }) },
    'store 192.0.2.1:6379: its rows are being read; 1 of 2 still work',
    'see: acsplit status',
  ],
  [
    'one of two other routers that is silent',
    'cluster',
    {
      engine: status({
        cluster: clusterOf({ peers: [...clusterOf().peers, { ...clusterOf().peers[0]!, name: 'c', seenMs: 61_000 }] }),
      }),
    },
    'router c has not been heard for 61 s: does its engine run, and reach a store?',
    'see: acsplit status',
  ],
  [
    'a store that evicts',
    'cluster',
    {
      engine: status({ cluster: clusterOf({ stores: [store({ advice: 'maxmemory-policy is x: set noeviction' })] }) }),
    },
    'store 192.0.2.1:6379: maxmemory-policy is x: set noeviction',
    'see: acsplit status',
  ],
  [
    'a store with another clock',
    'cluster',
    { engine: status({ cluster: clusterOf({ stores: [store({ offsetMs: -2500 })] }) }) },
    'the clock of store 192.0.2.1:6379 differs by 2.5 s: a step of it ends lives early; synchronize it',
    'see: acsplit status',
  ],
  [
    'a router that nobody hears',
    'cluster',
    { engine: status({ cluster: clusterOf({ peers: [] }) }) },
    'no other router is heard: after a switch it knows of no diverted session',
    'see: acsplit status',
  ],
  [
    'a router that is still joining',
    'cluster',
    { engine: status({ cluster: clusterOf({ ready: false }) }) },
    'this router has not read yet what the others know: keepalived must not choose it',
    'see: acsplit status',
  ],
  [
    'a dead ITMS',
    'health',
    {
      engine: status({
        servers: { itms: serverStatus({ state: 'down', sinceMs: 35_000, why: '5 CPEs in a row were refused' }) },
      }),
    },
    'the ITMS is down since 35 s: 5 CPEs in a row were refused; its CPEs have no server',
    'see: acsplit status',
  ],
  [
    'a dead collector',
    'health',
    { engine: status({ servers: { itms: serverStatus(), c1: serverStatus({ state: 'down', why: 'x' }) } }) },
    'collector c1 is down since 60 s: x; its CPEs go to the ITMS',
    'see: acsplit status',
  ],
  [
    'a kernel whose flows are not the report table',
    'fast-path',
    {
      engine: {
        ...status({
          pid: 4711,
          fastPath: { mode: 'on', loaded: true, carries: true, interfaces: [], reason: null, packets: {}, flows: 2 },
        }),
        flows: { table: 3, flows: 2, carried: 2, missing: 1, leftOver: 0, differing: 0 },
      },
    },
    "the kernel's flows are not the report table: 1 missing, 0 left over, 0 different, of 3",
    /^kill 4711 && .*acsplit run$/,
  ],
  [
    'an engine whose kernel carries nothing',
    'fast-path',
    {
      engine: status({
        fastPath: {
          ...{ mode: 'auto', loaded: true, carries: false, interfaces: [], flows: 0, packets: {} },
          reason: 'an ip rule routes by fwmark',
        },
      }),
    },
    'the kernel carries no packets, so each waits for the engine: an ip rule routes by fwmark',
    'editor /etc/acsplit/acsplit.yaml',
  ],
  [
    'a host without sets',
    'kernel-rules',
    { programs: { 'ipset restore': refused('ipset v7.17: Cannot open session to kernel.', 1) } },
    'this kernel lacks what sets need',
    'modprobe ip_set',
  ],
  [
    'no ipset',
    'kernel-rules',
    { programs: { 'ipset restore': refused('unshare: failed to execute ipset: No such file or directory', 127) } },
    'ipset is not installed',
    'apt-get install ipset',
  ],
  [
    'no engine where systemd should run one',
    'engine',
    { entries: { '/etc/systemd/system/acsplit.service': directory } },
    'no engine runs',
    'systemctl start acsplit',
  ],
];

describe('facts, finding, command', () => {
  test.each(rows)('%s', async (_, name, plants, says, mend) => {
    const [found, ...others] = await findings(name, plants);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: name, message: expect.stringContaining(says) as string });
    expect(found.level).not.toBe('ok');
    const command = found.mend ?? `see: ${found.see}`;
    if (typeof mend === 'string') expect(command).toBe(mend);
    else expect(command).toMatch(mend);
  });

  test('a buffer smaller than wanted: the kernel doubles what rmem_max allows', async () => {
    const [found] = await findings('kernel-queues', { trial: { receiveBufferBytes: 8 << 20 } });
    expect(found).toMatchObject({ level: 'warning', mend: 'sysctl -w net.core.rmem_max=201326592' });
  });

  test('a state directory that can be made is fine, and so is a host without conntrack', async () => {
    expect(await findings('state-directory', { entries: { '/run': directory } })).toMatchObject([{ level: 'ok' }]);
    const entries = { '/run/acsplit': directory, '/run/acsplit/tables.state': { ...directory, bytes: 2 ** 40 } };
    expect(await findings('state-directory', { entries, freeBytes: 0 })).toMatchObject([{ level: 'ok' }]);
    expect(await findings('conntrack', {})).toMatchObject([{ level: 'ok', message: 'is not loaded, and need not be' }]);
  });

  test('with `auto`, a kernel that cannot carry is no fault: one line says so', async () => {
    const fastPath = { mode: 'auto' as const, loaded: false, carries: false, interfaces: [], flows: 0, packets: {} };
    const message = 'auto, and this host cannot: no BPF here; the engine decides every packet';
    expect(
      await findings('fast-path', { engine: status({ fastPath: { ...fastPath, reason: 'no BPF here' } }) }),
    ).toEqual([{ check: 'fast-path', level: 'ok', message, mend: null }]);
  });

  test('a server on this host is a fault, a valid file alone is not', async () => {
    const on = (local: string) => ({
      programs: { 'ip -j address': done(JSON.stringify([{ addr_info: [{ local }] }])) },
    });
    expect(await findings('configuration', on('10.3.0.2'))).toEqual([
      {
        check: 'configuration',
        level: 'failure',
        message:
          'collectors.c1: 10.3.0.2 is an address of this host, whose packets are not forwarded; expected a server behind it',
        mend: 'editor /etc/acsplit/acsplit.yaml',
      },
    ]);
    expect(await findings('configuration', on('10.1.0.1'))).toMatchObject([
      { level: 'ok', message: '/etc/acsplit/acsplit.yaml is valid' },
    ]);
  });
});
