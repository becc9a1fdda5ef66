/** What the reference remembers about CPEs: lists of plain objects, searched from end to end, and how long each lives. */

export type Side = 'cpe' | 'server';

export interface Connection {
  readonly cpe: string;
  readonly cpePort: number;
  /** At the ACS address, as the CPE sees it. */
  readonly port: number;
  /** The server's own; it differs from `port` where two servers' ports collided. */
  readonly ownPort: number;
  readonly owner: string;
  isn: number;
  isAnswered: boolean;
  fins: Set<Side>;
  rsts: Set<Side>;
  saidHttp: boolean;
  saidOther: boolean;
  /** Sequence number of the last answer judged. */
  judged: number | undefined;
  touchedMs: number;
}

/** The right of one collector to a CPE's next session, and what became of it. */
export interface Activation {
  owner: string;
  isArmed: boolean;
  /** The report connection that consumed it. */
  cpePort: number;
  port: number;
  isAnswered: boolean;
  hasFin: boolean;
  isReset: boolean;
  touchedMs: number;
}

export interface Pin {
  isn: number;
  atMs: number;
  /** Its place among all pins. */
  serial: number;
}

export const SILENT_MS = 30_000;
export const PIN_MS = 130_000;
const REQUEST_UNANSWERED_MS = 75_000;
const REPORT_UNANSWERED_MS = 10_000;
const ESTABLISHED_MS = 7_500_000;
const ONE_FIN_MS = 240_000;
const BOTH_FINS_MS = 120_000;
const RST_MS = 10_000;
const ARMED_MS = 60_000;
const GRACE_MS = 2_000;

/** Everything about one CPE address. */
export class CpeMemory {
  private requestList: Connection[] = [];
  private reportList: Connection[] = [];
  private standing: Activation | undefined = undefined;
  /** SYNs that went to the ITMS, by their ports. */
  private readonly pins = new Map<string, Pin>();

  requests(nowMs: number): Connection[] {
    return (this.requestList = alive(this.requestList, REQUEST_UNANSWERED_MS, nowMs));
  }

  reports(nowMs: number): Connection[] {
    return (this.reportList = alive(this.reportList, REPORT_UNANSWERED_MS, nowMs));
  }

  activation(nowMs: number): Activation | undefined {
    const { standing } = this;
    if (standing && nowMs - standing.touchedMs > activationLifeMs(standing)) this.standing = undefined;
    return this.standing;
  }

  setActivation(activation: Activation | undefined): void {
    this.standing = activation;
  }

  pin(cpePort: number, port: number, pin: Pin): void {
    for (const [ports, { atMs }] of this.pins) if (pin.atMs - atMs > PIN_MS) this.pins.delete(ports);
    this.pins.set(`${cpePort} to ${port}`, pin);
  }

  pinOf(cpePort: number, port: number): Pin | undefined {
    return this.pins.get(`${cpePort} to ${port}`);
  }
}

/** All CPEs that have been met. */
export class Memory {
  private readonly cpes = new Map<string, CpeMemory>();

  of(cpe: string): CpeMemory {
    let known = this.cpes.get(cpe);
    if (!known) this.cpes.set(cpe, (known = new CpeMemory()));
    return known;
  }

  requests(nowMs: number): Connection[] {
    return [...this.cpes.values()].flatMap((cpe) => cpe.requests(nowMs));
  }

  reports(nowMs: number): Connection[] {
    return [...this.cpes.values()].flatMap((cpe) => cpe.reports(nowMs));
  }

  activations(nowMs: number): [string, Activation][] {
    return [...this.cpes].flatMap(([cpe, memory]): [string, Activation][] => {
      const activation = memory.activation(nowMs);
      return activation ? [[cpe, activation]] : [];
    });
  }
}

type Ends = Pick<Connection, 'cpe' | 'cpePort' | 'port' | 'ownPort' | 'owner'>;

export function opened(ends: Ends, isn: number, nowMs: number): Connection {
  return { ...ends, ...fresh(isn, nowMs) };
}

/** The same ends, another connection. */
export function reopen(connection: Connection, isn: number, nowMs: number): void {
  Object.assign(connection, fresh(isn, nowMs));
}

function fresh(isn: number, nowMs: number) {
  return {
    isn,
    isAnswered: false,
    fins: new Set<Side>(),
    rsts: new Set<Side>(),
    saidHttp: false,
    saidOther: false,
    judged: undefined,
    touchedMs: nowMs,
  };
}

/** As the CPE sees it. */
export function find(list: Connection[], cpePort: number, port: number): Connection | undefined {
  return list.find((one) => one.cpePort === cpePort && one.port === port);
}

/** As its server sees it. */
export function findOwned(list: Connection[], cpePort: number, ownPort: number, owner: string): Connection | undefined {
  return list.find((one) => one.cpePort === cpePort && one.ownPort === ownPort && one.owner === owner);
}

export function remove(list: Connection[], connection: Connection): void {
  list.splice(list.indexOf(connection), 1);
}

export function isClosing({ fins, rsts }: Connection): boolean {
  return fins.size > 0 || rsts.size > 0;
}

export function phaseOf({ rsts, fins, isAnswered }: Connection): string {
  if (rsts.size > 0) return 'reset';
  if (fins.size > 0) return fins.size === 2 ? 'closed' : 'fin';
  return isAnswered ? 'established' : 'unanswered';
}

/** The CPE's next SYN is the collector's. */
export function stands(activation: Activation): boolean {
  return activation.isArmed || isGrace(activation);
}

export function isGrace({ isArmed, isAnswered, hasFin, isReset }: Activation): boolean {
  return !isArmed && isAnswered && hasFin && !isReset;
}

function alive(list: Connection[], unansweredMs: number, nowMs: number): Connection[] {
  const isAlive = (one: Connection) => nowMs - one.touchedMs <= connectionLifeMs(one, unansweredMs);
  return list.every(isAlive) ? list : list.filter(isAlive);
}

function connectionLifeMs({ rsts, fins, isAnswered }: Connection, unansweredMs: number): number {
  if (rsts.size > 0) return RST_MS;
  if (fins.size === 2) return BOTH_FINS_MS;
  if (fins.size === 1) return ONE_FIN_MS;
  return isAnswered ? ESTABLISHED_MS : unansweredMs;
}

function activationLifeMs({ isArmed, isReset, hasFin, isAnswered }: Activation): number {
  if (isArmed) return ARMED_MS;
  if (isReset) return RST_MS;
  if (hasFin) return GRACE_MS;
  return isAnswered ? ESTABLISHED_MS : REPORT_UNANSWERED_MS;
}
