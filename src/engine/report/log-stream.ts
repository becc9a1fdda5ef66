/**
 * The log's destination: standard error, whose reader may stop, be full or disappear. A write never blocks and never
 * throws. Bytes not accepted at once wait in a bounded backlog. Lines that do not fit, or cannot be written, are
 * counted, and a line of its own reports how many as soon as it can.
 */
import { type Sink } from './log-sink';

/** About two thousand lines. */
const MAX_BACKLOG_BYTES = 256 * 1024;
/** Nothing signals that a full device or pipe has room again, so we retry. */
const RETRY_MS = 100;
/** Well within the 15 s that systemd gives the engine to stop. It starts after everything else has stopped. */
const END_MS = 1000;
const END_INTERVAL_MS = 10;

/** syslog(3)'s numbers, as the journal reads them at the beginning of a line. sd-daemon(3) */
const PRIORITIES: Readonly<Record<string, number>> = { error: 3, warn: 4, info: 6 };

interface Line {
  /** Bytes still to be written. */
  bytes: Buffer;
  isBegun: boolean;
  /** How many lines are lost with this one. */
  standsFor: number;
}

export class LogStream {
  private backlog: Line[] = [];
  private backlogBytes = 0;
  private lost = 0;
  /** The last line was only partly written. */
  private isCut = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sink: Sink,
    private readonly maxBacklogBytes = MAX_BACKLOG_BYTES,
    private readonly isForJournal = false,
  ) {}

  /** @param line including its line feed */
  write(line: string): void {
    if (this.backlogBytes + Buffer.byteLength(line) > this.maxBacklogBytes) this.lost++;
    else {
      // The report of lost lines goes where they are missing: before this line.
      this.tellOfLost();
      this.append(line, 1);
    }
    this.flush();
  }

  /** Waits a limited time for everything to be written. @returns whether it was */
  async end(): Promise<boolean> {
    for (const deadline = performance.now() + END_MS; this.backlog.length > 0 || this.sink.isHolding;) {
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, END_INTERVAL_MS));
      this.flush();
    }
    return true;
  }

  private append(line: string, standsFor: number): void {
    const bytes = Buffer.from(this.priorityOf(line) + line);
    this.backlog.push({ bytes, isBegun: false, standsFor });
    this.backlogBytes += bytes.length;
  }

  private priorityOf(line: string): string {
    const priority = this.isForJournal ? PRIORITIES[/^\{"level":"(\w+)"/.exec(line)?.[1] ?? ''] : undefined;
    return priority === undefined ? '' : `<${priority}>`;
  }

  private tellOfLost(): void {
    const lines = this.lost;
    if (lines === 0) return;
    const msg = `${lines} lines of the log are missing here: they could not be written`;
    const fields = { level: 'warn', time: new Date().toISOString(), event: 'log-lost', lines, msg };
    this.lost = 0;
    this.append(`${JSON.stringify(fields)}\n`, lines);
  }

  private flush(): void {
    clearTimeout(this.timer);
    try {
      if (this.putAll()) return;
    } catch {
      this.loseAll();
    }
    this.timer = setTimeout(() => this.flush(), RETRY_MS);
    this.timer.unref();
  }

  /** @returns false when writing would block */
  private putAll(): boolean {
    for (;;) {
      if (this.backlog.length === 0) this.tellOfLost();
      if (this.backlog.length === 0) return true;
      if (this.isCut && this.sink.put(Buffer.from('\n')) === 0) return false;
      this.isCut = false;
      const [line] = this.backlog;
      const taken = this.sink.put(line.bytes);
      if (taken === 0) return false;
      line.isBegun = true;
      line.bytes = line.bytes.subarray(taken);
      this.backlogBytes -= taken;
      if (line.bytes.length === 0) this.backlog.shift();
    }
  }

  private loseAll(): void {
    for (const { standsFor } of this.backlog) this.lost += standsFor;
    this.isCut ||= this.backlog[0]?.isBegun ?? false;
    this.backlog = [];
    this.backlogBytes = 0;
  }
}
