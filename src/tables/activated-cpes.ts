/**
 * Which collector has successfully activated which CPE: HASH table 2 of the patent [P5].
 *
 * An entry is armed by success, consumed by the first diverted SYN, and stands once more, in grace, for the moment
 * after its report connection was closed by FIN, since one CWMP session may continue on a second connection [D].
 */
import { type TableMemory } from './table-memory';
import { TtlTable } from './ttl-table';

const enum State {
  Armed = 1 << 0,
  Consumed = 1 << 1,
  /** Consumed, and the report connection was answered. */
  Answered = 1 << 2,
  /** Answered, and a FIN of the report connection passed just now. */
  Grace = 1 << 3,
  /** The report connection was reset: no grace. */
  Reset = 1 << 4,
}

const STATE_MASK = (1 << 6) - 1;
const OWNER_SHIFT = 16;
const PORTS = 0;

export interface ActivationLives {
  armedMs: number;
  graceMs: number;
  /** Of a consumed activation whose report connection is unanswered, established, reset. */
  unansweredMs: number;
  establishedMs: number;
  resetMs: number;
}

export class ActivatedCpes {
  readonly table: TtlTable;
  private readonly lives: Int32Array;
  private readonly scratch: Int32Array;

  static bytes(capacityEntries: number, addressWords: number): number {
    return TtlTable.bytes(shape(capacityEntries, addressWords));
  }

  constructor(memory: TableMemory, lives: ActivationLives) {
    const { buffer, at, capacityEntries, addressWords, seed, isReader } = memory;
    this.lives = new Int32Array(64);
    this.setLives(lives);
    this.scratch = new Int32Array(addressWords);
    this.table = new TtlTable(buffer, at, shape(capacityEntries, addressWords), seed, this.lives, isReader);
  }

  setLives(lives: ActivationLives): void {
    for (let state = 0; state < this.lives.length; state++) this.lives[state] = lifeOf(state, lives);
  }

  /** Slot of a live entry, or -1. @param cpe an address of the table's family */
  find(cpe: Int32Array): number {
    this.setKey(cpe);
    return this.table.find();
  }

  /** Arms, or arms anew, for `owner`; -1 when the table is full. */
  arm(cpe: Int32Array, owner: number): number {
    this.setKey(cpe);
    return this.table.claim(State.Armed | (owner << OWNER_SHIFT));
  }

  /** The entry's CPE, in memory that the next call writes anew. */
  cpe(slot: number): Int32Array {
    for (let word = 0; word < this.scratch.length; word++) this.scratch[word] = this.table.keyWord(slot, word);
    return this.scratch;
  }

  owner(slot: number): number {
    return this.table.state(slot) >>> OWNER_SHIFT;
  }

  isArmed(slot: number): boolean {
    return (this.table.state(slot) & State.Armed) !== 0;
  }

  isGrace(slot: number): boolean {
    return (this.table.state(slot) & STATE_MASK) === (State.Consumed | State.Answered | State.Grace);
  }

  /** Armed, or consumed and in grace: the CPE's next SYN is the collector's. */
  stands(slot: number): boolean {
    return this.isArmed(slot) || this.isGrace(slot);
  }

  /**
   * A report connection of these ports is about to use the activation up: what was begun can be known again.
   * Answers what `unreserve` wants back.
   */
  reserve(slot: number, cpePort: number, reportPort: number): number {
    const before = this.table.value(slot, PORTS);
    this.table.setValue(slot, PORTS, (cpePort << 16) | reportPort);
    return before;
  }

  unreserve(slot: number, before: number): void {
    this.table.setValue(slot, PORTS, before);
  }

  isReserved(slot: number, cpePort: number, reportPort: number): boolean {
    return this.table.value(slot, PORTS) === ((cpePort << 16) | reportPort);
  }

  /** A report connection of these ports has used the activation up. */
  consume(slot: number, cpePort: number, reportPort: number): void {
    this.table.setValue(slot, PORTS, (cpePort << 16) | reportPort);
    this.set(slot, State.Consumed);
  }

  remove(slot: number): void {
    this.table.remove(slot);
  }

  /** The CPE repeated the SYN of its report connection. */
  repeated(cpe: Int32Array, cpePort: number, reportPort: number): void {
    const slot = this.findConsumed(cpe, cpePort, reportPort);
    if (slot >= 0) this.table.touch(slot);
  }

  /** The collector answered the report connection. */
  answered(cpe: Int32Array, cpePort: number, reportPort: number): void {
    const slot = this.findConsumed(cpe, cpePort, reportPort);
    if (slot >= 0) this.set(slot, State.Consumed | State.Answered);
  }

  /** A FIN of the report connection passed: grace begins, if it was answered and not reset. True where it did. */
  finished(cpe: Int32Array, cpePort: number, reportPort: number): boolean {
    const slot = this.findConsumed(cpe, cpePort, reportPort);
    if (slot < 0) return false;
    const state = this.table.state(slot) & STATE_MASK;
    if ((state & State.Answered) === 0) return false;
    // Remembered through a reset as well: should that prove a forgery, grace counts from this FIN.
    this.set(slot, state | State.Grace);
    return (state & State.Reset) === 0;
  }

  /** The report connection was reset. */
  reset(cpe: Int32Array, cpePort: number, reportPort: number): void {
    const slot = this.findConsumed(cpe, cpePort, reportPort);
    if (slot >= 0) this.setReset(slot, State.Reset);
  }

  /** The reset was a forgery: the connection lives. */
  lifted(cpe: Int32Array, cpePort: number, reportPort: number): void {
    const slot = this.findConsumed(cpe, cpePort, reportPort);
    if (slot >= 0) this.setReset(slot, 0);
  }

  /** @param reset State.Reset, or 0; a grace that has begun keeps the time of its FIN, whatever is reset or lifted */
  private setReset(slot: number, reset: number): void {
    const state = this.table.state(slot);
    if ((state & State.Grace) === 0) this.table.touch(slot);
    this.table.setState(slot, (state & ~State.Reset) | reset);
  }

  /** Slot of the entry that was consumed by the report connection of these ports, or -1. */
  private findConsumed(cpe: Int32Array, cpePort: number, reportPort: number): number {
    const slot = this.find(cpe);
    if (slot < 0 || this.isArmed(slot)) return -1;
    return this.table.value(slot, PORTS) === ((cpePort << 16) | reportPort) ? slot : -1;
  }

  private setKey(cpe: Int32Array): void {
    const { key } = this.table;
    for (let word = 0; word < key.length; word++) key[word] = cpe[word];
  }

  private set(slot: number, state: number): void {
    // In this order: an old stamp beside a state of shorter life would be an expired entry, should we die between.
    this.table.touch(slot);
    this.table.setState(slot, state | (this.owner(slot) << OWNER_SHIFT));
  }
}

function shape(capacityEntries: number, addressWords: number) {
  return { capacityEntries, keyWords: addressWords, valueWords: 1 };
}

function lifeOf(state: number, lives: ActivationLives): number {
  if (state & State.Armed) return lives.armedMs;
  if (state & State.Reset) return lives.resetMs;
  if (state & State.Grace) return lives.graceMs;
  if (state & State.Answered) return lives.establishedMs;
  return lives.unansweredMs;
}
