/**
 * One reader or writer of the rules at a time: install, remove, check and the timer take turns. The lock is on the
 * network namespace itself, which owns the rules, so it leaves no file behind and ends with its holder.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { RulesError } from './rules-error';

/** An installation takes about a second; several may wait in a row. */
const PATIENCE_SECONDS = 60;
/** flock(1)'s exit status for a time-out. */
const TIMED_OUT = 1;

/** Waits for the lock; call the result to release it. @throws RulesError */
export function lockRules(): () => void {
  const descriptor = openSync('/proc/self/ns/net', 'r');
  // flock(1) locks the open file it inherits, which stays locked after flock exits until it is closed here.
  const { status, error, stderr } = spawnSync('flock', ['-x', '-w', String(PATIENCE_SECONDS), '3'], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
    encoding: 'utf8',
    env: { ...process.env, PATH: [process.env.PATH ?? '', '/usr/bin', '/bin'].join(':') },
  });
  if (status === 0) return () => closeSync(descriptor);
  closeSync(descriptor);
  if (status === TIMED_OUT) {
    const holder = 'another acsplit has been installing, removing or checking rules';
    throw new RulesError(`${holder} for ${PATIENCE_SECONDS} s; try again when it has ended`);
  }
  const why = error?.message ?? (stderr.trim() || `exit status ${status}`);
  throw new RulesError(`the rules cannot be locked: flock ${why}; on Debian: apt-get install util-linux`, {
    cause: error,
  });
}
