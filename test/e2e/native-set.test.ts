/** The addon's message to an ipset, on the real kernel: the set's contents afterwards, and the errors of refusals. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ADDON = join(__dirname, '../../build/Release/acsplit.node');

/** Calls `fillSet` with each list of arguments, in a network namespace of its own with these sets; then lists one. */
function fill(sets: string[], calls: unknown[][], listed = sets[0]!.split(' ')[0]!): { codes: string[]; list: string } {
  const program = `const { fillSet, openSetSocket } = require(${JSON.stringify(ADDON)});
    const socket = openSetSocket();
    const codes = ${JSON.stringify(calls)}.map((words) => {
      try { fillSet(socket, ...words); return 'done'; } catch (error) { return error.code ?? error.name; }
    });
    process.stdout.write(codes.join() + '\\n');`;
  const script = [...sets.map((set) => `ipset create ${set}`), '"$0" -e "$1"', `ipset list ${listed}`].join(' && ');
  const words = ['--net', '--', 'sh', '-c', script, process.execPath, program];
  const { stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8', timeout: 30_000 });
  expect(stderr).toBe('');
  const [codes, ...list] = stdout.split('\n');
  return { codes: codes!.split(','), list: list.join('\n') };
}

test('every IPv4 address is in the set for the given time, and a second call extends it', () => {
  const { codes, list } = fill(
    ['a hash:net timeout 3'],
    [
      ['a', 4, 2],
      ['a', 4, 3000],
    ],
  );
  expect(codes).toEqual(['done', 'done']);
  expect(list.match(/^\S+ timeout (2999|3000)$/gm)).toHaveLength(2);
  expect(list).toMatch(/^0\.0\.0\.0\/1 timeout/m);
  expect(list).toMatch(/^128\.0\.0\.0\/1 timeout/m);
});

test('every IPv6 address', () => {
  const { codes, list } = fill(['a hash:net family inet6 timeout 3'], [['a', 6, 3]]);
  expect(codes).toEqual(['done']);
  expect(list).toMatch(/^::\/1 timeout [23]$/m);
  expect(list).toMatch(/^8000::\/1 timeout [23]$/m);
});

test('an unsuitable set is refused by name', () => {
  const sets = ['a hash:net timeout 3', 'b hash:ip timeout 3', 'c list:set timeout 3', 'd hash:net'];
  const calls: [unknown[], string][] = [
    [['none', 4, 3], 'ENOENT'],
    [['a', 6, 3], 'EPROTO'],
    [['b', 4, 3], 'EPROTO'],
    [['c', 4, 3], 'EPROTO'],
    [['d', 4, 3], 'EPROTO'],
    [['x'.repeat(32), 4, 3], 'ENAMETOOLONG'],
    [['a', 5, 3], 'TypeError'],
    [['a', 4, 0], 'TypeError'],
    [['a', 4, 3601], 'TypeError'],
    [[7, 4, 3], 'TypeError'],
    [[], 'TypeError'],
  ];
  const { codes, list } = fill(
    sets,
    calls.map(([words]) => words),
  );
  expect(codes).toEqual(calls.map(([, code]) => code));
  expect(list).toMatch(/^Number of entries: 0$/m);
});

test('one socket is enough, through refusals and after them, where no descriptor is free', () => {
  const program = `const { fillSet, openSetSocket } = require(${JSON.stringify(ADDON)});
    const { openSync } = require('node:fs');
    const socket = openSetSocket();
    const code = (act) => { try { act(); return 'done'; } catch (error) { return error.code; } };
    const taken = code(() => { for (;;) openSync('/dev/null'); });
    const fill = (name) => code(() => fillSet(socket, name, 4, 100));
    process.stdout.write([taken, code(openSetSocket), fill('a'), fill('none'), fill('a')].join());`;
  const script = 'ipset create a hash:net timeout 3 && ulimit -n 64 && "$0" -e "$1"';
  const words = ['--net', '--', 'sh', '-c', script, process.execPath, program];
  const { stdout } = spawnSync('unshare', words, { encoding: 'utf8', timeout: 30_000 });
  expect(stdout).toBe('EMFILE,EMFILE,done,ENOENT,done');
});

test.each([
  ['a file', 0],
  ['no descriptor', 999],
  ['a number below 0', -1],
])('what is %s is no socket of ours', (_, fd) => {
  const { fillSet } = jest.requireActual<{ fillSet(...words: unknown[]): void }>(ADDON);
  expect(() => fillSet(fd, 'a', 4, 3)).toThrow(/^fillSet: a socket of openSetSocket/);
});
