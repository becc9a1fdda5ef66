/**
 * Keeps the control socket within reach. Its path may go while the engine runs: somebody cleans up /run, or removes the
 * state directory. The operator's pause must not wait for a restart then.
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

/** As serveControl, and again whenever the path leads elsewhere. @throws EngineError, as serveControl does */
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
  /** One line for each time that the socket is gone, however often it cannot be made. */
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
      // Before there is another: a closed server removes whatever is at its path.
      await this.server.close();
      this.server = await serveControl(path, commands, group);
      this.hasComplained = false;
      log.warn({ event: 'control-socket', control: path }, 'the control socket was gone: made anew');
    } catch (error) {
      if (this.hasComplained) return;
      this.hasComplained = true;
      const why = (error as Error).message;
      log.error({ event: 'control-socket', control: path }, `no command reaches this engine: ${why}`);
    }
  }
}
