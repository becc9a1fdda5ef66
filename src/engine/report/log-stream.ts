/**
 * Where the log goes: standard error, whose other end may stop reading, be full or be gone. A write never waits and
 * never throws. What is not taken at once waits in a backlog of bounded size; lines without room there, or that cannot be
 * written, are counted, and a line of its own says how many as soon as it can.
 */
import { type Sink } from './log-sink';

/** Some two thousand lines. */
const MAX_BACKLOG_BYTES = 256 * 1024;
/** Nothing tells when a full device or a pipe has room again: it is tried. */
const RETRY_MS = 100;
/** Within the 15 s that systemd gives the engine to end, and after all else has ended. */
const END_MS = 1000;
const END_INTERVAL_MS = 10;

interface Line {
  /** What is still to be written of it. */
  bytes: Buffer;
  isBegun: boolean;
  /** Lines that nobody hears of if this one is lost: itself, or all that it tells of. */
  standsFor: number;
}

export class LogStream {
  private backlog: Line[] = [];
  private backlogBytes = 0;
  private lost = 0;
  /** The last line was begun and could not be finished. */
  private isCut = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sink: Sink,
    private readonly maxBacklogBytes = MAX_BACKLOG_BYTES,
  ) {}

  /** @param line with its line feed */
  write(line: string): void {
    if (this.backlogBytes + Buffer.byteLength(line) > this.maxBacklogBytes) this.lost++;
    else {
      // Before this line, where those that it speaks of are missing.
      this.tellOfLost();
      this.append(line, 1);
    }
    this.flush();
  }

  /** Waits until all is written, but not for long. @returns whether it is */
  async end(): Promise<boolean> {
    for (const deadline = performance.now() + END_MS; this.backlog.length > 0 || this.sink.isHolding;) {
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, END_INTERVAL_MS));
      this.flush();
    }
    return true;
  }

  private append(line: string, standsFor: number): void {
    const bytes = Buffer.from(line);
    this.backlog.push({ bytes, isBegun: false, standsFor });
    this.backlogBytes += bytes.length;
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

  /** @returns false where writing would wait */
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
