/** `trace --cpe` and `trace --write`: a line a packet, and a capture that tshark, capinfos and replay take. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PacketsAnswer } from '../../src/engine/control/packet-trace';
import { Command, type Ran } from './support/command';
import { eventually } from './support/run-host';
import { hangUp, talk } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';

jest.setTimeout(180_000);

const cpes = Array.from({ length: 6 }, (_, index) => `10.1.2.${index + 1}`);
const [ONE, OTHER] = cpes as [string, string];
const CLOCK = '\\d\\d:\\d\\d:\\d\\d\\.\\d{3}';
let stage: TcpStage;

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 } });
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach());

async function trace(...words: string[]): Promise<Command> {
  const command = new Command(stage.world, stage.engine.configurationFile, ['trace', ...words]);
  await eventually('trace to begin', () => command.stderr.includes('tracing; Ctrl-C ends\n') || undefined);
  return command;
}

async function interrupt(command: Command): Promise<Ran> {
  command.child.kill('SIGINT');
  return command.ended;
}

/** The collector wakes a CPE, and the CPE opens a session. */
async function wokenSession(cpe: string, cpePort: number): Promise<void> {
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe, { fromPort: cpePort });
  await talk(connection);
  await hangUp(connection);
}

test('a line for each packet of one CPE, with its reason; its events between them; nothing of another CPE', async () => {
  const text = await trace('--cpe', ONE);
  const json = await trace('--cpe', ONE, '--json');
  await wokenSession(ONE, 20_000);
  await wokenSession(OTHER, 20_001);
  const closed = (line: string) => line.includes('closed: session');
  await text.lines(1, closed);
  await json.lines(1, (line) => line.includes('"event":"closed"'));
  const told = (await interrupt(text)).stdout;
  expect(told).toMatch(
    new RegExp(
      `^${CLOCK}  cpe +SYN +${ONE}:20000 > 10\\.1\\.0\\.1:7547 +0 rewritten diverted: ${ONE}:20000 > 10\\.3\\.0\\.2:7547$`,
      'm',
    ),
  );
  expect(told).toMatch(new RegExp(`^${CLOCK}  collector SYN\\+ACK +10\\.3\\.0\\.2:7547 > ${ONE}:20000 `, 'm'));
  expect(told).not.toContain(OTHER);
  const lines = told.split('\n');
  const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
  expect(at(/armed for c1/)).toBeGreaterThan(at(/request-opened/));
  expect(at(/ SYN .*diverted:/)).toBeGreaterThan(at(/armed for c1/));
  // The two are asked for one after the other, so that packets of the meantime may stand between them.
  expect(at(/diverted to c1/)).toBeGreaterThan(at(/ SYN .*diverted:/));
  const rows = (await interrupt(json)).stdout.trimEnd().split('\n');
  const parsed = rows.map((row) => JSON.parse(row) as Record<string, unknown>);
  expect(parsed.find(({ reason }) => reason === 'diverted')).toEqual({
    side: 'cpe',
    type: 'SYN',
    packet: `${ONE}:20000 > 10.1.0.1:7547`,
    became: `${ONE}:20000 > 10.3.0.2:7547`,
    payloadBytes: 0,
    verdict: 'rewritten',
    reason: 'diverted',
    time: expect.any(String),
  });
  expect(parsed.filter(({ event }) => event === 'diverted')).toHaveLength(1);
});

test('--write: mode 0600, read by capinfos and tshark, and decided the same by replay', async () => {
  const file = join(stage.world.directory, 'one.pcapng');
  // A file that is there already and open to all gets the mode, too.
  writeFileSync(file, 'old', { mode: 0o666 });
  const tracing = await trace('--cpe', ONE, '--write', file);
  await wokenSession(ONE, 20_010);
  await tracing.lines(1, (line) => line.includes('closed: session'));
  const { stdout, stderr, code } = await interrupt(tracing);
  expect(code).toBe(0);
  const packets = stdout.split('\n').filter((line) => / (rewritten|accepted|dropped) /.test(line));
  expect(stderr).toBe(`tracing; Ctrl-C ends\n${packets.length} packets written to ${file}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  expect(execFileSync('capinfos', ['-c', '-M', file], { encoding: 'utf8' })).toMatch(
    new RegExp(`Number of packets: +${packets.length}$`, 'm'),
  );
  const fields = ['-e', 'frame.interface_name', '-e', 'ip.src', '-e', 'frame.comment'];
  const rows = execFileSync('tshark', ['-n', '-r', file, '-T', 'fields', ...fields], { encoding: 'utf8' });
  expect(rows).toContain(`eth0\t${ONE}\trewritten: diverted\n`);
  expect(rows).toMatch(/^eth2\t10\.3\.0\.2\trewritten: request-opened$/m);

  const replayed = new Command(stage.world, stage.engine.configurationFile, ['replay', file, '--transcript', '-']);
  const again = (await replayed.ended).stdout;
  const reasons = (text: string) =>
    [...text.matchAll(/ (?:rewritten|accepted|dropped) +([a-z-]+)/g)].map(([, reason]) => reason);
  expect(reasons(again)).toEqual(reasons(packets.join('\n')));
});

test('--write without --cpe: every CPE in the capture, events alone on the terminal', async () => {
  const file = join(stage.world.directory, 'all.pcapng');
  const tracing = await trace('--write', file);
  await wokenSession(ONE, 20_020);
  await wokenSession(OTHER, 20_021);
  await tracing.lines(2, (line) => line.includes('closed: session'));
  const { stdout } = await interrupt(tracing);
  expect(stdout).not.toContain('rewritten');
  const sources = execFileSync('tshark', ['-n', '-r', file, '-T', 'fields', '-e', 'ip.src'], { encoding: 'utf8' });
  expect(new Set(sources.trimEnd().split('\n'))).toEqual(new Set([ONE, OTHER, '10.3.0.2']));
});

test('--write to a disk that gets full: one line, exit 1, and whole packets in the file', async () => {
  const disk = join(stage.world.directory, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', disk]);
  try {
    const file = join(disk, 'full.pcapng');
    const tracing = await trace('--write', file);
    for (let cpePort = 20_200; tracing.child.exitCode === null; cpePort++) await wokenSession(ONE, cpePort);
    const { code, stderr } = await tracing.ended;
    expect(stderr).toMatch(
      /^tracing; Ctrl-C ends\nacsplit: cannot write \S+full\.pcapng: no space left on the device; \d+ packets are in it\n$/,
    );
    expect(code).toBe(1);
    const packets = Number(/(\d+) packets are in it/.exec(stderr)?.[1]);
    expect(packets).toBeGreaterThan(10);
    const replayed = await new Command(stage.world, stage.engine.configurationFile, ['replay', file]).ended;
    expect(replayed).toMatchObject({ code: 0, stderr: '' });
    expect(replayed.stdout).toMatch(new RegExp(`^${packets} packets in `));
  } finally {
    execFileSync('umount', [disk]);
  }
});

test('after the last trace ends, soon nothing is kept', async () => {
  const next = async () => ((await stage.control('packets', { cpe: '10.1.9.9' })) as { next: number }).next;
  let cpePort = 20_030;
  await eventually('a session of which nothing is kept', async () => {
    const before = await next();
    await wokenSession(OTHER, cpePort++);
    return (await next()) === before || undefined;
  });
});

test('a later request gets the packets since, and learns that none is missing', async () => {
  const connection = await stage.connect(ONE, { fromPort: 20_100 });
  const first = (await stage.control('packets', { cpe: ONE })) as { next: number };
  await talk(connection);
  const later = (await stage.control('packets', { cpe: ONE, since: first.next })) as PacketsAnswer;
  expect(later.missed).toBe(0);
  expect(later.packets.map(({ queue }) => queue).sort()).toContain(1);
  expect(later.packets.length).toBeGreaterThanOrEqual(2);
  await hangUp(connection);
});

test.each([
  [['--write', '/nowhere/x.pcapng'], 1, 'cannot write /nowhere/x.pcapng: no such directory'],
  [['--write'], 2, '--write needs a value'],
  [['--cpe', 'x'], 2, '"x" is not an IP address such as 10.1.0.5 or 2001:db8::5'],
])('misused, %p: exit %d, one line', async (words, code, line) => {
  const ran = await new Command(stage.world, stage.engine.configurationFile, ['trace', ...words]).ended;
  expect(ran).toEqual({ code, stdout: '', stderr: `acsplit: ${line}\n` });
});
