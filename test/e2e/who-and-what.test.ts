/**
 * A night on one router: an operator pauses, resumes and activates; a reload is done, and one is refused; the worker is
 * killed; the supervisor is stopped for so long that the kernel serves alone. Log, history, status and metrics say who and
 * what.
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cli } from '../../src/lab/engine';
import { registryDirectory } from '../../src/engine/shared/registry';
import { type HistoryEvent } from '../../src/engine/shared/recorder-protocol';
import { execute } from '../../src/lab/namespaces';
import { FAMILY, IPTABLES } from './support/family';
import { Lookout } from './support/lookout';
import { eventually } from './support/run-host';
import { Stage, makeCpes } from './support/stage';

const CPES = makeCpes(1);
let stage: Stage;
let lookout: Lookout;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-who-'));
  stage = await Stage.open({ cpes: CPES, onEngineDown: 'itms', history: { directory } });
  lookout = new Lookout(stage);
});
afterAll(async () => {
  await stage?.close();
  rmSync(directory, { recursive: true });
});

/** Types a command as root by the sudo of somebody. Returns its process id. */
async function type(login: string, ...words: string[]): Promise<number> {
  const command = cli(stage.world, ...words, '-c', stage.engine.configurationFile);
  const text = await execute(['sh', '-c', 'echo $$ && SUDO_USER="$0" exec "$@"', login, ...command]);
  return Number(text.split('\n')[0]);
}

/** On the router: a file that cannot be read leads to the engine that was started with it. */
function acsplit(...words: string[]): Promise<string> {
  return stage.world.run('split', cli(stage.world, ...words, '-c', stage.engine.configurationFile));
}

/** Events of the history of this kind, without their times. */
async function kept(kind: string): Promise<Record<string, unknown>[]> {
  const words = ['history', '--json', '--kind', kind];
  const { events } = JSON.parse(await acsplit(...words)) as { events: HistoryEvent[] };
  return events.map(({ timeMs: _, kind: _kind, ...event }) => event);
}

/** Whatever these metrics show now. */
async function metrics(...names: string[]): Promise<string[]> {
  const text = await stage.world.run('split', ['curl', '-s', 'http://127.0.0.1:9547/metrics']);
  return text.split('\n').filter((line) => names.some((name) => line.startsWith(`acsplit_${name}`)));
}

/** Waits until the history has so many of this kind: the recorder writes at its own pace. */
function untilKept(kind: string, count: number): Promise<Record<string, unknown>[]> {
  return eventually(`${count} of ${kind} in the history`, async () => {
    const events = await kept(kind);
    return events.length >= count ? events : undefined;
  });
}

test('each act of an operator has a name, a uid and a process', async () => {
  const pids = [
    await type('anna', 'pause'),
    await type('bo', 'resume'),
    await type('anna', 'activate', CPES[0]!.address, '--collector', 'c1'),
    await type('anna', 'deactivate', CPES[0]!.address),
  ];
  await expect(type('bo', 'activate', CPES[0]!.address, '--collector', 'c9')).rejects.toThrow();
  const acts = [
    { command: 'pause', uid: 0, pid: pids[0], login: 'anna' },
    { command: 'resume', uid: 0, pid: pids[1], login: 'bo' },
    { command: 'activate', cpe: CPES[0]!.address, collector: 'c1', uid: 0, pid: pids[2], login: 'anna' },
    { command: 'deactivate', cpe: CPES[0]!.address, uid: 0, pid: pids[3], login: 'anna' },
  ];
  expect(await untilKept('operator', 5)).toMatchObject([
    ...acts,
    { command: 'activate', collector: 'c9', login: 'bo', refused: expect.stringContaining('c9') as string },
  ]);
  expect(stage.engine.events('operator')).toMatchObject([
    ...acts.map((act) => ({ level: 'info', ...act })),
    { level: 'warn', login: 'bo' },
  ]);
});

test('a reload says what it changed, one that was refused why; until it is mended, status and metrics tell', async () => {
  const { configurationFile: file, pid } = stage.engine;
  const before = readFileSync(file, 'utf8');
  appendFileSync(file, 'itmsPorts: [7548]\n');
  expect((await lookout.status()).configuration).toMatchObject({ differs: ['itmsPorts'], error: null });
  process.kill(pid, 'SIGHUP');
  expect(await untilKept('reloaded', 1)).toEqual([{ changed: 'itmsPorts' }]);
  expect(stage.engine.events('reload')).toMatchObject([{ changed: ['itmsPorts'] }]);

  writeFileSync(file, before.replace('reportPorts: [', 'reportPorts: [0, '));
  process.kill(pid, 'SIGHUP');
  const [{ reason } = {}] = await untilKept('reload-refused', 1);
  expect(reason).toMatch(/acsplit\.yaml:\d+:\d+: reportPorts/);
  expect(stage.engine.events('reload-refused')).toMatchObject([
    { level: 'error', msg: `not reloaded: ${reason as string}` },
  ]);
  const { configuration } = await lookout.status();
  expect(configuration).toMatchObject({ differs: [], error: reason, reloads: { done: 1, refused: 1 }, refused: true });
  expect(await metrics('configuration_')).toEqual([
    'acsplit_configuration_reload_successful 0',
    'acsplit_configuration_differing_keys 0',
    'acsplit_configuration_unusable 1',
    'acsplit_configuration_reloads_total{result="done"} 1',
    'acsplit_configuration_reloads_total{result="refused"} 1',
  ]);
  const text = await acsplit('status');
  expect(text).toContain('configuration: the last reload was refused, see the log; a restart would fail: ');

  writeFileSync(file, before);
  process.kill(pid, 'SIGHUP');
  await untilKept('reloaded', 2);
  expect((await lookout.status()).configuration).toMatchObject({ differs: [], error: null, refused: false });
});

test('rules that another program changed: what `rules check` finds is in status, log and metrics until they are right', async () => {
  const rules = (word: string) => acsplit('rules', word);
  await stage.world.run('split', [IPTABLES, '-w', '-t', 'mangle', '-F', 'ACSPLIT-TO-CPE']);
  await expect(rules('check')).rejects.toThrow();
  const { differences } = (await lookout.status()).rules;
  expect(differences).toBeGreaterThan(0);
  expect(await acsplit('status')).toMatch(/^rules: \d+ differences found (\d+m )?\d+s ago: acsplit rules check$/m);
  expect(await metrics('rules_')).toEqual([`acsplit_rules_differences ${differences}`, 'acsplit_rules_checks_total 1']);
  await rules('install');
  await rules('check');
  expect(await metrics('rules_')).toEqual(['acsplit_rules_differences 0', 'acsplit_rules_checks_total 2']);
  await eventually('both lines', () => stage.engine.events('rules').length === 2 || undefined);
  expect(stage.engine.events('rules')).toMatchObject([
    {
      level: 'warn',
      msg: expect.stringMatching(/^the rules are not as configured: (IPv6 )?mangle ACSPLIT-TO-CPE: /) as string,
    },
    { level: 'info', msg: 'the rules are as configured' },
  ]);
});

test('a command of another version says so, once, and is obeyed', async () => {
  const entry = join(registryDirectory(), `${stage.engine.pid}.json`);
  const text = readFileSync(entry, 'utf8');
  writeFileSync(entry, text.replace(/"version":"[^"]*"/, '"version":"0.0.9"'));
  const command = cli(stage.world, 'resume', '-c', stage.engine.configurationFile);
  const said = await stage.world.run('split', ['sh', '-c', 'exec "$0" "$@" 2>&1', ...command]);
  writeFileSync(entry, text);
  // Answer and warning come by two pipes.
  expect(said.split('\n').sort()).toEqual([
    '',
    expect.stringMatching(
      /^acsplit: this is acsplit \S+, and the engine \(pid \d+\) runs 0\.0\.9: restart it when it suits$/,
    ),
    'was not paused',
  ]);
});

test('a killed worker, and a supervisor that was stopped until the kernel served alone', async () => {
  process.kill(await lookout.worker(), 'SIGKILL');
  expect(await untilKept('worker-restarted', 1)).toEqual([{ reason: 'killed by SIGKILL' }]);
  await lookout.until('the next worker', ({ ready }) => ready);

  process.kill(stage.engine.pid, 'SIGSTOP');
  try {
    await eventually('an empty set', async () => {
      const entries = await stage.world.run('split', ['ipset', 'list', `ACSPLIT-ALIVE${FAMILY === 'ipv4' ? 4 : 6}`]);
      return entries.endsWith('Members:\n') ? true : undefined;
    });
    expect(await stage.inform(CPES[0]!)).toEqual([expect.stringMatching(/^ITMS: /)]);
  } finally {
    process.kill(stage.engine.pid, 'SIGCONT');
  }
  const [fall] = await untilKept('fallback-ended', 1);
  expect(fall).toMatchObject({ cause: 'supervisor', sessions: 1 });
  expect(stage.engine.events('fallback')).toMatchObject([{ level: 'warn', cause: 'supervisor', sessions: 1 }]);
  const { fallback } = await lookout.status();
  expect(fallback).toMatchObject({ active: false, times: 1, sessions: 1, totalMs: fall!.fallenMs });
  expect(
    await metrics('worker_', 'fallbacks_', 'fallback_sessions_', 'configuration_reload_', 'history_lost_'),
  ).toEqual([
    'acsplit_configuration_reload_successful 1',
    'acsplit_worker_restarts_total 1',
    'acsplit_fallbacks_total 1',
    'acsplit_fallback_sessions_total 1',
    'acsplit_history_lost_connections_total 0',
    'acsplit_history_lost_events_total 0',
  ]);
});
