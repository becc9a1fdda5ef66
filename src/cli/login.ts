/** Who types the command, for the engine's log: root by sudo has many names. A claim; the kernel tells the engine the uid. */
import { userInfo } from 'node:os';

export function loginName(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.SUDO_USER ?? environment.LOGNAME ?? environment.USER ?? ownName();
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
