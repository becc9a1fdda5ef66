/**
 * The reading end of a BPF ring buffer (kernel/bpf/ringbuf.c), over its memory:
 *
 *     consumer's page    how far we have read
 *     producer's page    how far the program has written
 *     records            twice, so that each is in one piece: a length with two flags, an offset, the bytes
 */
const RECORD_HEADER_BYTES = 8;
/** In a record's length. */
const IS_BUSY = 1 << 31;
const IS_DISCARDED = 1 << 30;
const LENGTH = IS_DISCARDED - 1;

export interface Ring {
  consumer: ArrayBuffer;
  producer: ArrayBuffer;
}

export class RingReader {
  /** Low words of positions, which count bytes since the ring was made. */
  private readonly consumed: Int32Array;
  private readonly produced: Int32Array;
  private readonly position: BigInt64Array;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly mask: number;

  /** @param ringBytes a power of two */
  constructor({ consumer, producer }: Ring, ringBytes: number) {
    const page = producer.byteLength - 2 * ringBytes;
    this.consumed = new Int32Array(consumer, 0, 1);
    this.position = new BigInt64Array(consumer, 0, 1);
    this.produced = new Int32Array(producer, 0, 1);
    this.words = new Int32Array(producer, page);
    this.bytes = new Uint8Array(producer, page);
    this.mask = ringBytes - 1;
  }

  /** Passes on what has been written, and gives it free only then: a reader that is killed loses nothing. */
  read(take: (record: Uint8Array) => void): void {
    const from = this.consumed[0];
    const until = Atomics.load(this.produced, 0);
    let at = from;
    while (((until - at) | 0) > 0) {
      const length = Atomics.load(this.words, (at & this.mask) >>> 2);
      if ((length & IS_BUSY) !== 0) break;
      const begin = (at & this.mask) + RECORD_HEADER_BYTES;
      const bytes = length & LENGTH;
      if ((length & IS_DISCARDED) === 0) take(this.bytes.subarray(begin, begin + bytes));
      at = (at + ((bytes + RECORD_HEADER_BYTES + 7) & ~7)) | 0;
    }
    if (at !== from) Atomics.store(this.position, 0, this.position[0] + BigInt((at - from) | 0));
  }
}
