/** Connects to every server now and then, if configured: a server that is down may be up again, and nobody calls. */
import { connect } from 'node:net';

const TIMEOUT_MS = 2000;

export interface ProbeTarget {
  /** `itms`, or the collector's name. */
  server: string;
  address: string;
  port: number;
}

export interface ProbeOptions {
  targets: () => readonly ProbeTarget[];
  /** Seconds; undefined: no probes. */
  interval: () => number | undefined;
  onAnswer: (target: ProbeTarget) => void;
}

export class Probe {
  /** By address: `answers`, an error's code, or `timeout`. */
  readonly results = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private begun = 0;
  /** Number of the probe that a result is of, by address. */
  private readonly latest = new Map<string, number>();

  constructor(private readonly options: ProbeOptions) {
    this.begin();
  }

  /** Once more from the start, after a change of the configuration. */
  begin(): void {
    this.stop();
    this.results.clear();
    for (const { address } of this.options.targets()) this.latest.set(address, this.begun);
    const interval = this.options.interval();
    if (interval === undefined) return;
    this.timer = setInterval(() => this.probeAll(), interval * 1000);
    this.timer.unref();
    this.probeAll();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private probeAll(): void {
    for (const target of this.options.targets()) this.probe(target);
  }

  private probe(target: ProbeTarget): void {
    const { address, port } = target;
    const number = ++this.begun;
    const socket = connect({ host: address, port, timeout: TIMEOUT_MS });
    const end = (result: string) => {
      socket.destroy();
      // One that waits in vain may end after a later one that was answered.
      if (number <= (this.latest.get(address) ?? 0)) return;
      this.latest.set(address, number);
      this.results.set(address, result);
      if (result === 'answers') this.options.onAnswer(target);
    };
    socket.once('connect', () => end('answers'));
    socket.once('timeout', () => end('timeout'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code ?? 'error'));
    socket.unref();
  }
}
