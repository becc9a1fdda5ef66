/** Namespaces of one world, a directory of files, and the programs that run there: all of it ends with this process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, ipBatch, isAlive, isStale, nextPrefix, removeNamespaces, removeStaleNamespaces } from './namespaces';

/** Turns a namespace into a router; IPv4 only if the kernel has no IPv6. */
export const FORWARD = [
  'echo 1 > /proc/sys/net/ipv4/ip_forward',
  'if [ -e /proc/sys/net/ipv6 ]; then echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; fi',
].join('\n');

/** Time a process has to end after SIGTERM before it is killed. */
const END_TIMEOUT_MS = 10_000;

/** Where actors start: any world. */
export interface Launcher {
  readonly programs: string;
  start(room: string, argv: readonly string[]): ChildProcess;
}

/** @typeParam Room what the namespaces are called */
export class Rooms<Room extends string> {
  readonly prefix = nextPrefix();
  /** Files of this run: configuration, state, captures. Removed with the world. */
  readonly directory = mkdtempSync(join(tmpdir(), `${this.prefix}-`));
  private readonly children = new Set<ChildProcess>();
  private readonly exitTrap = (): void => this.closeNow();

  /** @param programs directory of the actors' compiled programs */
  protected constructor(
    readonly rooms: readonly Room[],
    readonly programs: string,
  ) {
    process.once('exit', this.exitTrap);
  }

  /** Removes what dead runs left behind, then creates the namespaces. */
  protected async found(): Promise<void> {
    removeStaleNamespaces();
    removeStaleDirectories();
    await ipBatch(this.rooms.map((room) => `netns add ${this.namespace(room)}`));
  }

  namespace(room: Room): string {
    return `${this.prefix}-${room}`;
  }

  /**
   * The command line that runs `argv` in a namespace. `ip netns exec` replaces itself, so the pid of the child is the pid
   * of the program. The death signal ends it if this process is killed before it can clean up.
   */
  inside(room: Room, argv: readonly string[]): string[] {
    return ['setpriv', '--pdeathsig', 'TERM', 'ip', 'netns', 'exec', this.namespace(room), ...argv];
  }

  /** Runs a command in a namespace to its end; resolves with its standard output, or rejects with its error message. */
  run(room: Room, argv: readonly string[], timeoutMs?: number): Promise<string> {
    return execute(this.inside(room, argv), timeoutMs);
  }

  /**
   * Starts a program in a namespace with its three streams piped. It gets its own process group, so that Ctrl-C on a
   * terminal reaches only this process, which then ends the others in order.
   */
  start(room: Room, argv: readonly string[]): ChildProcess {
    const [file, ...rest] = this.inside(room, argv) as [string, ...string[]];
    const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    child.stdin?.on('error', () => {}); // It ended while we were writing; the exit event reports that.
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    child.once('error', () => this.children.delete(child));
    return child;
  }

  /** Ends all programs (SIGTERM, then SIGKILL), then removes namespaces and files. May be called twice. */
  async close(): Promise<void> {
    await Promise.all([...this.children].map((child) => end(child)));
    this.closeNow();
  }

  private closeNow(): void {
    process.removeListener('exit', this.exitTrap);
    for (const child of this.children) child.kill('SIGKILL');
    removeNamespaces(this.rooms.map((room) => this.namespace(room)));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function removeStaleDirectories(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!isStale(name, isAlive)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true });
    } catch {
      // It belongs to another user, who will remove it.
    }
  }
}

/** Asks a program to end and waits for it; kills it if it does not end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const killer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
  child.kill(signal);
  await gone;
  clearTimeout(killer);
}
