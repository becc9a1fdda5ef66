/** `status --watch` on a real terminal and in a pipe, over a real engine that comes and goes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli } from '../../src/lab/engine';
import { type Status } from '../../src/engine/report/status';
import { Command } from './support/command';
import { eventually } from './support/run-host';
import { hangUp } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';
import { Terminal } from './support/terminal';

jest.setTimeout(180_000);

const README = join(__dirname, '..', '..', 'README.md');
const cpes = ['10.1.2.1', '10.1.2.2', '10.1.2.3'];
let stage: TcpStage;
const terminals: Terminal[] = [];

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 } });
});
afterEach(async () => {
  for (const terminal of terminals.splice(0)) terminal.kill();
  await stage?.expectOneServerEach();
});
afterAll(() => stage?.close());

function watch(columns: number, rows: number, environment: NodeJS.ProcessEnv = {}): Terminal {
  const words = cli(stage.world, 'status', '--watch', '--interval', '0.2', '-c', stage.engine.configurationFile);
  const terminal = new Terminal(columns, rows, words, environment);
  terminals.push(terminal);
  return terminal;
}

function seen(terminal: Terminal, pattern: RegExp): Promise<string[]> {
  return eventually(String(pattern), () => {
    const picture = terminal.picture();
    return picture !== undefined && pattern.test(picture.join('\n')) ? picture : undefined;
  });
}

test('80 x 24: sides, tables and reasons of sessions as they happen; Ctrl-C gives the terminal back, exit 0', async () => {
  const terminal = watch(80, 24);
  await seen(terminal, /^acsplit \S+ +ready, activation auto, up /);
  await stage.wake('c1', cpes[0]!);
  const connection = await stage.connect(cpes[0]!);
  const lines = await seen(terminal, /^reportConnections +1 /m);
  expect(lines.length).toBeLessThanOrEqual(24);
  for (const line of lines) expect([...line].length).toBeLessThanOrEqual(80);
  // A packet may wait in the queue while a picture is drawn, but not in every one.
  await seen(terminal, /^from CPEs +[\d.]+ +[\d.]+ .*[▁▂▃▄▅▆▇█]+ +0 +0$/m);
  await seen(terminal, /^diverted +[\d.-]+ +1$/m);
  await hangUp(connection);
  expect(terminal.text).toContain('\x1b[36m');
  terminal.interrupt();
  expect(await terminal.ended).toBe(0);
  expect(terminal.isRestored).toBe(true);
});

/** The README's picture, in its own place; CAPTURE=1 redraws it from twenty seconds of sessions. */
test('the picture in the README is what a terminal shows', async () => {
  const readme = readFileSync(README, 'utf8');
  const shown = /```\n(acsplit \S+ {2}ready[^`]*)```/.exec(readme)?.[1] ?? '';
  const terminal = watch(80, 24, { NO_COLOR: '1' });
  const untilMs = performance.now() + (process.env.CAPTURE === '1' ? 20_000 : 0);
  for (let n = 0; n < 2 || performance.now() < untilMs; n++) {
    const cpe = cpes[n % cpes.length]!;
    if (n % 3 === 0) await stage.wake(n % 2 === 0 ? 'c1' : 'c2', cpe);
    await stage.session(cpe);
  }
  // Which reasons find room depends on the moment.
  const picture = await seen(terminal, /^VERDICTS BY REASON.*\n[a-z-]+ +/m);
  terminal.interrupt();
  await terminal.ended;
  if (process.env.CAPTURE === '1')
    writeFileSync(
      README,
      readme.replace(shown, () => `${picture.join('\n')}\n`),
    );
  const heads = (lines: readonly string[]) =>
    lines
      .filter((line) => /^(PACKETS|SERVER|TABLE|VERDICTS|from|[a-z]+ [a-zCPE]+ )/.test(line))
      .map((line) => line.split(/ {2,}/)[0]);
  const isLabel = (label: string | undefined) =>
    label !== undefined && !/^[a-z-]+$/.test(label) && !label.startsWith('acsplit');
  expect(heads(shown.split('\n')).filter(isLabel)).toEqual(heads(picture).filter(isLabel));
  expect(shown.split('\n').length).toBeLessThanOrEqual(25);
});

test('NO_COLOR: no colour; a locale without UTF-8: no character beyond ASCII', async () => {
  const terminal = watch(80, 24, { NO_COLOR: '1', LC_ALL: 'C' });
  await seen(terminal, /^from the ITMS/m);
  terminal.interrupt();
  await terminal.ended;
  expect(terminal.text).not.toMatch(/\x1b\[\d+m/);
  expect(terminal.text).not.toMatch(/[^\x00-\x7f]/);
});

test('another size: redrawn, and never wider or higher than the terminal', async () => {
  const terminal = watch(120, 40);
  const wide = await seen(terminal, /WAITING +LOST$/m);
  expect(wide.find((line) => line.endsWith('LOST'))).toHaveLength(120);
  terminal.resize(50, 10);
  const small = await eventually('a small picture', () => {
    const picture = terminal.picture();
    return picture !== undefined && picture.length <= 10 ? picture : undefined;
  });
  for (const line of small) expect([...line].length).toBeLessThanOrEqual(50);
  terminal.interrupt();
  expect(await terminal.ended).toBe(0);
});

test('keys: ? and back, sort, freeze, q; the terminal is as before, and echoed nothing', async () => {
  const terminal = watch(80, 40);
  await seen(terminal, /^VERDICTS BY REASON/m);
  terminal.type('?');
  await seen(terminal, /^q +quit/m);
  terminal.type('?s');
  await seen(terminal, /^VERDICTS BY TOTAL/m);
  terminal.type('f');
  await seen(terminal, /^acsplit \S+ +frozen at \d\d:\d\d:\d\d; f continues/);
  terminal.type('fss');
  await seen(terminal, /^acsplit \S+ +ready/);
  await seen(terminal, /^VERDICTS BY REASON/m);
  terminal.type('q');
  expect(await terminal.ended).toBe(0);
  expect(terminal.isRestored).toBe(true);
  expect(terminal.text).not.toMatch(/\?s|fss|\^C/);
});

test('the engine ends and another starts: reported, the last screen stays, and watching continues', async () => {
  const terminal = watch(80, 24);
  await seen(terminal, /ready/);
  const file = stage.engine.configurationFile;
  const lines = new Command(stage.world, file, ['status', '--watch', '--interval', '0.2']);
  await lines.lines(1);
  await stage.restart();
  const gone = terminal.text.split('\x1b[H').find((picture) => picture.includes('no engine answers; waiting for one'));
  expect(gone).toContain('connectionRequests');
  expect(lines.stderr).toContain('no engine answers; waiting for one\n');
  await seen(terminal, /^acsplit \S+ +ready/);
  await eventually('the pipe to go on', () => lines.stderr.includes('an engine answers again\n') || undefined);
  terminal.interrupt();
  lines.child.kill('SIGINT');
  expect(await terminal.ended).toBe(0);
  expect((await lines.ended).code).toBe(0);
});

test('in a pipe: a plain line each time; with --json a status each time; SIGTERM ends it with exit 0', async () => {
  const file = stage.engine.configurationFile;
  const plain = new Command(stage.world, file, ['status', '--watch', '--interval', '0.2']);
  const json = new Command(stage.world, file, ['status', '-w', '--json', '--interval', '0.2']);
  for (const line of await plain.lines(3)) {
    expect(line).toMatch(
      /^\d\d:\d\d:\d\d ready {2}cpe \S+\/s {2}itms \S+\/s {2}collector \S+\/s {2}(host \S+\/s {2})?diverted \S+\/s {2}connections \d+ {2}waiting \d+ {2}dropped \d+ {2}lost \d+ {2}restarts \d+$/,
    );
  }
  for (const line of await json.lines(2)) expect((JSON.parse(line) as Status).ready).toBe(true);
  for (const command of [plain, json]) {
    command.child.kill('SIGTERM');
    expect(await command.ended).toMatchObject({ code: 0, stderr: '' });
  }
});

test.each([
  [['--interval', '0'], /^acsplit: --interval: expected seconds from 0\.1 to 3600\n$/],
  [['--interval', 'soon'], /^acsplit: --interval: expected seconds/],
  [['--interval'], /^acsplit: --interval needs a value\n$/],
])('misused, %p: exit 2, one line', async (words, expected) => {
  const ran = await new Command(stage.world, stage.engine.configurationFile, ['status', '--watch', ...words]).ended;
  expect(ran).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(expected) as string });
});
