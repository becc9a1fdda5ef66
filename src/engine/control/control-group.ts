/** Who may connect to the control socket besides root: the group named in the configuration. */
import { spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { EngineError } from '../shared/engine-error';

/**
 * The group's number. getent(1) covers whatever the host uses: /etc/group or a directory service.
 * @throws EngineError when the host knows no such group
 */
export function findGroup(name: string): number {
  const { status, stdout, error } = spawnSync('getent', ['group', '--', name], { encoding: 'utf8', timeout: 4000 });
  if (error) throw new EngineError(`controlGroup: getent group ${name} fails: ${error.message}`);
  const number = Number(stdout.split(':')[2]);
  if (status === 0 && Number.isSafeInteger(number)) return number;
  throw new EngineError(`controlGroup: this host has no group "${name}"; make one with: groupadd --system ${name}`);
}

/** @throws EngineError when the process may not change the group */
export function giveToGroup(path: string, group: number): void {
  try {
    chownSync(path, -1, group);
  } catch (error) {
    throw new EngineError(
      `controlGroup: ${path} cannot be given to group ${group} (${(error as NodeJS.ErrnoException).code}): it takes ` +
        `CAP_CHOWN or membership; in a unit of systemd: SupplementaryGroups=`,
      { cause: error },
    );
  }
}
