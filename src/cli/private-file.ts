/**
 * A file for secrets: mode 0600 from the start, and never one that another user has put in its place. `trace --write`
 * usually runs as root, often with a name in /tmp, where anybody may have placed a link to another file.
 */

import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, openSync, type Stats } from 'node:fs';
import { Failure } from '../configuration/errors';
import { fileFailure } from './file-errors';

const PRIVATE_MODE = 0o600;
// Truncated only after it was looked at.
const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
const REASONS = { ENOENT: 'no such directory', ELOOP: 'it is a symbolic link; name the file itself' };

/**
 * Opens a file for writing, empties it and sets its mode. A device keeps its mode.
 * @throws Failure for links, hard links and files of another user
 */
export function openPrivate(name: string): number {
  let descriptor = -1;
  try {
    descriptor = openSync(name, FLAGS, PRIVATE_MODE);
    const stats = fstatSync(descriptor);
    const objection = objectionTo(stats);
    if (objection !== undefined) throw new Failure(`cannot write ${name}: ${objection}`);
    if (stats.isFile()) {
      fchmodSync(descriptor, PRIVATE_MODE);
      ftruncateSync(descriptor);
    }
    return descriptor;
  } catch (error) {
    if (descriptor >= 0) closeSync(descriptor);
    throw error instanceof Failure ? error : fileFailure(`cannot write ${name}`, error, REASONS);
  }
}

function objectionTo(stats: Stats): string | undefined {
  if (stats.isCharacterDevice()) return undefined;
  if (stats.uid !== process.geteuid?.())
    return 'it belongs to another user, who could read the packets; choose another name';
  if (stats.nlink > 1) return 'it has another name (hard link); choose another name';
  return undefined;
}
