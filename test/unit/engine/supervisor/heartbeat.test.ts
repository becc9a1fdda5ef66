/** The file that health checks look at: recent while verdicts flow, old or gone when they do not. */
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Heartbeat, heartbeatPath } from '../../../../src/engine/supervisor/heartbeat';

let directory: string;
let path: string;
let heart: Heartbeat | undefined;
beforeEach(() => {
  jest.useFakeTimers();
  directory = mkdtempSync(join(tmpdir(), 'acsplit-alive-'));
  path = heartbeatPath(directory);
});
afterEach(() => {
  heart?.stop();
  jest.useRealTimers();
  rmSync(directory, { recursive: true, force: true });
});

function make(given: { flow: boolean }) {
  const said: object[] = [];
  const log = { warn: (fields: object) => said.push(fields) } as never;
  let ms = 123_456_780;
  heart = new Heartbeat({ path, verdictsFlow: () => given.flow, clock: () => (ms += 500), log });
  return said;
}
const read = () => readFileSync(path, 'utf8');

test('it holds the uptime in seconds, as /proc/uptime begins, and is written five times a second; everybody may read it', () => {
  const umask = process.umask(0o077);
  const said = make({ flow: true });
  process.umask(umask);
  const uptimes = [read()];
  jest.advanceTimersByTime(200);
  uptimes.push(read());
  expect([uptimes, statSync(path).mode & 0o777, said]).toEqual([['   123457.28\n', '   123457.78\n'], 0o644, []]);
});

test('it grows old while no verdicts flow, and is young again with the first', () => {
  const given = { flow: true };
  make(given);
  given.flow = false;
  utimesSync(path, 1, 1);
  jest.advanceTimersByTime(5000);
  expect(statSync(path).mtimeMs).toBe(1000);
  given.flow = true;
  jest.advanceTimersByTime(500);
  expect(statSync(path).mtimeMs).toBeGreaterThan(1000);
});

test('there is none before verdicts flow, nor after the end; stopping twice is harmless', () => {
  const given = { flow: false };
  make(given);
  expect(existsSync(path)).toBe(false);
  given.flow = true;
  jest.advanceTimersByTime(500);
  heart!.stop();
  expect(existsSync(path)).toBe(false);
  heart!.stop();
});

test('a removed or replaced file is written again', () => {
  make({ flow: true });
  rmSync(path);
  jest.advanceTimersByTime(500);
  writeFileSync(`${path}.other`, 'other');
  rmSync(path);
  symlinkSync(`${path}.other`, path);
  jest.advanceTimersByTime(500);
  rmSync(path);
  jest.advanceTimersByTime(500);
  expect([read().length, readFileSync(`${path}.other`, 'utf8')]).toEqual([13, 'other']);
});

test('a failed write is logged once per failure, and stops nothing else', () => {
  const said = make({ flow: true });
  rmSync(directory, { recursive: true });
  jest.advanceTimersByTime(5000);
  expect(said).toEqual([{ event: 'heartbeat', path, code: 'ENOENT' }]);
});
