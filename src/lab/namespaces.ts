/**
 * Creates, lists and removes named network namespaces with `ip netns`. Everything is created inside the namespaces, so
 * the host's network is never touched, not even for a moment.
 */
import { execFile, execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';

/** Limit for one command; none of ours takes a second. */
const COMMAND_TIMEOUT_MS = 60_000;

/** acsplit-PID-INODE-NUMBER-WORD, with the pid of the lab or test run that must remove it, and its pid namespace. */
const NAME = /^acsplit-(\d+)-(\d+)-\d+-\w+$/;

/** A pid means nothing in another pid namespace, which may share /run and /tmp with this one. pid_namespaces(7) */
const PID_NAMESPACE = statSync('/proc/self/ns/pid', { throwIfNoEntry: false })?.ino ?? 0;

let worlds = 0;

/** A prefix for the namespaces of one world, unique on this machine while this process runs. */
export function nextPrefix(): string {
  worlds++;
  return `acsplit-${process.pid}-${PID_NAMESPACE}-${worlds}`;
}

/** Runs a command to its end and resolves with its standard output. Rejects with the command and its error message. */
export function execute(argv: readonly string[], timeoutMs = COMMAND_TIMEOUT_MS): Promise<string> {
  const [file, ...rest] = argv as [string, ...string[]];
  const options = { encoding: 'utf8', timeout: timeoutMs, maxBuffer: 64 << 20 } as const;
  return new Promise((resolve, reject) => {
    execFile(file, rest, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = stderr.trim() || stdout.trim() || error.message;
      const failure = new Error(`${argv.join(' ')}: ${said}`);
      reject(Object.assign(failure, { exitCode: error.code, stdout, stderr }));
    });
  });
}

/** Runs `ip` commands, one per line, in one process and namespace; stops at the first that fails. */
export async function ipBatch(lines: readonly string[], namespace?: string): Promise<void> {
  const where = namespace === undefined ? [] : ['-n', namespace];
  await new Promise<void>((resolve, reject) => {
    const child = execFile(
      'ip',
      [...where, '-batch', '-'],
      { timeout: COMMAND_TIMEOUT_MS },
      (error, _stdout, stderr) => {
        if (error === null) return resolve();
        reject(new Error(`ip: ${stderr.trim().split('\n')[0] || error.message}`));
      },
    );
    child.stdin?.end(lines.join('\n') + '\n');
  });
}

/** Removes namespaces and kills what still runs inside. Synchronous, because exit handlers need that; never throws. */
export function removeNamespaces(names: readonly string[]): void {
  for (const name of names) {
    for (const pid of pidsIn(name)) kill(pid);
    quietly('ip', ['netns', 'delete', name]);
  }
}

/** Removes namespaces of labs that were killed before they could clean up; returns their names. */
export function removeStaleNamespaces(): string[] {
  const stale = quietly('ip', ['netns', 'list'])
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => isStale(name, isAlive));
  removeNamespaces(stale);
  return stale;
}

/** Whether a namespace or directory has a name of ours, and the process that created it is one we could see, and gone. */
export function isStale(name: string, alive: (pid: number) => boolean, pidNamespace = PID_NAMESPACE): boolean {
  const [, pid, inode] = NAME.exec(name) ?? [];
  return pid !== undefined && Number(inode) === pidNamespace && !alive(Number(pid));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, but another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function pidsIn(namespace: string): number[] {
  return quietly('ip', ['netns', 'pids', namespace]).split('\n').map(Number).filter(Boolean);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended in the meantime.
  }
}

function quietly(file: string, argv: string[]): string {
  try {
    return execFileSync(file, argv, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: COMMAND_TIMEOUT_MS,
    });
  } catch {
    return '';
  }
}
