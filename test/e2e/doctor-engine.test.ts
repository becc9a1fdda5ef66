/**
 * `acsplit doctor` and what belongs to the engine: a state directory where none can be, an engine that hangs, a user who
 * may not look. Planted for real, found alone, and mended with the command that was printed.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding } from '../../src/doctor/check';
import { CHECKS } from '../../src/doctor/checks';
import { DoctorHost } from './support/doctor-host';
import { PYTHON } from '../support/tools';

jest.setTimeout(180_000);

let host: DoctorHost;
let before: string;
beforeAll(async () => {
  host = await DoctorHost.create();
  before = host.router.configurationText;
});
afterAll(() => host?.close());

beforeEach(() => expect(host.complaints()).toEqual([]));
afterEach(async () => {
  expect(host.complaints()).toEqual([]);
  await host.note();
});

/** Root's files are an ordinary user's own to a root without capabilities: modes hold for him. */
const without = (...capabilities: string[]): string[] => {
  const dropped = capabilities.map((name) => `-${name}`).join(',');
  return ['setpriv', `--bounding-set=${dropped}`, `--inh-caps=${dropped}`];
};
const MODES_HOLD = without('dac_override', 'dac_read_search');

function theOne(findings: Finding[]): Finding {
  expect(findings).toEqual([expect.anything()]);
  return findings[0];
}

/** Nothing else is wrong any more; from here on the engine runs, as doctor says. */
async function startAsPrinted(): Promise<void> {
  const found = theOne(host.complaints());
  expect(found).toMatchObject({ check: 'engine', mend: expect.stringMatching(/^acsplit run -c /) as string });
  host.start(found.mend!);
  await host.untilHealthy();
}

async function stopEngine(): Promise<void> {
  await host.router.stopEngine();
  await host.stopStarted();
}

describe('state directory', () => {
  const at = (...names: string[]) => join(host.router.world.directory, ...names);
  const choose = (path: string) => host.edit(host.stateDirectory, path);

  // An engine that keeps its state elsewhere is not ours, and is complained of for having the queues.
  beforeEach(stopEngine);
  afterEach(async () => {
    await stopEngine();
    host.router.configure(before);
    await startAsPrinted();
  });

  test('is a file', async () => {
    writeFileSync(at('file'), '');
    choose(at('file'));
    const found = theOne(host.complaints());
    expect(found).toMatchObject({
      check: 'state-directory',
      level: 'failure',
      message: `${at('file')} is not a directory`,
    });
    expect(found.mend).toBe(`rm ${at('file')} && install -d -m 0711 ${at('file')}`);
    host.shell(found.mend!);
    await startAsPrinted();
  });

  test('below a file', async () => {
    writeFileSync(at('above'), '');
    choose(at('above', 'state'));
    host.program('editor', `sed -i 's|/above/state|/state|' "$1"`);
    const found = theOne(host.complaints());
    expect(found).toMatchObject({ check: 'state-directory', level: 'failure' });
    expect(found.message).toBe(`cannot create ${at('above', 'state')}: ${at('above')} is not a writable directory`);
    expect(found.mend).toBe(`editor ${host.router.configuration}`);
    host.shell(found.mend!);
    await startAsPrinted();
  });

  test('closed to this user', async () => {
    mkdirSync(at('closed'), { mode: 0 });
    choose(at('closed', 'state'));
    const found = theOne(host.complaints(MODES_HOLD));
    expect(found).toMatchObject({ check: 'state-directory', level: 'failure' });
    expect(found.message).toBe(
      `cannot look at ${at('closed', 'state')}: ${at('closed')} is not accessible to this user`,
    );
    expect(found.mend).toBe(`sudo acsplit doctor -c ${host.router.configuration}`);
    // Root is let in.
    expect(host.router.run(['sh', '-c', found.mend!]).stdout).toMatch(/^ok +state-directory /m);
    await startAsPrinted();
  });

  test('in a loop of links', async () => {
    symlinkSync('loop', at('loop'));
    choose(at('loop'));
    const { status, stdout } = host.doctor([], '--json');
    expect(status).toBe(1);
    const { findings, omitted } = JSON.parse(stdout) as { findings: Finding[]; omitted: unknown[] };
    expect(findings.length + omitted.length).toBe(CHECKS.length);
    const found = theOne(findings.filter(({ level }) => level !== 'ok'));
    expect(found).toMatchObject({ check: 'state-directory', level: 'failure' });
    expect(found.message).toMatch(/^the check failed to run: ELOOP: [^\n]+\/loop'$/);
    expect(found).toMatchObject({ mend: null, see: `acsplit doctor --debug -c ${host.router.configuration}` });
    expect(host.router.run(['sh', '-c', found.see!]).stderr).toMatch(/^Error: ELOOP: [^\n]+\n +at /);
    host.shell(`rm ${at('loop')}`);
    await startAsPrinted();
  });
});

describe('doctor by a user without rights', () => {
  const supplant = (mode: string) => host.shell(`chmod ${mode} ${host.stateDirectory}`);
  afterEach(() => supplant('0750'));

  test.each([
    ['0750', 'that is his own'],
    ['0511', 'not his to write to, as the unit makes it for members of controlGroup'],
    ['0400', 'not his to look into, as one of mode 0700 is to others'],
  ])('mode %s, %s', (mode) => {
    supplant(mode);
    const { ok, findings, omitted } = host.diagnose(without('all'));
    const found = theOne(findings.filter(({ level }) => level !== 'ok'));
    expect({ ok, found }).toMatchObject({ ok: false, found: { check: 'rights', level: 'failure' } });
    expect(omitted).toContainEqual({ check: 'state-directory', until: 'rights' });
    supplant('0750');
    expect(host.shell(found.mend!)).toMatch(/\n0 failures, 0 warnings\n$/);
  });
});

/** Keeps the process's main thread from running without a signal, as a hang would: ptrace(2), PTRACE_SEIZE, PTRACE_INTERRUPT. */
const HANG = `import ctypes, sys, time
ptrace = ctypes.CDLL(None).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
assert ptrace(0x4206, int(sys.argv[1]), None, None) == 0 and ptrace(0x4207, int(sys.argv[1]), None, None) == 0
print('hangs', flush=True)
time.sleep(60)`;

test('supervisor hangs', async () => {
  const pid = host.shell(`acsplit status --json -c ${host.router.configuration} | jq .pid`).trim();
  const hang = spawn(PYTHON, ['-c', HANG, pid], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(hang.stdout, 'data');
    const found = theOne(host.complaints());
    expect(found).toMatchObject({ check: 'engine', level: 'failure' });
    expect(found.message).toMatch(new RegExp(`^the engine at \\S+ does not answer: it is process ${pid} \\(node\\)$`));
    expect(found.mend).toBe(`kill -KILL ${pid} && acsplit run -c ${host.router.configuration}`);
    host.start(found.mend!);
    await host.untilHealthy();
  } finally {
    hang.kill('SIGKILL');
  }
});

test('supervisor stopped', async () => {
  const pid = host.shell(`acsplit status --json -c ${host.router.configuration} | jq .pid`).trim();
  host.shell(`kill -STOP ${pid}`);
  try {
    const found = theOne(host.complaints());
    expect(found).toMatchObject({ check: 'engine', level: 'failure' });
    const says = `the engine's supervisor, process ${pid} (node), was stopped by a signal: it answers nobody`;
    expect(found).toMatchObject({ message: says, mend: `kill -CONT ${pid}` });
    host.shell(found.mend!);
    await host.untilHealthy();
  } finally {
    host.shell(`kill -CONT ${pid} || true`);
  }
});
