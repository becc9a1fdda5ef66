/** keepalived's health check, on files of every age. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPT = join(__dirname, '..', '..', 'cluster', 'alive.sh');
let directory: string;
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'acsplit-alive-'))));
afterAll(() => rmSync(directory, { recursive: true }));

const uptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
const check = (): number | null => spawnSync('sh', [SCRIPT, directory]).status;
/** As the engine writes it. */
const write = (seconds: number) => writeFileSync(join(directory, 'alive'), `${seconds.toFixed(2).padStart(12)}\n`);

test.each<[string, number, number]>([
  ['just written', 0, 0],
  ['a write is missing', -0.25, 0],
  ['all writes of a second are missing', -1, 1],
  ['written an hour ago', -3600, 1],
  ['of an earlier boot', 100, 1],
])('%s', (_, seconds, status) => {
  let found: number | null;
  let beforeSeconds: number;
  do {
    beforeSeconds = uptime();
    write(beforeSeconds + seconds);
    found = check();
    // On a busy machine the check may come to run much later.
  } while (uptime() - beforeSeconds > 0.5);
  expect(found).toBe(status);
});

test('it starts no program', () => {
  write(uptime());
  expect(spawnSync('/bin/sh', [SCRIPT, directory], { env: { PATH: '/nowhere' } }).status).toBe(0);
});

test('there is no file', () => {
  rmSync(join(directory, 'alive'));
  expect(check()).not.toBe(0);
});

test('it is empty, or no number', () => {
  for (const text of ['', '\n', 'yesterday\n']) {
    writeFileSync(join(directory, 'alive'), text);
    expect(check()).not.toBe(0);
  }
});

test('it is a directory', () => {
  rmSync(join(directory, 'alive'));
  mkdirSync(join(directory, 'alive'));
  expect(check()).not.toBe(0);
});
