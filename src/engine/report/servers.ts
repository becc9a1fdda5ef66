/** The servers in a status: state, since when and why, and what their CPEs have met. */
import { ADDRESS_WORDS, type Family, formatAddress } from '../../packet/address';
import { WINDOW_MS } from '../../splitter/health/health';
import {
  Col,
  rowOf,
  SERVER_STATES,
  type ServerRows,
  type ServerState,
  type ServerStateName,
  Trouble,
} from '../../splitter/health/server-row';
import { ITMS } from '../../splitter/memory/owners';
import { type SplitterState } from '../../splitter/memory/state';

/** Connections that CPEs opened to a server. */
export interface ServerCounts {
  /** Retransmitted SYNs not counted. */
  opened: number;
  answered: number;
  /** By a RST, or by an ICMP error about the SYN. */
  refused: number;
  /** Nothing came within 3 s. */
  unanswered: number;
  /** Answered only after a second. */
  slow: number;
  /** RSTs of the server on connections that it had accepted. */
  resets: number;
  /** Sum of the times from SYN to SYN+ACK. */
  answerSumMs: number;
}

/** Sessions of a collector; 0 for the ITMS. */
export interface SessionCounts {
  armed: number;
  /** Its last answer said that the session is over, or could not be read. */
  finished: number;
  unfinished: number;
  /** Of the unfinished ones: the last answer was a 401. */
  loginsRefused: number;
}

interface Judgement {
  state: ServerStateName;
  /** For how long. */
  sinceMs: number;
  /** Null while it is up. */
  why: string | null;
  /** Average time from SYN to SYN+ACK; null before the first. */
  answerMs: number | null;
}

/** A server in one family. */
export interface AddressStatus extends Judgement, ServerCounts, SessionCounts {
  address: string;
  /** What the latest probe met: `answers`, an error's code, or `timeout`. Null without one. */
  probe: string | null;
}

/** A server: the worst state of its addresses, and the sums of their counts. */
export interface ServerStatus extends Judgement, ServerCounts, SessionCounts {
  addresses: AddressStatus[];
}

export interface ServersParts {
  state: Pick<SplitterState, 'families' | 'owners'>;
  /** Of the configured collectors. */
  collectors: readonly string[];
  rows: ServerRows;
  /** The splitter's time. */
  nowMs: number;
  probes?: ReadonlyMap<string, string>;
}

/** The ITMS first, under `itms`; then the collectors by name. */
export function composeServers(parts: ServersParts): Record<string, ServerStatus> {
  const { owners } = parts.state;
  const names: [string, number][] = parts.collectors.map((name) => [name, owners.idOf(name)]);
  return Object.fromEntries([['itms', ITMS] as const, ...names].map(([name, owner]) => [name, serverOf(parts, owner)]));
}

function serverOf(parts: ServersParts, owner: number): ServerStatus {
  const addresses = parts.state.families.map(({ family }) => addressOf(parts, owner, family));
  const worst = addresses.reduce((worst, one) => (rank(one) > rank(worst) ? one : worst));
  const where = addresses.length > 1 ? `${worst.address}: ` : '';
  const sum = (of: keyof ServerCounts | keyof SessionCounts) => addresses.reduce((sum, one) => sum + one[of], 0);
  return {
    state: worst.state,
    sinceMs: worst.sinceMs,
    why: worst.why === null ? null : `${where}${worst.why}`,
    answerMs: addresses.reduce<number | null>(
      (most, { answerMs }) => (answerMs === null ? most : Math.max(most ?? 0, answerMs)),
      null,
    ),
    opened: sum('opened'),
    answered: sum('answered'),
    refused: sum('refused'),
    unanswered: sum('unanswered'),
    slow: sum('slow'),
    resets: sum('resets'),
    answerSumMs: sum('answerSumMs'),
    armed: sum('armed'),
    finished: sum('finished'),
    unfinished: sum('unfinished'),
    loginsRefused: sum('loginsRefused'),
    addresses,
  };
}

function rank({ state }: Judgement): number {
  return SERVER_STATES.indexOf(state);
}

/** Which server a row is, by row. */
export function rowNames({ state, collectors }: Pick<ServersParts, 'state' | 'collectors'>): Map<number, string> {
  const owners: [string, number][] = [
    ['itms', ITMS],
    ...collectors.map((name): [string, number] => [name, state.owners.idOf(name)]),
  ];
  const words = state.families.map(({ family }) => ADDRESS_WORDS[family]);
  return new Map(
    owners.flatMap(([name, owner]) => words.map((count): [number, string] => [rowOf(owner, count), name])),
  );
}

/** The address of a row. */
export function addressOfRow(rows: ServerRows, row: number): string {
  const count = row % 2 === 0 ? ADDRESS_WORDS.ipv4 : ADDRESS_WORDS.ipv6;
  return formatAddress(Int32Array.from({ length: count }, (_, word) => rows.get(row, Col.Address + word)));
}

function addressOf({ rows, nowMs, probes }: ServersParts, owner: number, family: Family): AddressStatus {
  const row = rowOf(owner, ADDRESS_WORDS[family]);
  const get = (column: Col) => rows.get(row, column);
  const address = addressOfRow(rows, row);
  const state: ServerState = get(Col.State);
  const since = get(Col.Since);
  return {
    address,
    state: SERVER_STATES[state] ?? 'up',
    sinceMs: since === 0 ? 0 : Math.max(0, Math.round(nowMs - since)),
    why: reasonOf(get(Col.Trouble), get(Col.Troubled), get(Col.Attempts)),
    answerMs: get(Col.Answered) === 0 ? null : Math.round(get(Col.AnswerMs)),
    opened: get(Col.Opened),
    answered: get(Col.Answered),
    refused: get(Col.Refused),
    unanswered: get(Col.Unanswered),
    slow: get(Col.Slow),
    resets: get(Col.Resets),
    answerSumMs: Math.round(get(Col.AnswerSumMs)),
    armed: get(Col.Armed),
    finished: get(Col.Finished),
    unfinished: get(Col.Unfinished),
    loginsRefused: get(Col.LoginsRefused),
    probe: probes?.get(address) ?? null,
  };
}

/** Null while it is up. */
export function reasonOf(trouble: Trouble, troubled: number, attempts: number): string | null {
  const seconds = WINDOW_MS / 1000;
  switch (trouble) {
    case Trouble.None:
      return null;
    case Trouble.Refused:
      return `${troubled} CPEs in a row were refused`;
    case Trouble.Unanswered:
      return `${troubled} CPEs in a row got no answer`;
    case Trouble.Cut:
      return `${troubled} CPEs failed, and none was answered since`;
    default:
      return `${troubled} of ${attempts} connections in ${seconds} s failed or waited a second`;
  }
}
