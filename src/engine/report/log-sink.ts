/** Standard error, written without ever blocking. */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

export interface Sink {
  /** Bytes accepted; 0 when the write would block. @throws the error of write(2) */
  put(bytes: Buffer): number;
  /** Accepted bytes are still unwritten. */
  readonly isHolding: boolean;
}

const STDERR = 2;

/** Whether systemd's journal reads this descriptor itself, and not what it was redirected to. systemd.exec(5) */
export function isJournal(environment: NodeJS.ProcessEnv = process.env, descriptor = STDERR): boolean {
  const { dev, ino } = fstatSync(descriptor);
  return environment.JOURNAL_STREAM === `${dev}:${ino}`;
}

/**
 * O_NONBLOCK belongs to the open file description, which we share with our parent, and the parent's writes must keep
 * blocking. So a pipe or a terminal is opened a second time, for us alone. A socket cannot be reopened, but Node's
 * stream over it does not block. A file needs neither.
 */
export function openSink(): Sink {
  const kind = fstatSync(STDERR);
  if (kind.isFIFO() || isatty(STDERR)) {
    const own = openAgain(STDERR);
    if (own !== undefined) return new DescriptorSink(own);
  }
  return kind.isSocket() || kind.isFIFO() ? new StreamSink(process.stderr) : new DescriptorSink(STDERR);
}

/** A non-blocking descriptor; undefined when it may not be opened: it belongs to another user, or nobody reads it. */
export function openAgain(descriptor: number): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}

export class DescriptorSink implements Sink {
  readonly isHolding = false;

  constructor(private readonly descriptor: number) {}

  put(bytes: Buffer): number {
    try {
      return writeSync(this.descriptor, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }
}

/** Keeps at most one line waiting in the stream. */
export class StreamSink implements Sink {
  constructor(private readonly stream: NodeJS.WriteStream) {
    // A peer that closed its socket does not come back, so there is nobody to tell about lost lines.
    stream.on('error', () => undefined);
  }

  get isHolding(): boolean {
    return this.stream.writableLength > 0;
  }

  put(bytes: Buffer): number {
    if (this.isHolding) return 0;
    this.stream.write(bytes);
    return bytes.length;
  }
}
