/** The directory that holds the control socket and the state file. */
import { mkdirSync } from 'node:fs';
import { EngineError } from './engine-error';

/** Other users may traverse it to reach the control socket, which has its own mode, but cannot list it. */
const DIRECTORY_MODE = 0o711;

/** @throws EngineError when it does not exist and cannot be created */
export function makeDirectory(directory: string): void {
  // A stricter umask would lock out the control socket's group.
  const umask = process.umask(0o777 & ~DIRECTORY_MODE);
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM';
    const reason = denied ? 'permission denied; run as root or choose another stateDirectory' : message;
    throw new EngineError(`state directory ${directory} cannot be created: ${reason}`, { cause: error });
  } finally {
    process.umask(umask);
  }
}
