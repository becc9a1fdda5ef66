/** A row of ActivatedCpes: its state, its words, and how long each phase lives. */

/** The low six bits choose the life. */
export const enum State {
  Armed = 1 << 0,
  Consumed = 1 << 1,
  /** Consumed, and the report connection has just closed. */
  Grace = 1 << 2,
  Asked = 1 << 3,
  /** The kind of grace, in two bits. See Grace. */
  GraceShift = 4,
  /** After it was asked, the CPE opened a session with the ITMS. */
  SessionFirst = 1 << 6,
  /** A SYN was diverted, and the collector has sent nothing since. */
  Tried = 1 << 7,
}

/** How long a session may take to continue on another connection, judged by the collector's last answer. */
export const enum Grace {
  Short,
  Unfinished,
  /** After 407 and redirects. */
  Retry,
  /** After 401; it lives as Retry does. */
  Login,
}

export const GRACE_MASK = 3 << State.GraceShift;
export const PHASE = State.Armed | State.Consumed | State.Grace | GRACE_MASK | State.Tried;
export const OWNER_SHIFT = 16;

export const enum Word {
  /** CPE port and report port of the last report connection. */
  Ports,
  /**
   * Ticks: when the phase began, and when the CPE was armed, asked, began its session with the ITMS, and was last
   * tried.
   */
  PhaseAt,
  ArmedAt,
  AskedAt,
  SessionAt,
  TriedAt,
  /** For clusters: number of the last change that was told (docs/decisions/cluster.md). */
  Told,
}
export const VALUE_WORDS = 7;

export interface ActivationLives {
  armedMs: number;
  graceMs: number;
  unfinishedMs: number;
  retryMs: number;
  /** Longest time from arming to the end of the last grace. */
  activationMs: number;
  askedMs: number;
}

/** What an activation is at present, its ask aside. */
export const enum Phase {
  None,
  Armed,
  Consumed,
  Grace,
}

/** An entry as another router of the cluster has it. Ages in ms; negative: never. */
export interface ActivationElsewhere {
  phase: Phase;
  owner: number;
  grace: Grace;
  /** CPE port and report port of the last report connection. */
  ports: number;
  phaseMs: number;
  armedMs: number;
  askedMs: number;
  sessionMs: number;
}

/** The bits of a phase. */
export function phaseBits({ phase, grace }: ActivationElsewhere): number {
  if (phase === Phase.Armed) return State.Armed;
  if (phase === Phase.Consumed) return State.Consumed;
  return State.Consumed | State.Grace | (grace << State.GraceShift);
}

/** Length of a phase in ms; 0 for a CPE that is only asked. */
export function phaseLife(state: number, lives: ActivationLives): number {
  if (state & State.Armed) return lives.armedMs;
  if (state & State.Grace) {
    const grace: Grace = (state & GRACE_MASK) >>> State.GraceShift;
    if (grace === Grace.Short) return lives.graceMs;
    return grace === Grace.Unfinished ? lives.unfinishedMs : lives.retryMs;
  }
  return state & State.Consumed ? lives.activationMs : -1;
}
