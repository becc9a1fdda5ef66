/** Which namespaces may be removed: our own, of processes that are gone, and nothing else. */
import { readlinkSync } from 'node:fs';
import { isAlive, isStale, nextPrefix } from '../../../src/lab/namespaces';

const nobodyLives = (): boolean => false;

describe('stale namespaces', () => {
  it.each([
    ['acsplit-123-77-1-cpe', true],
    ['acsplit-123-77-2-collector', true],
    ['acsplit-123-77-1-Xy_0aZ', true],
    // Of another pid namespace, where somebody lives whom nobody sees here.
    ['acsplit-123-78-1-cpe', false],
    ['acsplit', false],
    ['acsplit-123-1-cpe', false],
    ['acsplit-123-77-cpe', false],
    ['acsplit-run-cpe', false],
    ['acsplit-123-77-1-', false],
    ['my-acsplit-123-77-1-cpe', false],
    ['acsplit-123-77-1-cpe-backup', false],
    ['', false],
  ])('%s of a dead process: removed is %p', (name, stale) => {
    expect(isStale(name, nobodyLives, 77)).toBe(stale);
  });

  it('those of a live process stay, whichever user owns it', () => {
    expect(isStale('acsplit-123-77-1-cpe', (pid) => pid === 123, 77)).toBe(false);
    expect(isAlive(process.pid)).toBe(true);
    expect(isAlive(1)).toBe(true);
    // Above the highest process id that Linux gives.
    expect(isAlive(2 ** 22 + 1)).toBe(false);
  });

  it('a name says in which pid namespace its process lives', () => {
    const [, inode] = /\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/pid'))!;
    expect(nextPrefix()).toMatch(new RegExp(`^acsplit-${process.pid}-${inode}-\\d+$`));
    expect(isStale(`${nextPrefix()}-cpe`, nobodyLives)).toBe(true);
  });

  it('each world has names of its own', () => {
    expect(nextPrefix()).not.toBe(nextPrefix());
  });
});
