/** Reads lines from a byte source, one at a time, in constant memory. */
import { type ByteSource } from './byte-io';

const CHUNK_BYTES = 65536;
/** Longer lines are split. No transcript has any, but a wrong file must not fill the memory. */
const MAX_LINE_BYTES = 65536;
const LINE_FEED = 0x0a;

export class LineReader {
  private readonly chunk = new Uint8Array(CHUNK_BYTES);
  private held: Buffer = Buffer.alloc(0);
  private ended = false;

  constructor(private readonly source: ByteSource) {}

  /** The next line without its line feed; `undefined` after the last. */
  next(): string | undefined {
    for (;;) {
      const feed = this.held.indexOf(LINE_FEED);
      if (feed >= 0) return this.take(feed, feed + 1);
      if (this.held.length >= MAX_LINE_BYTES) return this.take(MAX_LINE_BYTES, MAX_LINE_BYTES);
      if (this.ended) return this.held.length > 0 ? this.take(this.held.length, this.held.length) : undefined;
      const count = this.source.read(this.chunk, 0, CHUNK_BYTES);
      if (count === 0) this.ended = true;
      this.held = Buffer.concat([this.held, this.chunk.subarray(0, count)]);
    }
  }

  private take(textBytes: number, bytes: number): string {
    const text = this.held.subarray(0, textBytes).toString('utf8');
    this.held = this.held.subarray(bytes);
    return text;
  }
}
