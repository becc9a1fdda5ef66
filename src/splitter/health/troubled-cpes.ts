/** By row, the latest distinct CPEs whose connection failed or had to wait, and when they sent its SYN. */
import { type PendingSyns } from './pending-syns';
import { ROWS } from './server-row';

const MAX_WORDS = 4;
/** Older trouble is forgotten: ticks are int32 and wrap after 24 days. */
export const MEMORY_MS = 86_400_000;

export class TroubledCpes {
  private readonly words: Int32Array;
  private readonly ticks: Int32Array;
  private readonly isTaken: Uint8Array;

  /** @param most how many CPEs of a row are remembered */
  constructor(private readonly most: number) {
    this.words = new Int32Array(ROWS * most * MAX_WORDS);
    this.ticks = new Int32Array(ROWS * most);
    this.isTaken = new Uint8Array(ROWS * most);
  }

  /** @param slot of its SYN in `pending` */
  add(row: number, pending: PendingSyns, slot: number): void {
    const place = this.placeFor(row, pending, slot);
    for (let word = 0; word < MAX_WORDS; word++) this.words[place * MAX_WORDS + word] = pending.word(slot, word);
    this.ticks[place] = pending.tick(slot);
    this.isTaken[place] = 1;
  }

  /** CPEs whose SYN was sent after that tick. */
  countSince(row: number, tick: number): number {
    let count = 0;
    for (let place = row * this.most; place < (row + 1) * this.most; place++) {
      if (this.isTaken[place] !== 0 && ((this.ticks[place] - tick) | 0) > 0) count++;
    }
    return count;
  }

  clear(row: number): void {
    this.isTaken.fill(0, row * this.most, (row + 1) * this.most);
  }

  /** Forgets what is too old. */
  advance(row: number, tick: number): void {
    for (let place = row * this.most; place < (row + 1) * this.most; place++) {
      if (((tick - this.ticks[place]) | 0) > MEMORY_MS) this.isTaken[place] = 0;
    }
  }

  /** Its own place, a free one, or that of the CPE whose trouble is the longest ago. */
  private placeFor(row: number, pending: PendingSyns, slot: number): number {
    let best = row * this.most;
    for (let place = best; place < (row + 1) * this.most; place++) {
      if (this.isTaken[place] !== 0 && this.isSame(place, pending, slot)) return place;
      if (this.isTaken[best] === 0) continue;
      if (this.isTaken[place] === 0 || ((this.ticks[place] - this.ticks[best]) | 0) < 0) best = place;
    }
    return best;
  }

  private isSame(place: number, pending: PendingSyns, slot: number): boolean {
    for (let word = 0; word < MAX_WORDS; word++) {
      if (this.words[place * MAX_WORDS + word] !== pending.word(slot, word)) return false;
    }
    return true;
  }
}
