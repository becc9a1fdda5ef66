/**
 * A hash table of int32 rows over caller-provided memory.
 *
 * Open addressing with linear probing and backward-shift deletion: there are no tombstones, so a table that has been
 * full is as fast as a new one. The capacity is fixed. Nothing here allocates.
 *
 *     row: key words | stamp | state | value words         state 0 = empty, and then the other words mean nothing
 *
 * A crash between two writes neither loses an entry nor revives a dead one. A new row's state is written last. The
 * header's redo word names the hole that a deletion is filling, and `recover` fills it again (docs/architecture.md,
 * "Tables").
 */
import { checkHeader, Header, HEADER_BYTES, writeHeader } from './table-header';

/** Highest load in percent; beyond it linear probing gets slow. */
const LOAD_PERCENT = 75;
const ROW_STATE_AFTER_KEY = 1;

export interface TableShape {
  /** Most entries. */
  capacityEntries: number;
  keyWords: number;
  /** Number of leading key words that choose an entry's home; all if absent. Entries that share them are adjacent. */
  hashWords?: number;
  /** Value words, behind the state; their meaning is the table's own. */
  valueWords: number;
  /** Version of a table written by an earlier release; for readers. */
  version?: number;
}

export abstract class HashRows {
  readonly capacityEntries: number;
  /** Callers put the key here before they look for it. */
  readonly key: Int32Array;
  /** Rows, `rowWords` int32 each; a row's first word is `slot * rowWords`. */
  readonly rows: Int32Array;
  readonly rowWords: number;
  protected readonly header: Int32Array;
  protected readonly times: Float64Array;
  protected readonly slots: number;
  /** slots / 2^32: maps a hash to its home slot by multiplication, so the size need not be a power of two. */
  private readonly scale: number;
  private seed: number;
  protected readonly keyWords: number;
  protected readonly hashWords: number;
  protected readonly stampAt: number;
  protected readonly stateAt: number;
  protected readonly valueAt: number;
  /** True for a table of an earlier run, whose stamps have not been checked yet. */
  protected isTakenOver = false;

  static bytes(shape: TableShape): number {
    const rowWords = shape.keyWords + 2 + shape.valueWords;
    return (HEADER_BYTES + slotsFor(shape.capacityEntries) * rowWords * 4 + 7) & ~7;
  }

  /**
   * @param buffer memory of `bytes(shape)` bytes from `at` (8-aligned), zeroed, or a table of the same shape
   * @param seed hash seed of a new table
   * @param isReader takes the table as it is and never writes to it
   * @throws Error when the memory holds something else
   */
  constructor(
    buffer: ArrayBuffer,
    at: number,
    shape: TableShape,
    seed: number,
    protected readonly isReader: boolean,
  ) {
    this.capacityEntries = shape.capacityEntries;
    this.keyWords = shape.keyWords;
    this.hashWords = shape.hashWords ?? shape.keyWords;
    this.rowWords = shape.keyWords + 2 + shape.valueWords;
    this.stampAt = shape.keyWords;
    this.stateAt = shape.keyWords + ROW_STATE_AFTER_KEY;
    this.valueAt = this.stateAt + 1;
    this.slots = slotsFor(shape.capacityEntries);
    this.scale = this.slots / 0x100000000;
    this.key = new Int32Array(shape.keyWords);
    this.header = new Int32Array(buffer, at, HEADER_BYTES / 4);
    this.times = new Float64Array(buffer, at, HEADER_BYTES / 8);
    this.rows = new Int32Array(buffer, at + HEADER_BYTES, this.slots * this.rowWords);
    this.seed = seed;
    if (isReader) {
      checkHeader(this.header, this.slots, this.rowWords, shape.version);
      this.seed = this.header[Header.Seed];
    } else if (this.header[Header.Magic] === 0) writeHeader(this.header, this.times, this.slots, this.rowWords, seed);
    else this.recover();
  }

  /** The seed in use: the one the table was created with, whatever this run passed. */
  get hashSeed(): number {
    return this.seed;
  }

  get count(): number {
    return this.header[Header.Count];
  }

  get slotCount(): number {
    return this.slots;
  }

  state(slot: number): number {
    return this.rows[slot * this.rowWords + this.stateAt];
  }

  /** @param state not 0 */
  setState(slot: number, state: number): void {
    this.rows[slot * this.rowWords + this.stateAt] = state;
  }

  /** Value word `index` of an entry. */
  value(slot: number, index: number): number {
    return this.rows[slot * this.rowWords + this.valueAt + index];
  }

  setValue(slot: number, index: number, word: number): void {
    this.rows[slot * this.rowWords + this.valueAt + index] = word;
  }

  /** Key word `index` of an entry. */
  keyWord(slot: number, index: number): number {
    return this.rows[slot * this.rowWords + index];
  }

  /** Slot that holds `key`, expired or not; else ~slot of the empty one where it would go. */
  protected probe(): number {
    const { rows, rowWords, key, keyWords, stateAt } = this;
    let slot = this.home(key, 0);
    for (;;) {
      const row = slot * rowWords;
      if (rows[row + stateAt] === 0) return ~slot;
      let word = 0;
      while (word < keyWords && rows[row + word] === key[word]) word++;
      if (word === keyWords) return slot;
      if (++slot === this.slots) slot = 0;
    }
  }

  /** Closes the hole that a removed entry leaves at `slot`. */
  protected fill(slot: number): void {
    const { rows, rowWords, stateAt, slots, header } = this;
    let hole = slot;
    header[Header.Redo] = hole + 1;
    let next = hole;
    for (;;) {
      if (++next === slots) next = 0;
      const row = next * rowWords;
      if (rows[row + stateAt] === 0) break;
      // An entry may move into the hole unless its home lies (cyclically) behind the hole.
      const fromHome = next - this.home(rows, row);
      const fromHole = next - hole;
      if ((fromHome < 0 ? fromHome + slots : fromHome) < (fromHole < 0 ? fromHole + slots : fromHole)) continue;
      rows.copyWithin(hole * rowWords, row, row + rowWords);
      hole = next;
      header[Header.Redo] = hole + 1;
    }
    rows[hole * rowWords + stateAt] = 0;
    header[Header.Redo] = 0;
  }

  /** MurmurHash3 (x86, 32 bits) over the key's hashed words, from `words[at]` on, mapped to a slot. */
  protected home(words: Int32Array, at: number): number {
    let hash = this.seed;
    for (let word = 0; word < this.hashWords; word++) {
      let k = Math.imul(words[at + word], 0xcc9e2d51);
      k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
      hash ^= k;
      hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (((hash ^ (hash >>> 16)) >>> 0) * this.scale) | 0;
  }

  /** Takes over a table from an earlier run: completes its interrupted deletion and recounts. */
  private recover(): void {
    const { header } = this;
    checkHeader(header, this.slots, this.rowWords);
    // Probing ends at an empty slot, and no run of ours leaves a table without one.
    if (this.occupied() > this.capacityEntries) throw new Error('a table with more entries than its capacity');
    this.seed = header[Header.Seed];
    const redo = header[Header.Redo];
    if (redo > 0 && redo <= this.slots) this.fill(redo - 1);
    header[Header.Count] = this.occupied();
    this.isTakenOver = true;
  }

  private occupied(): number {
    let count = 0;
    for (let slot = 0; slot < this.slots; slot++) if (this.state(slot) !== 0) count++;
    return count;
  }
}

function slotsFor(capacityEntries: number): number {
  return Math.max(8, Math.ceil((capacityEntries * 100) / LOAD_PERCENT));
}
