/**
 * TCP connections that the splitter remembers: HASH tables 1 and 3 of the patent [P5].
 *
 * The key is CPE address, CPE port and the port that the CPE sees at the ACS address. The state bits record what has
 * been seen of the connection, which decides how long it lives. Keys are exact, so a reused port cannot be mistaken for
 * an old connection [D]. The sequence numbers of both ends tell the CPE's own packets from forged ones (RFC 5961). They
 * come from the servers' packets, which arrive on interfaces of their own and cannot be forged.
 *
 *     IPv4 row, 64 bytes    address, ports | stamp | state | the words of Word
 */
import { type PacketView } from '../packet/view';
import { NO_WINDOW_SCALE, TcpFlag, windowScale } from '../packet/tcp';
import { Cause, Change, type FlowListener, type FlowPort, UNHEARD } from './flow-port';
import { type TableMemory } from './table-memory';
import { TtlTable } from './ttl-table';

/** State bits. The low six choose the life; the upper half holds the owner. */
export const enum Seen {
  /** Set in every entry: state 0 means an empty slot. */
  Syn = 1 << 0,
  /** Established: the SYN+ACK to a Connection Request, or the CPE's ACK of the SYN+ACK on a report connection. */
  Answer = 1 << 1,
  FinOfCpe = 1 << 2,
  FinOfServer = 1 << 3,
  RstOfCpe = 1 << 4,
  RstOfServer = 1 << 5,
  /** The entry has both ends' numbers. Without them the server's next packet sets them. */
  Learned = 1 << 6,
  /** A SYN with another ISN has gone to the owner, and no valid packet of the CPE has followed. */
  PendingSyn = 1 << 7,
  /** The owner has sent nothing since the pending SYN of `Since`. */
  Waiting = 1 << 8,
  /** The source port was changed because another server had it. */
  Remapped = 1 << 9,
}

/** Value words of a connection. */
export const enum Word {
  Isn,
  /** The server's next sequence number, its last acknowledgement, and the right edge of its window. */
  ServerNext,
  ServerAck,
  ServerEdge,
  /** The CPE's numbers, as far as validated. */
  CpeNext,
  CpeAck,
  /** Right edge of the CPE's window. A Connection Request stores its own port and the server's address here instead. */
  CpeEdge,
  OwnPort = CpeEdge,
  /** Sequence number at which the HTTP head being read continues. */
  HeadAt,
  /**
   * Window scales (the CPE's in bits 0 to 3, the server's in 4 to 7), and how far the head has been read (from bit 8).
   */
  Marks,
  /** Tick of the first pending SYN; on a Connection Request, of the latest new request data. */
  Since,
  /** Tick of the last data from either end. */
  DataAt,
  /** For clusters: generation of the key. */
  Generation,
}
const VALUE_WORDS = 12;

const OWNER_SHIFT = 16;
const RST = Seen.RstOfCpe | Seen.RstOfServer;
const FIN = Seen.FinOfCpe | Seen.FinOfServer;
const ENDS = RST | FIN;
const CPE_SCALE_SHIFT = 0;
const SERVER_SCALE_SHIFT = 4;
const SCALE_MASK = 15;
export const HEAD_SHIFT = 8;
const SCALES = (1 << HEAD_SHIFT) - 1;

/** If a server's numbers jump further than this, some packets passed unseen: accept the new numbers as they are. */
const GAP = 1 << 20;
/** How far back an acknowledgement may lie, whatever the window (RFC 5961 section 5.2). */
const MIN_ACK_WINDOW = 1 << 16;
/** A SYN takes one sequence number and may carry data (RFC 7413). */
const MAX_SYN_LENGTH = 1 << 16;

/** Lives of connections in ms. */
export interface ConnectionLives {
  unansweredMs: number;
  establishedMs: number;
  finOneMs: number;
  finBothMs: number;
  resetMs: number;
}

/** Most entries of one CPE. [2] */
export const MAX_PER_CPE = 16;

export class ConnectionTable {
  readonly table: TtlTable;
  private readonly lives: Int32Array;
  private readonly addressWords: number;
  private readonly scratch: Int32Array;
  private readonly port: FlowPort;

  static bytes(capacityEntries: number, addressWords: number): number {
    return TtlTable.bytes(shape(capacityEntries, addressWords));
  }

  constructor(memory: TableMemory, lives: ConnectionLives) {
    const { buffer, at, capacityEntries, addressWords, seed, isReader } = memory;
    this.lives = new Int32Array(64);
    this.setLives(lives);
    this.addressWords = addressWords;
    this.scratch = new Int32Array(addressWords);
    this.table = new TtlTable(buffer, at, shape(capacityEntries, addressWords), seed, this.lives, isReader);
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
   * Makes room for one more connection of a CPE. At MAX_PER_CPE its oldest closed entry is removed. False if none is
   * closed, or if more than `mostUnanswered` others still wait for an answer. Slots obtained earlier become invalid.
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
        if (oldest < 0 || table.ageMs(slot) > table.ageMs(oldest)) oldest = slot;
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

  listen(listener: FlowListener | undefined): void {
    this.port.listen(listener, this.table, (slot) => this.tellStanding(slot));
  }

  /** Lets a listener that has later numbers write them into the entry. */
  learn(slot: number): void {
    this.port.learn(slot);
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

  isn(slot: number): number {
    return this.table.value(slot, Word.Isn);
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

  has(slot: number, bits: number): boolean {
    return (this.table.state(slot) & bits) !== 0;
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

  isAnswered(slot: number): boolean {
    return this.has(slot, Seen.Answer);
  }

  // ---- numbers (RFC 9293 section 3.4) ----

  word(slot: number, word: Word): number {
    return this.table.value(slot, word);
  }

  setWord(slot: number, word: Word, value: number): void {
    this.table.setValue(slot, word, value);
  }

  /** How far the head has been read. See http-head.ts. */
  head(slot: number): number {
    return this.word(slot, Word.Marks) >>> HEAD_SHIFT;
  }

  setHead(slot: number, head: number): void {
    const before = this.head(slot);
    this.setWord(slot, Word.Marks, (this.word(slot, Word.Marks) & SCALES) | (head << HEAD_SHIFT));
    if (head !== before) this.port.tell(slot, Change.Head, Cause.Packet);
  }

  /** The SYN of the CPE. */
  openedByCpe(slot: number, view: PacketView): void {
    this.setScale(slot, CPE_SCALE_SHIFT, view);
    this.setWord(slot, Word.CpeNext, (view.sequence + 1 + view.sentLength) | 0);
  }

  /** The SYN of the server. */
  openedByServer(slot: number, view: PacketView): void {
    this.setScale(slot, SERVER_SCALE_SHIFT, view);
    this.setWord(slot, Word.ServerNext, (view.sequence + 1 + view.sentLength) | 0);
  }

  /** The CPE's SYN+ACK: does it acknowledge what the server has sent? */
  isAcceptedBy(slot: number, view: PacketView): boolean {
    const acknowledged = (view.acknowledgement - this.isn(slot)) | 0;
    return acknowledged > 0 && acknowledged <= ((this.word(slot, Word.ServerNext) - this.isn(slot)) | 0);
  }

  /** A proven SYN+ACK of the CPE. */
  acceptedByCpe(slot: number, view: PacketView): void {
    this.setScale(slot, CPE_SCALE_SHIFT, view);
    this.setWord(slot, Word.CpeNext, (view.sequence + 1 + view.sentLength) | 0);
    this.setWord(slot, Word.CpeAck, view.acknowledgement);
  }

  /** The server's SYN+ACK to the CPE's SYN. Acknowledgements below it are guesses. */
  acceptedByServer(slot: number, view: PacketView): void {
    this.setScale(slot, SERVER_SCALE_SHIFT, view);
    const next = (view.sequence + 1) | 0;
    this.setWord(slot, Word.ServerNext, (next + view.sentLength) | 0);
    this.setWord(slot, Word.ServerAck, view.acknowledgement);
    this.setWord(slot, Word.ServerEdge, (view.acknowledgement + view.window) | 0);
    this.setWord(slot, Word.CpeNext, view.acknowledgement);
    this.setWord(slot, Word.CpeAck, next);
    if (!this.hasOwnPort) this.setWord(slot, Word.CpeEdge, next);
    this.mark(slot, Seen.Learned);
  }

  /**
   * Any other packet of the owner except a RST: its numbers count. @param end behind its last byte, including its FIN
   */
  spokenByServer(slot: number, view: PacketView, end: number): void {
    if ((view.flags & TcpFlag.Ack) === 0) return;
    const { acknowledgement } = view;
    const edge = (acknowledgement + (view.window << this.scale(slot, SERVER_SCALE_SHIFT))) | 0;
    const ahead = (end - this.word(slot, Word.ServerNext)) | 0;
    const acknowledged = (acknowledgement - this.word(slot, Word.ServerAck)) | 0;
    if (!this.has(slot, Seen.Learned) || isGap(ahead) || isGap(acknowledged)) {
      this.setWord(slot, Word.ServerNext, end);
      this.setWord(slot, Word.ServerAck, acknowledgement);
      this.setWord(slot, Word.ServerEdge, edge);
      this.setWord(slot, Word.CpeNext, acknowledgement);
      this.setWord(slot, Word.CpeAck, view.sequence);
      if (!this.hasOwnPort) this.setWord(slot, Word.CpeEdge, view.sequence);
      this.mark(slot, Seen.Learned);
      return;
    }
    if (ahead > 0) this.setWord(slot, Word.ServerNext, end);
    if (acknowledged > 0) this.setWord(slot, Word.ServerAck, acknowledgement);
    if (((edge - this.word(slot, Word.ServerEdge)) | 0) > 0) this.setWord(slot, Word.ServerEdge, edge);
  }

  /** True for data the server has not sent before. @param end behind its last byte */
  isNewOfServer(slot: number, end: number): boolean {
    const ahead = (end - this.word(slot, Word.ServerNext)) | 0;
    return ahead > 0 || isGap(ahead);
  }

  /**
   * Whether this ACK, data or FIN is really the CPE's: within the server's window, and acknowledging what the server
   * has sent.
   */
  isOfCpe(slot: number, view: PacketView): boolean {
    if (!this.has(slot, Seen.Learned) || (view.flags & TcpFlag.Ack) === 0) return false;
    const acknowledged = this.word(slot, Word.ServerAck);
    const into = (view.sequence - acknowledged) | 0;
    // One below: a keep-alive probe (RFC 9293 section 3.8.4).
    if (into < -1 || into > ((this.word(slot, Word.ServerEdge) - acknowledged) | 0)) return false;
    const unacknowledged = (this.word(slot, Word.ServerNext) - view.acknowledgement) | 0;
    const window = this.hasOwnPort ? 0 : (this.word(slot, Word.CpeEdge) - this.word(slot, Word.CpeAck)) | 0;
    if (unacknowledged < 0 || unacknowledged > (window > MIN_ACK_WINDOW ? window : MIN_ACK_WINDOW)) return false;
    return this.isAnswered(slot) || ((view.acknowledgement - this.word(slot, Word.CpeAck)) | 0) >= 0;
  }

  /** True for data the CPE has not sent before. Only for valid packets. */
  isNewOfCpe(slot: number, view: PacketView): boolean {
    return view.sentLength > 0 && ((view.sequence + view.sentLength - this.word(slot, Word.CpeNext)) | 0) > 0;
  }

  /** A valid ACK, data or FIN of the CPE. @param fin 1 where its FIN counts */
  spokenByCpe(slot: number, view: PacketView, fin = 0): void {
    const end = (view.sequence + view.sentLength + fin) | 0;
    const room = (this.word(slot, Word.ServerEdge) + 1 - end) | 0;
    if (((end - this.word(slot, Word.CpeNext)) | 0) > 0 && room >= 0) this.setWord(slot, Word.CpeNext, end);
    const { acknowledgement } = view;
    if (((acknowledgement - this.word(slot, Word.CpeAck)) | 0) > 0) this.setWord(slot, Word.CpeAck, acknowledgement);
    if (this.hasOwnPort) return;
    const edge = (acknowledgement + (view.window << this.scale(slot, CPE_SCALE_SHIFT))) | 0;
    if (((edge - this.word(slot, Word.CpeEdge)) | 0) > 0) this.setWord(slot, Word.CpeEdge, edge);
  }

  /** True when a valid FIN of the CPE comes exactly at the end of the CPE's data. */
  isFinOfCpe(slot: number, view: PacketView): boolean {
    return this.isEdgeOfCpe(slot, view.sequence) || this.isEdgeOfCpe(slot, (view.sequence + view.sentLength) | 0);
  }

  /** True when a server's packet acknowledges one beyond the CPE's data, so it must have received the CPE's FIN. */
  acknowledgesFin(slot: number, view: PacketView): boolean {
    const { acknowledgement } = view;
    return this.has(slot, Seen.Learned) && acknowledgement === ((this.word(slot, Word.CpeNext) + 1) | 0);
  }

  private isEdgeOfCpe(slot: number, sequence: number): boolean {
    return sequence === this.word(slot, Word.ServerAck) || sequence === this.word(slot, Word.CpeNext);
  }

  /**
   * Whether this RST of the CPE ends the connection. Its number must be exact; otherwise it may be a forger's guess
   * (RFC 5961 section 3.2).
   */
  isRstOfCpe(slot: number, view: PacketView): boolean {
    const { sequence } = view;
    if (!this.has(slot, Seen.Learned)) return false;
    if (this.isEdgeOfCpe(slot, sequence)) return true;
    return this.has(slot, Seen.FinOfCpe) && sequence === ((this.word(slot, Word.ServerAck) - 1) | 0);
  }

  /** Whether this RST of the server ends the connection, and is not about a stray packet. */
  isRstOfServer(slot: number, view: PacketView): boolean {
    const { sequence } = view;
    // Servers cannot be forged, so without numbers we believe it.
    if (!this.has(slot, Seen.Learned)) return true;
    const acknowledged = this.word(slot, Word.CpeAck);
    if (sequence === acknowledged || sequence === this.word(slot, Word.ServerNext)) return true;
    return this.has(slot, Seen.FinOfServer) && sequence === ((acknowledged - 1) | 0);
  }

  /**
   * Whether a RST answers the SYN with this entry's ISN. It then acknowledges the SYN, and at most the data that came
   * with it. Any other RST answers another packet or is a forger's guess; the opener ignores it (RFC 9293 sections
   * 3.5.2 and 3.10.7.3).
   */
  isRefusal(slot: number, view: PacketView): boolean {
    return (view.flags & TcpFlag.Ack) !== 0 && this.acknowledgesSyn(slot, view);
  }

  /** True when a packet of the other end acknowledges the SYN with this entry's ISN. */
  acknowledgesSyn(slot: number, view: PacketView): boolean {
    const acknowledged = (view.acknowledgement - this.isn(slot)) | 0;
    return acknowledged > 0 && acknowledged <= MAX_SYN_LENGTH;
  }

  /**
   * A Connection Request stores its own port in the word where a report connection has the right edge of the CPE's
   * window.
   */
  protected get hasOwnPort(): boolean {
    return false;
  }

  private setScale(slot: number, shift: number, view: PacketView): void {
    const scale = windowScale(view.bytes, view.tcpAt, view.payloadAt);
    const marks = this.word(slot, Word.Marks);
    this.setWord(slot, Word.Marks, (marks & ~(SCALE_MASK << shift)) | (scale << shift));
  }

  /** Window scales apply only when both ends offered one (RFC 7323 section 2.2). */
  private scale(slot: number, shift: number): number {
    const marks = this.word(slot, Word.Marks);
    const cpe = (marks >>> CPE_SCALE_SHIFT) & SCALE_MASK;
    const server = (marks >>> SERVER_SCALE_SHIFT) & SCALE_MASK;
    if (cpe === NO_WINDOW_SCALE || server === NO_WINDOW_SCALE) return 0;
    return shift === CPE_SCALE_SHIFT ? cpe : server;
  }

  private tellStanding(slot: number): void {
    this.port.tell(slot, Change.Opened, Cause.Standing);
    this.tellMark(slot, Seen.Syn, this.table.state(slot));
  }

  /** Tells the listener what a change of state means. */
  private tellMark(slot: number, before: number, after: number): void {
    if ((after & ~before & Seen.Answer) !== 0) this.port.tell(slot, Change.Confirmed, Cause.Packet);
    if ((before & ENDS) === (after & ENDS)) return;
    if ((before & ~after & RST) !== 0) this.port.tell(slot, Change.Resumed, Cause.Packet);
    else this.port.tell(slot, isOver(after) ? Change.Closed : Change.Closing, Cause.Packet);
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

function isGap(difference: number): boolean {
  return difference > GAP || difference < -GAP;
}

function shape(capacityEntries: number, addressWords: number) {
  return { capacityEntries, keyWords: addressWords + 1, hashWords: addressWords, valueWords: VALUE_WORDS };
}

/** Which life a connection's state gives it ("Lives" in docs/architecture.md); the strongest sign decides. [D] */
export function lifeOf(state: number, lives: ConnectionLives): number {
  if (state & RST) return lives.resetMs;
  if ((state & FIN) === FIN) return lives.finBothMs;
  if (state & FIN) return lives.finOneMs;
  if (state & Seen.Answer) return lives.establishedMs;
  return lives.unansweredMs;
}
