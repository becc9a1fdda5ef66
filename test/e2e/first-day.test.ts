/**
 * The steps of docs/operations.md, in their order, on a router that has rules, services and a firewall of its own: from
 * nothing through `activation: off`, one network and a rate to all CPEs, and removal. At each step the router's earlier
 * functions keep working. The commands are the page's; one that this test does not know fails it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cast, settle, startCast } from '../../src/lab/cast';
import { type CpeSettings } from '../../src/lab/cpe';
import { cli } from '../../src/lab/engine';
import { ADDRESSES } from '../../src/lab/world';
import { type Finding } from '../../src/doctor/check';
import { type Status } from '../../src/engine/report/status';
import { type Outcome } from '../../src/steering/iptables/iptables';
import { RulesHost, until } from './support/rules-host';

jest.setTimeout(180_000);

const read = (file: string) => readFileSync(join(__dirname, '../..', file), 'utf8');
const PAGE = read('docs/operations.md');

/** Numbered steps of a section, each with the code in it. */
function stepsOf(heading: string): { text: string; codes: string[] }[] {
  const section = PAGE.split(`\n## ${heading}\n`)[1]!.split(/\n##/)[0]!;
  const items = section.split(/^(?=\d+\. )/m).slice(1);
  return items.map((item) => {
    const text = item.split(/\n\n/)[0]!;
    return { text, codes: [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!.replaceAll(/\s+/g, ' ')) };
  });
}
const INSTALLING = stepsOf('Installing on a router');
const FIRST_DAY = stepsOf('The safe first day');
const commandsOf = (codes: string[]) => codes.filter((code) => code.startsWith('acsplit '));

const HOST_RULES = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p tcp --dport 22 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -i eth0 -o eth3 -j ACCEPT
COMMIT
*mangle
-A FORWARD -o eth3 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
*nat
-A POSTROUTING -o eth3 -j MASQUERADE
COMMIT
`;
const makeCpe = (address: string): CpeSettings => ({
  ...{ address, requestPort: 7547, informDelayMs: null },
  credentials: { username: 'itms', password: 'itms' },
});
/** In the network that the page tries first, and outside of it. */
const [CANARY, OTHER] = ['10.1.4.5', '10.1.0.5'].map(makeCpe) as [CpeSettings, CpeSettings];

let host: RulesHost;
let cast: Cast;
let before: string;
let engine: { pid: number } | undefined;

beforeAll(async () => {
  host = await RulesHost.create('nft', { cpes: [CANARY.address, OTHER.address], outside: true });
  host.restore(HOST_RULES);
  before = host.state();
  await host.listen('split', ADDRESSES.acs, 22);
  await host.listen('outside', ADDRESSES.outside, 443);
  cast = await startCast(host.world, [CANARY, OTHER]);
});
afterAll(() => host?.close());
afterEach(async () => {
  await host.talk('cpe', OTHER.address, ADDRESSES.acs, 22);
  await host.talk('cpe', OTHER.address, ADDRESSES.outside, 443);
});

const acsplit = (words: string): Outcome => host.run(cli(host.world, ...words.split(' '), '-c', host.configuration));
const output = (words: string): string => {
  const { status, stdout, stderr } = acsplit(words);
  expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: '' });
  return stdout;
};
const status = () => JSON.parse(output('status --json')) as Status;
const counted = (reason: string) => (status().packets.byReason as Record<string, number>)[reason] ?? 0;

/** Puts a line of YAML into the configuration and, where an engine runs, has it reload. */
function configure(pattern: RegExp, line: string): void {
  const text = host.configurationText;
  const edited = text.replace(pattern, line);
  expect(edited).not.toBe(text);
  host.configure(edited);
  if (engine !== undefined) process.kill(engine.pid, 'SIGHUP');
}

async function wake(cpe: CpeSettings): Promise<void> {
  expect((await cast.collector.wake(cpe)).statuses.join()).toBe('401,200');
}

/** Opens a session; returns the server that got it. */
async function inform(cpe: CpeSettings): Promise<string> {
  const seen = () => [cast.itms, cast.collector].map(({ informs }) => informs.length);
  const [itms, collector] = seen() as [number, number];
  expect(await cast.cpes.inform(cpe)).toMatchObject({ ok: true });
  await settle(cast);
  const after = seen() as [number, number];
  return after[0] > itms ? 'itms' : after[1] > collector ? 'collector' : 'nobody';
}

/** Who has the session of a CPE that was woken: once it is as expected, since a reload takes a moment. */
async function untilWokenAt(cpe: CpeSettings, server: string): Promise<void> {
  let found = '';
  for (let attempt = 0; attempt < 20 && found !== server; attempt++) {
    await wake(cpe);
    found = await inform(cpe);
  }
  expect([cpe.address, found]).toEqual([cpe.address, server]);
}

/** Every command of the installation, and what must come of it; `isRunning`: after the engine's start. */
const WALK: Record<string, (isRunning: boolean) => unknown> = {
  'acsplit --version': () => expect(acsplit('--version').stdout).toMatch(/^\d+\.\d+\.\d+/),
  'acsplit config init > new.yaml': () => {
    const begun = output('config init');
    expect(begun).toContain('activation: off');
    expect(begun).toMatch(/^ {2}interface: eth0$/m);
  },
  'acsplit config check -c new.yaml': () => expect(output('config check')).toMatch(/ is valid: \d collectors?$/m),
  'acsplit doctor': (isRunning) => {
    const { findings } = JSON.parse(acsplit('doctor --json').stdout) as { findings: Finding[] };
    const bad = findings.filter(({ level }) => level !== 'ok').map(({ check }) => check);
    // "That rules and engine are missing is expected."
    expect(bad).toEqual(isRunning ? [] : ['rules', 'engine']);
  },
  'acsplit rules show': () => expect(output('rules show')).toContain('NFQUEUE'),
  'acsplit rules install': async () => {
    output('rules install');
    expect(await inform(OTHER)).toBe('itms');
  },
  'acsplit run': () => {
    const child = host.world.start('split', cli(host.world, 'run', '-c', host.configuration));
    for (const stream of [child.stdout!, child.stderr!]) stream.resume();
    engine = { pid: child.pid! };
  },
  'acsplit status': async () => {
    await until(() => acsplit('status').stdout.includes('ready'), '`ready`');
    expect(await inform(OTHER)).toBe('itms');
  },
  'acsplit rules check': () => output('rules check'),
  'acsplit tables activated': async () => {
    await wake(OTHER);
    expect(output('tables activated')).toMatch(/^10\.1\.0\.5 +c1 +armed/m);
  },
  'acsplit tables connections': async () => {
    expect(await inform(OTHER)).toBe('collector');
    expect(output('tables connections')).toContain(OTHER.address);
  },
};

async function walk(steps: { text: string; codes: string[] }[]): Promise<void> {
  for (const { text, codes } of steps) {
    for (const command of commandsOf(codes)) {
      const act = WALK[command];
      if (act === undefined) throw new Error(`"${command}" is not walked: ${text}`);
      await act(engine !== undefined);
    }
  }
}

test('README has the same order', () => {
  const readme = read('README.md').split('The steps, in this order:')[1]!;
  const inReadme = [...readme.matchAll(/^\| [^|]+ \| `(acsplit [^`]+)`/gm)].map(([, command]) => command!);
  const inPage = INSTALLING.flatMap(({ codes }) => commandsOf(codes));
  const shared = inReadme.filter((command) => inPage.slice(1).includes(command));
  const order = shared.map((command) => inPage.lastIndexOf(command));
  expect(shared.length).toBeGreaterThan(4);
  expect(order).toEqual([...order].sort((a, b) => a - b));
});

test('installed, up to the last step but one, with `activation: off`', async () => {
  expect(INSTALLING.flatMap(({ codes }) => codes)).toContain('activation: off');
  expect(host.configurationText).toContain('activation: off');
  await walk(INSTALLING.slice(0, -1));
});

describe('the safe first day', () => {
  const [oneNetwork, rate, all] = FIRST_DAY.map(({ codes }) => codes) as [string[], string[], string[]];
  const collector = /- \{ name: c1, (.*?) \}/;

  test('`off` diverts nothing, and counts what it would have diverted', async () => {
    expect(FIRST_DAY).toHaveLength(3);
    const was = counted('would-divert');
    for (const cpe of [CANARY, OTHER]) {
      await wake(cpe);
      expect(await inform(cpe)).toBe('itms');
    }
    expect(counted('would-divert')).toBeGreaterThan(was);
  });

  test('one network: its CPEs are diverted, and no other', async () => {
    const networks = oneNetwork.find((code) => code.startsWith('networks: '))!;
    configure(
      /^activation: .*$/m,
      oneNetwork.find((code) => code.startsWith('activation: '))!,
    );
    configure(collector, `- { name: c1, $1, ${networks} }`);
    await untilWokenAt(CANARY, 'collector');
    await wake(OTHER);
    expect(await inform(OTHER)).toBe('itms');
    expect(oneNetwork).toContain('outside-canary');
    expect(counted('outside-canary')).toBeGreaterThan(0);
  });

  test('more networks, at a rate', async () => {
    expect(rate).toEqual(expect.arrayContaining(['maxPerSecond', 'collector-busy']));
    configure(/networks: \[10\.1\.4\.0\/24\]/, 'networks: [10.1.4.0/24, 10.1.0.0/24], maxPerSecond: 1');
    await untilWokenAt(OTHER, 'collector');
    await Promise.all([wake(CANARY), wake(OTHER)]);
    await Promise.all([cast.cpes.inform(CANARY), cast.cpes.inform(OTHER)]);
    await until(() => counted('collector-busy') > 0, 'a session beyond the rate');
  });

  test('all', async () => {
    expect(all).toContain('networks');
    configure(/, networks: \[[^\]]*\], maxPerSecond: 1/, ', maxPerSecond: 200');
    await untilWokenAt(OTHER, 'collector');
    await untilWokenAt(CANARY, 'collector');
  });
});

test('the last step: woken, armed, diverted', () => walk(INSTALLING.slice(-1)));

test('removed: the host’s rules are as before', async () => {
  output('rules remove');
  process.kill(engine!.pid, 'SIGTERM');
  await until(() => acsplit('status').status !== 0, 'the engine to end');
  expect(host.state()).toBe(before);
});
