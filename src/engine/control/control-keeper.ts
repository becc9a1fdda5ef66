/**
 * Keeps the control socket reachable. Its path may disappear while the engine runs, when somebody cleans up /run or
 * removes the state directory. An operator who needs to pause must not have to restart first.
 */
import { clearStale, type ControlCommands, type ControlServer, serveControl } from './control';
import { type EngineLog } from '../shared/engine-log';

const INTERVAL_MS = 3000;

export interface ControlParts {
  path: string;
  commands: ControlCommands;
  /** See serveControl. */
  group: string | undefined;
  log: EngineLog;
}

export interface KeptControl {
  /** Idempotent; removes the socket's file. */
  close(): Promise<void>;
}

/** Like serveControl, and serves again whenever the path leads elsewhere. @throws EngineError, as serveControl does */
export async function keepControl(parts: ControlParts, intervalMs = INTERVAL_MS): Promise<KeptControl> {
  const { path, commands, group } = parts;
  const keeper = new ControlKeeper(parts, await serveControl(path, commands, group), intervalMs);
  keeper.watch();
  return keeper;
}

class ControlKeeper implements KeptControl {
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isClosed = false;
  /** One log line each time the socket disappears, however often recreating it fails. */
  private hasComplained = false;

  constructor(
    private readonly parts: ControlParts,
    private server: ControlServer,
    private readonly intervalMs: number,
  ) {}

  watch(): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => {
      this.looking = this.look().then(() => this.watch());
    }, this.intervalMs);
    this.timer.unref();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.looking;
    await this.server.close();
  }

  private async look(): Promise<void> {
    const { path, commands, group, log } = this.parts;
    try {
      if (this.server.isThere()) return;
      await clearStale(path);
      // Close before creating another: a closing server removes whatever is at its path.
      await this.server.close();
      this.server = await serveControl(path, commands, group);
      this.hasComplained = false;
      log.warn({ event: 'control-socket', control: path }, 'control socket missing: created again');
    } catch (error) {
      if (this.hasComplained) return;
      this.hasComplained = true;
      const why = (error as Error).message;
      log.error({ event: 'control-socket', control: path }, `no command reaches this engine: ${why}`);
    }
  }
}
