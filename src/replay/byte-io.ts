/**
 * Bytes in and out, synchronously: a replay has nothing else to do while it waits, and a call that returns its answer
 * costs a third of one that calls back. May know the file system.
 */
import { closeSync, readSync, writeSync } from 'node:fs';

export interface ByteSource {
  /** As the user named it. */
  readonly name: string;
  /** Reads at most `length` bytes to `bytes[at]`; returns how many, 0 at the end. */
  read(bytes: Uint8Array, at: number, length: number): number;
  close(): void;
}

export interface ByteSink {
  write(bytes: Uint8Array, at: number, length: number): void;
  /** Writes out what is still held back. Twice is legal. */
  close(): void;
}

/** Waits between two attempts on a descriptor that others made non-blocking. */
const RETRY_MS = 2;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Pipes and terminals may have been set non-blocking by whoever opened them: EAGAIN means later, EINTR again. */
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

  /** @param owned close the descriptor in the end; false for stdin */
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

/** A file takes no more. */
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

/** Small writes are gathered, large ones go straight out. */
const GATHER_BYTES = 128 * 1024;
/** Below this a loop beats the view that `set` needs. */
const LOOP_BYTES = 256;

export class DescriptorSink implements ByteSink {
  private readonly gathered = new Uint8Array(GATHER_BYTES);
  private held = 0;
  private open = true;

  /**
   * @param name as the user named the file
   * @param owned close the descriptor in the end; false for stdout
   */
  constructor(
    readonly name: string,
    readonly descriptor: number,
    private readonly owned: boolean,
  ) {}

  /** A file of our own that is still open. */
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

  /** A failure leaves it open, for whoever mends the file; `abandon` closes it then. @throws WriteError */
  close(): void {
    if (!this.open) return;
    this.flush();
    this.open = false;
    if (this.owned) this.attempt(() => closeSync(this.descriptor));
  }

  /** Closes without writing what is held back: after a failure. */
  abandon(): void {
    this.forget();
    this.close();
  }

  /** What is held back is not written. */
  forget(): void {
    this.held = 0;
  }

  /** Writes out what is held back, for whoever reads along. @throws WriteError */
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
