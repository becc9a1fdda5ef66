/**
 * What an operator may ask of a running engine over the control socket; what changes something is in worker-commands.ts.
 * Every argument comes from outside and is checked here; every answer is bounded.
 */

import { formatAddress } from '../packet/address';
import { activationEntries, reportEntries, requestEntries } from '../splitter/entries';
import { EVENTS, type EventRow } from '../splitter/events';
import { type Splitter } from '../splitter/splitter';
import { type ControlCommands, type ControlRequest } from './control';
import { EngineError } from './engine-error';
import { cpeOf } from './worker-commands';

/** Entries of one answer at the most; whoever wants more asks for one CPE. */
export const MAX_ENTRIES = 100_000;

export const TABLES = ['requests', 'activated', 'connections'] as const;
export type TableName = (typeof TABLES)[number];

/** An event as it goes over the socket. */
export interface TraceEvent {
  /** ms of the engine's clock, CLOCK_BOOTTIME. */
  timeMs: number;
  event: string;
  cpe: string;
  /** 0 where no connection is concerned. */
  cpePort: number;
  /** The port at the ACS address. */
  port: number;
  /** 'itms', or the collector's name. */
  owner: string;
}

export interface TraceAnswer {
  /** Differs when the engine's memory was made anew: numbers begin anew. */
  engine: string;
  nowMs: number;
  /** To be given as `since` the next time. */
  next: number;
  /** Events that had been overwritten before they could be read. */
  missed: number;
  events: TraceEvent[];
}

/**
 * @param look a splitter over the engine's memory that only looks
 * @param engine names the memory: after it has been made anew, events are numbered from 0
 * @param clock CLOCK_BOOTTIME in ms
 */
export function operations(look: () => Splitter, engine: () => string, clock: () => number): ControlCommands {
  return {
    tables: (request) => ({ entries: tableEntries(look(), request, clock()) }),
    events: (request) => readEvents(look(), request, engine(), clock()),
  };
}

function tableEntries(splitter: Splitter, request: ControlRequest, nowMs: number): unknown[] {
  const cpe = request.cpe === undefined ? undefined : cpeOf(request);
  splitter.state.advance(nowMs);
  switch (request.table) {
    case 'requests':
      return requestEntries(splitter.state, MAX_ENTRIES, cpe);
    case 'activated':
      return activationEntries(splitter.state, MAX_ENTRIES, cpe);
    case 'connections':
      return reportEntries(splitter.state, MAX_ENTRIES, cpe);
    default:
      throw new EngineError(`a table is one of ${TABLES.join(', ')}`);
  }
}

function readEvents(splitter: Splitter, request: ControlRequest, engine: string, nowMs: number): TraceAnswer {
  const { events, owners } = splitter.state;
  const since = request.since === undefined ? events.written : request.since;
  if (typeof since !== 'number' || !Number.isSafeInteger(since) || since < 0) {
    throw new EngineError('since must be a whole number');
  }
  const answer: TraceAnswer = { engine, nowMs, next: events.written, missed: 0, events: [] };
  answer.next = events.readSince(since, (row) => answer.events.push(asTraceEvent(row, owners.name(row.owner))));
  answer.missed = Math.max(0, answer.next - since - answer.events.length);
  return answer;
}

function asTraceEvent(row: EventRow, owner: string): TraceEvent {
  const { timeMs, cpePort, port } = row;
  return { timeMs, event: EVENTS[row.event] ?? 'unknown', cpe: formatAddress(row.cpe), cpePort, port, owner };
}
