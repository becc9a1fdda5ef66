/**
 * TCP connections that the splitter remembers: HASH tables 1 and 3 of the patent [P5].
 *
 * Both know a connection by CPE address, CPE port and the port that the CPE sees at the ACS address. The state bits say
 * what has been seen of it, and thereby how long it lives. Keys are exact, so that a reused port cannot be mistaken for
 * an old connection [D].
 */
import { type TableMemory } from './table-memory';
import { TtlTable } from './ttl-table';

/** State bits. The low six choose the life; the upper half holds the owner. */
export const enum Seen {
  /** Set in every entry: state 0 means an empty slot. */
  Syn = 1 << 0,
  /** The SYN was answered by a SYN+ACK. */
  Answer = 1 << 1,
  FinOfCpe = 1 << 2,
  FinOfServer = 1 << 3,
  RstOfCpe = 1 << 4,
  RstOfServer = 1 << 5,
  /** The CPE sent something that begins like HTTP. */
  Http = 1 << 6,
  /** The CPE sent something else. */
  OtherData = 1 << 7,
  /** The sequence number of an answer that was judged stands in the entry. */
  Judged = 1 << 8,
  /** The source port was changed because another server had it. */
  Remapped = 1 << 9,
}

const OWNER_SHIFT = 16;
const RST = Seen.RstOfCpe | Seen.RstOfServer;
const FIN = Seen.FinOfCpe | Seen.FinOfServer;

/** Lives of connections in ms. */
export interface ConnectionLives {
  unansweredMs: number;
  establishedMs: number;
  finOneMs: number;
  finBothMs: number;
  resetMs: number;
}

/** Value words that every connection table has; a table's own words follow. */
const ISN = 0;
const COMMON_WORDS = 1;

export class ConnectionTable {
  readonly table: TtlTable;
  private readonly lives: Int32Array;
  private readonly addressWords: number;
  private readonly scratch: Int32Array;

  static bytes(capacityEntries: number, addressWords: number, extraWords = 0): number {
    return TtlTable.bytes(shape(capacityEntries, addressWords, extraWords));
  }

  constructor(memory: TableMemory, lives: ConnectionLives, extraWords = 0) {
    const { buffer, at, capacityEntries, addressWords, seed, isReader } = memory;
    this.lives = new Int32Array(64);
    this.setLives(lives);
    this.addressWords = addressWords;
    this.scratch = new Int32Array(addressWords);
    this.table = new TtlTable(buffer, at, shape(capacityEntries, addressWords, extraWords), seed, this.lives, isReader);
  }

  setLives(lives: ConnectionLives): void {
    for (let state = 0; state < this.lives.length; state++) this.lives[state] = lifeOf(state, lives);
  }

  /**
   * Slot of a live connection, or -1.
   *
   * @param cpe an address of the table's family
   * @param visiblePort the port that the CPE sees
   */
  find(cpe: Int32Array, cpePort: number, visiblePort: number): number {
    this.setKey(cpe, cpePort, visiblePort);
    return this.table.find();
  }

  /**
   * A connection afresh, whatever stood under its key; -1 when the table is full.
   *
   * @param isn int32 @param bits of Seen, beside Syn
   */
  open(cpe: Int32Array, cpePort: number, visiblePort: number, owner: number, isn: number, bits = 0): number {
    this.setKey(cpe, cpePort, visiblePort);
    const slot = this.table.claim(Seen.Syn | bits | (owner << OWNER_SHIFT));
    if (slot >= 0) this.table.setValue(slot, ISN, isn);
    return slot;
  }

  /** The ISN of an entry whose opening was cut short. */
  begin(slot: number, isn: number): void {
    this.table.setValue(slot, ISN, isn);
  }

  /** The same connection's ports are used anew by the same owner: nothing has been seen of it but this SYN. */
  reopen(slot: number, isn: number): void {
    const { table } = this;
    table.setState(slot, (table.state(slot) & (-1 << OWNER_SHIFT)) | (table.state(slot) & Seen.Remapped) | Seen.Syn);
    table.setValue(slot, ISN, isn);
    table.touch(slot);
  }

  remove(slot: number): void {
    this.table.remove(slot);
  }

  owner(slot: number): number {
    return this.table.state(slot) >>> OWNER_SHIFT;
  }

  isn(slot: number): number {
    return this.table.value(slot, ISN);
  }

  /** The connection's CPE, in memory that the next call writes anew. */
  cpe(slot: number): Int32Array {
    for (let word = 0; word < this.addressWords; word++) this.scratch[word] = this.table.keyWord(slot, word);
    return this.scratch;
  }

  cpePort(slot: number): number {
    return this.table.keyWord(slot, this.addressWords) >>> 16;
  }

  visiblePort(slot: number): number {
    return this.table.keyWord(slot, this.addressWords) & 0xffff;
  }

  has(slot: number, bits: number): boolean {
    return (this.table.state(slot) & bits) !== 0;
  }

  mark(slot: number, bits: number): void {
    this.table.setState(slot, this.table.state(slot) | bits);
  }

  unmark(slot: number, bits: number): void {
    this.table.setState(slot, this.table.state(slot) & ~bits);
  }

  touch(slot: number): void {
    this.table.touch(slot);
  }

  /** A packet that is no SYN: it keeps an answered connection, but an unanswered one lives by its SYNs alone. */
  keep(slot: number): void {
    if (this.isAnswered(slot)) this.touch(slot);
  }

  /** ms since the last packet that counted. */
  idleMs(slot: number): number {
    return this.table.ageMs(slot);
  }

  /** ACK or data from the side that received a RST: the RST was a forgery. True where a mark was lifted. */
  lift(slot: number, mark: Seen.RstOfCpe | Seen.RstOfServer): boolean {
    if (!this.has(slot, mark)) return false;
    this.unmark(slot, mark);
    return true;
  }

  /** A FIN or RST has been seen: a new SYN on these ports is a new connection. */
  isClosing(slot: number): boolean {
    return this.has(slot, FIN | RST);
  }

  isReset(slot: number): boolean {
    return this.has(slot, RST);
  }

  /** FINs of both ends have been seen. */
  isFinished(slot: number): boolean {
    return (this.table.state(slot) & FIN) === FIN;
  }

  isAnswered(slot: number): boolean {
    return this.has(slot, Seen.Answer);
  }

  private setKey(cpe: Int32Array, cpePort: number, visiblePort: number): void {
    const { key } = this.table;
    for (let word = 0; word < this.addressWords; word++) key[word] = cpe[word];
    key[this.addressWords] = (cpePort << 16) | visiblePort;
  }
}

function shape(capacityEntries: number, addressWords: number, extraWords: number) {
  return { capacityEntries, keyWords: addressWords + 1, valueWords: COMMON_WORDS + extraWords };
}

/** What ends a connection's entry (document "Lives" in docs/architecture.md); the strongest sign decides. [D] */
function lifeOf(state: number, lives: ConnectionLives): number {
  if (state & RST) return lives.resetMs;
  if ((state & FIN) === FIN) return lives.finBothMs;
  if (state & FIN) return lives.finOneMs;
  if (state & Seen.Answer) return lives.establishedMs;
  return lives.unansweredMs;
}
