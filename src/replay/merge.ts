/** Merges several captures by time, for example one file per interface. */
import { type CaptureReader, Step } from './capture-reader';

export class Merge {
  /** Readers that hold a packet that was not taken yet. */
  private readonly ready: boolean[];

  /**
   * @param readers in the user's order, which decides when times are equal
   * @param beforeRefill called before the bytes of earlier packets move
   */
  constructor(
    private readonly readers: readonly CaptureReader[],
    private readonly beforeRefill: () => void,
  ) {
    this.ready = readers.map(() => false);
  }

  /** Lets every reader find its first packet. */
  start(): void {
    for (let i = 0; i < this.readers.length; i++) this.advance(i);
  }

  /** Index of the reader that holds the earliest packet, -1 when all have ended. */
  earliest(): number {
    const { readers, ready } = this;
    let best = -1;
    for (let i = 0; i < readers.length; i++) {
      if (ready[i] && (best < 0 || isBefore(readers[i], readers[best]))) best = i;
    }
    return best;
  }

  /** Moves reader `index` to its next packet. */
  advance(index: number): void {
    const reader = this.readers[index];
    let step = reader.advance();
    while (step === Step.Refill) {
      this.beforeRefill();
      reader.refill();
      step = reader.advance();
    }
    this.ready[index] = step === Step.Packet;
  }
}

function isBefore(one: CaptureReader, other: CaptureReader): boolean {
  return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanoseconds < other.nanoseconds);
}
