/**
 * A row of a connection's table: what its state bits and words mean, and how long it lives.
 *
 *     IPv4 row, 64 bytes    address, ports | stamp | state | the words of Word
 */

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
  /** The flow port's listener has later numbers than the entry (docs/decisions/fast-path.md). */
  Carried = 1 << 10,
  /** Another router has passed the collector's SYN+ACK. The numbers are unknown until the collector sends again. */
  Accepted = 1 << 11,
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
  /** For clusters: number of the last change that was told (docs/decisions/cluster.md). */
  Told,
}
export const VALUE_WORDS = 12;

export const RST = Seen.RstOfCpe | Seen.RstOfServer;
export const FIN = Seen.FinOfCpe | Seen.FinOfServer;

/** Lives of connections in ms. */
export interface ConnectionLives {
  unansweredMs: number;
  establishedMs: number;
  finOneMs: number;
  finBothMs: number;
  resetMs: number;
}

/** Which life a connection's state gives it ("Lives" in docs/architecture.md); the strongest sign decides. [D] */
export function lifeOf(state: number, lives: ConnectionLives): number {
  if (state & RST) return lives.resetMs;
  if ((state & FIN) === FIN) return lives.finBothMs;
  if (state & FIN) return lives.finOneMs;
  if (state & Seen.Answer) return lives.establishedMs;
  return lives.unansweredMs;
}
