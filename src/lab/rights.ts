/**
 * The right to create network namespaces. Root has it; an ordinary user gets it in a new user namespace, if the kernel
 * allows that. (docs/architecture.md, "Without root")
 */
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';

/** Set in the environment when we start ourselves again, so that a second refusal is final. */
const INSIDE = 'ACSPLIT_LAB_UNSHARED';

/**
 * `ip netns` keeps names under /run, which an ordinary user can write only after mounting a tmpfs there. Entering a user
 * namespace clears the death signal, so it is set here: when the first process is killed, the second ends too.
 */
const MOUNT_THEN_EXEC = 'mount -t tmpfs tmpfs /run && exec setpriv --pdeathsig TERM "$@"';

const UNSHARE = ['unshare', '--user', '--map-root-user', '--net', '--mount'] as const;

export type Rights = 'granted' | 'unshare' | 'refused';

/** Whether this process may create namespaces at once, after `reexecute`, or not at all. */
export function namespaceRights(): Rights {
  if (process.geteuid?.() === 0 && succeeds(['unshare', '--net', '--mount', 'true'])) return 'granted';
  if (process.env[INSIDE] !== undefined) return 'refused';
  return succeeds([...UNSHARE, 'sh', '-c', MOUNT_THEN_EXEC, 'sh', 'true']) ? 'unshare' : 'refused';
}

/** The message for a user without these rights. */
export const REFUSED =
  'no right to make network namespaces: run as root (sudo), or allow unprivileged user namespaces ' +
  '(sysctl -w kernel.unprivileged_userns_clone=1; on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0)';

/** The command line that runs `argv` as root of a fresh user, network and mount namespace. */
export function unshared(argv: readonly string[]): string[] {
  return [...UNSHARE, 'sh', '-c', MOUNT_THEN_EXEC, 'sh', ...argv];
}

/** Starts the same command again in new namespaces; resolves with its exit code. */
export function reexecute(): Promise<number> {
  const [file, ...rest] = unshared([process.execPath, ...process.execArgv, ...process.argv.slice(1)]) as [string];
  const child = spawn(file, rest, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } });
  // Ctrl-C on a terminal reaches the child directly; a signal sent only to this process must be passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

function succeeds(argv: readonly string[]): boolean {
  return spawnSync(argv[0] as string, argv.slice(1), { stdio: 'ignore', timeout: 20_000 }).status === 0;
}
