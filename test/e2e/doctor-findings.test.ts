/** `acsplit doctor`: one fault at a time, planted for real, found alone, and mended with the command that was printed. */

import { accessSync, constants, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding } from '../../src/doctor/check';
import { CHECKS } from '../../src/doctor/checks';
import { cli } from '../../src/lab/engine';
import { DoctorHost, type Planted } from './support/doctor-host';
import { FAST_PATH } from './support/fast-path';
import { FIREWALL_ROWS } from './support/doctor-firewall-rows';
import { networkRows } from './support/doctor-network-rows';
import { sh } from './support/netns';
import { walkNightPage } from './support/night-page';
import { systemProgram, until } from './support/rules-host';
import { testInUserNamespace } from './support/user-namespaces';

jest.setTimeout(180_000);

let host: DoctorHost;
beforeEach(async () => {
  host = await DoctorHost.healthy(host);
});
afterAll(() => host?.close());

const rows: [string, Planted][] = [
  ...networkRows(() => host),
  ...FIREWALL_ROWS,
  [
    'listener on a high port',
    {
      plant: () => host.router.listen('split', '0.0.0.0', 40_000),
      ...{ level: 'warning', check: 'listeners' },
      ...{ says: /^node \(process \d+\) listens on any address, port 40000/, mend: /^kill \d+$/ },
    },
  ],
  [
    'listener on a steered port',
    {
      plant: () => host.router.listen('split', '10.1.0.1', 7547),
      ...{ level: 'warning', check: 'listeners' },
      ...{ says: /listens on the ACS address, port 7547: CPEs cannot reach it there/, mend: /^kill \d+$/ },
    },
  ],
  [
    'state directory world-writable',
    {
      plant: () => host.shell(`chmod 0777 ${host.stateDirectory}`),
      ...{ level: 'failure', check: 'state-directory' },
      ...{ says: /^\S+ is world-writable \(mode 777\)/, mend: /^chmod 0711 \S+state$/ },
    },
  ],
  [
    'state directory full',
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
    'file drift',
    {
      plant: () => host.edit(/^ttl: .*$/m, 'ttl: { armed: 61 }'),
      ...{ level: 'warning', check: 'drift' },
      ...{ says: /^the engine runs with other values than the file for ttl\.armed$/, mend: /^kill -HUP \d+$/ },
    },
  ],
  [
    'paused',
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
  afterEach(async () => {
    expect(host.complaints()).toEqual([]);
    await host.note();
  });

  test('doctor without CAP_NET_ADMIN', () => {
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
  test('kernel without xt_socket', () => {
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
  testOrSkip(`net.core.rmem_max too small${reason}`, () => {
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
  test('conntrack nearly full', () => {
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

  test('engine on `hold`, rules on `itms`', async () => {
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

  test('engine started without CAP_NET_ADMIN', async () => {
    await host.router.stopEngine();
    await host.stopStarted();
    const file = host.router.configuration;
    host.start(`setpriv --bounding-set=-net_admin --inh-caps=-net_admin acsplit run -c ${file}`);
    await until(() => /CAP_NET_ADMIN/.test(host.router.heard), 'the refusal');
    const [found, ...others] = host.complaints();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'engine', level: 'failure', mend: `acsplit run -c ${file}` });
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

  test('wrong address of the ITMS', async () => {
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

  test('routed CPE network', async () => {
    host.at('cpe', 'ip address add 10.7.0.1/16 dev lo');
    host.edit('[10.1.0.0/16]', '[10.1.0.0/16, 10.7.0.0/16]');
    host.shell('ip neighbour flush dev eth0');
    host.at('cpe', 'bash -c "true </dev/tcp/10.1.0.1/22" || true');
    const routing = () => host.complaints().find(({ check }) => check === 'routes')!;
    const { mend } = routing();
    expect(mend).toBe('ip route replace 10.7.0.0/16 via 10.1.1.1 dev eth0');
    host.shell(mend!);
    expect(await follow()).toEqual(['rules', 'drift']);
    // A CPE that still knows our MAC asks for it within 5 s of its last packet, and by that tells us its own.
    host.at('cpe', 'ip neighbour flush dev eth0');
    host.shell('ip route delete 10.7.0.0/16 && ip neighbour flush dev eth0');
    expect(routing()).toMatchObject({ level: 'failure', mend: null });
    expect(routing().message).toMatch(/name the router in front, ip route add 10\.7\.0\.0\/16 via ROUTER dev eth0$/);
    host.edit('[10.1.0.0/16, 10.7.0.0/16]', '[10.1.0.0/16]');
    expect(await follow()).toEqual(['rules', 'drift']);
  });

  test('changed key that takes a restart', async () => {
    host.edit('tables: { capacity: 65536 }', 'tables: { capacity: 65537 }');
    expect(await follow()).toEqual(['drift']);
  });

  test('version drift', async () => {
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

  test('far MTU (told by a router)', async () => {
    const { world } = host.router;
    const far = `${world.namespace('itms')}-far`;
    const toFar = [
      `ip netns add ${far}`,
      `ip link add far mtu 1400 type veth peer name eth0 mtu 1400 netns ${far}`,
      'ip address delete 10.2.0.2/24 dev eth0 && ip address add 10.2.0.254/24 dev eth0',
      'ip address add 10.9.0.1/24 dev far && ip link set far up && sysctl -qw net.ipv4.ip_forward=1',
      `ip -n ${far} address add 10.2.0.2/32 dev eth0 && ip -n ${far} link set eth0 up`,
      `ip -n ${far} route add 10.9.0.1 dev eth0 && ip -n ${far} route add default via 10.9.0.1`,
      'ip route replace default via 10.2.0.1 && ip route add 10.2.0.2 dev far',
    ];
    const back = [
      `ip netns delete ${far} && ip address delete 10.2.0.254/24 dev eth0`,
      'ip address add 10.2.0.2/24 dev eth0 && ip route replace default via 10.2.0.1',
    ];
    host.at('itms', toFar.join(' && '));
    try {
      host.shell('ip route add 10.2.0.2 via 10.2.0.254 dev eth1');
      await host.serve('itms', 0, far);
      const [found, ...others] = host.complaints();
      expect(others).toEqual([]);
      expect(found).toMatchObject({ check: 'mtu', level: 'warning' });
      expect(found.message).toMatch(/^the way to the ITMS \(10\.2\.0\.2\) carries 1400 bytes of 1500: /);
      expect(found.mend).toMatch(/^ip route replace 10\.2\.0\.2 via 10\.2\.0\.254 dev eth1 mtu lock 1400 && iptables /);
      host.shell(found.mend!);
      await host.untilHealthy();
    } finally {
      host.at('itms', back.join(' && '));
      host.shell('ip route delete 10.2.0.2 && iptables -t mangle -D FORWARD 1');
      await host.serve('itms');
    }
  });

  test('obstacle for the fast path', async () => {
    if (FAST_PATH !== 'auto') {
      host.edit(`fastPath: ${FAST_PATH}`, 'fastPath: auto');
      expect(await follow()).toEqual(['drift']);
    }
    host.forget();
    host.shell('ip rule add fwmark 1 table main');
    await until(() => host.complaints().length > 0, 'the obstacle to be seen');
    host.program('editor', `sed -i 's/fastPath: auto/fastPath: off/' "$1"; ip rule delete fwmark 1`);
    const [found, ...others] = host.complaints();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'fast-path', level: 'warning' });
    expect(found.message).toMatch(/^the kernel carries no packets, .*: an ip rule routes by fwmark; remove that/);
    expect(found.mend).toMatch(/^editor /);
    expect(await follow()).toEqual(['fast-path', 'drift']);
  });

  test('queue taken', async () => {
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

walkNightPage(() => host);

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
