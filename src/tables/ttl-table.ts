/**
 * A hash table whose entries expire. Its capacity is fixed; a full table refuses entries and never grows.
 *
 * An entry's life depends on its state (a connection that has seen a FIN dies sooner). So a row stores when it was last
 * touched, and `lives`, indexed by the state's low bits, gives its life from then. A reload that changes a life also
 * changes it for existing entries. Look-ups expire entries exactly; `sweep` only frees the room.
 */
import { assert } from '../packet/assert';
import { Cause, Change, type FlowPort, UNHEARD } from './flow-port';
import { HashRows, type TableShape } from './hash-rows';
import { Header } from './table-header';

/** The low bits of a row's state that choose its life. */
export const LIFE_BITS = 6;
const LIFE_MASK = (1 << LIFE_BITS) - 1;

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

export class TtlTable extends HashRows {
  private nowTick: number;
  private cursor = 0;
  /** Told of each entry that is removed, for whatever reason. */
  port: FlowPort = UNHEARD;

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
    isReader = false,
  ) {
    super(buffer, at, shape, seed, isReader);
    // Until the first `advance`: the time last seen.
    this.nowTick = this.times[Header.LastMs / 2] | 0;
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

  touch(slot: number): void {
    this.rows[slot * this.rowWords + this.stampAt] = this.nowTick;
  }

  /** A packet has passed at an earlier tick. An entry never gets older by it. */
  touchAt(slot: number, tick: number): void {
    const at = slot * this.rowWords + this.stampAt;
    if (((tick - this.rows[at]) | 0) > 0) this.rows[at] = tick;
  }

  /** Sets when a live entry dies: in so many ms, but not later than its state allows. */
  setRemaining(slot: number, remainingMs: number): void {
    const lifeMs = this.lives[this.state(slot) & LIFE_MASK];
    const ageMs = Math.max(0, lifeMs - Math.max(0, remainingMs));
    this.rows[slot * this.rowWords + this.stampAt] = (this.nowTick - ageMs) | 0;
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

  /** A stamp in the future is damage, and the entry would live for weeks. Restart its life instead. */
  private bringBackToNow(): void {
    const { rows, rowWords, stampAt, stateAt, nowTick } = this;
    this.isTakenOver = false;
    for (let row = 0; row < rows.length; row += rowWords) {
      const age = (nowTick - rows[row + stampAt]) | 0;
      if (rows[row + stateAt] !== 0 && age < -MAX_STEP_BACK_MS) rows[row + stampAt] = nowTick;
    }
  }
}
