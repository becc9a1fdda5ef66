/** Standard error, written to without ever waiting. */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

export interface Sink {
  /** Bytes that it took; 0 where it would have to wait. @throws what write(2) fails with */
  put(bytes: Buffer): number;
  /** Something that it took is not written yet. */
  readonly isHolding: boolean;
}

const STDERR = 2;

/**
 * O_NONBLOCK belongs to the open file, which is also our parent's, and whose writes must go on waiting: so a pipe or a
 * terminal is opened once more, for us alone. A socket cannot be; Node's stream over it does not wait. A file needs neither.
 */
export function openSink(): Sink {
  const kind = fstatSync(STDERR);
  if (kind.isFIFO() || isatty(STDERR)) {
    const own = openAgain(STDERR);
    if (own !== undefined) return new DescriptorSink(own);
  }
  return kind.isSocket() || kind.isFIFO() ? new StreamSink(process.stderr) : new DescriptorSink(STDERR);
}

/** A descriptor that never waits; undefined where it may not be opened: another user's, or without a reader. */
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

/** Has at most one line waiting in the stream. */
export class StreamSink implements Sink {
  constructor(private readonly stream: NodeJS.WriteStream) {
    // Whoever listened at the other end of a socket and is gone does not come back: nobody is to be told of lost lines.
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
