/**
 * Network namespaces by name, through `ip netns`: made, listed, removed. Everything is created inside the
 * namespaces themselves, so that the network of the host is never touched, not even for a moment.
 */
import { execFile, execFileSync } from 'node:child_process';

/** A command that has not ended by then is a failure: none of ours takes a second. */
const COMMAND_TIMEOUT_MS = 60_000;

/** acsplit-PID-NUMBER-WORD: the pid of the lab or test run that made it says who must remove it. */
const NAME = /^acsplit-(\d+)-\d+-\w+$/;

let worlds = 0;

/** A prefix for the namespaces of one world, unique on this machine while this process lives. */
export function nextPrefix(): string {
  worlds++;
  return `acsplit-${process.pid}-${worlds}`;
}

/** Runs a command to its end and answers its standard output. Rejects with one line: what ran and what it said. */
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

/** Runs `ip` commands, one per line, in one process and namespace; the first that fails ends the batch. */
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

/** Removes namespaces, killing what still runs inside. Synchronous, because exit traps need it; never throws. */
export function removeNamespaces(names: readonly string[]): void {
  for (const name of names) {
    for (const pid of pidsIn(name)) kill(pid);
    quietly('ip', ['netns', 'delete', name]);
  }
}

/** Removes what labs left behind that were killed before they could clean up; answers the names. */
export function removeStaleNamespaces(): string[] {
  const stale = quietly('ip', ['netns', 'list'])
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => isStale(name, isAlive));
  removeNamespaces(stale);
  return stale;
}

/** Whether a namespace, or a directory, bears a name of ours and the process that made it is gone. */
export function isStale(name: string, alive: (pid: number) => boolean): boolean {
  const pid = NAME.exec(name)?.[1];
  return pid !== undefined && !alive(Number(pid));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, and somebody else's.
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
    // It ended by itself in the meantime.
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
