/** The operator's commands on a running engine with real traffic, and their failures. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationText } from '../../src/lab/engine';
import { Command, type Ran } from './support/command';
import { eventually } from './support/run-host';
import { hangUp, talk } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';
import { street } from './support/family';

const cpes = street(2, 30);
let used = 0;
const fresh = (): string => cpes[used++] as string;

let stage: TcpStage;

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 } });
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach());

function start(...words: string[]): Command {
  return new Command(stage.world, stage.engine.configurationFile, words);
}

function acsplit(...words: string[]): Promise<Ran> {
  return start(...words).ended;
}

/** Runs a command that must succeed and print nothing else. */
async function output(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await acsplit(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function json<T>(...words: string[]): Promise<T> {
  return JSON.parse(await output(...words, '--json')) as T;
}

describe('acsplit tables', () => {
  test('shows a Connection Request, an activation and a diverted connection, as text and as JSON', async () => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe, { fromPort: 40_000 });
    await stage.ask(request, 200);

    expect(await json('tables', 'requests', '--cpe', cpe)).toEqual([
      {
        cpe,
        cpePort: 7547,
        port: 40_000,
        ownPort: 40_000,
        owner: 'c1',
        phase: 'established',
        idleMs: expect.any(Number),
        remainingMs: expect.any(Number),
      },
    ]);
    expect(await output('tables', 'requests', '--cpe', cpe)).toMatch(
      /^CPE +ACS PORT +SERVER +PHASE +IDLE +LEFT\n10\.1\.2\.\d+:7547 +40000 +c1 +established +\d+\.\ds +7\d{3}\.\ds\n$/,
    );
    expect(await json('tables', 'activated', '--cpe', cpe)).toMatchObject([{ cpe, collector: 'c1', phase: 'armed' }]);
    expect(await output('tables', 'activated', '--cpe', cpe)).toMatch(
      /^CPE +COLLECTOR +PHASE +LEFT\n10\.1\.2\.\d+ +c1 +armed +\d\d\.\ds\n$/,
    );
    expect(await json('tables', 'connections', '--cpe', cpe)).toEqual([]);

    const connection = await stage.connect(cpe, { fromPort: 20_000 });
    const row = { cpe, cpePort: 20_000, port: 7547, ownPort: 7547, owner: 'c1', phase: 'established' };
    expect(await json('tables', 'connections', '--cpe', cpe)).toMatchObject([row]);
    expect(await json('tables', 'activated', '--cpe', cpe)).toMatchObject([{ phase: 'consumed' }]);
    await hangUp(connection);
    expect(await json('tables', 'connections', '--cpe', cpe)).toMatchObject([{ ...row, phase: 'closed' }]);
    await hangUp(request, 'far');
    expect(await json('tables', 'requests', '--cpe', cpe)).toMatchObject([{ phase: 'closed' }]);
  });

  test('shows a remapped Connection Request with both its ports', async () => {
    const cpe = fresh();
    const one = await stage.request('itms', cpe, { fromPort: 40_000 });
    const other = await stage.request('c1', cpe, { fromPort: 40_000 });
    const rows = await json<{ owner: string; port: number; ownPort: number }[]>('tables', 'requests', '--cpe', cpe);
    expect(rows.map(({ owner, ownPort, port }) => [owner, ownPort, port]).sort()).toEqual([
      ['c1', 40_000, other.seenFrom],
      ['itms', 40_000, 40_000],
    ]);
    expect(await output('tables', 'requests', '--cpe', cpe)).toContain('c1 (from port 40000)');
    for (const request of [one, other]) await hangUp(request, 'far');
  });

  test('without --cpe shows every CPE, and the head alone where there is nothing', async () => {
    const [one, other] = [fresh(), fresh()];
    await Promise.all([stage.wake('c1', one), stage.wake('c2', other)]);
    const rows = await json<{ cpe: string; collector: string }[]>('tables', 'activated');
    expect(rows.filter(({ cpe }) => cpe === one || cpe === other)).toHaveLength(2);
    expect(await output('tables', 'activated', '--cpe', '10.1.9.9')).toBe('CPE  COLLECTOR  PHASE  LEFT\n');
    expect(await json('tables', 'activated', '--cpe', '10.1.9.9')).toEqual([]);
    for (const cpe of [one, other]) await stage.session(cpe);
  });

  test('--limit: as many as asked for, and what says that there are more', async () => {
    // Beside CPEs of the tests before, which stay for as long as a Connection Request may be unanswered.
    const cpes = [fresh(), fresh(), fresh()];
    for (const cpe of cpes) await output('activate', cpe, '--collector', 'c2');
    const text = await acsplit('tables', 'activated', '--limit', '1');
    expect(text).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^CPE +COLLECTOR +PHASE +LEFT\n10\.1\.2\.\d+ +[^\n]+\n$/) as string,
      stderr: expect.stringMatching(/^only 1 shown, the table holds up to \d+; raise --limit\n$/) as string,
    });
    const { stdout, stderr } = await acsplit('tables', 'activated', '--json', '--limit', '2');
    expect(JSON.parse(stdout)).toHaveLength(2);
    expect(stderr).toMatch(/^only \d+ shown/);
    const rows = await json<{ cpe: string }[]>('tables', 'activated', '--limit', '1000');
    expect(rows.map(({ cpe }) => cpe)).toEqual(expect.arrayContaining(cpes));
    for (const cpe of cpes) await output('deactivate', cpe);
  });
});

describe('acsplit activate and deactivate', () => {
  test('divert one session, as if the collector had woken the CPE', async () => {
    const cpe = fresh();
    expect(await output('activate', cpe, '--collector', 'c2')).toBe(`the next session of ${cpe} goes to c2\n`);
    expect(await stage.session(cpe)).toBe('c2');
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('activate overrules any other activation: the operator has the last word', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    await output('activate', cpe, '--collector', 'c2');
    expect(await stage.session(cpe)).toBe('c2');
  });

  test('deactivate leaves the next session to the ITMS, and says so when there was nothing to end', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    expect(await output('deactivate', cpe)).toBe(`the next session of ${cpe} goes to the ITMS\n`);
    expect(await stage.session(cpe)).toBe('itms');
    expect(await output('deactivate', cpe)).toBe(`${cpe} was not activated: nothing to do\n`);
  });

  test('a running session is left where it is', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    const connection = await stage.connect(cpe);
    expect(connection.server).toBe('c1');
    await output('deactivate', cpe);
    await talk(connection);
    await hangUp(connection);
  });
});

describe('acsplit pause and resume', () => {
  test('pause ends all new diverting at once, running sessions stay, resume allows it again', async () => {
    const [running, waiting, later] = [fresh(), fresh(), fresh()];
    await stage.wake('c1', running);
    const connection = await stage.connect(running);
    await stage.wake('c1', waiting);

    expect(await output('pause')).toBe('paused: every new session goes to the ITMS\n');
    expect(await output('pause')).toBe('already paused\n');
    expect((await stage.status()).paused).toBe(true);
    expect(connection.server).toBe('c1');
    await talk(connection);
    expect(await stage.session(waiting)).toBe('itms');
    expect(await output('activate', later, '--collector', 'c1')).toBe(
      `armed for c1, but the engine is paused: the next session of ${later} goes to the ITMS; to divert again: acsplit resume\n`,
    );
    expect(await output('status')).toMatch(/paused/);

    expect(await output('resume')).toBe('resumed: woken CPEs are diverted again\n');
    expect(await output('resume')).toBe('was not paused\n');
    await hangUp(connection);
    // Its session has been the ITMS's while paused: it does not divert a later one.
    expect(await stage.session(waiting)).toBe('itms');
    expect(await stage.session(later)).toBe('c1');
    await stage.wake('c1', waiting);
    expect(await stage.session(waiting)).toBe('c1');
  });
});

describe('acsplit trace', () => {
  const TIME = '\\d\\d:\\d\\d:\\d\\d\\.\\d{3}';

  test('a line for each event, as text and as JSON, of all CPEs or of one', async () => {
    const [one, other] = [fresh(), fresh()];
    const text = start('trace');
    const lines = start('trace', '--json', '--cpe', one);
    for (const command of [text, lines]) {
      await eventually('trace to begin', () => command.stderr.includes('tracing; Ctrl-C ends\n') || undefined);
    }
    const asking = await stage.request('c1', one, { fromPort: 40_000 });
    await stage.ask(asking, 200);
    await stage.wake('c2', one);
    await hangUp(asking, 'far');
    const session = await stage.connect(one, { fromPort: 20_000 });
    await session.cpe.sendTo(session.far, 'POST / HTTP/1.1\r\n\r\n');
    await session.far.sendTo(session.cpe, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
    await hangUp(session);
    await hangUp(await stage.connect(one, { fromPort: 20_001 }));
    await output('activate', other, '--collector', 'c2');
    await output('deactivate', other);

    const told = await text.lines(8, (line) => line.includes(`  ${one} `) || line.includes(`  ${other} `));
    const expected = [
      [one, `armed for c1: the CPE answered its Connection Request (${one}:7547 from port 40000) with a 2xx`],
      [one, "contended: c2 woke the CPE too, but another collector's activation is still in force"],
      [one, 'diverted to c1: session (port 20000 to 7547)'],
      [one, 'closed: session (port 20000 to 7547) with c1'],
      [one, 'diverted to c1: session (port 20001 to 7547) continues the previous one'],
      [one, 'closed: session (port 20001 to 7547) with c1'],
      [other, 'armed for c2 by an operator'],
      [other, 'activation for c2 ended by an operator'],
    ];
    for (const [index, [cpe, sentence]] of expected.entries()) {
      expect(told[index]).toMatch(new RegExp(`^${TIME}  ${cpe} +${escaped(sentence as string)}$`));
    }
    // The CPE's packets come in between: trace-packets.test.ts.
    const eventLines = await lines.lines(6, (line) => line.includes('"event":'));
    const events = eventLines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.map(({ event }) => event)).toEqual([
      'armed-by-response',
      'contended',
      'diverted',
      'closed',
      'diverted-in-grace',
      'closed',
    ]);
    expect(events[2]).toMatchObject({ cpe: one, cpePort: 20_000, port: 7547, owner: 'c1', time: expect.any(String) });
    for (const command of [text, lines]) {
      command.child.kill('SIGINT');
      await command.ended;
      expect(command.stderr).toBe('tracing; Ctrl-C ends\n');
    }
  });

  test('outlives a restart of the engine, and says so', async () => {
    const cpe = fresh();
    const trace = start('trace');
    await eventually('trace to begin', () => trace.stderr.includes('tracing') || undefined);
    await stage.restart({ ttl: { grace: 0.5 } });
    await stage.wake('c1', cpe);
    expect(await trace.lines(1, (line) => line.includes(cpe))).toHaveLength(1);
    const said = (line: string) => line.includes('restarted');
    expect(await trace.lines(1, said)).toEqual([
      expect.stringMatching(new RegExp(`^${TIME}  engine restarted: the tables were reset$`)),
    ]);
    expect(await stage.session(cpe)).toBe('c1');
    const json = start('trace', '--json');
    await eventually('trace to begin', () => json.stderr.includes('tracing') || undefined);
    process.kill((await stage.status()).workers[0]!.pid, 'SIGKILL');
    expect((await trace.lines(2, said))[1]).toMatch(new RegExp(`^${TIME}  worker restarted$`));
    const [line] = await json.lines(1);
    expect(JSON.parse(line!)).toMatchObject({ event: 'worker-restarted', areTablesLost: false });
    for (const command of [trace, json]) {
      command.child.kill('SIGINT');
      await command.ended;
    }
  });
});

test('a configuration saved with a mistake: watch and trace keep running and record what happens', async () => {
  const cpe = fresh();
  const file = stage.engine.configurationFile;
  const right = readFileSync(file);
  const trace = start('trace', '--write', join(stage.world.directory, 'evidence.pcapng'));
  const watch = start('status', '--watch', '--interval', '0.1');
  await eventually('trace to begin', () => trace.stderr.includes('tracing; Ctrl-C ends\n') || undefined);
  await watch.lines(1);
  try {
    writeFileSync(file, 'reportPots: [7547]\n');
    expect(await acsplit('status')).toMatchObject({ code: 2 });
    const shown = (await watch.lines(1)).length;
    await watch.lines(shown + 2);
    await stage.wake('c1', cpe);
    expect(await trace.lines(1, (line) => line.includes(`${cpe} `))).toHaveLength(1);
  } finally {
    writeFileSync(file, right);
    for (const { child } of [trace, watch]) child.kill('SIGINT');
  }
  expect(await watch.ended).toMatchObject({ code: 0, stderr: '' });
  const { code, stderr } = await trace.ended;
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(
      /^tracing; Ctrl-C ends\n[1-9]\d* packets written to \S+evidence\.pcapng\n$/,
    ) as string,
  });
  expect(await stage.session(cpe)).toBe('c1');
});

describe('misused', () => {
  /** One line on standard error, nothing else, and the exit status. */
  async function refusal(...words: string[]): Promise<{ code: number | null; line: string }> {
    const { code, stdout, stderr } = await acsplit(...words);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^acsplit: [^\n]+\n$/);
    return { code, line: stderr.slice('acsplit: '.length, -1) };
  }

  test('wrong words: exit 2, one line', async () => {
    const rows: [string[], RegExp][] = [
      [['tables'], /missing argument|which/],
      [
        ['tables', 'request'],
        /found "request", expected one of requests, activated, connections.*did you mean "?requests/,
      ],
      [['tables', 'requests', 'more'], /unknown|unexpected argument/],
      [['tables', 'requests', '--cpe', '10.1.2'], /"10\.1\.2" is not an IP address/],
      [['tables', 'requests', '--cpe'], /--cpe needs a value/],
      [['tables', 'requests', '--limit', '0'], /^--limit must be a whole number of 1 or more$/],
      [['tables', 'requests', '--limit', 'all'], /^--limit must be a whole number of 1 or more$/],
      [['tables', 'requests', '--jsno'], /unknown option "--jsno".*--json/],
      [['activate'], /missing argument/],
      [['activate', '10.1.2.1'], /collector/],
      [['activate', '10.1.2.1', '--collector'], /--collector needs a value/],
      [['activate', '10.1.2.300', '--collector', 'c1'], /"10\.1\.2\.300" is not an IP address/],
      [['deactivate'], /missing argument/],
      [['deactivate', 'c1'], /"c1" is not an IP address/],
      [['pause', 'now'], /unknown|unexpected argument/],
      [['resume', '--now'], /unknown option "--now"/],
      [['trace', '--cpe', 'localhost'], /"localhost" is not an IP address/],
    ];
    const told = await Promise.all(rows.map(([words]) => refusal(...words)));
    for (const [index, [words, expected]] of rows.entries()) {
      expect({ words, ...told[index] }).toEqual({ words, code: 2, line: expect.stringMatching(expected) as string });
    }
  });

  test('an unknown collector, and an address where no CPE lives: exit 1, one line', async () => {
    expect(await refusal('activate', '10.1.2.1', '--collector', 'c9')).toEqual({
      code: 1,
      line: expect.stringContaining("no collector is named 'c9'") as string,
    });
    expect(await refusal('activate', '10.1.2.1', '--collector', 'itms')).toMatchObject({ code: 1 });
    const strange = [
      ['activate', '192.0.2.1', '--collector', 'c1'],
      ['deactivate', '192.0.2.1'],
      ['trace', '--cpe', '192.0.2.1'],
      ...['requests', 'activated', 'connections'].map((table) => ['tables', table, '--cpe', '192.0.2.1', '--json']),
    ];
    for (const told of await Promise.all(strange.map((words) => refusal(...words)))) {
      expect(told).toEqual({ code: 1, line: '192.0.2.1 is in none of cpe.networks' });
    }
    expect((await stage.activation('10.1.2.1'))?.phase ?? 'none').not.toBe('armed');
  });

  test('no engine is running: exit 1, one line that says what to do', async () => {
    const directory = join(stage.world.directory, 'nobody');
    const file = join(stage.world.directory, 'nobody.yaml');
    writeFileSync(file, configurationText(directory, {}));
    const commands = [
      ['tables', 'requests'],
      ['activate', '10.1.2.1', '--collector', 'c1'],
      ['deactivate', '10.1.2.1'],
      ['pause'],
      ['resume'],
      ['trace'],
    ];
    const ran = await Promise.all(commands.map((words) => new Command(stage.world, file, words).ended));
    for (const { code, stdout, stderr } of ran) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^acsplit: no engine is running here \([^\n]+\); start one with: acsplit run\n$/);
    }
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
