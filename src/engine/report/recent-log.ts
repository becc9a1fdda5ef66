/** Passes the log on and remembers its newest lines, for the page. */
import { type EngineLog } from '../shared/engine-log';

export interface LogLine {
  /** Counts from 0 in this process. */
  number: number;
  /** Wall clock, ms since 1970. */
  timeMs: number;
  level: 'info' | 'warn' | 'error';
  event: string;
  message: string;
}

const MOST_LINES = 200;
/** Of a message or event; the log itself has all of it. */
const MOST_CHARACTERS = 500;

export class RecentLog implements EngineLog {
  /** The oldest first. */
  readonly lines: LogLine[] = [];
  private number = 0;

  constructor(
    private readonly inner: EngineLog,
    private readonly clock: () => number = Date.now,
  ) {}

  info(fields: object, message: string): void {
    this.inner.info(fields, message);
    this.keep('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.inner.warn(fields, message);
    this.keep('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.inner.error(fields, message);
    this.keep('error', fields, message);
  }

  private keep(level: LogLine['level'], { event }: { event?: unknown }, message: string): void {
    this.lines.push({
      number: this.number++,
      timeMs: this.clock(),
      level,
      event: cut(typeof event === 'string' ? event : ''),
      message: cut(message),
    });
    if (this.lines.length > MOST_LINES) this.lines.shift();
  }
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
