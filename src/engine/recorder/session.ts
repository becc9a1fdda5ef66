/**
 * A row of the history: what became of one session, or of an activation that no session used. Each name has one entry in
 * one list. The numbers are stored in files: add at the end, and never reuse one.
 */
import { Cause } from '../../tables/flow-port';
import { Head } from '../../splitter/decide/http-head';

/** What armed the CPE. */
export const enum Woken {
  /** Armed before the recorder started, or while it was behind. */
  Unknown,
  Response,
  Fin,
  Hand,
  /** The activation had expired between the SYN and the collector's answer. */
  Late,
}

/** How the session ended: the end of its last connection; without any, the end of its activation. */
export const enum Outcome {
  Unknown,
  /** Both ends have sent a FIN. */
  Closed,
  ResetByCpe,
  ResetByCollector,
  /** A RST before the connection was established. */
  Refused,
  /** Nothing came from the collector. */
  Silent,
  Booted,
  Forgotten,
  /** The entry's life ended while the connection was open. */
  Idle,
  /** The CPE's ports were reused, or it had too many connections. */
  Replaced,
  /** Armed, but the CPE opened no session in time. */
  NoSession,
  EndedByHand,
  EndedByItms,
  NotDiverting,
  Takeover,
  ArmedAgain,
  TablesReset,
  /** Still open when the recorder stopped. */
  Unfinished,
  /** The collector was down: the session went to the ITMS. */
  CollectorDown,
}

export const WOKEN = {
  [Woken.Unknown]: 'unknown',
  [Woken.Response]: 'response',
  [Woken.Fin]: 'fin',
  [Woken.Hand]: 'hand',
  [Woken.Late]: 'late',
} as const satisfies Record<Woken, string>;

export const OUTCOMES = {
  [Outcome.Unknown]: 'unknown',
  [Outcome.Closed]: 'closed',
  [Outcome.ResetByCpe]: 'reset-by-cpe',
  [Outcome.ResetByCollector]: 'reset-by-collector',
  [Outcome.Refused]: 'refused',
  [Outcome.Silent]: 'silent',
  [Outcome.Booted]: 'booted',
  [Outcome.Forgotten]: 'forgotten',
  [Outcome.Idle]: 'idle',
  [Outcome.Replaced]: 'replaced',
  [Outcome.NoSession]: 'no-session',
  [Outcome.EndedByHand]: 'ended-by-hand',
  [Outcome.EndedByItms]: 'ended-by-itms',
  [Outcome.NotDiverting]: 'not-diverting',
  [Outcome.Takeover]: 'takeover',
  [Outcome.ArmedAgain]: 'armed-again',
  [Outcome.TablesReset]: 'tables-reset',
  [Outcome.Unfinished]: 'unfinished',
  [Outcome.CollectorDown]: 'collector-down',
} as const satisfies Record<Outcome, string>;

/** What the collector's answers were; see Head. */
export const HEADS = {
  [Head.None]: 'none',
  [Head.Unanswered]: 'unanswered',
  [Head.Empty]: 'empty',
  [Head.Body]: 'body',
  [Head.Retry]: 'retry',
  [Head.Refused]: 'refused',
  [Head.Unreadable]: 'unreadable',
  [Head.Interim]: 'interim',
} as const satisfies Record<Head, string>;

/** How an activation without a session ended. */
export const OUTCOME_OF_CAUSE: Readonly<Partial<Record<Cause, Outcome>>> = {
  [Cause.Expired]: Outcome.NoSession,
  [Cause.Hand]: Outcome.EndedByHand,
  [Cause.Itms]: Outcome.EndedByItms,
  [Cause.NotDiverting]: Outcome.NotDiverting,
  [Cause.Takeover]: Outcome.Takeover,
  [Cause.Silent]: Outcome.Silent,
  [Cause.Refused]: Outcome.Refused,
  [Cause.Booted]: Outcome.Booted,
  [Cause.CollectorDown]: Outcome.CollectorDown,
};

export const WOKEN_BY_CAUSE: Readonly<Partial<Record<Cause, Woken>>> = {
  [Cause.Response]: Woken.Response,
  [Cause.Fin]: Woken.Fin,
  [Cause.Hand]: Woken.Hand,
  [Cause.Packet]: Woken.Late,
};

export interface SessionRow {
  /** One word for IPv4, four for IPv6. */
  cpe: Int32Array;
  collector: string;
  woken: Woken;
  outcome: Outcome;
  /** Wall clock, ms since 1970. */
  endedMs: number;
  /** When the CPE was armed; undefined when that is unknown. */
  armedMs: number | undefined;
  /** The first diverted SYN; undefined when there was none, or it is unknown. */
  openedMs: number | undefined;
  /** Ports of the first connection; 0 when there was none. */
  cpePort: number;
  port: number;
  /** How many connections the session had, as far as their SYNs were recorded. */
  connections: number;
  /** The CPE has acknowledged the collector's SYN+ACK on one of them. */
  isConfirmed: boolean;
  /** Bit n: a Head of number n was read on one of the connections. */
  heads: number;
  lastHead: Head;
}
