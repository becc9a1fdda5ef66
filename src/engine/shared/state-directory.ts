/** The directory that holds the control socket and the state file. */
import { mkdirSync } from 'node:fs';
import { EngineError } from './engine-error';

/** Others may pass through to the control socket, which is its own guard, and see nothing. */
const DIRECTORY_MODE = 0o711;

/** @throws EngineError when it is not there and cannot be made */
export function makeDirectory(directory: string): void {
  // A stricter umask would keep the control socket's group out.
  const umask = process.umask(0o777 & ~DIRECTORY_MODE);
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM';
    const reason = denied ? 'permission denied; run as root or choose another stateDirectory' : message;
    throw new EngineError(`state directory ${directory} cannot be made: ${reason}`, { cause: error });
  } finally {
    process.umask(umask);
  }
}
