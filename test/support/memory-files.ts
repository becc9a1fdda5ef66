/** Byte sources and sinks in memory. */
import { type ByteSink, type ByteSource } from '../../src/replay/byte-io';

export class MemorySource implements ByteSource {
  private position = 0;
  closed = false;

  /** @param chunkBytes most bytes per read, as from a slow pipe */
  constructor(
    readonly name: string,
    private readonly content: Uint8Array,
    private readonly chunkBytes = Number.POSITIVE_INFINITY,
  ) {}

  read(bytes: Uint8Array, at: number, length: number): number {
    const count = Math.min(length, this.chunkBytes, this.content.length - this.position);
    bytes.set(this.content.subarray(this.position, this.position + count), at);
    this.position += count;
    return count;
  }

  close(): void {
    this.closed = true;
  }
}

export class MemorySink implements ByteSink {
  private readonly parts: Uint8Array[] = [];
  closed = false;

  write(bytes: Uint8Array, at: number, length: number): void {
    this.parts.push(bytes.slice(at, at + length));
  }

  flush(): void {
    // Every write is in `parts`.
  }

  close(): void {
    this.closed = true;
  }

  get content(): Buffer {
    return Buffer.concat(this.parts);
  }

  get text(): string {
    return this.content.toString('utf8');
  }
}
