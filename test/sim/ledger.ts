/**
 * What became of each TCP connection, beside its packets: every packet in flight names the connection that its sender
 * meant. So it can be told, without any rule of the splitter's, whether a connection's packets reached two servers,
 * whether its CPE heard two peers, and whether it broke for a reason that would have broken it without the splitter too.
 */
import { SimFailure } from './failure';
import { CPE, ITMS, SERVERS } from './parties';
import { type Timeline } from './timeline';
import { addressText } from './wire';

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
  /** It was silent for longer than its entry lives: what comes later is a stranger's. */
  Expired = 1 << 8,
}

/** Silence that ends an entry: of an open connection (RFC 5382 REQ-5), after a FIN of one end, and of both. */
const OPEN_MS = 7_500_000;
const FIN_ONE_MS = 240_000;
const FIN_BOTH_MS = 120_000;
/** By the number of ends whose FIN has passed. */
const LIFE_MS = [OPEN_MS, FIN_ONE_MS, FIN_BOTH_MS];

const RECENT = 64;

/** One TCP connection, from its first SYN on. */
export class Connection {
  /** Bit by server: took the SYN. */
  accepted = 0;
  /** Bit by server: a packet of it reached the CPE's live end. */
  heard = 0;
  /** Bit by server: refused the SYN. */
  refused = 0;
  /** Cause bits. */
  causes = 0;
  /** Packets that the network lost or spoiled, in both directions. */
  lost = 0;
  /** An end has closed for good. */
  isOver = false;
  /** An end has closed in order: all that was to be said has been said. */
  isComplete = false;
  /** The CPE's end knows that it is open. */
  isEstablished = false;
  /** A FIN has been sent. */
  isClosing = false;
  /** Somebody has aimed at it. One forged packet must do no harm; a RST and then a SYN may. */
  isForged = false;
  /** The splitter gave it another port. */
  isRemapped = false;
  /** Another server has opened from the same port towards the same CPE. */
  hasRival = false;
  /** Ends whose FIN has met the splitter, and when the last packet of either has. */
  private finOfCpe = false;
  private finOfServer = false;
  private metMs = Number.POSITIVE_INFINITY;

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

  /** @param sender a server's number, or CPE */
  meetSplitter(sender: number, isFin: boolean, nowMs: number): void {
    const fins = Number(this.finOfCpe) + Number(this.finOfServer);
    if (nowMs - this.metMs > LIFE_MS[fins]!) this.causes |= Cause.Expired;
    this.metMs = nowMs;
    if (!isFin) return;
    if (sender === CPE) this.finOfCpe = true;
    else this.finOfServer = true;
  }
}

export class Ledger {
  /** When the engine last lost its tables. */
  stateLostMs = Number.NEGATIVE_INFINITY;
  opened = 0;
  /** Some of the connections that CPEs opened last: what a forger would aim at. */
  readonly recent: Connection[] = [];
  broken = 0;

  constructor(private readonly timeline: Timeline) {}

  open(cpe: number, cpePort: number, port: number, opener: number): Connection {
    const connection = new Connection(this.opened++, cpe, cpePort, port, opener, this.timeline.nowMs);
    if (opener === CPE) this.recent[this.opened % RECENT] = connection;
    return connection;
  }

  /** A packet of `connection` arrives at a server. */
  atServer(connection: Connection, server: number, isSyn: boolean): void {
    if (connection.opener === CPE) {
      if (isSyn || connection.accepted & (1 << server)) return;
    } else if (connection.opener === server || connection.causes & Cause.Limit) return;
    if (connection.isOver || connection.causes & Cause.Expired || this.isForgotten(connection)) return;
    this.fail('one-server', connection, `its packet reached ${SERVERS[server]!.name}, which has no part in it`);
  }

  /** A server takes the SYN of a CPE's connection. */
  accept(connection: Connection, server: number): void {
    const before = connection.accepted;
    connection.accepted |= 1 << server;
    if (before === 0 || before === 1 << server || connection.isOver || this.isForgotten(connection)) return;
    this.fail('one-server', connection, `${names(connection.accepted)} took its SYN`);
  }

  /**
   * A packet of `connection`, sent by `server`, arrives at the CPE's live end of it. A refusal is a server's last word and
   * ends the entry (the rules: "the entry goes"): a SYN that was repeated meanwhile is the ITMS's, and a refusal that
   * comes after the ITMS's answer is a RST out of the window. Who took the SYN is checked all the same.
   */
  atCpe(connection: Connection, server: number): void {
    if (connection.refused & (1 << server)) return;
    connection.heard |= 1 << server;
    if (
      (connection.heard & (connection.heard - 1)) === 0 ||
      connection.isOver ||
      connection.causes & (Cause.Limit | Cause.Expired) ||
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
    const isExcused = connection.causes !== 0 || connection.lost >= attempts || this.isForgotten(connection);
    connection.causes |= Cause.GaveUp;
    if (isExcused) return;
    const detail = `an end gave up after ${attempts} attempts, of which the network lost ${connection.lost}`;
    this.fail('lives', connection, detail);
  }

  /** True where the engine lost its tables and therefore knows nothing of a connection that it needs to know. */
  private isForgotten(connection: Connection): boolean {
    if (connection.bornMs > this.stateLostMs) return false;
    // What is the ITMS's survives, but for a port that must be translated back; and but for a rival's SYN, repeated when
    // nobody knows any more that the port is taken.
    const isOfItms = connection.opener === ITMS || (connection.opener === CPE && connection.accepted === 1 << ITMS);
    return !isOfItms || !connection.isEstablished || connection.isRemapped || connection.hasRival;
  }

  private fail(check: string, connection: Connection, detail: string): never {
    const opener = connection.opener === CPE ? 'the CPE' : SERVERS[connection.opener]!.name;
    const who = `connection ${connection.number} of ${opener}, CPE ${addressText(connection.cpe)}:${connection.cpePort}`;
    const born = `born at ${(connection.bornMs / 1000).toFixed(3)} s`;
    throw new SimFailure(check, this.timeline.nowMs, `${who}, ${born}: ${detail}`, connection.cpe);
  }
}

function names(bits: number): string {
  return SERVERS.filter((_, number) => bits & (1 << number))
    .map(({ name }) => name)
    .join(' and ');
}
