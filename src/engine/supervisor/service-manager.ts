/**
 * Notifies systemd: ready, reloading, stopping, and, while verdicts flow, alive. Each is a datagram to $NOTIFY_SOCKET;
 * without that variable nothing is sent. sd_notify(3), sd_watchdog_enabled(3). docs/decisions/systemd.md
 */
import { type SystemError } from '../shared/binding';
import { type EngineLog } from '../shared/engine-log';

export interface ServiceManagerOptions {
  /** The variables are removed from it: no child process may notify systemd. */
  environment: NodeJS.ProcessEnv;
  pid: number;
  send: (path: string, text: string) => void;
  log: EngineLog;
}

export class ServiceManager {
  /** ms within which systemd expects a sign of life; undefined when it does not watch. */
  readonly patienceMs: number | undefined;
  private readonly path: string | undefined;
  private readonly options: ServiceManagerOptions;
  private hasFailed = false;
  private isStopping = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: ServiceManagerOptions) {
    const { environment, pid } = options;
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
    this.options = options;
    this.path = NOTIFY_SOCKET === '' ? undefined : NOTIFY_SOCKET;
    const isWatched = /^[1-9]\d{0,14}$/.test(WATCHDOG_USEC ?? '') && Number(WATCHDOG_PID ?? pid) === pid;
    this.patienceMs = isWatched ? Number(WATCHDOG_USEC) / 1000 : undefined;
  }

  ready(): void {
    if (!this.isStopping) this.tell('READY=1\nSTATUS=verdicts flow');
  }

  /** Must be followed by `ready`. */
  reloading(): void {
    // Node's clock is CLOCK_MONOTONIC, the one that Type=notify-reload compares with.
    this.tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    clearInterval(this.timer);
    this.tell('STOPPING=1');
  }

  /** From now on, sends three signs of life per watchdog interval, each only while verdicts flow. */
  watch(verdictsFlow: () => boolean): void {
    if (this.path === undefined || this.patienceMs === undefined) return;
    const look = () => {
      if (verdictsFlow()) this.tell('WATCHDOG=1');
    };
    this.timer = setInterval(look, this.patienceMs / 3);
    this.timer.unref();
    look();
  }

  private tell(text: string): void {
    if (this.path === undefined) return;
    try {
      this.options.send(this.path, text);
    } catch (error) {
      if (this.hasFailed) return;
      this.hasFailed = true;
      const { code, message } = error as SystemError;
      this.options.log.warn({ event: 'notify-failed', path: this.path, code }, `systemd is not told: ${message}`);
    }
  }
}
