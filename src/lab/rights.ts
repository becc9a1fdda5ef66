/**
 * The right to make network namespaces: root has it; an ordinary user gets it in a user namespace of his own,
 * where the kernel allows that. (docs/architecture.md, "Without root")
 */
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';

/** Set in the environment of the second start, so that a refusal there is final. */
const INSIDE = 'ACSPLIT_LAB_UNSHARED';

/**
 * `ip netns` keeps names under /run, which only a mount of our own lets an ordinary user write. The death signal is
 * set here because entering a user namespace clears it: whoever kills the first start ends the second with it.
 */
const MOUNT_THEN_EXEC = 'mount -t tmpfs tmpfs /run && exec setpriv --pdeathsig TERM "$@"';

const UNSHARE = ['unshare', '--user', '--map-root-user', '--net', '--mount'] as const;

export type Rights = 'granted' | 'unshare' | 'refused';

/** What this process may do: make namespaces at once, make them after `reexecute`, or neither. */
export function namespaceRights(): Rights {
  if (process.geteuid?.() === 0 && succeeds(['unshare', '--net', '--mount', 'true'])) return 'granted';
  if (process.env[INSIDE] !== undefined) return 'refused';
  return succeeds([...UNSHARE, 'sh', '-c', MOUNT_THEN_EXEC, 'sh', 'true']) ? 'unshare' : 'refused';
}

/** The one line for a user whose rights are refused. */
export const REFUSED =
  'no right to make network namespaces: run as root (sudo), or allow unprivileged user namespaces ' +
  '(sysctl -w kernel.unprivileged_userns_clone=1; on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0)';

/** The command line that runs `argv` as root of a fresh user, network and mount namespace. */
export function unshared(argv: readonly string[]): string[] {
  return [...UNSHARE, 'sh', '-c', MOUNT_THEN_EXEC, 'sh', ...argv];
}

/** Starts this very command again inside namespaces of its own; answers its exit code. */
export function reexecute(): Promise<number> {
  const [file, ...rest] = unshared([process.execPath, ...process.execArgv, ...process.argv.slice(1)]) as [string];
  const child = spawn(file, rest, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } });
  // A terminal's Ctrl-C reaches the child by itself; a signal sent to this process alone must be passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

function succeeds(argv: readonly string[]): boolean {
  return spawnSync(argv[0] as string, argv.slice(1), { stdio: 'ignore', timeout: 20_000 }).status === 0;
}
