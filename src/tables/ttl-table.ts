/**
 * A hash table of int32 rows whose entries expire, over caller-provided memory.
 *
 * Open addressing with linear probing and backward-shift deletion: there are no tombstones, so a table that has been
 * full is as fast as a new one. The capacity is fixed; a full table refuses entries and never grows. Nothing here
 * allocates.
 *
 * An entry's life depends on its state (a connection that has seen a FIN dies sooner). So a row stores when it was last
 * touched, and `lives`, indexed by the state's low bits, gives its life from then. A reload that changes a life also
 * changes it for existing entries. Look-ups expire entries exactly; `sweep` only frees the room.
 *
 *     row: key words | stamp | state | value words         state 0 = empty, and then the other words mean nothing
 *
 * A crash between two writes neither loses an entry nor revives a dead one. A new row's state is written last. The
 * header's redo word names the hole that a deletion is filling, and `recover` fills it again (docs/architecture.md,
 * "Tables").
 */

import { assert } from '../packet/assert';
import { Cause, Change, type FlowPort, UNHEARD } from './flow-port';
import { checkHeader, Header, HEADER_BYTES, writeHeader } from './table-header';

/** Highest load in percent; beyond it linear probing gets slow. */
const LOAD_PERCENT = 75;

/** The low bits of a row's state that choose its life. */
export const LIFE_BITS = 6;
const LIFE_MASK = (1 << LIFE_BITS) - 1;
const ROW_STATE_AFTER_KEY = 1;

/** Slots checked by the one sweep that a full table runs before it refuses an entry. */
const SWEEP_WHEN_FULL = 256;

/**
 * Ticks are int32 milliseconds, so a stamp of 2^31 ms ago looks like the future, and dead entries must be gone by then.
 * A pause (or a step back) of more than 12 days outlives every life and empties the table. A table whose sweep has not
 * completed a round for 37 hours is swept at once. So an entry of MAX_LIFE_MS dies before its stamp wraps: life + two
 * rounds + one pause < 2^31.
 */
const MAX_PAUSE_MS = 2 ** 30;
const MAX_ROUND_MS = 2 ** 27;
/** Of the clock, between two runs. */
const MAX_STEP_BACK_MS = 60_000;
/** 9 days. */
export const MAX_LIFE_MS = 2 ** 31 - MAX_PAUSE_MS - 2 * MAX_ROUND_MS - 1;

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

export class TtlTable {
  readonly capacityEntries: number;
  /** Callers put the key here before `find` and `claim`. */
  readonly key: Int32Array;
  /** Rows, `rowWords` int32 each; a row's first word is `slot * rowWords`. */
  readonly rows: Int32Array;
  readonly rowWords: number;
  private readonly header: Int32Array;
  private readonly times: Float64Array;
  private readonly slots: number;
  /** slots / 2^32: maps a hash to its home slot by multiplication, so the size need not be a power of two. */
  private readonly scale: number;
  private seed: number;
  private readonly keyWords: number;
  private readonly hashWords: number;
  private readonly stampAt: number;
  private readonly stateAt: number;
  private readonly valueAt: number;
  private nowTick = 0;
  private cursor = 0;
  /** The table of an earlier run, whose stamps have not been checked yet. */
  private isTakenOver = false;
  /** Told of each entry that is removed, for whatever reason. */
  port: FlowPort = UNHEARD;

  static bytes(shape: TableShape): number {
    const rowWords = shape.keyWords + 2 + shape.valueWords;
    return (HEADER_BYTES + slotsFor(shape.capacityEntries) * rowWords * 4 + 7) & ~7;
  }

  /**
   * @param buffer memory of `TtlTable.bytes(shape)` bytes from `at` (8-aligned), zeroed, or a table of the same shape
   * @param seed hash seed of a new table
   * @param lives ms, at most MAX_LIFE_MS, by `state & (2^LIFE_BITS - 1)`; read at every look-up, so the owner may
   *   change it
   * @param isReader for a reader while another process writes: takes the table as it is and never writes to it; only
   *   `advance`, `find` and the accessors may be called
   * @throws Error when the memory holds something else
   */
  constructor(
    buffer: ArrayBuffer,
    at: number,
    shape: TableShape,
    seed: number,
    private readonly lives: Int32Array,
    private readonly isReader = false,
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
    // Until the first `advance`: the time last seen.
    this.nowTick = this.times[Header.LastMs / 2] | 0;
  }

  /** The seed in use: the one the table was created with, whatever this run passed. */
  get hashSeed(): number {
    return this.seed;
  }

  get count(): number {
    return this.header[Header.Count];
  }

  /** How often a new entry was refused because the table was full. */
  get full(): number {
    return this.header[Header.Full] >>> 0;
  }

  /**
   * Sets the time for everything that follows. A clock that steps back makes entries look young, never old.
   *
   * @param nowMs at least 0; fractions are cut off
   */
  advance(nowMs: number): void {
    const times = this.times;
    // Modulo 2^32.
    this.nowTick = nowMs | 0;
    if (this.isReader) return;
    const pauseMs = nowMs - times[Header.LastMs / 2];
    if (pauseMs > MAX_PAUSE_MS || pauseMs < -MAX_PAUSE_MS) {
      this.clear();
      times[Header.RoundMs / 2] = nowMs;
    }
    times[Header.LastMs / 2] = nowMs;
    if (this.isTakenOver) this.bringBackToNow();
    if (nowMs - times[Header.RoundMs / 2] > MAX_ROUND_MS) this.sweepAll();
  }

  /** Slot of the live entry under `key`, or -1. */
  find(): number {
    const slot = this.probe();
    return slot >= 0 && !this.isExpired(slot) ? slot : -1;
  }

  /**
   * Slot for `key`: its existing entry (even an expired one), or a new one. Its stamp is now, its state is `state`, its
   * value words are zero. -1 when the table is full.
   *
   * @param state not 0
   */
  claim(state: number): number {
    assert(state !== 0, 'state 0 marks an empty slot');
    const found = this.probe();
    if (found >= 0) this.tellGone(found, this.isExpired(found) ? Cause.Expired : Cause.Replaced);
    const slot = found >= 0 ? found : this.occupy(~found);
    if (slot < 0) return -1;
    const row = slot * this.rowWords;
    for (let word = this.valueAt; word < this.rowWords; word++) this.rows[row + word] = 0;
    // In this order: a new stamp beside the old state would revive an expired entry.
    this.rows[row + this.stateAt] = state;
    this.rows[row + this.stampAt] = this.nowTick;
    return slot;
  }

  /** Writes key and stamp into the empty slot, or into another if room had to be made; -1 when there is none. */
  private occupy(empty: number): number {
    let slot = empty;
    if (this.header[Header.Count] >= this.capacityEntries) {
      this.sweep(SWEEP_WHEN_FULL);
      if (this.header[Header.Count] >= this.capacityEntries) {
        this.header[Header.Full]++;
        return -1;
      }
      slot = ~this.probe();
    }
    const row = slot * this.rowWords;
    for (let word = 0; word < this.keyWords; word++) this.rows[row + word] = this.key[word];
    this.rows[row + this.stampAt] = this.nowTick;
    this.header[Header.Count]++;
    return slot;
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

  touch(slot: number): void {
    this.rows[slot * this.rowWords + this.stampAt] = this.nowTick;
  }

  /** Now, in ms as entries store it; wraps. */
  get tick(): number {
    return this.nowTick;
  }

  /** ms since a stored tick. */
  sinceMs(tick: number): number {
    return (this.nowTick - tick) | 0;
  }

  /**
   * Iterates over the entries that share the hashed words of `key`: `firstAlike()`, then `nextAlike(slot)` until -1.
   * Remove none meanwhile.
   */
  firstAlike(): number {
    return this.alikeFrom(this.home(this.key, 0));
  }

  nextAlike(slot: number): number {
    return this.alikeFrom(slot + 1 === this.slots ? 0 : slot + 1);
  }

  private alikeFrom(from: number): number {
    const { rows, rowWords, key, hashWords, stateAt } = this;
    for (let slot = from; ;) {
      const row = slot * rowWords;
      if (rows[row + stateAt] === 0) return -1;
      let word = 0;
      while (word < hashWords && rows[row + word] === key[word]) word++;
      if (word === hashWords && !this.isExpired(slot)) return slot;
      if (++slot === this.slots) slot = 0;
    }
  }

  /** ms since the entry was last touched. */
  ageMs(slot: number): number {
    return (this.nowTick - this.rows[slot * this.rowWords + this.stampAt]) | 0;
  }

  /** True when a slot holds a live entry; for readers that walk the table, 0 to `slotCount` - 1. */
  isLive(slot: number): boolean {
    return this.state(slot) !== 0 && !this.isExpired(slot);
  }

  get slotCount(): number {
    return this.slots;
  }

  /** ms that a live entry has left. */
  remainingMs(slot: number): number {
    return this.lives[this.state(slot) & LIFE_MASK] - this.ageMs(slot);
  }

  /**
   * Checks the next `slots` slots and frees those whose entry has expired. The work is bounded, whatever the table
   * holds.
   */
  sweep(slots: number): void {
    // Nothing can have expired; a replay's tables may stay empty throughout.
    if (this.header[Header.Count] === 0) {
      this.comeRound();
      return;
    }
    const budget = slots < this.slots ? slots : this.slots;
    for (let looked = 0; looked < budget; looked++) {
      const slot = this.cursor;
      // The entry behind may have moved into the freed slot, so check it again, within the same budget.
      if (this.state(slot) !== 0 && this.isExpired(slot)) this.remove(slot, Cause.Expired);
      else if (slot + 1 < this.slots) this.cursor = slot + 1;
      else this.comeRound();
    }
  }

  /** Sweeps the whole table at once, for an owner that hardly ever sweeps. */
  private sweepAll(): void {
    for (let slot = 0; slot < this.slots; slot++) {
      while (this.state(slot) !== 0 && this.isExpired(slot)) this.remove(slot, Cause.Expired);
    }
    this.comeRound();
  }

  private comeRound(): void {
    this.cursor = 0;
    this.times[Header.RoundMs / 2] = this.times[Header.LastMs / 2];
  }

  /**
   * Frees a slot by shifting back entries that may move closer to their home. Slots obtained earlier become invalid.
   */
  remove(slot: number, cause = Cause.Packet): void {
    assert(this.state(slot) !== 0, 'only an entry can be removed');
    this.tellGone(slot, cause);
    this.fill(slot);
    this.header[Header.Count]--;
  }

  clear(): void {
    // A table that never held anything is not written, so its memory is not paged in for nothing.
    if (this.header[Header.Count] > 0) this.rows.fill(0);
    this.header[Header.Redo] = 0;
    this.header[Header.Count] = 0;
    this.cursor = 0;
    this.port.cleared();
  }

  private tellGone(slot: number, cause: Cause): void {
    this.port.tell(slot, Change.Ended, cause);
  }

  private isExpired(slot: number): boolean {
    const row = slot * this.rowWords;
    const age = (this.nowTick - this.rows[row + this.stampAt]) | 0;
    if (age <= this.lives[this.rows[row + this.stateAt] & LIFE_MASK]) return false;
    // The kernel may have carried packets that were not seen here.
    return !this.port.isKept(slot);
  }

  /** Slot that holds `key`, expired or not; else ~slot of the empty one where it would go. */
  private probe(): number {
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

  private fill(slot: number): void {
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
  private home(words: Int32Array, at: number): number {
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

  /** A stamp in the future is damage, and the entry would live for weeks. Restart its life instead. */
  private bringBackToNow(): void {
    const { rows, rowWords, stampAt, stateAt, nowTick } = this;
    this.isTakenOver = false;
    for (let row = 0; row < rows.length; row += rowWords) {
      const age = (nowTick - rows[row + stampAt]) | 0;
      if (rows[row + stateAt] !== 0 && age < -MAX_STEP_BACK_MS) rows[row + stampAt] = nowTick;
    }
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
