/**
 * The read-only commands that an operator may send to a running engine; commands that change something are in
 * worker/commands.ts. Every argument comes from outside and is checked here, and every answer is bounded.
 */

import { formatAddress } from '../../packet/address';
import { type ActivationEntry, type ConnectionEntry, ENTRIES, type Page } from '../../splitter/entries';
import { EVENTS, type EventRow } from '../../splitter/memory/events';
import { NOBODY } from '../../splitter/memory/owners';
import { type Splitter } from '../../splitter/splitter';
import { tableOfWord, TABLES } from '../../splitter/table-list';
import { type Answers, type ControlRequest, cpeOf, refuseStranger } from '../shared/control-request';
import { engineLag, engineTime } from '../shared/engine-clock';
import { EngineError } from '../shared/engine-error';
import { type StateHeader } from '../shared/state-header';

/** Most entries in one answer, some 800 kB; the caller pages for more. */
export const MAX_ENTRIES = 5000;
/** Most slots scanned for one answer: a few milliseconds. */
const MAX_SLOTS = 1_048_576;

export interface TableAnswer extends Page<ConnectionEntry | ActivationEntry> {
  /** In the whole table, for all CPEs, including expired entries that are not swept yet. */
  count: number;
}

/** An event as it goes over the socket. */
export interface TraceEvent {
  /** CLOCK_BOOTTIME in ms. */
  timeMs: number;
  event: string;
  cpe: string;
  /** 0 when no connection is involved. */
  cpePort: number;
  /** The port at the ACS address. */
  port: number;
  /** 'itms', or the collector's name. */
  owner: string;
}

export interface TraceAnswer {
  /** Changes when the engine's memory is reset; event numbers then restart at 0. */
  engine: string;
  /** Changes when the engine restarts; its memory may outlive the restart. */
  run: string;
  /** Workers restarted during this run. */
  restarts: number;
  nowMs: number;
  /** Pass this as `since` next time. */
  next: number;
  /** Events overwritten before they could be read. */
  missed: number;
  events: TraceEvent[];
}

/** What a reader in another process needs. */
export interface Onlooker {
  /** A read-only splitter over the engine's memory. */
  look: () => Splitter;
  /** The memory's id and its clock's hands. After a reset, events are numbered from 0. */
  header: () => Pick<StateHeader, 'id' | 'hands'>;
  /** CLOCK_BOOTTIME in ms. */
  clock: () => number;
  run: string;
  restarts: () => number;
}

export function operations({ look, header, clock, run, restarts }: Onlooker): Answers<'tables' | 'events'> {
  return {
    tables: (request) => readTable(look(), request, engineTime(header().hands)),
    events: (request) => ({ ...readEvents(look(), request, header(), clock()), run, restarts: restarts() }),
  };
}

function readTable(splitter: Splitter, request: ControlRequest, nowMs: number): TableAnswer {
  const cpe = request.cpe === undefined ? undefined : cpeOf(request);
  if (cpe) refuseStranger(splitter, cpe);
  const from = wholeNumber(request, 'from', 0, 0);
  const limit = Math.min(wholeNumber(request, 'limit', MAX_ENTRIES, 1), MAX_ENTRIES);
  const { state, tables } = splitter;
  state.advance(nowMs);
  const search = { cpe, owner: ownerOf(splitter, request), from, limit, slots: MAX_SLOTS };
  const table = tableOfWord(request.table);
  if (table === undefined) throw new EngineError(`a table is one of ${TABLES.map(({ word }) => word).join(', ')}`);
  return { ...ENTRIES[table](state, search), count: tables[table].count };
}

/** @throws EngineError for a name that no server ever had */
function ownerOf({ state: { owners } }: Splitter, { collector }: ControlRequest): number | undefined {
  if (collector === undefined) return undefined;
  const owner = typeof collector === 'string' ? owners.find(collector) : NOBODY;
  if (owner === NOBODY) throw new EngineError(`no collector is named ${JSON.stringify(collector)}`);
  return owner;
}

function wholeNumber(request: ControlRequest, name: string, absent: number, least: number): number {
  const value = request[name] ?? absent;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw new EngineError(`${name} must be a whole number from ${least}`);
}

function readEvents(
  splitter: Splitter,
  request: ControlRequest,
  { id, hands }: Pick<StateHeader, 'id' | 'hands'>,
  nowMs: number,
): Omit<TraceAnswer, 'run' | 'restarts'> {
  const lagMs = engineLag(hands);
  const { events, owners } = splitter.state;
  const since = wholeNumber(request, 'since', events.written, 0);
  const answer = { engine: id, nowMs, next: events.written, missed: 0, events: [] as TraceEvent[] };
  answer.next = events.readSince(since, (row) => answer.events.push(asTraceEvent(row, owners.name(row.owner), lagMs)));
  answer.missed = Math.max(0, answer.next - since - answer.events.length);
  return answer;
}

function asTraceEvent(row: EventRow, owner: string, lagMs: number): TraceEvent {
  const { cpePort, port } = row;
  const timeMs = row.timeMs + lagMs;
  return { timeMs, event: EVENTS[row.event] ?? 'unknown', cpe: formatAddress(row.cpe), cpePort, port, owner };
}
