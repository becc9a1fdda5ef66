/**
 * Synchronous byte input and output. A replay of files has nothing else to do while it waits, and a synchronous call
 * costs a third of a callback. May know the file system.
 */
import { closeSync, readSync, writeSync } from 'node:fs';

export interface ByteSource {
  /** As the user named it. */
  readonly name: string;
  /** Reads at most `length` bytes to `bytes[at]`; returns how many, 0 at the end, NOTHING_YET where `arrived` is. */
  read(bytes: Uint8Array, at: number, length: number): number;
  /** Resolves when that many bytes can be read, or at the end. Absent: `read` itself waits. */
  arrived?(leastBytes: number): Promise<void>;
  /** True when a signal ended the source, maybe within a packet. */
  readonly isStopped?: boolean;
  close(): void;
}

/** `read`'s answer when a live source has no bytes now. */
export const NOTHING_YET = -1;

export interface ByteSink {
  write(bytes: Uint8Array, at: number, length: number): void;
  /** Writes the buffer out, so that other readers of the file see it. */
  flush(): void;
  /** Writes the buffer out and closes. A second call does nothing. */
  close(): void;
}

/** Waits between two attempts on a descriptor that others made non-blocking. */
const RETRY_MS = 2;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** The opener may have made a pipe or terminal non-blocking. EAGAIN: try later. EINTR: try again. */
function persist(attempt: () => number): number {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(NEVER, 0, 0, RETRY_MS);
      else if (code !== 'EINTR') throw error;
    }
  }
}

export class DescriptorSource implements ByteSource {
  private open = true;

  /** @param owned whether `close` closes the descriptor; false for stdin */
  constructor(
    readonly name: string,
    private readonly descriptor: number,
    private readonly owned: boolean,
  ) {}

  read(bytes: Uint8Array, at: number, length: number): number {
    return persist(() => readSync(this.descriptor, bytes, at, length, null));
  }

  close(): void {
    if (this.open && this.owned) closeSync(this.descriptor);
    this.open = false;
  }
}

/** A write failed. */
export class WriteError extends Error {
  readonly code: string | undefined;

  /** @param file as the user named it */
  constructor(
    readonly file: string,
    cause: NodeJS.ErrnoException,
  ) {
    super(`${file}: ${cause.message}`, { cause });
    this.name = 'WriteError';
    this.code = cause.code;
  }
}

/** Small writes are buffered; large ones are written at once. */
const GATHER_BYTES = 128 * 1024;
/** Below this size a loop is faster than `set`, which needs a new view. */
const LOOP_BYTES = 256;

export class DescriptorSink implements ByteSink {
  private readonly gathered = new Uint8Array(GATHER_BYTES);
  private held = 0;
  private open = true;

  /**
   * @param name as the user named the file
   * @param owned whether `close` closes the descriptor; false for stdout
   */
  constructor(
    readonly name: string,
    readonly descriptor: number,
    private readonly owned: boolean,
  ) {}

  /** True while a descriptor that we opened is open. */
  get isOurs(): boolean {
    return this.open && this.owned;
  }

  write(bytes: Uint8Array, at: number, length: number): void {
    if (this.held + length > GATHER_BYTES) this.flush();
    if (length > GATHER_BYTES / 2) {
      this.writeOut(bytes, at, length);
      return;
    }
    const { gathered, held } = this;
    if (length < LOOP_BYTES) for (let i = 0; i < length; i++) gathered[held + i] = bytes[at + i];
    else gathered.set(bytes.subarray(at, at + length), held);
    this.held = held + length;
  }

  /** A failure leaves the descriptor open so that `cutBack` can repair the file; then call `abandon`. @throws WriteError */
  close(): void {
    if (!this.open) return;
    this.flush();
    this.open = false;
    if (this.owned) this.attempt(() => closeSync(this.descriptor));
  }

  /** Closes and discards the buffer, after a failure. */
  abandon(): void {
    this.forget();
    this.close();
  }

  /** Discards the buffer. */
  forget(): void {
    this.held = 0;
  }

  /** @throws WriteError */
  flush(): void {
    const held = this.held;
    this.held = 0;
    this.writeOut(this.gathered, 0, held);
  }

  private writeOut(bytes: Uint8Array, at: number, length: number): void {
    for (let done = 0; done < length;) {
      done += this.attempt(() => persist(() => writeSync(this.descriptor, bytes, at + done, length - done)));
    }
  }

  private attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw new WriteError(this.name, error as NodeJS.ErrnoException);
    }
  }
}
