/**
 * What became of each TCP connection, independent of its packets: every packet in flight names the connection that its
 * sender meant. So the ledger can tell, without any of the splitter's rules, whether two servers answered a connection,
 * whether its packets reached a server that had not answered it, and whether it broke for a reason that would also have
 * broken it without the splitter. Forged packets belong to no connection and excuse nothing.
 */
import { SimFailure } from './failure';
import { CPE, ITMS, SERVERS } from './parties';
import { type Timeline } from './timeline';
import { ACK, addressText, FIN, RST, SYN } from './wire';

/** Reasons outside the splitter for a connection to break. */
export const enum Cause {
  /** A host lost power, died, or was not there. */
  Down = 1 << 0,
  /** Nobody listens. */
  Refused = 1 << 1,
  /** An application reset it. */
  Aborted = 1 << 2,
  /** An end gave up, with a cause of its own. */
  GaveUp = 1 << 3,
  /** The CPE's line was cut. */
  Outage = 1 << 4,
  /** The splitter's queue overflowed while no engine ran. */
  Queue = 1 << 5,
  /** A table was full: a stated limit. */
  Limit = 1 << 6,
  /** The server was too busy to answer a SYN. */
  Busy = 1 << 7,
  /** It was silent for longer than its entry lives, so later packets belong to no entry. */
  Expired = 1 << 8,
  /** Its CPE misbehaves. */
  Hostile = 1 << 9,
  /** Its server heard nothing for a while: after 10 s, any SYN on its ports is decided afresh. */
  Silent = 1 << 10,
}

/** Silence that ends an entry: of an open connection (RFC 5382 REQ-5), after a FIN of one end, and of both. */
const OPEN_MS = 7_500_000;
const FIN_ONE_MS = 240_000;
const FIN_BOTH_MS = 120_000;
/** By the number of ends whose FIN has passed. */
const LIFE_MS = [OPEN_MS, FIN_ONE_MS, FIN_BOTH_MS];
/** Of a diverted connection that its CPE has not confirmed, after its last SYN. */
const PROVISIONAL_MS = 10_000;

/** Its entry may have gone. */
const GONE = Cause.Expired | Cause.Silent;

const RECENT = 64;

/** One TCP connection, from its first SYN on. */
export class Connection {
  /** Bit by server: took the SYN. */
  accepted = 0;
  /** Bit by server: a packet of that server reached the CPE's live end. */
  heard = 0;
  /** Bit by server: refused the SYN. */
  refused = 0;
  /** Cause bits. */
  causes = 0;
  /** Packets that the network lost or spoiled, in both directions. */
  lost = 0;
  /** An end has closed for good. */
  isOver = false;
  /** One end has closed cleanly: everything was sent. */
  isComplete = false;
  /** The CPE's end knows that it is open. */
  isEstablished = false;
  /** A FIN has been sent. */
  isClosing = false;
  /** Ends whose FIN has met the splitter, and when the last packet of either has. */
  private finOfCpe = false;
  private finOfServer = false;
  private metMs = Number.POSITIVE_INFINITY;
  /** The last SYN of its CPE, and whether the CPE has answered the server's since. */
  private synMs = Number.POSITIVE_INFINITY;
  private isConfirmed = false;

  constructor(
    readonly number: number,
    /** int32. */
    readonly cpe: number,
    readonly cpePort: number,
    /** At the ACS address, or the server's own. */
    readonly port: number,
    /** The server that opened it, or CPE. */
    readonly opener: number,
    readonly bornMs: number,
  ) {}

  /** @param sender a server's number, or CPE @param flags of TCP; 0 where the packet is spoiled */
  meetSplitter(sender: number, flags: number, nowMs: number): void {
    const fins = Number(this.finOfCpe) + Number(this.finOfServer);
    if (nowMs - this.metMs > LIFE_MS[fins]!) this.causes |= Cause.Expired;
    this.metMs = nowMs;
    if (this.opener === CPE && sender === CPE) this.meetOfCpe(flags, nowMs);
    if ((flags & (FIN | SYN | RST)) !== FIN) return;
    if (sender === CPE) this.finOfCpe = true;
    else this.finOfServer = true;
  }

  /** Its entry is closed by the rules, so any SYN on its ports, even a forged one, is decided as a new connection. */
  get hasServerClosed(): boolean {
    return this.finOfServer;
  }

  private meetOfCpe(flags: number, nowMs: number): void {
    if ((flags & (SYN | ACK)) === SYN) {
      this.synMs = nowMs;
    } else if (!this.isConfirmed) {
      if (this.accepted !== 1 << ITMS && nowMs - this.synMs > PROVISIONAL_MS) this.causes |= Cause.Expired;
      else if ((flags & (ACK | RST)) === ACK) this.isConfirmed = true;
    }
  }
}

export class Ledger {
  /** When the engine last lost its tables. */
  stateLostMs = Number.NEGATIVE_INFINITY;
  opened = 0;
  /** Some of the connections that CPEs opened last, and servers: what an attacker would aim at. */
  readonly recent: Connection[] = [];
  readonly recentRequests: Connection[] = [];
  broken = 0;

  constructor(
    private readonly timeline: Timeline,
    private readonly isIpv6: boolean,
  ) {}

  open(cpe: number, cpePort: number, port: number, opener: number): Connection {
    const connection = new Connection(this.opened++, cpe, cpePort, port, opener, this.timeline.nowMs);
    const recent = opener === CPE ? this.recent : this.recentRequests;
    recent.push(connection);
    if (recent.length > RECENT) recent.shift();
    return connection;
  }

  /** A packet of `connection` arrives at a server. */
  atServer(connection: Connection, server: number, isSyn: boolean): void {
    if (connection.opener === CPE) {
      if (isSyn || (connection.accepted & (1 << server) && this.isPartner(connection, server))) return;
    } else if (connection.opener === server || connection.causes & Cause.Limit) return;
    if (connection.isOver || connection.causes & GONE || this.isForgotten(connection)) return;
    if (connection.hasServerClosed) return;
    this.fail('one-server', connection, `its packet reached ${SERVERS[server]!.name}, which has no part in it`);
  }

  /**
   * A server takes the SYN of a CPE's connection. A second server may, as long as nothing of the first has reached the
   * CPE: a collector that has forgotten an earlier connection takes a SYN, and its answer is dropped.
   */
  accept(connection: Connection, server: number): void {
    connection.accepted |= 1 << server;
    if (this.isPartner(connection, server)) return;
    if (connection.isOver || connection.causes & GONE || this.isForgotten(connection)) return;
    this.fail(
      'one-server',
      connection,
      `${names(connection.heard)} has answered it, ${names(1 << server)} took its SYN`,
    );
  }

  /** False for a server that a CPE's SYN has reached, when the CPE has then been answered by another. */
  isPartner(connection: Connection, party: number): boolean {
    if (party === CPE || connection.opener !== CPE || connection.heard === 0) return true;
    return (connection.heard & (1 << party)) !== 0;
  }

  /**
   * A packet of `connection`, sent by `server`, arrives at the CPE's live end. A refusal is a server's last packet and
   * ends the entry: a SYN repeated meanwhile goes to the ITMS, and a refusal that arrives after the ITMS's answer is a
   * RST outside the window. The check of who took the SYN still applies.
   */
  atCpe(connection: Connection, server: number): void {
    if (connection.refused & (1 << server) || connection.hasServerClosed) return;
    connection.heard |= 1 << server;
    if (
      (connection.heard & (connection.heard - 1)) === 0 ||
      connection.isOver ||
      connection.causes & (Cause.Limit | GONE) ||
      this.isForgotten(connection)
    )
      return;
    this.fail('one-peer', connection, `the CPE heard ${names(connection.heard)}`);
  }

  /** An end was reset in the middle of its work. */
  reset(connection: Connection): void {
    this.broken++;
    if (connection.causes !== 0 || connection.isComplete || this.isForgotten(connection)) return;
    this.fail('lives', connection, 'it was reset, and nothing but the splitter can be the cause');
  }

  /** An end gave up after `attempts` transmissions without an answer. */
  gaveUp(connection: Connection, attempts: number): void {
    this.broken++;
    // When a CPE has sixteen connections, those closed by their server give way, so a last FIN gets no answer.
    const mayBeGone = connection.hasServerClosed;
    const isExcused =
      mayBeGone || connection.causes !== 0 || connection.lost >= attempts || this.isForgotten(connection);
    connection.causes |= Cause.GaveUp;
    if (isExcused) return;
    const detail = `an end gave up after ${attempts} attempts, of which the network lost ${connection.lost}`;
    this.fail('lives', connection, detail);
  }

  /** True where the engine lost its tables and therefore knows nothing of a connection that it needs to know. */
  private isForgotten(connection: Connection): boolean {
    if (connection.bornMs > this.stateLostMs) return false;
    // What a CPE has opened with the ITMS needs no entry.
    const isOfItms = connection.opener === CPE && connection.accepted === 1 << ITMS;
    return !isOfItms || !connection.isEstablished;
  }

  private fail(check: string, connection: Connection, detail: string): never {
    const opener = connection.opener === CPE ? 'the CPE' : SERVERS[connection.opener]!.name;
    const who = `connection ${connection.number} of ${opener}, CPE ${addressText(connection.cpe, this.isIpv6)} port ${connection.cpePort}`;
    const born = `born at ${(connection.bornMs / 1000).toFixed(3)} s`;
    throw new SimFailure(check, this.timeline.nowMs, `${who}, ${born}: ${detail}`, connection.cpe);
  }
}

function names(bits: number): string {
  return SERVERS.filter((_, number) => bits & (1 << number))
    .map(({ name }) => name)
    .join(' and ');
}
