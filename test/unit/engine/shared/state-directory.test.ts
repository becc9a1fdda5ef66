/** Members of the control group can reach the control socket, whatever the umask at the engine's start. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDirectory } from '../../../../src/engine/shared/state-directory';

describe('with a umask of 077', () => {
  let directory: string;
  let umask: number;
  const mode = (name: string) => (statSync(join(directory, name)).mode & 0o7777).toString(8);
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'acsplit-directory-'));
    umask = process.umask(0o077);
  });
  afterEach(() => {
    process.umask(umask);
    rmSync(directory, { recursive: true });
  });

  test('the state directory and those above it that were missing can be passed through, and not be read', () => {
    makeDirectory(join(directory, 'above', 'state'));
    expect([mode('above'), mode('above/state')]).toEqual(['711', '711']);
  });

  test('one that is there keeps its mode', () => {
    mkdirSync(join(directory, 'state'), { mode: 0o700 });
    makeDirectory(join(directory, 'state'));
    expect(mode('state')).toBe('700');
  });

  test('later files keep the private umask, also when the directory could not be created', () => {
    makeDirectory(join(directory, 'state'));
    writeFileSync(join(directory, 'file'), '');
    expect(() => makeDirectory(join(directory, 'file', 'state'))).toThrow(/cannot be created: /);
    expect(process.umask()).toBe(0o077);
  });
});
