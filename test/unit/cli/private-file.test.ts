/** Captures contain credentials: their file is private, and nobody can redirect it. */
import {
  closeSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPrivate } from '../../../src/cli/private-file';

let directory: string;
const at = (name: string) => join(directory, name);

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'acsplit-private-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test.each(['a new file', 'a file that anybody could read'])('%s: mode 0600, empty, and written to', (what) => {
  if (what !== 'a new file') writeFileSync(at('out'), 'older and longer', { mode: 0o666 });
  const descriptor = openPrivate(at('out'));
  writeSync(descriptor, 'new');
  closeSync(descriptor);
  expect(readFileSync(at('out'), 'utf8')).toBe('new');
  expect(statSync(at('out')).mode & 0o777).toBe(0o600);
});

describe('refused, and the target stays as it was', () => {
  beforeEach(() => writeFileSync(at('victim'), 'precious', { mode: 0o644 }));
  afterEach(() => {
    expect(readFileSync(at('victim'), 'utf8')).toBe('precious');
    expect(statSync(at('victim')).mode & 0o777).toBe(0o644);
  });

  test('a symbolic link', () => {
    symlinkSync('victim', at('out'));
    expect(() => openPrivate(at('out'))).toThrow(
      `cannot write ${at('out')}: it is a symbolic link; name the file itself`,
    );
  });

  test('another user’s file', () => {
    const owner = jest.spyOn(process, 'geteuid').mockReturnValue(statSync(at('victim')).uid + 1);
    try {
      expect(() => openPrivate(at('victim'))).toThrow('it belongs to another user, who could read the packets');
    } finally {
      owner.mockRestore();
    }
  });

  test('a hard link', () => {
    linkSync(at('victim'), at('out'));
    expect(() => openPrivate(at('out'))).toThrow('it has another name (hard link); choose another name');
  });
});

test('a symbolic link to nothing makes no file', () => {
  symlinkSync('nothing', at('out'));
  expect(() => openPrivate(at('out'))).toThrow('it is a symbolic link');
  expect(() => statSync(at('nothing'))).toThrow('ENOENT');
});

test('a device keeps its mode', () => {
  closeSync(openPrivate('/dev/null'));
  expect(statSync('/dev/null').mode & 0o777).toBe(0o666);
});
