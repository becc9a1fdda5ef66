/** The model's connections: a Map by CPE, CPE port and the port that the CPE sees, with a bound and with lives. */

export type Side = 'cpe' | 'server';

export interface Connection {
  cpe: string;
  cpePort: number;
  /** At the ACS address, as the CPE sees it; 0 until it is learned. */
  port: number;
  /** The server's own. */
  ownPort: number;
  owner: string;
  isn: number;
  answered: boolean;
  fins: Set<Side>;
  rsts: Set<Side>;
  spokeHttp: boolean;
  spokeOther: boolean;
  /** Sequence number of the last answer judged. */
  judged: number | undefined;
  touchedMs: number;
}

const ESTABLISHED_MS = 7_500_000;
const ONE_FIN_MS = 240_000;
const BOTH_FINS_MS = 120_000;
const RST_MS = 10_000;

export class ModelConnections {
  private readonly byPorts = new Map<string, Connection>();
  private nowMs = 0;

  constructor(
    private readonly capacity: number,
    private readonly unansweredMs: number,
  ) {}

  at(nowMs: number): void {
    this.nowMs = nowMs;
    for (const connection of this.all()) {
      if (nowMs - connection.touchedMs > this.lifeMs(connection)) this.forget(connection);
    }
  }

  all(): Connection[] {
    return [...this.byPorts.values()];
  }

  find(cpe: string, cpePort: number, port: number): Connection | undefined {
    return this.byPorts.get(`${cpe}:${cpePort} to ${port}`);
  }

  /** That of a server, by its own port, under whichever the CPE sees. */
  findOwned(cpe: string, cpePort: number, ownPort: number, owner: string): Connection | undefined {
    return this.all().find(
      (one) => one.cpe === cpe && one.cpePort === cpePort && one.ownPort === ownPort && one.owner === owner,
    );
  }

  /** Undefined where there is no room. @param port 0 where it is to be learned */
  open(cpe: string, cpePort: number, port: number, owner: string, isn: number, ownPort = port): Connection | undefined {
    if (this.byPorts.size >= this.capacity) return undefined;
    const connection = { cpe, cpePort, port, ownPort, owner, ...fresh(isn, this.nowMs) };
    this.byPorts.set(keyOf(connection), connection);
    return connection;
  }

  reopen(connection: Connection, isn: number): void {
    Object.assign(connection, fresh(isn, this.nowMs));
  }

  learnPort(port: number): void {
    const connection = this.all().find((one) => one.port === 0);
    if (!connection) return;
    this.byPorts.delete(keyOf(connection));
    connection.port = port;
    this.byPorts.set(keyOf(connection), connection);
  }

  forget(connection: Connection): void {
    this.byPorts.delete(keyOf(connection));
  }

  /** Any packet but a SYN keeps an answered connection; an unanswered one lives by its SYNs. */
  keep(connection: Connection): void {
    if (connection.answered) connection.touchedMs = this.nowMs;
  }

  touch(connection: Connection): void {
    connection.touchedMs = this.nowMs;
  }

  private lifeMs({ rsts, fins, answered }: Connection): number {
    if (rsts.size > 0) return RST_MS;
    if (fins.size === 2) return BOTH_FINS_MS;
    if (fins.size === 1) return ONE_FIN_MS;
    return answered ? ESTABLISHED_MS : this.unansweredMs;
  }
}

export function isClosing({ fins, rsts }: Connection): boolean {
  return fins.size > 0 || rsts.size > 0;
}

export function phaseOf({ rsts, fins, answered }: Connection): string {
  if (rsts.size > 0) return 'reset';
  if (fins.size > 0) return fins.size === 2 ? 'closed' : 'fin';
  return answered ? 'established' : 'unanswered';
}

function keyOf({ cpe, cpePort, port }: Connection): string {
  return `${cpe}:${cpePort} to ${port}`;
}

function fresh(isn: number, nowMs: number) {
  return {
    isn,
    answered: false,
    fins: new Set<Side>(),
    rsts: new Set<Side>(),
    spokeHttp: false,
    spokeOther: false,
    judged: undefined,
    touchedMs: nowMs,
  };
}
