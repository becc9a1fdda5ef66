/** The shipped units under a real systemd, process 1 of a Debian of its own: a container with a network of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
`;

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
for name in itms c1; do
  ip netns exec $name node -e 'require("net").createServer((s) => s.on("error", () => {}).end(process.argv[1])).listen(7547)' $name </dev/null >/dev/null 2>&1 &
done
`;
const SESSION = `ip netns exec cpe node -e 'require("net").connect(7547, "10.1.0.1").setTimeout(4000, () => process.exit(1)).on("error", () => process.exit(1)).pipe(process.stdout)'`;

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
  const shown = (property: string): string => inside(`systemctl show acsplit -p ${property} --value`).out;
  /** The server that answers the CPE; '' when none does. */
  const answers = (): string => inside(SESSION).out;

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
    writeFileSync(join(ROOT, 'etc/acsplit/acsplit.yaml'), CONFIGURATION);
    const words = ['-D', ROOT, '--boot', '--private-network', '--register=no', '--keep-unit', '--machine=acsplit-test'];
    container = spawn('systemd-nspawn', [...words, '--capability=CAP_NET_ADMIN,CAP_NET_RAW'], { stdio: 'pipe' });
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

  test('it is enabled as the manual says: active once verdicts flow, with one capability', async () => {
    expect(inside('systemctl daemon-reload && systemctl enable --now acsplit acsplit-rules.timer').status).toBe(0);
    expect(shown('ActiveState')).toBe('active');
    expect(answers()).toBe('itms');
    expect(inside('acsplit status --json').out).toContain('"to-itms"');
    expect(inside(`cat /proc/${shown('MainPID')}/status`).out).toMatch(/^CapEff:\t0000000000001000$/m);
    expect(inside(`acsplit activate ${CPE} --collector c1`).status).toBe(0);
    expect(answers()).toBe('c1');
  });

  test('systemd itself finds little left to take away', () => {
    expect(inside('systemd-analyze security acsplit --no-pager --threshold=25').status).toBe(0);
  });

  test('systemctl reload: the configuration is read again, the process stays', async () => {
    const pid = shown('MainPID');
    const reload = async (text: string): Promise<void> => {
      const reloads = (): number => inside('journalctl -u acsplit -o cat').out.split('"event":"reload"').length;
      const before = reloads();
      writeFileSync(join(ROOT, 'etc/acsplit/acsplit.yaml'), text);
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

  test('stopped: so is the timer, the rules stay, the kernel serves the CPEs', async () => {
    inside('systemctl stop acsplit');
    expect(inside('systemctl is-active acsplit acsplit-rules.timer').out).toBe('inactive\ninactive');
    await until('the kernel', TAKEOVER_MS, () => answers() === 'itms');
    expect(inside('journalctl -u acsplit-rules -o cat').out).not.toMatch(/Start|Finish/);
  });
}
