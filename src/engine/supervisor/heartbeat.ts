/**
 * The file `alive` in the state directory, written twice a second while verdicts flow, for health checks that must cost
 * nothing (keepalived's, a load balancer's): its age is the answer. It holds the host's uptime in seconds, as /proc/uptime
 * has it, so that a check need not trust the wall clock. docs/operations.md
 */
import { closeSync, constants, fchmodSync, fstatSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type EngineLog } from '../shared/engine-log';

const INTERVAL_MS = 500;
/** Everybody may read it: a health check seldom runs as root. */
const FILE_MODE = 0o644;

export function heartbeatPath(stateDirectory: string): string {
  return join(stateDirectory, 'alive');
}

export interface HeartbeatParts {
  path: string;
  verdictsFlow: () => boolean;
  /** CLOCK_BOOTTIME in ms. */
  clock: () => number;
  log: EngineLog;
}

export class Heartbeat {
  /** Kept open: no descriptor has to be free, and no block on a full disk, for the next beat. */
  private fd = -1;
  private hasComplained = false;
  private readonly timer: NodeJS.Timeout;

  /** Beats at once, then at each interval. */
  constructor(private readonly parts: HeartbeatParts) {
    this.timer = setInterval(() => this.beat(), INTERVAL_MS);
    this.timer.unref();
    this.beat();
  }

  beat(): void {
    const { path, verdictsFlow, clock, log } = this.parts;
    if (!verdictsFlow()) return;
    try {
      if (!this.isThere()) this.open();
      // Of one length for 30 years, so that the file never has to be shortened.
      writeSync(this.fd, `${(clock() / 1000).toFixed(2).padStart(12)}\n`, 0);
      this.hasComplained = false;
    } catch (error) {
      if (this.hasComplained) return;
      this.hasComplained = true;
      const { code, message } = error as NodeJS.ErrnoException;
      log.warn({ event: 'heartbeat', path, code }, `health checks take this engine for dead: ${message}`);
    }
  }

  /** Removes the file: a check need not wait for it to grow old. */
  stop(): void {
    clearInterval(this.timer);
    if (this.fd < 0) return;
    try {
      if (this.isThere()) unlinkSync(this.parts.path);
    } catch {
      // It will grow old.
    }
    closeSync(this.fd);
    this.fd = -1;
  }

  /** The file at the path is the one that we write. */
  private isThere(): boolean {
    if (this.fd < 0) return false;
    const found = statSync(this.parts.path, { throwIfNoEntry: false });
    const own = fstatSync(this.fd);
    return found?.ino === own.ino && found.dev === own.dev;
  }

  private open(): void {
    const { path } = this.parts;
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
    try {
      if (!fstatSync(fd).isFile()) throw new Error(`${path} is not a file`);
      fchmodSync(fd, FILE_MODE);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = fd;
  }
}
