/**
 * The file `alive` in the state directory, written five times a second while verdicts flow. Health checks that must be cheap
 * (keepalived, load balancers) look at its age. It holds the host's uptime in seconds, as in /proc/uptime, so a check
 * need not trust the wall clock. docs/operations.md
 */
import { closeSync, constants, fchmodSync, fstatSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type EngineLog } from '../shared/engine-log';

const INTERVAL_MS = 200;
/** World-readable: a health check seldom runs as root. */
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
  /** Kept open, so that a beat needs neither a free descriptor nor a free disk block. */
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
      // The same length for 30 years, so the file never has to be truncated.
      writeSync(this.fd, `${(clock() / 1000).toFixed(2).padStart(12)}\n`, 0);
      this.hasComplained = false;
    } catch (error) {
      if (this.hasComplained) return;
      this.hasComplained = true;
      const { code, message } = error as NodeJS.ErrnoException;
      log.warn({ event: 'heartbeat', path, code }, `health checks take this engine for dead: ${message}`);
    }
  }

  /** Removes the file, so that a check need not wait for it to age. */
  stop(): void {
    clearInterval(this.timer);
    if (this.fd < 0) return;
    try {
      if (this.isThere()) unlinkSync(this.parts.path);
    } catch {
      // It will age instead.
    }
    closeSync(this.fd);
    this.fd = -1;
  }

  /** The path still leads to the file that we write. */
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
