/** Debian's redis-server on a socket of its own, as docs/cluster.md says: in memory, nothing on disk. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class RedisServer {
  readonly socket: string;
  private readonly directory = mkdtempSync(join(tmpdir(), 'acsplit-store-'));
  private child: ChildProcess | undefined;

  /** @param more further arguments, such as `--maxmemory 1mb` */
  constructor(private readonly more: readonly string[] = []) {
    this.socket = join(this.directory, 's');
  }

  async start(): Promise<this> {
    const never = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'];
    const where = ['--port', '0', '--unixsocket', this.socket, '--dir', this.directory];
    this.child = spawn('redis-server', [...where, ...never, ...this.more], { stdio: 'ignore' });
    for (;;) {
      const isThere = await new Promise<boolean>((resolve) => {
        const probe = connect(this.socket, () => resolve(true));
        probe.on('error', () => resolve(false));
        probe.on('connect', () => probe.destroy());
      });
      if (isThere) return this;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  /** Killed at once: nothing is on disk, so the next start is an empty one. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await ended;
    this.child = undefined;
  }

  /** What redis-cli prints. */
  cli(...words: string[]): string {
    return execFileSync('redis-cli', ['-s', this.socket, ...words], { encoding: 'utf8' });
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
