/**
 * A connection's sequence numbers (RFC 9293 section 3.4), and what they prove.
 *
 * The numbers of both ends tell the CPE's own packets from forged ones (RFC 5961). They come from the servers' packets,
 * which arrive on interfaces of their own and cannot be forged.
 */
import { type PacketView } from '../packet/view';
import { NO_WINDOW_SCALE, TcpFlag, windowScale } from '../packet/tcp';
import { Seen, Word } from './connection-row';
import { type TtlTable } from './ttl-table';

const CPE_SCALE_SHIFT = 0;
const SERVER_SCALE_SHIFT = 4;
const SCALE_MASK = 15;

/**
 * If a server's numbers jump further than this beyond a window, some packets passed unseen: accept the new numbers as they
 * are. Within a window they may jump at once, when a lost packet is repeated.
 */
const GAP = 1 << 20;
/** How far back an acknowledgement may lie, whatever the window (RFC 5961 section 5.2). */
const MIN_ACK_WINDOW = 1 << 16;
/** A SYN takes one sequence number and may carry data (RFC 7413). */
const MAX_SYN_LENGTH = 1 << 16;

export abstract class ConnectionNumbers {
  constructor(readonly table: TtlTable) {}

  has(slot: number, bits: number): boolean {
    return (this.table.state(slot) & bits) !== 0;
  }

  isAnswered(slot: number): boolean {
    return this.has(slot, Seen.Answer);
  }

  isn(slot: number): number {
    return this.table.value(slot, Word.Isn);
  }

  word(slot: number, word: Word): number {
    return this.table.value(slot, word);
  }

  setWord(slot: number, word: Word, value: number): void {
    this.table.setValue(slot, word, value);
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
    this.learned(slot);
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
    const isUnseen = isGap(ahead, this.windowOfCpe(slot)) || isGap(acknowledged, this.windowOfServer(slot));
    if (isUnseen || !this.has(slot, Seen.Learned)) {
      this.setWord(slot, Word.ServerNext, end);
      this.setWord(slot, Word.ServerAck, acknowledgement);
      this.setWord(slot, Word.ServerEdge, edge);
      this.setWord(slot, Word.CpeNext, acknowledgement);
      this.setWord(slot, Word.CpeAck, view.sequence);
      if (!this.hasOwnPort) this.setWord(slot, Word.CpeEdge, view.sequence);
      this.learned(slot);
      return;
    }
    if (ahead > 0) this.setWord(slot, Word.ServerNext, end);
    if (acknowledged > 0) this.setWord(slot, Word.ServerAck, acknowledgement);
    if (((edge - this.word(slot, Word.ServerEdge)) | 0) > 0) this.setWord(slot, Word.ServerEdge, edge);
  }

  /** True for data the server has not sent before. @param end behind its last byte */
  isNewOfServer(slot: number, end: number): boolean {
    const ahead = (end - this.word(slot, Word.ServerNext)) | 0;
    return ahead > 0 || isGap(ahead, this.windowOfCpe(slot));
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
    const window = this.windowOfCpe(slot);
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

  private windowOfCpe(slot: number): number {
    return this.hasOwnPort ? 0 : (this.word(slot, Word.CpeEdge) - this.word(slot, Word.CpeAck)) | 0;
  }

  private windowOfServer(slot: number): number {
    return (this.word(slot, Word.ServerEdge) - this.word(slot, Word.ServerAck)) | 0;
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

  private learned(slot: number): void {
    this.table.setState(slot, this.table.state(slot) | Seen.Learned);
  }
}

function isGap(difference: number, window: number): boolean {
  const most = window > 0 ? GAP + window : GAP;
  return difference > most || difference < -most;
}
