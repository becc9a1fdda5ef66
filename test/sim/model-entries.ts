/** What the model remembers, in plain objects, and for how long. In seconds as the rules state them, in ms as used. */

export const LIVES = {
  requestUnanswered: 75_000,
  reportUnanswered: 10_000,
  established: 7_500_000,
  finOne: 240_000,
  finBoth: 120_000,
  reset: 10_000,
  armed: 60_000,
  grace: 2_000,
  pin: 130_000,
  /** A live report connection that was silent for so long may be taken over by a new SYN. */
  silent: 30_000,
} as const;

/** After this many other SYNs the pin cache (65 536 places) may have forgotten one; before, hardly ever. */
const SURE_PINS = 400;

export interface ModelConnection {
  cpePort: number;
  /** The port at the ACS address, as the CPE sees it. */
  visiblePort: number;
  /** The server's own; another one where the ports collided. */
  ownPort: number;
  owner: number;
  isn: number;
  isAnswered: boolean;
  finOfCpe: boolean;
  finOfServer: boolean;
  rstOfCpe: boolean;
  rstOfServer: boolean;
  saidHttp: boolean;
  saidOther: boolean;
  /** Sequence number of the last answer judged. */
  judged: number | undefined;
  lastMs: number;
}

export interface ModelActivation {
  owner: number;
  isArmed: boolean;
  /** Of the report connection that consumed it. */
  cpePort: number;
  reportPort: number;
  isAnswered: boolean;
  isFinished: boolean;
  isReset: boolean;
  lastMs: number;
}

interface Pin {
  cpePort: number;
  reportPort: number;
  isn: number;
  atMs: number;
  serial: number;
}

export type Pinned = 'yes' | 'no' | 'maybe';

/** Everything about one CPE address. */
export class ModelCpe {
  private requestList: ModelConnection[] = [];
  private reportList: ModelConnection[] = [];
  private standing: ModelActivation | undefined = undefined;
  private pins: Pin[] = [];

  requests(nowMs: number): ModelConnection[] {
    const { requestList } = this;
    if (requestList.every((one) => isAlive(one, LIVES.requestUnanswered, nowMs))) return requestList;
    return (this.requestList = requestList.filter((one) => isAlive(one, LIVES.requestUnanswered, nowMs)));
  }

  reports(nowMs: number): ModelConnection[] {
    const { reportList } = this;
    if (reportList.every((one) => isAlive(one, LIVES.reportUnanswered, nowMs))) return reportList;
    return (this.reportList = reportList.filter((one) => isAlive(one, LIVES.reportUnanswered, nowMs)));
  }

  activation(nowMs: number): ModelActivation | undefined {
    const { standing } = this;
    if (standing !== undefined && nowMs - standing.lastMs > activationLife(standing)) this.standing = undefined;
    return this.standing;
  }

  setActivation(activation: ModelActivation | undefined): void {
    this.standing = activation;
  }

  pin(cpePort: number, reportPort: number, isn: number, nowMs: number, serial: number): void {
    this.pins = this.pins.filter((one) => nowMs - one.atMs <= LIVES.pin);
    this.pins.push({ cpePort, reportPort, isn, atMs: nowMs, serial });
  }

  isPinned(cpePort: number, reportPort: number, isn: number, nowMs: number, serial: number): Pinned {
    const same = this.pins.filter((one) => one.cpePort === cpePort && one.reportPort === reportPort);
    const found = same.filter((one) => one.isn === isn && nowMs - one.atMs <= LIVES.pin).at(-1);
    if (found === undefined) return 'no';
    return found === same.at(-1) && serial - found.serial < SURE_PINS ? 'yes' : 'maybe';
  }
}

export function open(
  cpePort: number,
  visiblePort: number,
  ownPort: number,
  owner: number,
  isn: number,
  nowMs: number,
): ModelConnection {
  return {
    cpePort,
    visiblePort,
    ownPort,
    owner,
    isn,
    isAnswered: false,
    finOfCpe: false,
    finOfServer: false,
    rstOfCpe: false,
    rstOfServer: false,
    saidHttp: false,
    saidOther: false,
    judged: undefined,
    lastMs: nowMs,
  };
}

export function isReset(one: ModelConnection): boolean {
  return one.rstOfCpe || one.rstOfServer;
}

export function isClosing(one: ModelConnection): boolean {
  return one.finOfCpe || one.finOfServer || isReset(one);
}

/** Armed, or in grace: the CPE's next SYN is the collector's. */
export function stands(one: ModelActivation): boolean {
  return one.isArmed || isGrace(one);
}

export function isGrace(one: ModelActivation): boolean {
  return !one.isArmed && one.isAnswered && one.isFinished && !one.isReset;
}

export function remove<T>(list: T[], one: T): void {
  list.splice(list.indexOf(one), 1);
}

function isAlive(one: ModelConnection, unanswered: number, nowMs: number): boolean {
  return nowMs - one.lastMs <= connectionLife(one, unanswered);
}

function connectionLife(one: ModelConnection, unanswered: number): number {
  if (isReset(one)) return LIVES.reset;
  if (one.finOfCpe && one.finOfServer) return LIVES.finBoth;
  if (one.finOfCpe || one.finOfServer) return LIVES.finOne;
  return one.isAnswered ? LIVES.established : unanswered;
}

function activationLife(one: ModelActivation): number {
  if (one.isArmed) return LIVES.armed;
  if (one.isReset) return LIVES.reset;
  if (one.isFinished) return LIVES.grace;
  return one.isAnswered ? LIVES.established : LIVES.reportUnanswered;
}
