/** doctor when a check itself meets a fault: a path that leads nowhere, a silent engine, a check that throws. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { row, type Row } from '../../../src/doctor/check';
import { CHECKS, diagnose } from '../../../src/doctor/checks';
import { type Entry, LIVE_HOST } from '../../../src/doctor/host';
import { Failure } from '../../../src/configuration/errors';
import { CONFIGURATION, plantedHost, type Plants } from './planted-host';

const findings = (name: string, plants: Plants) =>
  CHECKS.find((check) => check.name === name)!.find(plantedHost(plants), CONFIGURATION);

const DIRECTORY: Entry = { isDirectory: true, mode: 0o711, isWritable: true, bytes: 0 };
const FILE: Entry = { isDirectory: false, mode: 0o644, isWritable: true, bytes: 0 };

describe('the entry at a path', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'acsplit-paths-'));
    mkdirSync(join(root, 'directory'));
    writeFileSync(join(root, 'file'), '');
    symlinkSync('loop', join(root, 'loop'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  // What may not be looked at takes a process with fewer rights: test/e2e/doctor-engine.test.ts.
  test.each([
    ['directory', true],
    ['file', true],
    ['nothing', false],
    ['nothing/below', false],
    ['directory/nothing', false],
    ['file/below', false],
    ['file/below/further', false],
  ])('%s: there, %s; the planted host answers as the real one', (name, isThere) => {
    const planted = plantedHost({ entries: { '/directory': DIRECTORY, '/file': FILE } });
    const real = LIVE_HOST.entry(join(root, name));
    expect(real !== undefined).toBe(isThere);
    expect(planted.entry(`/${name}`)).toEqual(
      real && { ...real, ...(name === 'directory' ? DIRECTORY : FILE), bytes: 0 },
    );
  });

  test('an unexpected error is thrown', () => {
    expect(() => LIVE_HOST.entry(join(root, 'loop'))).toThrow('ELOOP');
  });
});

describe('a state directory', () => {
  test('below one that lets this user not in: asked again with more rights', async () => {
    const entries = { '/run': { ...DIRECTORY, mode: 0 }, '/run/acsplit': DIRECTORY };
    expect(await findings('state-directory', { entries })).toEqual([
      {
        check: 'state-directory',
        level: 'failure',
        message: 'cannot look at /run/acsplit: /run is not accessible to this user',
        mend: 'sudo acsplit doctor',
      },
    ]);
  });

  test('a unit that may not be looked at counts as none', async () => {
    const entries = {
      '/etc/systemd/system': { ...DIRECTORY, mode: 0 },
      '/etc/systemd/system/acsplit.service': FILE,
    };
    expect(await findings('engine', { entries })).toMatchObject([{ mend: 'acsplit run' }]);
  });

  test('of which a user without rights knows nothing is no fault of its own', async () => {
    const { findings: found, omitted } = await diagnose(
      plantedHost({ entries: { '/run/acsplit': { ...DIRECTORY, isWritable: false } } }),
      CONFIGURATION,
      CHECKS.filter(({ name }) => ['rights', 'state-directory'].includes(name)),
    );
    expect(found).toMatchObject([{ check: 'rights', level: 'failure' }]);
    expect(omitted).toEqual([{ check: 'state-directory', until: 'rights' }]);
  });
});

describe('an engine that is silent', () => {
  const SILENT = 'the engine at /run/acsplit/control.sock does not answer';
  const UNIX = [
    'Num       RefCount Protocol Flags    Type St Inode Path',
    '0000000000000000: 00000002 00000000 00010000 0001 01 70 /run/other/control.sock',
    '0000000000000000: 00000003 00000000 00000000 0001 03 71 /run/acsplit/control.sock',
    '0000000000000000: 00000002 00000000 00010000 0001 01 72 /run/acsplit/control.sock',
    '',
  ].join('\n');
  const node = (pid: number) => ({ pid, name: 'node' });
  /** The supervisor is 4, its worker 5; 0 to 3 are queues, 70 and on are sockets. */
  const hung = (queueHolder: number, files: Record<string, string> = {}): Plants => ({
    engine: { complaint: SILENT },
    files: { '/proc/net/unix': UNIX, '/proc/5/status': 'Name:\tnode\nPPid:\t4\n', ...files },
    holders: { 0: node(queueHolder), 70: node(3), 71: node(9), 72: node(4) },
  });

  test.each([4, 5])('has its queues, found with process %d', async (pid) => {
    expect(await findings('queue-owner', hung(pid))).toMatchObject([{ level: 'ok' }]);
  });

  test('does not have those of another engine', async () => {
    const [found] = await findings('queue-owner', hung(3));
    expect(found).toMatchObject({ level: 'failure', mend: 'kill 3' });
  });

  test('finds nothing when its socket has no visible owner', async () => {
    const plants = { ...hung(4), files: {} };
    expect(await findings('queue-owner', plants)).toMatchObject([{ level: 'failure', mend: 'kill 4' }]);
    expect(await findings('engine', plants)).toMatchObject([{ message: SILENT, mend: null, see: 'acsplit status' }]);
  });

  test.each([
    ['from a terminal', {}, {}, 'kill -KILL 4 && acsplit run'],
    [
      'from a terminal, though systemd could',
      {},
      { '/etc/systemd/system/acsplit.service': FILE },
      'kill -KILL 4 && systemctl start acsplit',
    ],
    [
      'as a service',
      { '/proc/4/cgroup': '0::/system.slice/acsplit.service\n' },
      { '/etc/systemd/system/acsplit.service': FILE },
      'systemctl restart acsplit.service',
    ],
  ])('started %s: it is named, and restarted', async (_, files, entries, mend) => {
    const found = await findings('engine', { ...hung(5, files), entries });
    expect(found).toEqual([{ check: 'engine', level: 'failure', message: `${SILENT}: it is process 4 (node)`, mend }]);
  });
});

describe('a process that a signal has stopped', () => {
  const STATUS = 'Name:\tnode\nState:\tT (stopped)\nPPid:\t4\n';
  const UNIX = '0000000000000000: 00000002 00000000 00010000 0001 01 72 /run/acsplit/control.sock\n';

  test('the supervisor, which answers no request', async () => {
    const plants: Plants = {
      engine: { complaint: 'the engine does not answer' },
      files: { '/proc/net/unix': `Num\n${UNIX}`, '/proc/4/status': STATUS },
      holders: { 72: { pid: 4, name: 'node' } },
    };
    const [found] = await findings('engine', plants);
    expect(found).toMatchObject({ level: 'failure', mend: 'kill -CONT 4' });
    expect(found.message).toMatch(/^the engine's supervisor, process 4 \(node\), was stopped by a signal/);
  });

  test('the worker, of an engine that answers', async () => {
    const status = {
      version: '1',
      ready: false,
      paused: false,
      pid: 4,
      workers: [{ pid: 5 }],
      queues: [{ number: 0 }],
    };
    const plants = { engine: { status }, files: { '/proc/5/status': STATUS } } as unknown as Plants;
    const [found] = await findings('engine', plants);
    expect(found).toMatchObject({ level: 'failure', mend: 'kill -CONT 5' });
    expect(found.message).toMatch(/^the engine's worker, process 5, was stopped by a signal/);
  });
});

test.each([
  ['default', {}, 'acsplit run'],
  ['default', { '/etc/systemd/system/acsplit.service': FILE }, 'systemctl start acsplit'],
  ['north', { '/etc/systemd/system/acsplit.service': FILE }, 'acsplit run'],
  ['north', { '/usr/lib/systemd/system/acsplit@.service': FILE }, 'systemctl start acsplit@north'],
])('instance %s is started as its unit is called (%#)', async (name, entries, mend) => {
  const check = CHECKS.filter((one) => one.name === 'engine');
  const { findings: found } = await diagnose(plantedHost({ entries }), { ...CONFIGURATION, name }, check);
  expect(found).toMatchObject([{ check: 'engine', mend }]);
});

describe('a check that throws', () => {
  const make = (name: string, error: unknown, needs: string[] = []): Row =>
    row({
      ...{ name, needs },
      look: () => {
        if (error !== undefined) throw error;
      },
      judge: () => [],
      fine: () => 'fine',
    });

  test('is one failure, with its message; the other checks run, except those that depend on it', async () => {
    const error = new Error("EIO: i/o error, stat '/run/acsplit'\nmore of it");
    const thrown: unknown[] = [];
    const table = [make('a', error), make('b', undefined, ['a']), make('c', 'no error at all'), make('d', undefined)];
    const { findings: found, omitted } = await diagnose(plantedHost(), CONFIGURATION, table, (e) => thrown.push(e));
    const [mend, see] = [null, 'acsplit doctor --debug'];
    expect(found).toEqual([
      {
        ...{ check: 'a', level: 'failure', mend, see },
        message: "the check failed to run: EIO: i/o error, stat '/run/acsplit'",
      },
      { check: 'c', level: 'failure', message: 'the check failed to run: no error at all', mend, see },
      { check: 'd', level: 'ok', message: 'fine', mend: null },
    ]);
    expect(omitted).toEqual([{ check: 'b', until: 'a' }]);
    expect(thrown).toEqual([error, 'no error at all']);
  });

  test('and says itself what to do says nothing more', async () => {
    const table = [make('a', new Failure('ip cannot be run; on Debian: apt-get install iproute2'))];
    const { findings: found } = await diagnose(plantedHost(), CONFIGURATION, table);
    const message = 'ip cannot be run; on Debian: apt-get install iproute2';
    expect(found).toEqual([{ check: 'a', level: 'failure', message, mend: null }]);
  });
});
