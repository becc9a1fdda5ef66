/**
 * Assembles sessions from the changes of table entries that the worker tells (tables/flow-port.ts). A session is an
 * activation and the connections that it diverted; its row is given out when the activation is over and the last
 * connection has ended.
 *
 * Pure: time is in the changes. Changes may be missing, when the recorder was behind or started late; the session that
 * they belong to then has a row in which less is known. An open session takes some 500 bytes here.
 */
import { Head } from '../../splitter/decide/http-head';
import { Seen } from '../../tables/connection-row';
import { Cause, Change } from '../../tables/flow-port';
import { Outcome, OUTCOME_OF_CAUSE, type SessionRow, Woken, WOKEN_BY_CAUSE } from './session';
import { type FlowChange } from '../shared/flow-ring';

/** Beyond this many open sessions the oldest one gets its row. */
export const MAX_SESSIONS = 1_000_000;
/** A session of which nothing was told for this long has lost its end. */
export const MAX_SILENT_MS = 24 * 3600 * 1000;

const RST = Seen.RstOfCpe | Seen.RstOfServer;
const FIN = Seen.FinOfCpe | Seen.FinOfServer;

interface Session extends SessionRow {
  key: string;
  /** Its activation stands, or is consumed. */
  isCurrent: boolean;
  /** Keys of its connections that have not ended. */
  open: Set<string>;
  /** When something was last told of it. */
  toldMs: number;
}

interface Connection {
  session: Session;
  /** The collector's answer to the latest request, as far as it was read. */
  head: Head;
  /** Set once a RST has closed it; the RST may still turn out not to have been the end. */
  closedMs: number | undefined;
  outcome: Outcome;
}

export class Sessions {
  /** SYNs told of connections that were known already. */
  repeated = 0;
  private readonly connections = new Map<string, Connection>();
  /** Unfinished sessions by CPE; in general one. */
  private readonly ofCpe = new Map<string, Session[]>();
  /** In order of their beginnings. */
  private readonly all = new Set<Session>();
  private counted = 0;

  constructor(
    private readonly emit: (row: SessionRow) => void,
    private readonly maxSessions = MAX_SESSIONS,
  ) {}

  /** Unfinished sessions. */
  get count(): number {
    return this.all.size;
  }

  /** Connections, open or ended, that the rows of the unfinished sessions will count. */
  get pendingConnections(): number {
    return this.counted;
  }

  /** What is taken for open: connections by CPE and ports, activations by CPE and collector. */
  standing(): { connections: string[]; activations: string[] } {
    const current = [...this.all].filter(({ isCurrent }) => isCurrent);
    return {
      connections: [...this.connections.keys()],
      activations: current.map(({ key, collector }) => `${key} ${collector}`),
    };
  }

  take(change: FlowChange): void {
    if (change.table === 'activatedCpes') this.takeActivation(change);
    else if (change.table === 'reportConnections') this.takeConnection(change);
    while (this.all.size > this.maxSessions) {
      const [oldest] = this.all;
      this.cut(oldest, Outcome.Unknown, oldest.toldMs);
    }
  }

  /** The tables of one family are empty: nothing more will be told of these sessions. @param words of an address */
  cleared(words: number, timeMs: number): void {
    for (const session of this.all) if (session.cpe.length === words) this.cut(session, Outcome.TablesReset, timeMs);
  }

  /** Gives every session its row. */
  endAll(outcome: Outcome, timeMs: number): void {
    for (const session of this.all) this.cut(session, outcome, timeMs);
  }

  /** Gives sessions a row whose end was lost. */
  expire(nowMs: number): void {
    for (const session of this.all) {
      if (nowMs - session.toldMs > MAX_SILENT_MS) this.cut(session, Outcome.Unknown, session.toldMs);
    }
  }

  // ---- activations ----

  private takeActivation(change: FlowChange): void {
    const key = change.cpe.join();
    const session = this.ofCpe.get(key)?.find(({ isCurrent }) => isCurrent);
    switch (change.change) {
      case Change.Armed:
        return this.armed(key, session, change);
      case Change.Consumed:
      case Change.Grace:
        if (session) session.toldMs = change.timeMs;
        else this.unfinished(key, change).isCurrent = true;
        return;
      case Change.Disarmed:
      case Change.Ended:
        if (session) this.disarmed(session, change);
        return;
    }
  }

  private armed(key: string, session: Session | undefined, change: FlowChange): void {
    if (change.cause === Cause.Packet) {
      // A connection was confirmed after its activation had expired: the same session.
      const same = this.ofCpe.get(key)?.find(({ collector, open }) => collector === change.owner && open.size > 0);
      if (same) {
        same.isCurrent = true;
        same.toldMs = change.timeMs;
        return;
      }
    }
    if (session) {
      if (session.connections === 0 && session.open.size === 0 && session.collector === change.owner) {
        // Woken once more before its session: still one session.
        session.armedMs = session.toldMs = change.timeMs;
        session.woken = WOKEN_BY_CAUSE[change.cause] ?? Woken.Unknown;
        return;
      }
      session.isCurrent = false;
      if (session.connections === 0) this.noteEnd(session, Outcome.ArmedAgain, change.timeMs);
      this.settle(session);
    }
    const next = this.begin(key, change);
    next.isCurrent = true;
    next.armedMs = change.timeMs;
    next.woken = WOKEN_BY_CAUSE[change.cause] ?? Woken.Unknown;
  }

  private disarmed(session: Session, change: FlowChange): void {
    session.isCurrent = false;
    session.toldMs = change.timeMs;
    if (session.connections === 0) {
      this.noteEnd(session, OUTCOME_OF_CAUSE[change.cause] ?? Outcome.Unknown, change.timeMs);
    }
    this.settle(session);
  }

  // ---- connections ----

  private takeConnection(change: FlowChange): void {
    const cpe = change.cpe.join();
    const key = `${cpe} ${change.cpePort} ${change.port}`;
    const known = this.connections.get(key);
    if (change.change === Change.Opened) {
      // Told again: its SYN came again with other numbers, or a worker was killed while it opened the entry.
      if (known) this.repeated++;
      else this.opened(cpe, key, change);
      return;
    }
    const connection = known ?? this.found(cpe, key, change);
    if (!connection) return;
    const { session } = connection;
    session.toldMs = change.timeMs;
    switch (change.change) {
      case Change.Confirmed:
        session.isConfirmed = true;
        return;
      case Change.Head:
        // The next request: what was read so far was the answer to the one before.
        if (change.head === Head.Unanswered) noteHead(connection);
        connection.head = change.head;
        return;
      case Change.Closed:
        connection.outcome = outcomeOf(change.seen);
        connection.closedMs = change.timeMs;
        // Only a RST can turn out not to have been the end.
        if ((change.seen & RST) === 0) this.ended(key, connection, change.timeMs);
        return;
      case Change.Resumed:
        connection.outcome = Outcome.Unknown;
        connection.closedMs = undefined;
        return;
      case Change.Ended:
        if (connection.closedMs === undefined) connection.outcome = outcomeOfEnd(change);
        return this.ended(key, connection, connection.closedMs ?? change.timeMs);
    }
  }

  private opened(cpe: string, key: string, change: FlowChange): void {
    const session = this.unfinished(cpe, change);
    // Nobody is diverted without an activation, so its end will be told.
    if (session.armedMs === undefined && session.connections === 0) session.isCurrent = true;
    if (session.connections === 0) {
      session.openedMs = change.timeMs;
      session.cpePort = change.cpePort;
      session.port = change.port;
    }
    session.toldMs = change.timeMs;
    session.connections++;
    this.counted++;
    this.attach(key, session);
  }

  /** A connection whose SYN was not told. Undefined when it has ended: its row may already have been given out. */
  private found(cpe: string, key: string, change: FlowChange): Connection | undefined {
    if (change.change === Change.Ended || (change.seen & RST) !== 0 || (change.seen & FIN) === FIN) return undefined;
    const session = this.unfinished(cpe, change);
    if (session.cpePort === 0) {
      session.cpePort = change.cpePort;
      session.port = change.port;
    }
    session.isConfirmed ||= (change.seen & Seen.Answer) !== 0;
    return this.attach(key, session);
  }

  private attach(key: string, session: Session): Connection {
    const connection = { session, head: Head.None, closedMs: undefined, outcome: Outcome.Unknown };
    this.connections.set(key, connection);
    session.open.add(key);
    return connection;
  }

  private ended(key: string, connection: Connection, timeMs: number): void {
    const { session, outcome } = connection;
    noteHead(connection);
    this.connections.delete(key);
    session.open.delete(key);
    this.noteEnd(session, outcome, timeMs);
    this.settle(session);
  }

  // ---- sessions ----

  /** The session that a change belongs to; one with an unknown beginning when there is none. */
  private unfinished(cpe: string, change: FlowChange): Session {
    const sessions = this.ofCpe.get(cpe)?.filter(({ collector }) => collector === change.owner) ?? [];
    return sessions.find(({ isCurrent }) => isCurrent) ?? sessions[0] ?? this.begin(cpe, change);
  }

  private begin(key: string, { cpe, owner, timeMs }: FlowChange): Session {
    const session: Session = {
      key,
      cpe,
      collector: owner,
      woken: Woken.Unknown,
      outcome: Outcome.Unknown,
      endedMs: timeMs,
      armedMs: undefined,
      openedMs: undefined,
      cpePort: 0,
      port: 0,
      connections: 0,
      isConfirmed: false,
      heads: 0,
      lastHead: Head.None,
      isCurrent: false,
      open: new Set(),
      toldMs: timeMs,
    };
    this.all.add(session);
    const others = this.ofCpe.get(key);
    if (others) others.push(session);
    else this.ofCpe.set(key, [session]);
    return session;
  }

  private noteEnd(session: Session, outcome: Outcome, timeMs: number): void {
    session.outcome = outcome;
    session.endedMs = timeMs;
  }

  private settle(session: Session): void {
    if (session.isCurrent || session.open.size > 0) return;
    this.all.delete(session);
    this.counted -= session.connections;
    const others = this.ofCpe.get(session.key)!.filter((other) => other !== session);
    if (others.length === 0) this.ofCpe.delete(session.key);
    else this.ofCpe.set(session.key, others);
    this.emit(rowOf(session));
  }

  /** Ends a session of which nothing more will be told. */
  private cut(session: Session, outcome: Outcome, timeMs: number): void {
    const isEnded = session.open.size === 0 && session.connections > 0;
    for (const key of session.open) {
      noteHead(this.connections.get(key)!);
      this.connections.delete(key);
    }
    session.open.clear();
    session.isCurrent = false;
    // Only its grace was still running.
    if (!isEnded) this.noteEnd(session, outcome, timeMs);
    this.settle(session);
  }
}

function noteHead({ session, head }: Connection): void {
  if (head === Head.None) return;
  session.heads |= 1 << head;
  session.lastHead = head;
}

function rowOf(session: Session): SessionRow {
  const { cpe, collector, woken, outcome, endedMs, armedMs, openedMs, cpePort, port } = session;
  const { connections, isConfirmed, heads, lastHead } = session;
  return {
    ...{ cpe, collector, woken, outcome, endedMs, armedMs, openedMs, cpePort, port },
    ...{ connections, isConfirmed, heads, lastHead },
  };
}

/** @param seen of a connection that is over */
function outcomeOf(seen: number): Outcome {
  if (seen & Seen.RstOfServer) return Outcome.ResetByCollector;
  return seen & Seen.RstOfCpe ? Outcome.ResetByCpe : Outcome.Closed;
}

/** Of a connection that was removed before both ends had closed it. */
function outcomeOfEnd({ cause, seen }: FlowChange): Outcome {
  switch (cause) {
    case Cause.Refused:
      return Outcome.Refused;
    case Cause.Silent:
      return Outcome.Silent;
    case Cause.Booted:
      return Outcome.Booted;
    case Cause.Forgotten:
      return Outcome.Forgotten;
    case Cause.Expired:
      if (seen & FIN) return Outcome.Closed;
      return seen & Seen.Answer ? Outcome.Idle : Outcome.Silent;
    default:
      return Outcome.Replaced;
  }
}
