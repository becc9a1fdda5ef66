/** Merges several captures by time, for example one file per interface. */
import { type CaptureReader, Step } from './capture-reader';

/** No reader. */
export const NONE = -1;

export class Merge {
  /** Readers that hold a packet that was not taken yet. */
  private readonly ready: boolean[];
  /** Readers that must find their next packet before the earliest is known. */
  private readonly behind: number[];

  /**
   * @param readers in the user's order, which decides when times are equal
   * @param beforeRefill called before the bytes of earlier packets move
   */
  constructor(
    private readonly readers: readonly CaptureReader[],
    private readonly beforeRefill: () => void,
  ) {
    this.ready = readers.map(() => false);
    this.behind = readers.map((_, index) => index);
  }

  /** Lets readers that are behind find their next packet. Returns the first one whose source has nothing yet, or NONE. */
  catchUp(): number {
    while (this.behind.length > 0) {
      const index = this.behind[0];
      if (!this.find(index)) return index;
      this.behind.shift();
    }
    return NONE;
  }

  /** Index of the reader that holds the earliest packet, NONE when all have ended. */
  earliest(): number {
    const { readers, ready } = this;
    let best = NONE;
    for (let i = 0; i < readers.length; i++) {
      if (ready[i] && (best < 0 || isBefore(readers[i], readers[best]))) best = i;
    }
    return best;
  }

  /** Moves reader `index` to its next packet. False: its source has nothing yet, and it is behind. */
  advance(index: number): boolean {
    if (this.find(index)) return true;
    this.behind.push(index);
    return false;
  }

  private find(index: number): boolean {
    const reader = this.readers[index];
    let step = reader.advance();
    while (step === Step.Refill) {
      this.beforeRefill();
      if (!reader.refill()) {
        this.ready[index] = false;
        return false;
      }
      step = reader.advance();
    }
    this.ready[index] = step === Step.Packet;
    return true;
  }
}

function isBefore(one: CaptureReader, other: CaptureReader): boolean {
  return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanoseconds < other.nanoseconds);
}
