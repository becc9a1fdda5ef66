/** One collector's right to a CPE's next session, its state, and whether the CPE has been asked. */

export type Grace = 'short' | 'unfinished' | 'retry';

export interface Activation {
  /** Empty when the CPE is only asked. */
  owner: string;
  phase: 'none' | 'armed' | 'consumed' | 'grace';
  grace: Grace | undefined;
  /** The last report connection. */
  cpePort: number;
  port: number;
  phaseMs: number;
  armedMs: number;
  /** Time of a collector's latest new request data; undefined when nobody asks. */
  askedMs: number | undefined;
  /** When an asked CPE opened a session with the ITMS. */
  sessionMs: number | undefined;
  /** Time of the first diverted SYN to which the collector has sent nothing. */
  unheardMs: number | undefined;
  touchedMs: number;
}

const ARMED_MS = 60_000;
const GRACE_MS: Record<Grace, number> = { short: 2_000, unfinished: 30_000, retry: 4_000 };
/** From arming to the end of the last grace; a consumed activation lives as long. */
const ACTIVATION_MS = 300_000;
const ASKED_MS = 75_000;

export function nothing(nowMs: number): Activation {
  const none = { owner: '', phase: 'none' as const, grace: undefined, cpePort: 0, port: 0 };
  const never = { askedMs: undefined, sessionMs: undefined, unheardMs: undefined };
  return { ...none, ...never, phaseMs: nowMs, armedMs: nowMs, touchedMs: nowMs };
}

function phaseLifeMs({ phase, grace }: Activation): number {
  if (phase === 'armed') return ARMED_MS;
  if (phase === 'grace') return GRACE_MS[grace!];
  return phase === 'consumed' ? ACTIVATION_MS : -1;
}

/** It takes room until everything that it may say is over. */
export function isKept(one: Activation, nowMs: number): boolean {
  const longest = one.askedMs === undefined ? phaseLifeMs(one) : Math.max(phaseLifeMs(one), ASKED_MS);
  return nowMs - one.touchedMs <= longest;
}

export function isAsked({ askedMs }: Activation, nowMs: number): boolean {
  return askedMs !== undefined && nowMs - askedMs <= ASKED_MS;
}

/** `none` where the phase is over. */
export function phaseAt(one: Activation, nowMs: number): Activation['phase'] {
  const isOver = nowMs - one.phaseMs > phaseLifeMs(one);
  const isTooOld = one.phase === 'grace' && nowMs - one.armedMs > ACTIVATION_MS;
  return isOver || isTooOld ? 'none' : one.phase;
}

/** The CPE's next SYN is the collector's. */
export function stands(one: Activation, nowMs: number): boolean {
  return ['armed', 'grace'].includes(phaseAt(one, nowMs));
}

export function arm(one: Activation, owner: string, nowMs: number): void {
  if (!isAsked(one, nowMs)) one.askedMs = one.sessionMs = undefined;
  Object.assign(one, { owner, cpePort: 0, port: 0, armedMs: nowMs });
  begin(one, 'armed', nowMs);
}

export function ask(one: Activation, nowMs: number): void {
  if (phaseAt(one, nowMs) === 'none') Object.assign(one, { phase: 'none', unheardMs: undefined });
  one.askedMs = one.touchedMs = nowMs;
}

/** A confirmed connection of these ports is the session, or its continuation. */
export function consume(one: Activation, cpePort: number, port: number, nowMs: number): void {
  Object.assign(one, { cpePort, port });
  begin(one, 'consumed', nowMs);
}

function begin(one: Activation, phase: 'armed' | 'consumed', nowMs: number): void {
  Object.assign(one, { phase, grace: undefined, unheardMs: undefined, phaseMs: nowMs, touchedMs: nowMs });
}

/** The first sign of the last connection's end; a grace does not stretch. */
export function finish(one: Activation, grace: Grace, nowMs: number): void {
  if (one.phase !== 'grace') Object.assign(one, { phase: 'grace', grace, phaseMs: nowMs, touchedMs: nowMs });
}

/** It was not the end. */
export function resume(one: Activation): void {
  if (one.phase === 'grace') one.phase = 'consumed';
}
