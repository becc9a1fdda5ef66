/**
 * What an operator may ask of, and tell, a running engine over the control socket. Every argument comes from outside
 * and is checked here; every answer is bounded.
 */

import { type Address, formatAddress, parseAddress } from '../packet/address';
import { activationEntries, reportEntries, requestEntries } from '../splitter/entries';
import { EVENTS, type EventRow } from '../splitter/events';
import { type Splitter } from '../splitter/splitter';
import { type ActivationMode } from '../splitter/topology';
import { type ControlCommands, type ControlRequest } from './control';
import { EngineError } from './engine-error';

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
  /** Differs after a restart of the engine: numbers begin anew. */
  engine: string;
  nowMs: number;
  /** To be given as `since` the next time. */
  next: number;
  /** Events that had been overwritten before they could be read. */
  missed: number;
  events: TraceEvent[];
}

/** @param engine names this run of the engine @param clock CLOCK_BOOTTIME in ms */
export function operations(splitter: Splitter, engine: string, clock: () => number): ControlCommands {
  return {
    tables: (request) => ({ entries: tableEntries(splitter, request, clock()) }),
    activate: (request) => activate(splitter, request, clock()),
    deactivate: (request) => ({ ended: splitter.deactivate(cpeOf(request), clock()) }),
    pause: () => setPaused(splitter, true),
    resume: () => setPaused(splitter, false),
    events: (request) => readEvents(splitter, request, engine, clock()),
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

/** What an activation by hand came to: armed in any case, but it diverts only where diverting is on. */
export interface ActivateAnswer {
  collector: string;
  activation: ActivationMode;
  paused: boolean;
}

function activate(splitter: Splitter, request: ControlRequest, nowMs: number): ActivateAnswer {
  const cpe = cpeOf(request);
  const { collector } = request;
  if (typeof collector !== 'string') throw new EngineError('activate needs a collector');
  if (!splitter.isCpe(cpe)) throw new EngineError(`${formatAddress(cpe)} is in none of cpe.networks`);
  let armed: boolean;
  try {
    armed = splitter.activate(cpe, collector, nowMs);
  } catch (error) {
    if (error instanceof RangeError) throw new EngineError(error.message, { cause: error });
    throw error;
  }
  if (!armed) throw new EngineError('the table of activated CPEs is full; raise tables.capacity');
  return { collector, activation: splitter.activation, paused: splitter.paused };
}

function setPaused(splitter: Splitter, paused: boolean): { paused: boolean; was: boolean } {
  const was = splitter.paused;
  splitter.paused = paused;
  return { paused, was };
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
  return { timeMs, event: EVENTS[row.event], cpe: formatAddress(row.cpe), cpePort, port, owner };
}

function cpeOf(request: ControlRequest): Address {
  const address = typeof request.cpe === 'string' ? parseAddress(request.cpe) : undefined;
  if (address === undefined) throw new EngineError('cpe must be an IPv4 or IPv6 address');
  return address;
}
