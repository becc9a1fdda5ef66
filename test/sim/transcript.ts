/** A digest of everything a run did, packet by packet: two runs with the same digest were the same. */
import { createHash } from 'node:crypto';

const HEADER_BYTES = 44;
const ROW_BYTES = 12 + HEADER_BYTES;
const CHUNK_BYTES = 1 << 16;

export class Transcript {
  private readonly hash = createHash('sha256');
  private readonly chunk = new Uint8Array(CHUNK_BYTES);
  private readonly view = new DataView(this.chunk.buffer);
  private used = 0;

  /** A packet's verdict, and the headers with which it left. */
  add(nowMs: number, queue: number, fate: number, bytes: Uint8Array, length: number): void {
    if (this.used + ROW_BYTES > CHUNK_BYTES) this.flush();
    const { chunk, used } = this;
    this.view.setFloat64(used, nowMs);
    this.view.setUint16(used + 8, length);
    chunk[used + 10] = queue;
    chunk[used + 11] = fate;
    const count = length < HEADER_BYTES ? length : HEADER_BYTES;
    for (let i = 0; i < count; i++) chunk[used + 12 + i] = bytes[i]!;
    this.used += 12 + count;
  }

  /** 64 hex digits. The transcript is closed. */
  digest(): string {
    this.flush();
    return this.hash.digest('hex');
  }

  private flush(): void {
    this.hash.update(this.chunk.subarray(0, this.used));
    this.used = 0;
  }
}
