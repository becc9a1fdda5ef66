/**
 * One search of the history, in a process of its own that the supervisor starts for the page: it may take a second of CPU
 * time, and ends with its answer on standard output. Its argument is a SearchOrder.
 */
import { setPriority } from 'node:os';
import { formatAddress, parseAddress } from '../../packet/address';
import { type HistoryEvent } from '../shared/recorder-protocol';
import { readHistory } from './read-history';
import { type SessionRow } from './session';
import { sessionJson } from './session-json';

export interface SearchOrder {
  directory: string;
  cpe: string;
  /** Newest sessions, and newest events. */
  limit: number;
}

export interface SearchAnswer {
  /** The newest first. */
  sessions: Record<string, unknown>[];
  /** What operators did to this CPE, the newest first. */
  events: HistoryEvent[];
  /** How many sessions are kept. */
  seen: number;
  damaged: number;
}

export function search({ directory, cpe, limit }: SearchOrder): SearchAnswer {
  const address = parseAddress(cpe);
  if (address === undefined) throw new Error('not an address');
  const text = formatAddress(address);
  let sessions: SessionRow[] = [];
  let events: HistoryEvent[] = [];
  let seen = 0;
  const newest = <T>(rows: T[], timeOf: (row: T) => number) =>
    rows.sort((one, other) => timeOf(other) - timeOf(one)).slice(0, limit);
  const { damaged } = readHistory(
    { directory, cpe: address },
    {
      sessions: (row) => {
        seen++;
        if (sessions.push(row) >= 16 * limit) sessions = newest(sessions, ({ endedMs }) => endedMs);
      },
      events: (event) => {
        if (event.cpe !== text) return;
        if (events.push(event) >= 16 * limit) events = newest(events, ({ timeMs }) => timeMs);
      },
    },
  );
  return {
    sessions: newest(sessions, ({ endedMs }) => endedMs).map(sessionJson),
    events: newest(events, ({ timeMs }) => timeMs),
    seen,
    damaged,
  };
}

if (process.argv[1] === __filename) {
  setPriority(19);
  process.stdout.write(JSON.stringify(search(JSON.parse(process.argv[2]) as SearchOrder)));
}
