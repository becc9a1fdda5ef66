/** Memory that outlives its process: reserved, mapped, shared, given back; and processes that die with their parents. */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../src/engine/shared/binding';
import { eventually } from './support/run-host';

const ADDON = join(__dirname, '..', '..', 'build', 'Release', 'acsplit.node');
const PAGE = 4096;

describe('a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-memory-'));
  const fd = openSync(join(directory, 'file'), 'w+');
  afterAll(() => {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  const addon = loadAddon();

  test('is reserved in full, and its content stays', () => {
    writeSync(fd, 'here', 0);
    addon.reserveFile(fd, 3 * PAGE);
    const { size, blocks } = fstatSync(fd);
    expect(size).toBe(3 * PAGE);
    expect(blocks * 512).toBeGreaterThanOrEqual(3 * PAGE);
    expect(Buffer.from(addon.mapFile(fd, 0, 4)).toString()).toBe('here');
  });

  test('two mappings and the file are one memory', () => {
    const [one, two] = [addon.mapFile(fd, PAGE, PAGE), addon.mapFile(fd, PAGE, 2 * PAGE)];
    new Uint8Array(one)[7] = 77;
    expect([new Uint8Array(two)[7], one.byteLength, two.byteLength]).toEqual([77, PAGE, 2 * PAGE]);
    const read = Buffer.alloc(1);
    readSync(fd, read, 0, 1, PAGE + 7);
    expect(read[0]).toBe(77);
  });

  test('is never mapped beyond its end, nor off a page', () => {
    expect(() => addon.mapFile(fd, PAGE, 2 * PAGE + 1)).toThrow(/^mmap EOVERFLOW/);
    expect(() => addon.mapFile(fd, 100, PAGE)).toThrow(/^mmap EINVAL/);
    expect(() => addon.mapFile(fd, 0, 0)).toThrow(/^mmap EINVAL/);
  });

  test('that cannot grow so far says so', () => {
    expect(() => addon.reserveFile(fd, 2 ** 52)).toThrow(/EFBIG|ENOSPC/);
    expect(() => addon.reserveFile(9999, PAGE)).toThrow(/EBADF/);
  });

  test('mapped a thousand times over, with the collector at work', () => {
    for (let i = 0; i < 1000; i++) new Uint8Array(addon.mapFile(fd, 0, PAGE))[0] = i;
    expect(new Uint8Array(addon.mapFile(fd, 0, PAGE))[0]).toBe(999 & 255);
  });
});

test('memory without a name is zeroed and shared through its descriptor', () => {
  const addon = loadAddon();
  const fd = addon.createMemory(2 * PAGE);
  const [one, two] = [addon.mapFile(fd, 0, 2 * PAGE), addon.mapFile(fd, 0, 2 * PAGE)];
  closeSync(fd);
  expect(new Uint8Array(one).every((byte) => byte === 0)).toBe(true);
  new Int32Array(one)[3] = -5;
  expect(new Int32Array(two)[3]).toBe(-5);
});

test.each(['reserveFile', 'createMemory', 'mapFile', 'dieWithParent', 'isReadable'] as const)(
  '%s refuses what is no whole number',
  (name) => {
    const call = loadAddon()[name] as (...words: unknown[]) => unknown;
    for (const wrong of [[], ['1', '1', '1'], [-1, -1, -1], [1.5, 1.5, 1.5], [Number.NaN, 1, 1]]) {
      expect(() => call(...wrong)).toThrow(`${name}: whole numbers are expected`);
    }
  },
);

test('sendDatagram refuses a non-text, a missing path, and a path too long', () => {
  const call = loadAddon().sendDatagram as (...words: unknown[]) => unknown;
  for (const wrong of [[], ['/x'], ['/x', 1], [1, 'x']]) {
    expect(() => call(...wrong)).toThrow('sendDatagram: a path and a text are expected');
  }
  for (const path of ['', '/', 'relative/path', '@']) {
    expect(() => call(path, 'x')).toThrow(expect.objectContaining({ code: 'EAFNOSUPPORT', syscall: 'sendto' }));
  }
  expect(() => call(`/${'x'.repeat(107)}`, 'x')).toThrow(expect.objectContaining({ code: 'ENAMETOOLONG' }));
  expect(() => call(`/${'x'.repeat(106)}`, 'x')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});

describe('dieWithParent', () => {
  test('tells when another process is the parent', () => {
    const script = `process.stdout.write(String(require(${JSON.stringify(ADDON)}).dieWithParent(1)))`;
    return expect(output(script)).resolves.toBe('false');
  });

  test('a child whose parent is killed is killed', async () => {
    const child = `require(${JSON.stringify(ADDON)}).dieWithParent(process.ppid); setInterval(() => {}, 1000); console.log(process.pid)`;
    const parent = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' })`;
    const running = spawn(process.execPath, ['-e', parent], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = Number(await new Promise<Buffer>((resolve) => running.stdout.once('data', resolve)));
    expect(process.kill(pid, 0)).toBe(true);
    running.kill('SIGKILL');
    await eventually('the child to die', () => {
      try {
        process.kill(pid, 0);
        return undefined;
      } catch {
        return true;
      }
    });
  });
});

function output(script: string): Promise<string> {
  const running = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  running.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) => running.once('close', () => resolve(text)));
}
