/**
 * Real faults of the servers, each planted in the server's own namespace: what status, log, doctor, trace and history say,
 * and how soon; where the CPEs of a dead collector go, and how it comes back by a trial session or a probe.
 * `npm run prove servers` has it note how soon.
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TraceAnswer } from '../../src/engine/control/operations';
import { readHistory } from '../../src/engine/recorder/read-history';
import { OUTCOMES } from '../../src/engine/recorder/session';
import { type Status } from '../../src/engine/report/status';
import { type HistoryEvent } from '../../src/engine/shared/recorder-protocol';
import { cli } from '../../src/lab/engine';
import { Acs } from '../../src/lab/cast';
import { REPORT_PORT } from '../../src/lab/world';
import { TRIAL_MS } from '../../src/splitter/health/health';
import { ADDRESSES, IPTABLES } from './support/family';
import { Lookout, pause } from './support/lookout';
import { makeCpes, Stage } from './support/stage';

/** From the first SYN that meets the fault. */
const SOON_MS = 10_000;
const RESET = ['-j', 'REJECT', '--reject-with', 'tcp-reset'];
const EVERY_SECOND = ['-m', 'statistic', '--mode', 'nth', '--every', '2', '--packet', '0', '-j', 'DROP'];

const cpes = makeCpes(80);
/** No CPE twice: a CPE whose SYN waits opens no other session. */
const some = (count: number) => cpes.splice(0, count);

let stage: Stage;
let lookout: Lookout;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-servers-'));
  const options = { cpes: [...cpes], onEngineDown: 'hold', history: { directory } } as const;
  // A session has its row when its CPE is no longer asked; here all are armed by hand.
  stage = await Stage.open({ ...options, ttl: { unfinished: 2, reset: 2 } });
  lookout = new Lookout(stage);
});
afterAll(async () => {
  await stage?.close();
  rmSync(directory, { recursive: true });
});

/** Plants a fault for new connections to a server; answers what ends it. */
async function plant(role: 'itms' | 'collector', what: readonly string[]): Promise<() => Promise<unknown>> {
  const rule = ['INPUT', '-p', 'tcp', '--syn', '--dport', String(REPORT_PORT), ...what];
  const change = (how: string) => stage.world.run(role, [IPTABLES, '-w', how, ...rule]);
  await change('-A');
  return () => change('-D');
}

/** Lets CPEs open sessions and waits for none. */
function informAll(count: number): void {
  for (const cpe of some(count)) stage.cast.cpes.inform(cpe).catch(() => undefined);
}

async function arm(address: string): Promise<void> {
  await lookout.ask('activate', { cpe: address, collector: 'c1' });
}

/** One line for `npm run prove servers`, where it asks for them. */
function note(what: string, beganMs: number): void {
  const file = process.env.ACSPLIT_SERVER_TIMES;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ what, ms: performance.now() - beganMs })}\n`);
}

/** Waits until a server is in a state; it must be so soon. @param what is measured */
async function until(server: string, state: string, what?: string): Promise<Status['servers'][string]> {
  const beganMs = performance.now();
  const { servers } = await lookout.until(`${server} is ${state}`, (status) => status.servers[server]?.state === state);
  expect(performance.now() - beganMs).toBeLessThan(SOON_MS);
  if (what !== undefined) note(what, beganMs);
  await eventually(() => logged(state).some((event) => event.server === server));
  return servers[server]!;
}

function logged(state: string): Record<string, unknown>[] {
  return stage.engine.events(`server-${state}`);
}

async function eventually(holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !holds(); await pause(50)) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${String(holds)}`);
  }
}

async function doctor(): Promise<{ level: string; message: string }> {
  const words = ['doctor', '--json', '-c', stage.engine.configurationFile];
  const line = `${cli(stage.world, ...words).join(' ')} || true`;
  const text = await stage.world.run('split', ['sh', '-c', line], 60_000);
  const { findings } = JSON.parse(text) as { findings: { check: string; level: string; message: string }[] };
  return findings.find(({ check }) => check === 'health')!;
}

function history(): { outcomes: string[]; servers: HistoryEvent[] } {
  const outcomes: string[] = [];
  const events: HistoryEvent[] = [];
  readHistory(
    { directory: join(directory, 'default') },
    { sessions: (row) => outcomes.push(OUTCOMES[row.outcome]), events: (event) => events.push(event) },
  );
  return { outcomes, servers: events.filter(({ kind }) => kind === 'server') };
}

test('an ITMS that refuses: down as soon as five CPEs have met it, and up with the first connection', async () => {
  const mend = await plant('itms', RESET);
  informAll(5);
  const { why, refused, unanswered } = await until('itms', 'down', 'refusing');
  expect([refused, unanswered, why]).toEqual([5, 0, '5 CPEs in a row were refused']);
  expect(logged('down')).toMatchObject([{ level: 'error', server: 'itms', address: ADDRESSES.itms, why }]);
  const text = await stage.world.run('split', cli(stage.world, 'status', '-c', stage.engine.configurationFile));
  expect(text).toMatch(/: ready, but itms is down, activation/);
  expect(await doctor()).toMatchObject({
    level: 'failure',
    message: expect.stringMatching(/^the ITMS is down since \d+ s: .*; its CPEs have no server$/) as string,
  });
  await mend();
  informAll(1);
  await until('itms', 'up');
});

test('an ITMS that is silent: down after 3 s, and up when it answers what CPEs repeat', async () => {
  const mend = await plant('itms', ['-j', 'DROP']);
  informAll(5);
  expect(await until('itms', 'down', 'silent')).toMatchObject({ why: '5 CPEs in a row got no answer' });
  await mend();
  await until('itms', 'up');
});

test('an ITMS that takes every second SYN: degraded, and none of its CPEs goes elsewhere', async () => {
  const mend = await plant('itms', EVERY_SECOND);
  informAll(8);
  const { why, slow } = await until('itms', 'degraded', 'half');
  expect(why).toMatch(/^\d+ of \d+ connections in 30 s failed or waited a second$/);
  expect(slow).toBeGreaterThanOrEqual(3);
  await mend();
});

describe('a collector that refuses', () => {
  let mend: () => Promise<unknown>;
  let runner: Runner;

  beforeAll(async () => {
    runner = await Runner.start(some(1)[0]!.address);
    mend = await plant('collector', RESET);
  });
  afterAll(() => mend());

  test('is down after five sessions', async () => {
    const five = some(5);
    for (const { address } of five) await arm(address);
    for (const cpe of five) stage.cast.cpes.inform(cpe).catch(() => undefined);
    expect(await until('c1', 'down')).toMatchObject({ armed: 6, refused: 5, why: '5 CPEs in a row were refused' });
    expect(logged('down').at(-1)).toMatchObject({
      server: 'c1',
      msg: expect.stringMatching(/; its CPEs go to the ITMS, but for one trial session every 10 s$/) as string,
    });
    expect(await doctor()).toMatchObject({ level: 'warning' });
  });

  test('a session that began before goes on there', async () => {
    expect(await runner.get()).toMatch(/^HTTP\/1.1 /);
    expect(runner.isOpen).toBe(true);
  });

  test('the next CPE that it woke goes to the ITMS: counted, traced, and kept', async () => {
    const { next } = (await lookout.ask('events')) as TraceAnswer;
    let [cpe] = some(1);
    await arm(cpe!.address);
    // On a busy machine ten seconds may have passed, and this was the trial session.
    if (!(await stage.cast.cpes.inform(cpe!)).ok) {
      [cpe] = some(1);
      await arm(cpe!.address);
      expect(await stage.cast.cpes.inform(cpe!)).toMatchObject({ ok: true });
    }
    expect(stage.cast.itms.informs.at(-1)).toMatchObject({ peer: cpe!.address });
    const { packets, events } = await lookout.status();
    expect([packets.byReason['collector-down'], events['collector-down']]).toEqual([1, 1]);
    const traced = (await lookout.ask('events', { since: next })) as TraceAnswer;
    const told = traced.events.filter((event) => event.cpe === cpe!.address).map(({ event, owner }) => [event, owner]);
    expect(told).toEqual([
      ['armed-by-hand', 'c1'],
      ['collector-down', 'c1'],
    ]);
    await eventually(() => history().outcomes.includes('collector-down'));
  });

  test('mended, it comes back within 10 s by a trial session', async () => {
    await mend();
    mend = () => Promise.resolve();
    const beganMs = performance.now();
    const seen: string[] = [];
    while (!seen.includes('c1')) {
      const [cpe] = some(1);
      await arm(cpe!.address);
      seen.push(...(await stage.inform(cpe!)).map((sighting) => (/^ITMS/.test(sighting) ? 'itms' : 'c1')));
      await pause(500);
    }
    expect(performance.now() - beganMs).toBeLessThan(TRIAL_MS + 3000);
    note('trial', beganMs);
    await until('c1', 'up');
    const [next] = some(1);
    await arm(next!.address);
    expect(await stage.inform(next!)).not.toEqual(['ITMS: 2 PERIODIC']);
  });
});

test('the history has each change once', async () => {
  await eventually(() => history().servers.length >= 7);
  const changes = history().servers.map(({ server, state }) => `${String(server)} ${String(state)}`);
  expect(changes.filter((change) => change.startsWith('c1'))).toEqual(['c1 down', 'c1 up']);
  expect(changes.filter((change) => change.startsWith('itms')).slice(0, 5)).toEqual([
    'itms down',
    'itms up',
    'itms down',
    'itms up',
    'itms degraded',
  ]);
  expect(logged('down').map(({ server }) => server)).toEqual(['itms', 'itms', 'c1']);
});

describe('a collector that dies in mid-session, and starts again with nothing in mind', () => {
  /** Both of its directions: INPUT with `from`, OUTPUT with `to`. */
  const change = (how: string, from: readonly string[], to: readonly string[]) =>
    Promise.all([
      stage.world.run('collector', [IPTABLES, '-w', how, 'INPUT', '-p', 'tcp', ...from]),
      stage.world.run('collector', [IPTABLES, '-w', how, 'OUTPUT', '-p', 'tcp', ...to]),
    ]);
  const cut = (how: '-A' | '-D') => change(how, ['-j', 'DROP'], ['-j', 'DROP']);
  const router = ADDRESSES.routers.collector;
  let runner: Runner;
  let reborn: Acs;

  test('is down after five sessions in vain; the running one waits, and the ITMS never gets it', async () => {
    runner = await Runner.start(some(1)[0]!.address);
    expect(await runner.get()).toMatch(/^HTTP\/1.1 /);
    await cut('-A');
    runner.write();
    const five = some(5);
    for (const { address } of five) await arm(address);
    for (const cpe of five) stage.cast.cpes.inform(cpe).catch(() => undefined);
    expect(await until('c1', 'down')).toMatchObject({ why: '5 CPEs in a row got no answer' });
    expect(runner.isOpen).toBe(true);
  });

  test('a probe, begun by a reload, brings it back though no CPE gets there', async () => {
    const file = stage.engine.configurationFile;
    writeFileSync(file, `${readFileSync(file, 'utf8')}probe: { interval: 1 }\n`);
    process.kill(stage.engine.pid, 'SIGHUP');
    await lookout.until('a probe in vain', ({ servers }) => servers['c1']!.addresses[0]!.probe === 'timeout');
    await stage.cast.collector.actor.stop();
    // The kernel forgets its connections too, as in a boot.
    await stage.world.run('collector', ['ss', '--kill', '--tcp', 'state', 'all']);
    reborn = await Acs.start(stage.world, 'collector', 'collection server', ADDRESSES.collector);
    const { answered } = (await lookout.status()).servers['c1']!;
    await change('-I', ['-s', router, '-j', 'ACCEPT'], ['-d', router, '-j', 'ACCEPT']);
    expect(await until('c1', 'up', 'probe')).toMatchObject({ answered, addresses: [{ probe: 'answers' }] });
  });

  test('the new program resets the old session, which the history tells; the next one is its own', async () => {
    await cut('-D');
    await eventually(() => !runner.isOpen);
    await eventually(() => history().outcomes.includes('reset-by-collector'));
    const [next] = some(1);
    await arm(next!.address);
    expect(await stage.cast.cpes.inform(next!)).toMatchObject({ ok: true });
    await reborn.actor.ask('settle');
    expect(reborn.informs.at(-1)).toMatchObject({ peer: next!.address });
    const { servers } = await lookout.status();
    expect(servers['c1']).toMatchObject({ state: 'up' });
    expect(servers['c1']!.resets).toBeGreaterThan(0);
  });
});

/** A CPE with an open connection to c1, over which it may ask once more. */
class Runner {
  private said = '';
  isOpen = true;

  private constructor(private readonly child: ReturnType<Stage['world']['start']>) {
    child.stdout!.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    child.once('exit', () => (this.isOpen = false));
  }

  static async start(address: string): Promise<Runner> {
    await arm(address);
    const { answered } = (await lookout.status()).servers['c1']!;
    const ends = { host: ADDRESSES.acs, port: REPORT_PORT, localAddress: address };
    const script = `
      const socket = require('net').connect(${JSON.stringify(ends)}, () => process.stdout.write('connected'));
      socket.pipe(process.stdout);
      process.stdin.pipe(socket);
      socket.on('close', () => process.exit());`;
    const runner = new Runner(stage.world.start('cpe', [process.execPath, '-e', script]));
    await eventually(() => runner.said === 'connected');
    await lookout.until('a diverted connection', ({ servers }) => servers['c1']!.answered > answered);
    return runner;
  }

  write(): void {
    this.said = '';
    this.child.stdin!.write('GET / HTTP/1.1\r\nHost: acs\r\n\r\n');
  }

  async get(): Promise<string> {
    this.write();
    await eventually(() => this.said.includes('\r\n\r\n'));
    return this.said;
  }
}
