/**
 * A window of fixed size that slides over a byte source of any size, so that a replay's memory stays constant.
 * The reader moves `cursor`; `refill` slides the window. Offsets into `bytes` are invalid after a refill.
 */
import { type ByteSource } from './byte-io';

export class ByteWindow {
  /** The same memory as `bytes`, for numbers in either byte order. */
  readonly view: DataView;
  /** Next byte to read. */
  cursor: number;
  /** End of the bytes in the window. */
  end: number;
  /** True when the source has ended. */
  ended = false;
  /** Bytes still to be skipped that have not been read yet. */
  private skipping = 0;
  /** Offset in the file of the byte at `start`. */
  private base = 0;

  /**
   * @param bytes memory shared with others
   * @param start where the window begins in `bytes`
   * @param size bytes of the window: no record may be larger
   */
  constructor(
    readonly source: ByteSource,
    readonly bytes: Uint8Array,
    private readonly start: number,
    readonly size: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.cursor = start;
    this.end = start;
  }

  get available(): number {
    return this.end - this.cursor;
  }

  /** True while skipped bytes have not been read yet. */
  get isSkipping(): boolean {
    return this.skipping > 0;
  }

  /** Offset in the file of `bytes[at]`. */
  fileOffset(at: number): number {
    return this.base + (at - this.start);
  }

  /** Skips any number of bytes, including bytes that have not been read yet. */
  skip(count: number): void {
    const here = Math.min(count, this.available);
    this.cursor += here;
    this.skipping += count - here;
  }

  /** Slides to the cursor and reads once, so that packets from a pipe pass as they arrive. False: nothing has arrived. */
  refill(): boolean {
    const { bytes, start } = this;
    const kept = this.available;
    this.base += this.cursor - start;
    if (kept > 0) bytes.copyWithin(start, this.cursor, this.end);
    this.cursor = start;
    this.end = start + kept;
    const room = this.size - kept;
    if (room === 0) throw new RangeError('a record larger than the window');
    const count = this.source.read(bytes, this.end, room);
    if (count < 0) return false;
    if (count === 0) this.ended = true;
    this.end += count;
    const skipped = Math.min(this.skipping, this.available);
    this.skipping -= skipped;
    this.cursor += skipped;
    return true;
  }
}
