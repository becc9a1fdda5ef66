/**
 * Reads a pipe, socket or terminal through the event loop, so that signals are handled while nothing arrives, and results
 * can be written out meanwhile. Holds one chunk of the stream at a time.
 */
import { type Readable } from 'node:stream';
import { type ByteSource, NOTHING_YET } from './byte-io';

export class LiveSource implements ByteSource {
  isStopped = false;
  private chunk: Uint8Array = new Uint8Array(0);
  private hasEnded = false;
  private error: Error | undefined = undefined;
  private wake: (() => void) | undefined = undefined;

  /** @param stream paused, and nobody else's */
  constructor(
    readonly name: string,
    private readonly stream: Readable,
  ) {
    const end = () => {
      this.hasEnded = true;
      this.notify();
    };
    stream.on('readable', () => this.notify());
    stream.on('end', end);
    stream.on('close', end);
    stream.on('error', (error) => {
      this.error = error;
      this.notify();
    });
  }

  read(bytes: Uint8Array, at: number, length: number): number {
    if (this.chunk.length === 0) this.pull();
    const count = Math.min(length, this.chunk.length);
    bytes.set(this.chunk.subarray(0, count), at);
    this.chunk = this.chunk.subarray(count);
    if (count > 0) return count;
    if (this.error) throw this.error;
    return this.hasEnded || this.isStopped ? 0 : NOTHING_YET;
  }

  async arrived(leastBytes: number): Promise<void> {
    for (;;) {
      this.pull();
      if (this.chunk.length >= leastBytes || this.hasEnded || this.isStopped || this.error) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Ends the source after the bytes that have arrived. */
  stop(): void {
    this.isStopped = true;
    this.notify();
  }

  close(): void {
    this.hasEnded = true;
    this.stream.destroy();
  }

  private pull(): void {
    for (;;) {
      const more = this.stream.read() as Buffer | null;
      if (more === null) return;
      this.chunk = this.chunk.length === 0 ? more : Buffer.concat([this.chunk, more]);
    }
  }

  private notify(): void {
    this.wake?.();
    this.wake = undefined;
  }
}
