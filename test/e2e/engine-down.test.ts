/**
 * All our processes killed, or stopped: the kernel's rules alone send the CPEs' new connections to the ITMS, and hand
 * back when the engine returns; with `hold` no new one passes, and TCP waits. Running connections go on where the kernel
 * carries them, and wait where it does not. On a router that forwards nothing by itself,
 * drops what conntrack calls INVALID, and would hide the addresses of hosts that talk to the ITMS.
 * docs/decisions/engine-down.md
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cli, Engine, pause } from '../../src/lab/engine';
import { isAlive } from '../../src/lab/namespaces';
import { BACK_ENDS, type BackEnd, linkBackEnd, withoutEmptyTables } from './support/back-end';
import { hasFlag, type Sight } from './support/capture';
import { ADDRESSES, IPTABLES, street } from './support/family';
import { FAST_PATH } from './support/fast-path';
import { eventually } from './support/run-host';
import { hangUp, talk, type Ends } from './support/tcp-end';
import { type ServerName, TcpStage } from './support/tcp-stage';

jest.setTimeout(180_000);

const CPES = street(1, 9);
const [RUNNING, DIVERTED, ASKED, OPENING, KEEPING, ASKED_NOW, WOKEN, STOPPED, ARMED] = CPES as [
  ...[string, string, string, string, string, string, string, string, string],
];
const SYN = 0x02;

const STRICT_RULES = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p icmp -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
*mangle
-A PREROUTING -m conntrack --ctstate INVALID -j DROP
COMMIT
*nat
-A POSTROUTING -o eth1 -j MASQUERADE
COMMIT
`;

/** The router of a stage, under one back end of iptables. */
class Router {
  constructor(
    private readonly stage: TcpStage,
    backEnd: BackEnd,
  ) {
    linkBackEnd(this.binaries, backEnd);
  }

  private get binaries(): string {
    return join(this.stage.world.directory, 'back-end');
  }

  run(...argv: string[]): Promise<string> {
    const path = [this.binaries, process.env.PATH ?? ''].join(delimiter);
    return this.stage.world.run('split', ['env', `PATH=${path}`, ...argv]);
  }

  rules(...words: string[]): Promise<string> {
    return this.run(...cli(this.stage.world, 'rules', ...words, '-c', this.stage.engine.configurationFile));
  }

  /** Installs the bundle's rules under this back end, beside those of a strict host; returns the rules from before. */
  async takeOver(): Promise<string> {
    await this.stage.world.run('split', cli(this.stage.world, 'rules', 'remove'));
    const file = join(this.stage.world.directory, 'strict.rules');
    writeFileSync(file, STRICT_RULES);
    await this.run('sh', '-c', `${IPTABLES}-restore --noflush < ${file}`);
    const before = await this.state();
    await this.rules('install');
    return before;
  }

  /** Rules and sets. */
  async state(): Promise<string> {
    return withoutEmptyTables(await this.run(`${IPTABLES}-save`)) + (await this.run('ipset', 'list', '-name'));
  }

  /** Seconds that everything in the set has left; none where it is empty. */
  async secondsLeft(): Promise<number[]> {
    const listed = await this.run('ipset', 'list', `ACSPLIT-ALIVE${IPTABLES === 'iptables' ? 4 : 6}`);
    return [...listed.matchAll(/ timeout (\d+)$/gm)].map(([, seconds]) => Number(seconds)).slice(-2);
  }

  /** Processes in the router's network namespace. */
  processes(): number[] {
    const { stdout } = spawnSync('ip', ['netns', 'pids', this.stage.world.namespace('split')], { encoding: 'utf8' });
    return stdout.split('\n').filter(Boolean).map(Number);
  }
}

async function pidsOf(stage: TcpStage): Promise<number[]> {
  return [stage.engine.pid, ...(await stage.status()).workers.map(({ pid }) => pid)];
}

async function kill(stage: TcpStage): Promise<void> {
  const pids = await pidsOf(stage);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await eventually('the engine to die', () => pids.every((pid) => !isAlive(pid)) || undefined);
}

/** Starts the engine again, over the existing rules. */
async function begin(stage: TcpStage): Promise<void> {
  stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
}

/** A line each way, sent now; answers a function that waits until both have come. */
async function sendBothWays({ cpe, far }: Ends): Promise<() => Promise<string[]>> {
  await Promise.all([cpe.send('from the CPE'), far.send('to the CPE')]);
  return async () => {
    const [there, back] = await Promise.all([far.receive('from the CPE'.length), cpe.receive('to the CPE'.length)]);
    return [there.text, back.text];
  };
}
const BOTH_WAYS = ['from the CPE', 'to the CPE'];
/** The kernel carries running connections, the engine's death or not. */
const isCarried = FAST_PATH !== 'off';

interface Story {
  secondsLeft: number[];
  processesMeanwhile: number[];
  opened: { server: ServerName; syns: number; ms: number };
  kept: ServerName;
  hasWokenMeanwhile: boolean;
  /** What arrived of that of the undiverted and the diverted connection before the engine returned; then of all. */
  meanwhile: string[][];
  stalled: string[][];
  servers: ServerName[];
  afterwards: ServerName[];
  /** Where a CPE went that was armed before: while the engine was dead, and after it. */
  woken: ServerName[];
  whileStopped: ServerName[];
  afterStopped: ServerName;
  resets: string[];
  difference: [before: string, after: string];
}

async function killAndReturn(backEnd: BackEnd): Promise<Story> {
  const stage = await TcpStage.open({ cpes: CPES, lossy: true });
  try {
    const router = new Router(stage, backEnd);
    const before = await router.takeOver();
    await stage.untilCarried();
    let syns = 0;
    const isOpening = (s: Sight) => s.source === OPENING && s.destination === ADDRESSES.acs && hasFlag(s, SYN);
    // SYNs at 0, 1, 3, 7 s, and not at every second in the beginning, as newer kernels do.
    await stage.world.run('cpe', ['sh', '-c', 'sysctl -qw net.ipv4.tcp_syn_linear_timeouts=0 || true']);
    stage.wires.keepSights(isOpening);

    const running = await stage.connect(RUNNING);
    await stage.wake('c1', DIVERTED);
    const diverted = await stage.connect(DIVERTED);
    const asked = await stage.request('itms', ASKED);
    for (const ends of [running, diverted, asked]) await talk(ends);
    await stage.wake('c1', ARMED);

    await kill(stage);
    const secondsLeft = await router.secondsLeft();
    const from = performance.now();
    const waking = stage.request('c1', WOKEN);
    let hasWoken = false;
    void waking.then(() => (hasWoken = true));
    const arriving = await Promise.all([running, diverted, asked].map(sendBothWays));
    const meanwhile = isCarried ? await Promise.all(arriving.slice(0, 2).map((arrived) => arrived())) : [];
    const opened = await stage.connect(OPENING);
    const ms = performance.now() - from;
    await talk(opened);
    const kept = await stage.connect(KEEPING);
    const came = await stage.session(ARMED);
    const askedNow = await stage.request('itms', ASKED_NOW);
    for (const ends of [kept, askedNow]) await talk(ends);
    await stage.wires.catchUp();
    syns = stage.wires.sights.filter(({ wire }) => wire === 'cpe').length;
    const processesMeanwhile = router.processes();
    const hasWokenMeanwhile = hasWoken;

    await begin(stage);
    const stalled = await Promise.all(arriving.slice(meanwhile.length).map((arrived) => arrived()));
    for (const ends of [running, diverted, asked, opened, kept]) await talk(ends);
    // The engine has no entry of what the ITMS opened through nat, and drops it [2]: the ITMS asks again.
    await askedNow.far.send('to the CPE');
    const unknown = async () => (await stage.status()).packets.byReason['request-unknown'] > 0 || undefined;
    await eventually('a packet of an unknown Connection Request', unknown);
    const askedAgain = await stage.request('itms', ASKED_NOW);
    await talk(askedAgain);
    // Conntrack does not see its end, and keeps an entry of the same ports.
    await hangUp(kept, 'far');
    await stage.ask(await waking, 200);
    const afterwards = [await stage.session(WOKEN), await stage.session(OPENING)];
    const woken = [came, await stage.session(ARMED)];

    const pids = await pidsOf(stage);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    const stopped = await stage.connect(STOPPED);
    const again = await stage.connect(KEEPING, { fromPort: kept.cpe.port });
    for (const ends of [stopped, again]) await talk(ends);
    for (const pid of pids) process.kill(pid, 'SIGCONT');
    await eventually('verdicts', async () => (await router.secondsLeft()).length > 0 || undefined);
    await stage.wake('c1', STOPPED);
    const afterStopped = await stage.session(STOPPED);
    for (const ends of [running, diverted, asked, opened, askedAgain, stopped, again]) await talk(ends);

    await stage.expectOneServerEach();
    await router.rules('remove');
    return {
      secondsLeft,
      processesMeanwhile,
      opened: { server: opened.server, syns, ms },
      kept: kept.server,
      hasWokenMeanwhile,
      meanwhile,
      stalled,
      servers: [running.server, diverted.server],
      afterwards,
      woken,
      whileStopped: [stopped.server, again.server],
      afterStopped,
      resets: stage.wires.resets,
      difference: [before, await router.state()],
    };
  } finally {
    await stage.close();
  }
}

/** All stories start at once, so that they wait at the same time; each test awaits its own. */
const told = new Map<string, Promise<unknown>>();
function tell(name: string, story: () => Promise<unknown>): void {
  const promise = story();
  promise.catch(() => undefined);
  told.set(name, promise);
}

describe.each(BACK_ENDS)('killed, with `itms` and iptables-%s', (backEnd) => {
  let story: Story;
  beforeAll(async () => {
    for (const name of BACK_ENDS) if (!told.has(name)) tell(name, () => killAndReturn(name));
    if (!told.has('hold')) tell('hold', holdAndReturn);
    story = (await told.get(backEnd)) as Story;
  });
  afterAll(() => Promise.allSettled(told.values()));

  test('a new session reaches the ITMS within 5 s of TCP’s own time, with none of our processes alive', () => {
    expect(story.secondsLeft).toHaveLength(2);
    for (const seconds of story.secondsLeft) expect(seconds).toBeLessThanOrEqual(3);
    expect(story.processesMeanwhile).toEqual([]);
    expect(story.opened.server).toBe('itms');
    // The third is sent 3 s after the first, the fourth 7 s.
    expect(story.opened.syns).toBeLessThanOrEqual(3);
    console.log(`${backEnd}, ${IPTABLES}: ${story.opened.ms.toFixed(0)} ms, ${story.opened.syns} SYNs`);
  });

  test('and so are those after it', () => expect(story.kept).toBe('itms'));

  const stalling = `${isCarried ? '' : 'undiverted and diverted connections, and '}a Connection Request`;
  test(`${stalling}: stalled, and continued when the engine returned; what is carried goes on meanwhile`, () => {
    expect(story.servers).toEqual(['itms', 'c1']);
    expect(story.meanwhile).toEqual(isCarried ? [BOTH_WAYS, BOTH_WAYS] : []);
    expect(story.stalled).toEqual(isCarried ? [BOTH_WAYS] : [BOTH_WAYS, BOTH_WAYS, BOTH_WAYS]);
  });

  test('the collector’s Connection Request waits, and its CPE is diverted as ever; all others are the ITMS’s', () => {
    expect(story.hasWokenMeanwhile).toBe(false);
    expect(story.afterwards).toEqual(['c1', 'itms']);
  });

  test('earlier activations are over: nat has given the woken session to the ITMS, and the next is not diverted', () => {
    expect(story.woken).toEqual(['itms', 'itms']);
  });

  test('an engine that is stopped falls over too, and diverts again when it continues', () => {
    expect(story.whileStopped).toEqual(['itms', 'itms']);
    expect(story.afterStopped).toBe('c1');
  });

  test('nobody is reset, and nothing of ours is left', () => {
    expect(story.resets).toEqual([]);
    const [before, after] = story.difference;
    expect(after).toBe(before);
    expect(before).toContain('MASQUERADE');
  });
});

async function holdAndReturn(): Promise<Sight[]> {
  const stage = await TcpStage.open({ cpes: CPES, onEngineDown: 'hold', lossy: true });
  try {
    const running = await stage.connect(RUNNING);
    await stage.wake('c1', DIVERTED);
    const diverted = await stage.connect(DIVERTED);
    const before = [running, diverted];
    for (const ends of before) await talk(ends);
    await kill(stage);
    await stage.wires.catchUp();
    const isBefore = ({ source, destination }: Sight) =>
      [RUNNING, DIVERTED].some((cpe) => source === cpe || destination === cpe);
    stage.wires.keepSights(
      (sight) =>
        !(isCarried && isBefore(sight)) &&
        // What no host of the wire has sent has come through the router.
        ((CPES.includes(sight.source) && sight.destination !== ADDRESSES.acs) ||
          (CPES.includes(sight.destination) && sight.source === ADDRESSES.acs)),
    );
    const arriving = await Promise.all(before.map(sendBothWays));
    const arrived = () => Promise.all(arriving.map((one) => one()));
    if (isCarried) expect(await arrived()).toEqual([BOTH_WAYS, BOTH_WAYS]);
    const opening = stage.connect(OPENING);
    const asking = stage.request('itms', ASKED);
    const waking = stage.request('c1', WOKEN);
    // Longer than the set of the other kind would hold.
    await pause(4000);
    await stage.wires.catchUp();
    const leaked = [...stage.wires.sights];
    await begin(stage);
    if (!isCarried) expect(await arrived()).toEqual([BOTH_WAYS, BOTH_WAYS]);
    const [opened, asked, woken] = await Promise.all([opening, asking, waking]);
    expect(opened.server).toBe('itms');
    for (const ends of [...before, opened, asked]) await talk(ends);
    await stage.ask(woken, 200);
    expect(await stage.session(WOKEN)).toBe('c1');
    await stage.expectOneServerEach();
    expect(stage.wires.resets).toEqual([]);
    return leaked;
  } finally {
    await stage.close();
  }
}

describe('killed, with `hold`', () => {
  test('nothing new passes, and TCP waits and completes when the engine returns', async () => {
    expect(await told.get('hold')).toEqual([]);
  });
});
