/**
 * The brake works when the configuration does not: commands find a running engine although its file is broken, gone or
 * unreadable, and never ask another engine by mistake. Two engines run on one host.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askEngine, controlSocketPath } from '../../src/engine/control/ask';
import { type Ended, eventually, RunHost, type RunningCommand } from './support/run-host';

jest.setTimeout(300_000);

const PROGRAM = join(__dirname, '../../dist/cli/main.js');
/** root without these may not read every file. */
const WITHOUT_DAC = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'];

let host: RunHost;
let good: string;
let file: string;
let engines: RunningCommand[];
const pids = () => engines.map(({ pid }) => pid);

beforeAll(async () => {
  host = new RunHost();
  file = host.configure('a.yaml');
  good = readFileSync(file, 'utf8');
  const more = ['name: north', `stateDirectory: ${host.directory}/north`, 'queue: { first: 10 }'];
  const north = host.configure('north.yaml', [...more, 'metrics: { listen: "127.0.0.1:9548" }'].join('\n'));
  engines = [file, north].map((one) => host.start(['run', '-c', one]));
  for (const engine of engines) await engine.event('ready');
});
afterAll(() => host?.remove());
afterEach(async () => {
  restore();
  expect(await paused('north')).toBe(false);
});

function restore(): void {
  rmSync(file, { recursive: true, force: true });
  writeFileSync(file, good);
}

/** Of the engine with that state directory; asked from here, because a command takes half a second to start. */
async function paused(directory: string): Promise<boolean> {
  const socket = controlSocketPath(join(host.directory, directory));
  return ((await askEngine(socket, { command: 'status' })) as { paused: boolean }).paused;
}

const COMMANDS: [words: string[], prints: RegExp][] = [
  [['status'], /^acsplit \S+ ready/],
  [['pause'], /^paused: every new session goes to the ITMS\n$/],
  [['activate', '10.1.0.9', '--collector', 'c1'], /^armed for c1, but the engine is paused/],
  [['tables', 'activated'], /^10\.1\.0\.9 +c1 +armed/m],
  [['deactivate', '10.1.0.9'], /^the next session of 10\.1\.0\.9 goes to the ITMS\n$/],
  [['resume'], /^resumed: /],
];

/** Every command, and what each printed on stderr. */
async function driveAll(chosen: string[], wrapper: string[] = []): Promise<string[]> {
  const [said, traced] = await Promise.all([driveInTurn(chosen, wrapper), trace(chosen, wrapper)]);
  return [...said, traced];
}

async function driveInTurn(chosen: string[], wrapper: string[]): Promise<string[]> {
  const said: string[] = [];
  for (const [words, prints] of COMMANDS) {
    const { code, stdout, stderr } = await host.acsplit([...words, ...chosen], wrapper);
    expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: expect.any(String) as string });
    expect(stdout).toMatch(prints);
    said.push(stderr);
  }
  return said;
}

async function trace(chosen: string[], wrapper: string[]): Promise<string> {
  const words = ['trace', '--cpe', '10.1.0.9', '--write', join(host.directory, 'x.pcapng'), ...chosen];
  const running = host.start(words, wrapper);
  const saying = (): string => (running as unknown as { stderr: string }).stderr;
  await eventually('trace to begin', () => saying().includes('tracing; Ctrl-C ends\n') || undefined);
  running.kill('SIGINT');
  const ended = await running.ended;
  expect(ended).toMatchObject({ code: 0 });
  return ended.stderr.replace(/tracing; Ctrl-C ends\n0 packets written to \S+\n$/, '');
}

describe('the file is', () => {
  const rows: [what: string, spoil: () => void, complaint: RegExp][] = [
    [
      'broken',
      () => writeFileSync(file, `${good}reportPort: [1]\n`),
      /unknown key "reportPort"; did you mean "reportPorts"\?/,
    ],
    ['no YAML', () => writeFileSync(file, 'cpe: ['), /not valid YAML/],
    ['gone', () => rmSync(file), /does not exist; create it, or name another with -c FILE/],
    ['unreadable', () => writeFileSync(file, good, { mode: 0 }), /cannot be read: permission denied/],
    ['of another version', () => writeFileSync(file, `${good}futureKey: { groups: 7 }\n`), /unknown key "futureKey"/],
    [
      'changed to a place where nobody listens',
      () => writeFileSync(file, `${good}stateDirectory: /run/nowhere\n`.replace(/^stateDirectory.*\n/m, '')),
      /nobody listens at \/run\/nowhere\/control\.sock/,
    ],
  ];
  test.each(rows)('%s: each command reaches its engine, and says why in one line', async (what, spoil, complaint) => {
    if (what === 'unreadable') rmSync(file);
    spoil();
    for (const line of await driveAll(['-c', file], what === 'unreadable' ? WITHOUT_DAC : [])) {
      expect(line).toMatch(complaint);
      expect(line).toMatch(
        new RegExp(`; asking the engine that was started with this file \\(default, pid ${pids()[0]}\\)\\n$`),
      );
      expect(line.match(/\n/g)).toHaveLength(1);
    }
  });
});

describe('chosen without any file', () => {
  const nowhere = ['-c', '/nowhere.yaml'];
  test.each([
    ['--socket', () => ['--socket', join(host.stateDirectory, 'control.sock')]],
    ['--instance', () => ['--instance', 'default']],
  ])('%s: nothing is said beside', async (_, words) => {
    expect(await driveAll([...words(), ...nowhere])).toEqual(COMMANDS.map(() => '').concat(''));
  });
});

describe('no engine fits: refused, exit 2, and the running ones are listed', () => {
  const listed = (ended: Ended, pattern: RegExp) => {
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(pattern);
    expect(ended.stderr).toMatch(/; running: default \(pid \d+, socket \S+, file \S+a\.yaml\), north \(pid \d+, .*\)/);
    expect(ended.stderr.match(/\n/g)).toHaveLength(1);
  };

  test.each(COMMANDS.map(([words]) => [words.join(' '), words] as const))('%s', async (_, words) => {
    const other = join(host.directory, 'other.yaml');
    writeFileSync(other, `${good}reportPort: [1]\n`);
    listed(await host.acsplit([...words, '-c', other]), /no running engine was started with this file/);
    listed(await host.acsplit([...words, '-c', '/nowhere.yaml']), /does not exist/);
  });

  test.each(COMMANDS.map(([words]) => [words.join(' '), words] as const))(
    '%s, with the file of another instance in place of its own',
    async (_, words) => {
      writeFileSync(file, readFileSync(join(host.directory, 'north.yaml'), 'utf8'));
      listed(await host.acsplit([...words, '-c', file]), /names the state directory of north \(pid \d+\)/);
    },
  );

  test('a good file of an instance that does not run: exit 1', async () => {
    const idle = host.configure('idle.yaml', `stateDirectory: ${host.directory}/idle`);
    const { code, stderr } = await host.acsplit(['pause', '-c', idle]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^acsplit: no engine is running here .*; running: default \(pid/);
    expect(await paused('state')).toBe(false);
  });
});

describe('addresses from standard input', () => {
  const withInput = (input: string, words: string) =>
    host.startProgram('sh', '-c', `printf '${input}' | ${process.execPath} ${PROGRAM} ${words} -c ${file}`).ended;

  test('each is armed and disarmed, one line each', async () => {
    const addresses = Array.from({ length: 40 }, (_, i) => `10.1.1.${i + 1}`);
    const armed = await withInput(addresses.join('\\n'), 'activate - --collector c1');
    expect(armed).toMatchObject({ code: 0, stderr: '' });
    expect(armed.stdout).toBe(addresses.map((cpe) => `the next session of ${cpe} goes to c1\n`).join(''));
    const disarmed = await withInput(addresses.join(' '), 'deactivate -');
    expect(disarmed.stdout).toBe(addresses.map((cpe) => `the next session of ${cpe} goes to the ITMS\n`).join(''));
  });

  test('one of them mistyped: nothing is done', async () => {
    expect(await withInput('10.1.1.1\\n10.1.1\\n', 'activate - --collector c1')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'acsplit: standard input, line 2: "10.1.1" is not an IP address; nothing was done\n',
    });
    expect(await withInput('10.1.1.1', 'deactivate -')).toMatchObject({
      stdout: expect.stringContaining('nothing to do') as string,
    });
  });

  test('one of them no CPE: the others are armed, exit 1', async () => {
    const { code, stdout, stderr } = await withInput('10.9.9.9 10.1.1.1 10.9.9.8', 'activate - --collector c1');
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'the next session of 10.1.1.1 goes to c1\n' });
    expect(stderr).toMatch(
      /^acsplit: 10\.9\.9\.9 is in none of cpe\.networks\nacsplit: 10\.9\.9\.8 .*\nacsplit: 2 of 3 addresses were refused\n$/,
    );
    await withInput('10.1.1.1', 'deactivate -');
  });
});
