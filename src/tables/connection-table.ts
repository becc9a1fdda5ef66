/**
 * TCP connections that the splitter remembers: HASH tables 1 and 3 of the patent [P5].
 *
 * The key is CPE address, CPE port and the port that the CPE sees at the ACS address. Keys are exact, so a reused port
 * cannot be mistaken for an old connection [D].
 */
import { ConnectionNumbers } from './connection-numbers';
import { type ConnectionLives, FIN, lifeOf, RST, Seen, VALUE_WORDS, Word } from './connection-row';
import { Cause, Change, type FlowListener, type FlowPort, UNHEARD } from './flow-port';
import { type TableMemory } from './table-memory';
import { TtlTable } from './ttl-table';

const OWNER_SHIFT = 16;
const ENDS = RST | FIN;
/** In Word.Marks; below are the window scales. */
const HEAD_SHIFT = 8;
const SCALES = (1 << HEAD_SHIFT) - 1;

/** Most entries of one CPE. [2] */
export const MAX_PER_CPE = 16;

export class ConnectionTable extends ConnectionNumbers {
  private readonly lives: Int32Array;
  private readonly addressWords: number;
  private readonly scratch: Int32Array;
  private readonly port: FlowPort;

  static bytes(capacityEntries: number, addressWords: number): number {
    return TtlTable.bytes(shape(capacityEntries, addressWords));
  }

  constructor(memory: TableMemory, lives: ConnectionLives) {
    const { buffer, at, capacityEntries, addressWords, seed, isReader } = memory;
    const livesByState = new Int32Array(64);
    super(new TtlTable(buffer, at, shape(capacityEntries, addressWords), seed, livesByState, isReader));
    this.lives = livesByState;
    this.setLives(lives);
    this.addressWords = addressWords;
    this.scratch = new Int32Array(addressWords);
    this.table.port = this.port = memory.port ?? UNHEARD;
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
   * Makes room for one more connection of a CPE. At MAX_PER_CPE its oldest entry that `mayGo` is removed. False if there
   * is no such entry, or if more than `mostUnanswered` others still wait for an answer. Slots obtained earlier become invalid.
   */
  makeRoom(cpe: Int32Array, mostUnanswered = MAX_PER_CPE): boolean {
    const { table } = this;
    for (let word = 0; word < this.addressWords; word++) table.key[word] = cpe[word];
    let count = 0;
    let unanswered = 0;
    let oldest = -1;
    for (let slot = table.firstAlike(); slot >= 0; slot = table.nextAlike(slot)) {
      count++;
      if (this.isClosed(slot)) {
        this.learn(slot);
        const mayGo = this.mayGo(slot);
        if (mayGo && (oldest < 0 || table.ageMs(slot) > table.ageMs(oldest))) oldest = slot;
      } else if (!this.isAnswered(slot)) {
        unanswered++;
      }
    }
    if (unanswered >= mostUnanswered) return false;
    if (count < MAX_PER_CPE) return true;
    if (oldest < 0) return false;
    this.remove(oldest, Cause.Bound);
    return true;
  }

  /**
   * Opens a new connection, replacing whatever has its key; -1 when the table is full.
   *
   * @param isn int32 @param bits of Seen, besides Syn
   */
  open(cpe: Int32Array, cpePort: number, visiblePort: number, owner: number, isn: number, bits = 0): number {
    this.setKey(cpe, cpePort, visiblePort);
    const slot = this.table.claim(Seen.Syn | bits | (owner << OWNER_SHIFT));
    if (slot >= 0) this.begin(slot, isn);
    return slot;
  }

  /** Sets the ISN of an entry just opened. */
  begin(slot: number, isn: number): void {
    this.table.setValue(slot, Word.Isn, isn);
  }

  /** The same owner reuses the connection's ports: only this SYN has been seen of the new connection. */
  reopen(slot: number, isn: number): void {
    const { table } = this;
    const kept = (table.state(slot) & (-1 << OWNER_SHIFT)) | (table.state(slot) & Seen.Remapped);
    table.setState(slot, kept | Seen.Syn);
    table.setValue(slot, Word.Isn, isn);
    table.setValue(slot, Word.Marks, 0);
    table.touch(slot);
  }

  /** Tells the listener about a new entry once its numbers are set. */
  begun(slot: number): void {
    this.port.tell(slot, Change.Opened, Cause.Packet);
  }

  /** False when the listener has no room for the new entry. */
  isCarried(slot: number): boolean {
    return this.port.isCarried(slot);
  }

  /** Another router of the cluster has opened this connection. Its numbers are unknown: the server's next packet tells. */
  begunElsewhere(slot: number): void {
    this.port.tell(slot, Change.Opened, Cause.Peer);
  }

  /** Takes over what another router has seen. @param bits of Seen @param remainingMs of its life, at most our own */
  followElsewhere(slot: number, bits: number, remainingMs: number): void {
    const { table } = this;
    const before = table.state(slot);
    const after = (before & ~ENDS) | bits;
    // In this order: if we die in between, an old stamp with a longer-lived state would be an expired entry.
    table.setState(slot, after);
    table.setRemaining(slot, remainingMs);
    this.tellMark(slot, before, after, Cause.Peer);
  }

  /** The collector has accepted the connection, and its numbers are set. */
  accepted(slot: number): void {
    this.port.tell(slot, Change.Accepted, Cause.Packet);
  }

  listen(listener: FlowListener | undefined): void {
    this.port.listen(listener, this.table, (slot) => this.tellStanding(slot));
  }

  /** Lets a listener that has later numbers write them into the entry. */
  learn(slot: number, isOwners = false): void {
    this.port.learn(slot, isOwners);
  }

  get isFull(): boolean {
    return this.table.count >= this.table.capacityEntries;
  }

  remove(slot: number, cause = Cause.Packet): void {
    this.table.remove(slot, cause);
  }

  owner(slot: number): number {
    return this.table.state(slot) >>> OWNER_SHIFT;
  }

  /** The connection's CPE, in memory that the next call overwrites. */
  cpe(slot: number): Int32Array {
    for (let word = 0; word < this.scratch.length; word++) this.scratch[word] = this.table.keyWord(slot, word);
    return this.scratch;
  }

  cpePort(slot: number): number {
    return this.table.keyWord(slot, this.addressWords) >>> 16;
  }

  visiblePort(slot: number): number {
    return this.table.keyWord(slot, this.addressWords) & 0xffff;
  }

  mark(slot: number, bits: number): void {
    const before = this.table.state(slot);
    this.table.setState(slot, before | bits);
    this.tellMark(slot, before, before | bits);
  }

  unmark(slot: number, bits: number): void {
    const before = this.table.state(slot);
    this.table.setState(slot, before & ~bits);
    this.tellMark(slot, before, before & ~bits);
  }

  touch(slot: number): void {
    this.table.touch(slot);
  }

  /**
   * A packet other than a SYN extends the life of an answered connection. An unanswered one lives by its SYNs alone.
   */
  keep(slot: number): void {
    if (this.isAnswered(slot)) this.touch(slot);
  }

  /** ms since the last packet that counted. */
  idleMs(slot: number): number {
    return this.table.ageMs(slot);
  }

  /**
   * The side that received a RST has sent a packet, so the RST did not end the connection. True when a mark was
   * cleared.
   */
  lift(slot: number, mark: Seen.RstOfCpe | Seen.RstOfServer): boolean {
    if (!this.has(slot, mark)) return false;
    this.unmark(slot, mark);
    return true;
  }

  /** A new SYN on these ports is a new connection: the server has closed, or a RST was proven. [2] */
  isClosed(slot: number): boolean {
    return this.has(slot, Seen.FinOfServer | RST);
  }

  /**
   * Closed, and the CPE has acknowledged the server's FIN. While that FIN is in flight, a forged SYN could otherwise
   * hand the rest of the session to another server.
   */
  isOverForCpe(slot: number): boolean {
    if (this.has(slot, RST)) return true;
    if (!this.has(slot, Seen.FinOfServer)) return false;
    return this.has(slot, Seen.Learned) && this.word(slot, Word.CpeAck) === this.word(slot, Word.ServerNext);
  }

  /**
   * A closed entry may give way once its CPE knows: until then it sends to the server, and must not reach the ITMS. What an
   * earlier version or another router has left closed never learns, so it may go at once.
   */
  protected mayGo(slot: number): boolean {
    return !this.has(slot, Seen.Learned) || this.isOverForCpe(slot);
  }

  /** A FIN or RST has been seen. */
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

  /** How far the head has been read. See http-head.ts. */
  head(slot: number): number {
    return this.word(slot, Word.Marks) >>> HEAD_SHIFT;
  }

  setHead(slot: number, head: number): void {
    const before = this.head(slot);
    this.countHead(slot, head);
    if (head !== before) this.port.tell(slot, Change.Head, Cause.Packet);
  }

  /** The same where nothing is known but how many segments have passed. */
  countHead(slot: number, head: number): void {
    this.setWord(slot, Word.Marks, (this.word(slot, Word.Marks) & SCALES) | (head << HEAD_SHIFT));
  }

  private tellStanding(slot: number): void {
    this.port.tell(slot, Change.Opened, Cause.Standing);
    this.tellMark(slot, Seen.Syn, this.table.state(slot));
  }

  /** Tells the listener what a change of state means. */
  private tellMark(slot: number, before: number, after: number, cause = Cause.Packet): void {
    if ((after & ~before & Seen.Answer) !== 0) this.port.tell(slot, Change.Confirmed, cause);
    if ((before & ENDS) === (after & ENDS)) return;
    if ((before & ~after & RST) !== 0) this.port.tell(slot, Change.Resumed, cause);
    else this.port.tell(slot, isOver(after) ? Change.Closed : Change.Closing, cause);
  }

  private setKey(cpe: Int32Array, cpePort: number, visiblePort: number): void {
    const { key } = this.table;
    for (let word = 0; word < this.addressWords; word++) key[word] = cpe[word];
    key[this.addressWords] = (cpePort << 16) | visiblePort;
  }
}

/** A RST, or both FINs. */
function isOver(state: number): boolean {
  return (state & RST) !== 0 || (state & FIN) === FIN;
}

function shape(capacityEntries: number, addressWords: number) {
  return { capacityEntries, keyWords: addressWords + 1, hashWords: addressWords, valueWords: VALUE_WORDS };
}
