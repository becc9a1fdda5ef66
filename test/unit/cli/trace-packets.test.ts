/** The file of `trace --write`, before anything is traced. */
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, constants, openSync, statSync } from 'node:fs';
import { TraceFile } from '../../../src/cli/trace-packets';
import { TOPOLOGY } from '../../support/rig';
import { TemporaryFolder } from '../../support/temporary';

const folder = new TemporaryFolder();
const mode = (path: string) => statSync(path).mode & 0o777;

test('a file that was there gets the mode 0600', () => {
  const path = folder.file('there.pcapng', 'old');
  chmodSync(path, 0o644);
  new TraceFile(path, TOPOLOGY).close();
  expect(mode(path)).toBe(0o600);
});

test('anything but a plain file keeps its mode: others may need /dev/null', () => {
  const path = folder.file('pipe');
  execFileSync('mkfifo', [path]);
  chmodSync(path, 0o644);
  const reader = openSync(path, constants.O_RDWR);
  new TraceFile(path, TOPOLOGY).close();
  closeSync(reader);
  expect(mode(path)).toBe(0o644);
});
