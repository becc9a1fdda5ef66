/** The reference's memory of CPEs: lists of plain objects, searched from end to end, and how long each lives. */
import { type Activation, isKept } from './activations';
import { noNumbers, type Numbers } from './numbers';

export type Side = 'cpe' | 'server';

/** An answer that is being read, as text. */
export interface Answer {
  /** False until a request has been sent. */
  isAsked: boolean;
  text: string;
  /** Sequence number of the next byte to be read. */
  at: number;
  /** Segments looked at since the server's acknowledgement changed. */
  segments: number;
}

export interface Connection {
  readonly cpe: string;
  readonly cpePort: number;
  /** At the ACS address, as the CPE sees it. */
  readonly port: number;
  /** The server's own; it differs from `port` where two servers' ports collided. */
  readonly ownPort: number;
  readonly owner: string;
  isn: number;
  /** A request's SYN was answered; a report connection was confirmed. */
  isAnswered: boolean;
  fins: Set<Side>;
  rsts: Set<Side>;
  numbers: Numbers;
  answer: Answer;
  /** A SYN of another ISN has gone to the owner, and no valid packet of the CPE has come since. */
  hasPendingSyn: boolean;
  /** Time of the first SYN to which the owner has sent nothing. */
  unheardMs: number | undefined;
  /** Of a request's latest new data. */
  requestedMs: number;
  /** Of the last data of either end. */
  dataMs: number;
  touchedMs: number;
}

export interface Pin {
  isn: number;
  atMs: number;
  /** Its place among all pins. */
  serial: number;
}

export const PIN_MS = 130_000;
export const REPORT_UNANSWERED_MS = 10_000;
const REQUEST_UNANSWERED_MS = 75_000;
const ESTABLISHED_MS = 7_500_000;
const ONE_FIN_MS = 240_000;
const BOTH_FINS_MS = 120_000;
const RST_MS = 10_000;

/** Everything about one CPE address. */
export class CpeMemory {
  private requestList: Connection[] = [];
  private reportList: Connection[] = [];
  private standing: Activation | undefined = undefined;
  /** By their ports: the latest SYN that went to the ITMS, and the one that it has answered. */
  private readonly latest = new Map<string, Pin>();
  private readonly answered = new Map<string, Pin>();

  requests(nowMs: number): Connection[] {
    return (this.requestList = alive(this.requestList, REQUEST_UNANSWERED_MS, nowMs));
  }

  reports(nowMs: number): Connection[] {
    return (this.reportList = alive(this.reportList, REPORT_UNANSWERED_MS, nowMs));
  }

  activation(nowMs: number): Activation | undefined {
    if (this.standing && !isKept(this.standing, nowMs)) this.standing = undefined;
    return this.standing;
  }

  setActivation(activation: Activation | undefined): void {
    this.standing = activation;
  }

  /** A SYN has gone to the ITMS. */
  pin(cpePort: number, port: number, pin: Pin): void {
    const { latest, answered } = this;
    for (const pins of [latest, answered]) {
      for (const [ports, { atMs }] of pins) if (pin.atMs - atMs > PIN_MS) pins.delete(ports);
    }
    const known = answered.get(`${cpePort} to ${port}`);
    if (known?.isn === pin.isn) known.atMs = pin.atMs;
    else latest.set(`${cpePort} to ${port}`, pin);
  }

  /** The ITMS has answered that SYN: no other SYN takes its place. */
  pinAnswered(cpePort: number, port: number, pin: Pin): void {
    const ports = `${cpePort} to ${port}`;
    this.answered.set(ports, pin);
    if (this.latest.get(ports)?.isn === pin.isn) this.latest.delete(ports);
  }

  pinOf(cpePort: number, port: number, isn: number): Pin | undefined {
    const ports = `${cpePort} to ${port}`;
    return [this.latest.get(ports), this.answered.get(ports)].find((pin) => pin?.isn === isn);
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
    numbers: noNumbers(),
    answer: { isAsked: false, text: '', at: 0, segments: 0 },
    hasPendingSyn: false,
    unheardMs: undefined,
    requestedMs: nowMs,
    dataMs: nowMs,
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

/** Of each table, for one CPE. */
const MOST_ENTRIES = 16;

/**
 * Room for one more entry of a CPE: at the bound its oldest closed entry gives way.
 *
 * @param mostUnanswered that are not closed
 * @param isGone which of several that are equally old has given way
 * @param mayGo of a report connection, once the CPE knows of the end
 */
export function makeRoom(
  list: Connection[],
  mostUnanswered: number,
  isGone: (connection: Connection) => boolean,
  mayGo = isOverForCpe,
): boolean {
  const closed = list.filter(mayGo).sort((one, other) => one.touchedMs - other.touchedMs);
  if (list.filter((one) => !one.isAnswered && !isClosed(one)).length >= mostUnanswered) return false;
  if (list.length < MOST_ENTRIES) return true;
  if (closed.length === 0) return false;
  const oldest = closed.filter(({ touchedMs }) => touchedMs === closed[0].touchedMs);
  remove(list, oldest.find(isGone) ?? oldest[0]);
  return true;
}

/** The server has closed, or a RST was proven. */
export function isClosed({ fins, rsts }: Connection): boolean {
  return fins.has('server') || rsts.size > 0;
}

/** Closed, and the CPE knows it: a new SYN on these ports is a new connection. */
export function isOverForCpe({ fins, rsts, numbers }: Connection): boolean {
  const hasSeenFin = numbers.areLearned && numbers.cpeAck === numbers.serverNext;
  return rsts.size > 0 || (fins.has('server') && hasSeenFin);
}

/** The first sign of the end has been seen. */
export function isClosing({ fins, rsts }: Connection): boolean {
  return fins.size > 0 || rsts.size > 0;
}

export function phaseOf({ rsts, fins, isAnswered }: Connection): string {
  if (rsts.size > 0) return 'reset';
  if (fins.size > 0) return fins.size === 2 ? 'closed' : 'fin';
  return isAnswered ? 'established' : 'unanswered';
}

function alive(list: Connection[], unansweredMs: number, nowMs: number): Connection[] {
  const isAlive = (one: Connection) => nowMs - one.touchedMs <= lifeMs(one, unansweredMs);
  return list.every(isAlive) ? list : list.filter(isAlive);
}

function lifeMs({ rsts, fins, isAnswered }: Connection, unansweredMs: number): number {
  if (rsts.size > 0) return RST_MS;
  if (fins.size === 2) return BOTH_FINS_MS;
  if (fins.size === 1) return ONE_FIN_MS;
  return isAnswered ? ESTABLISHED_MS : unansweredMs;
}
