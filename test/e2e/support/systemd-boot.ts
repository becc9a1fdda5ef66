/** The shipped units under a real systemd, process 1 of a Debian of its own: a container with a network of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Status } from '../../../src/engine/report/status';
import { pause } from './lookout';

const ROOT = join(__dirname, '../../../build/systemd-root');
const MAKE_ROOT = join(__dirname, 'systemd-root.sh');
const CPE = '10.1.0.5';
/** WatchdogSec and RestartSec of the unit, and margin. */
const WATCHDOG_MS = 60_000;
/** Of the timer: 30 s after the last look, 5 s of accuracy, and margin. */
const TIMER_MS = 60_000;
/** The kernel takes over 3 s after the last renewal. */
const TAKEOVER_MS = 10_000;
const START_MS = 60_000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const CONFIGURATION = `
cpe: { interface: eth0, address: 10.1.0.1, networks: [10.1.0.0/16] }
itms: { interface: eth1, address: 10.2.0.2 }
collectors: [{ name: c1, interface: eth2, address: 10.3.0.2 }]
reportPorts: [7547]
tables: { capacity: 65536 }
fastPath: on
`;
/** Its activations outlive an engine that is away for longer than the kernel waits. */
const HOLDING = `${CONFIGURATION}onEngineDown: hold\n`;

/** A second instance beside it, with its own of everything. */
const NORTH = `
name: north
cpe: { interface: eth3, address: 10.11.0.1, networks: [10.11.0.0/16] }
itms: { interface: eth4, address: 10.12.0.2 }
collectors: [{ name: c1, interface: eth5, address: 10.13.0.2 }]
reportPorts: [7547]
tables: { capacity: 65536 }
queue: { first: 4 }
stateDirectory: /run/acsplit-north
metrics: { listen: 127.0.0.1:9548 }
fastPath: on
`;
const NORTH_CPE = '10.11.0.5';

/** CPE, ITMS and collector in namespaces of the container; a server answers with its name. */
const NETWORK = `
sysctl -qw net.ipv4.ip_forward=1
wire() { # NAME INTERFACE NEAR FAR
  ip netns add $1
  ip link add $2 type veth peer name eth0 netns $1
  ip addr add $3/16 dev $2
  ip link set $2 up
  ip -n $1 addr add $4/16 dev eth0
  ip -n $1 link set eth0 up
  ip -n $1 link set lo up
  ip -n $1 route add default via $3
}
wire cpe eth0 10.1.0.1 ${CPE}
wire itms eth1 10.2.0.1 10.2.0.2
wire c1 eth2 10.3.0.1 10.3.0.2
wire north-cpe eth3 10.11.0.1 ${NORTH_CPE}
wire north-itms eth4 10.12.0.1 10.12.0.2
wire north-c1 eth5 10.13.0.1 10.13.0.2
for name in itms c1 north-itms north-c1; do
  ip netns exec $name node -e 'require("net").createServer((s) => s.on("error", () => {}).end(process.argv[1])).listen(7547)' $name </dev/null >/dev/null 2>&1 &
done
`;
const session = (cpe: string, acs: string): string =>
  `ip netns exec ${cpe} node -e 'require("net").connect(7547, "${acs}").setTimeout(4000, () => process.exit(1)).on("error", () => process.exit(1)).pipe(process.stdout)'`;

/** Tests, to be described. */
export function bootedUnits(): void {
  let container: ChildProcess;
  let said = '';
  let leader = 0;

  /** Runs shell commands in the container. */
  function inside(commands: string): { status: number | null; out: string } {
    const enter = ['-t', String(leader), '-m', '-u', '-i', '-n', '-p', '--', 'sh', '-c', commands];
    const { status, stdout, stderr } = spawnSync('nsenter', enter, { encoding: 'utf8', env: { PATH } });
    return { status, out: (stdout + stderr).trim() };
  }
  const shown = (property: string, unit = 'acsplit'): string =>
    inside(`systemctl show ${unit} -p ${property} --value`).out;
  /** The server that answers the CPE; '' when none does. */
  const answers = (): string => inside(session('cpe', '10.1.0.1')).out;
  const northAnswers = (): string => inside(session('north-cpe', '10.11.0.1')).out;
  const fastPath = (): Status['fastPath'] => (JSON.parse(inside('acsplit status --json').out) as Status).fastPath;
  const configure = (name: string, text: string): void => writeFileSync(join(ROOT, 'etc/acsplit', name), text);

  async function until(what: string, limitMs: number, holds: () => boolean): Promise<void> {
    for (const deadline = performance.now() + limitMs; !holds(); await pause(200)) {
      if (performance.now() < deadline) continue;
      throw new Error(`${what} is still to come; ${inside('systemctl status acsplit; journalctl -n 20 -o cat').out}`);
    }
  }
  const untilActive = (): Promise<void> => until('active', START_MS, () => shown('ActiveState') === 'active');

  beforeAll(async () => {
    const made = spawnSync('sh', [MAKE_ROOT, ROOT], { encoding: 'utf8' });
    expect([made.status, made.stderr.slice(-2000)]).toEqual([0, expect.any(String)]);
    writeFileSync(join(ROOT, 'root/network.sh'), NETWORK);
    spawnSync('mkdir', ['-p', join(ROOT, 'etc/acsplit')]);
    configure('acsplit.yaml', CONFIGURATION);
    configure('north.yaml', NORTH);
    const words = ['-D', ROOT, '--boot', '--private-network', '--register=no', '--keep-unit', '--machine=acsplit-test'];
    container = spawn(
      'systemd-nspawn',
      [...words, '--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_BPF', '--system-call-filter=bpf'],
      { stdio: 'pipe' },
    );
    for (const stream of [container.stdout!, container.stderr!]) {
      stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    }
    const children = `/proc/${container.pid}/task/${container.pid}/children`;
    await until('multi-user.target', START_MS, () => {
      if (container.exitCode !== null) throw new Error(said);
      // Looked up each time: its first child is only to make process 1.
      leader = Number(readFileSync(children, 'utf8').split(' ')[0]);
      return leader !== 0 && inside('systemctl is-active multi-user.target').out === 'active';
    });
    expect(inside('sh -e /root/network.sh')).toEqual({ status: 0, out: '' });
  });
  afterAll(async () => {
    if (container === undefined || container.exitCode !== null) return;
    const gone = new Promise((resolve) => container.once('exit', resolve));
    inside('systemctl poweroff');
    const killer = setTimeout(() => container.kill('SIGKILL'), 30_000);
    await gone;
    clearTimeout(killer);
  });

  test('it is enabled as the manual says: active once verdicts flow, with two capabilities', async () => {
    expect(inside('systemctl daemon-reload && systemctl enable --now acsplit acsplit-rules.timer').status).toBe(0);
    expect(shown('ActiveState')).toBe('active');
    expect(answers()).toBe('itms');
    expect(inside('acsplit status --json').out).toContain('"to-itms"');
    expect(inside(`cat /proc/${shown('MainPID')}/status`).out).toMatch(/^CapEff:\t0000008000001000$/m);
    expect(fastPath()).toMatchObject({ carries: true, interfaces: ['eth0', 'eth1', 'eth2'], reason: null });
    expect(inside(`acsplit activate ${CPE} --collector c1`).status).toBe(0);
    expect(answers()).toBe('c1');
  });

  test('the log bears priorities', () => {
    expect(inside('journalctl -u acsplit -p 6..6 -o cat').out).toMatch(/^\{"level":"info".*"event":"ready"/m);
    expect(inside('journalctl -u acsplit -p 5 -o cat').out).not.toContain('"event":"ready"');
  });

  test('the maps that the kernel carries by outlive the engine, and its mounts', async () => {
    const pid = shown('MainPID');
    answers();
    const before = fastPath().packets['carried-to-itms']!;
    inside('systemctl restart acsplit');
    await untilActive();
    expect(shown('MainPID')).not.toBe(pid);
    expect(before).toBeGreaterThan(0);
    expect(fastPath().packets['carried-to-itms']).toBeGreaterThanOrEqual(before);
    expect(inside('ls /run/acsplit/fast-path').out).toContain('program');
  });

  test('its rules removed and installed again: it carries again, without a restart', async () => {
    const pid = shown('MainPID');
    expect(inside('systemctl stop acsplit-rules.timer; acsplit rules remove').out).toContain('from 3 interfaces');
    await until('none', START_MS, () => !fastPath().carries);
    expect(inside('ls /run/acsplit').out).not.toMatch(/^fast-path$/m);
    expect(inside('acsplit rules install; systemctl start acsplit-rules.timer').status).toBe(0);
    await until('the kernel', START_MS, () => fastPath().carries);
    expect(inside('ls /run/acsplit/fast-path').out).toContain('program');
    expect([answers(), shown('MainPID')]).toEqual(['itms', pid]);
  });

  test('systemd itself finds little left to take away', () => {
    expect(inside('systemd-analyze security acsplit --no-pager --threshold=25').status).toBe(0);
  });

  test('systemctl reload: the configuration is read again, the process stays', async () => {
    const pid = shown('MainPID');
    const reload = async (text: string): Promise<void> => {
      const reloads = (): number => inside('journalctl -u acsplit -o cat').out.split('"event":"reload"').length;
      const before = reloads();
      configure('acsplit.yaml', text);
      expect(inside('systemctl reload acsplit').status).toBe(0);
      await until('reload', START_MS, () => reloads() > before);
    };
    await reload(`${CONFIGURATION}activation: off\n`);
    inside(`acsplit activate ${CPE} --collector c1`);
    expect(answers()).toBe('itms');
    await reload(CONFIGURATION);
    inside(`acsplit activate ${CPE} --collector c1`);
    expect(answers()).toBe('c1');
    expect(shown('MainPID')).toBe(pid);
  });

  describe('with hold, so that the kernel never stands in for it', () => {
    beforeAll(async () => {
      configure('acsplit.yaml', HOLDING);
      inside('systemctl restart acsplit');
      await untilActive();
    });
    afterAll(async () => {
      configure('acsplit.yaml', CONFIGURATION);
      inside('systemctl restart acsplit');
      await untilActive();
    });

    test('killed: started again, over the tables that it left', async () => {
      const pid = shown('MainPID');
      inside(`acsplit activate ${CPE} --collector c1; kill -9 ${pid}`);
      await until('another', START_MS, () => shown('MainPID') !== pid && shown('ActiveState') === 'active');
      expect(shown('NRestarts')).toBe('1');
      expect(answers()).toBe('c1');
    });

    test('restarted: over its tables, too', async () => {
      inside(`acsplit activate ${CPE} --collector c1; systemctl restart acsplit`);
      await untilActive();
      expect(answers()).toBe('c1');
    });
  });

  test('stopped dead: the kernel serves the CPEs, and the watchdog has it started again', async () => {
    const pid = shown('MainPID');
    const restarts = Number(shown('NRestarts'));
    inside(`kill -STOP ${pid} $(cat /proc/${pid}/task/${pid}/children)`);
    await until('the kernel', TAKEOVER_MS, () => answers() === 'itms');
    await until('another', WATCHDOG_MS, () => shown('MainPID') !== pid && shown('ActiveState') === 'active');
    expect(Number(shown('NRestarts'))).toBe(restarts + 1);
    expect(inside('journalctl -u acsplit -o cat').out).toContain('Watchdog timeout');
    expect(inside(`acsplit activate ${CPE} --collector c1`).status).toBe(0);
    expect(answers()).toBe('c1');
  });

  test('its rules flushed, as firewalld does: the timer restores them, and logs what was missing', async () => {
    expect(inside('journalctl -u acsplit-rules -o cat').out).not.toContain('installed again');
    inside('for table in raw mangle nat filter; do iptables -t $table -F; iptables -t $table -X; done');
    expect(inside('acsplit rules check').status).toBe(1);
    await until('rules', TIMER_MS, () => inside('acsplit rules check').status === 0);
    expect(inside('journalctl -u acsplit-rules -o cat').out).toContain('installed again: ');
    expect(answers()).toBe('itms');
  });

  describe('a second instance', () => {
    const north = 'acsplit@north';
    const untilNorth = (): Promise<void> =>
      until('north', START_MS, () => shown('ActiveState', north) === 'active' && northAnswers() !== '');
    const first = (): string[] => [shown('MainPID'), shown('NRestarts'), shown('ActiveState')];

    test('is enabled as the manual says, and each serves its own CPEs', () => {
      const before = first();
      expect(inside(`systemctl enable --now ${north} acsplit-rules@north.timer`).status).toBe(0);
      expect(inside(`cat /proc/${shown('MainPID', north)}/status`).out).toMatch(/^CapEff:\t0000008000001000$/m);
      expect([answers(), northAnswers()]).toEqual(['itms', 'north-itms']);
      expect(inside(`acsplit activate ${NORTH_CPE} --collector c1 --instance north`).status).toBe(0);
      expect([answers(), northAnswers()]).toEqual(['itms', 'north-c1']);
      expect(first()).toEqual(before);
    });

    test('killed: it is started again, and the first notices nothing', async () => {
      const before = first();
      const pid = shown('MainPID', north);
      inside(`kill -9 ${pid}`);
      await until('another', START_MS, () => shown('MainPID', north) !== pid);
      expect(answers()).toBe('itms');
      await untilNorth();
      expect(northAnswers()).toBe('north-itms');
      expect(first()).toEqual(before);
    });

    test('its rules removed: its timer restores them, and no other rule changes', async () => {
      const others = (): string => inside('iptables-save | grep -v @north | grep ^-A').out;
      const before = others();
      expect(inside('acsplit rules remove --instance north').status).toBe(0);
      expect([answers(), northAnswers()]).toEqual(['itms', '']);
      const check = 'acsplit rules check -c /etc/acsplit/north.yaml';
      await until('rules', TIMER_MS, () => inside(check).status === 0);
      expect(inside('journalctl -u acsplit-rules@north -o cat').out).toContain('installed again: ');
      expect([answers(), northAnswers()]).toEqual(['itms', 'north-itms']);
      expect(others()).toBe(before);
    });

    test('stopped, and disabled: so is its timer, and the first serves on', () => {
      inside(`systemctl disable --now ${north} acsplit-rules@north.timer && acsplit rules remove --instance north`);
      expect(inside(`systemctl is-active ${north} acsplit-rules@north.timer`).out).toBe('inactive\ninactive');
      expect([answers(), northAnswers()]).toEqual(['itms', '']);
      expect(inside('iptables-save; ipset list -name').out).not.toContain('@north');
    });
  });

  test('stopped: so is the timer, the rules stay, the kernel serves the CPEs', async () => {
    inside('systemctl stop acsplit');
    expect(inside('systemctl is-active acsplit acsplit-rules.timer').out).toBe('inactive\ninactive');
    await until('the kernel', TAKEOVER_MS, () => answers() === 'itms');
    expect(inside('journalctl -u acsplit-rules -o cat').out).not.toMatch(/Start|Finish/);
  });
}
