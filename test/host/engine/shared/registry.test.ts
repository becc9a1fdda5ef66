/** Engines register where commands find them; other files there are not engines. */
import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listEngines, register, type Registration } from '../../../../src/engine/shared/registry';
import { eventually } from '../../../e2e/support/run-host';

const ENGINE = {
  name: 'default',
  file: '/etc/acsplit/acsplit.yaml',
  socket: '/run/acsplit/control.sock',
  stateDirectory: '/run/acsplit',
  firstQueue: 0,
  version: '1.0.0',
};

let root: string;
let directory: string;
let said: object[];
const log = { warn: (fields: object) => said.push(fields) } as never;
const registrations: Registration[] = [];
const begin = (engine = ENGINE): Registration => {
  const registration = register(engine, log, directory);
  registrations.push(registration);
  return registration;
};
const own = () => join(directory, `${process.pid}.json`);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'acsplit-registry-'));
  directory = join(root, 'engines');
  said = [];
});
afterEach(() => {
  for (const registration of registrations.splice(0)) registration.end();
  rmSync(root, { recursive: true });
});

test('an engine is listed from its start to its end, for everybody to read, whatever the umask', () => {
  expect(listEngines(directory)).toEqual([]);
  const umask = process.umask(0o077);
  const registration = begin();
  process.umask(umask);
  expect(listEngines(directory)).toEqual([{ pid: process.pid, ...ENGINE }]);
  expect([directory, own()].map((path) => statSync(path).mode & 0o777)).toEqual([0o755, 0o644]);
  registration.end();
  registration.end();
  expect([listEngines(directory), readdirSync(directory), said]).toEqual([[], [], []]);
});

test('an entry removed together with its directory is written again', () => {
  jest.useFakeTimers();
  try {
    begin();
    rmSync(directory, { recursive: true });
    jest.advanceTimersByTime(3000);
    expect(listEngines(directory)).toHaveLength(1);
  } finally {
    jest.useRealTimers();
  }
});

test('an engine that cannot note itself says so once, and runs', () => {
  jest.useFakeTimers();
  try {
    writeFileSync(directory, 'a file in the way');
    begin();
    jest.advanceTimersByTime(30_000);
    expect(said).toEqual([{ event: 'registry', path: own(), code: expect.any(String) as string }]);
  } finally {
    jest.useRealTimers();
  }
});

describe('not listed', () => {
  /** The entry of an engine of ours, changed. */
  const plant = (name: string, change: object | string): void => {
    begin().end();
    begin();
    const entry = JSON.parse(readFileSync(own(), 'utf8')) as object;
    registrations.pop()!.end();
    writeFileSync(join(directory, name), typeof change === 'string' ? change : JSON.stringify({ ...entry, ...change }));
  };

  const strange: [string, string, object | string][] = [
    ['an earlier process with the same number', `${process.pid}.json`, { startTicks: '1' }],
    ['another pid namespace', `${process.pid}.json`, { pids: 'pid:[1]' }],
    ['another network namespace', `${process.pid}.json`, { network: 'net:[1]' }],
    ['the file of one process and the number of another', '1.json', {}],
    ['a field missing', `${process.pid}.json`, { socket: undefined }],
    ['a field of another type', `${process.pid}.json`, { name: 7 }],
    ['a file without end', `${process.pid}.json`, `"${'x'.repeat(70_000)}"`],
    ['half a file', `${process.pid}.json`, '{"pid":'],
    ['null', `${process.pid}.json`, 'null'],
    ['another name', 'engine.json', {}],
  ];
  test.each(strange)('%s', (_, name, change) => {
    plant(name, change);
    expect(listEngines(directory)).toEqual([]);
  });

  test('a link, a directory', () => {
    plant('elsewhere', {});
    symlinkSync(join(directory, 'elsewhere'), own());
    mkdirSync(join(directory, '7.json'));
    expect(listEngines(directory)).toEqual([]);
  });
});

test('a process that is dead is skipped, a zombie too; the next engine removes its note', async () => {
  // A process that never waits for its child. It is no longer a shell, which would, when the child is killed.
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60']);
  const pid = await new Promise<number>((resolve) =>
    shell.stdout.once('data', (text: Buffer) => resolve(Number(text))),
  );
  await eventually('sleep in place of the shell', () =>
    readFileSync(`/proc/${shell.pid}/comm`, 'utf8') === 'sleep\n' ? true : undefined,
  );
  process.kill(pid, 'SIGKILL');
  const isZombie = () => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) || undefined;
  await eventually('a zombie', isZombie);
  begin();
  const entry = JSON.parse(readFileSync(own(), 'utf8')) as object;
  const ticks = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19];
  writeFileSync(join(directory, `${pid}.json`), JSON.stringify({ ...entry, pid, startTicks: ticks }));
  // No process has this number: it is beyond the largest.
  const dead = { ...entry, pid: 4_194_999 };
  writeFileSync(join(directory, '4194999.json'), JSON.stringify(dead));
  // Of an earlier version, which did not tell its pid namespace.
  writeFileSync(join(directory, '4194998.json'), JSON.stringify({ ...dead, pid: 4_194_998, pids: undefined }));
  expect(listEngines(directory).map((engine) => engine.pid)).toEqual([process.pid]);
  begin();
  expect(readdirSync(directory)).toEqual([`${process.pid}.json`]);
  shell.kill();
});

test('what another pid namespace has noted is neither listed nor removed: its process cannot be seen here', () => {
  begin();
  const entry = JSON.parse(readFileSync(own(), 'utf8')) as object;
  const foreign = { ...entry, pid: 4_194_999, pids: 'pid:[1]' };
  writeFileSync(join(directory, '4194999.json'), JSON.stringify(foreign));
  begin();
  expect(listEngines(directory).map((engine) => engine.pid)).toEqual([process.pid]);
  expect(readdirSync(directory)).toContain('4194999.json');
});
