/** The tables' entries as plain objects, for people who ask. Walks whole tables: not for the packet path. */
import { formatIpv4 } from '../packet/address';
import { type ConnectionTable, Seen } from '../tables/connection-table';
import { type SplitterState } from './state';

export interface ConnectionEntry {
  cpe: string;
  cpePort: number;
  /** The port that the CPE sees at the ACS address. */
  port: number;
  /** The server's own source port; differs from `port` where it was remapped. */
  ownPort: number;
  /** 'itms', or the collector's name. */
  owner: string;
  phase: 'unanswered' | 'established' | 'fin' | 'closed' | 'reset';
  idleMs: number;
  remainingMs: number;
}

export interface ActivationEntry {
  cpe: string;
  collector: string;
  phase: 'armed' | 'consumed' | 'grace';
  idleMs: number;
  remainingMs: number;
}

/** Stops after `limit` entries. @param cpe int32, to see only this CPE's */
export function requestEntries(state: SplitterState, limit: number, cpe?: number): ConnectionEntry[] {
  return connectionEntries(state, state.requests, limit, cpe, (slot) => state.requests.ownPort(slot));
}

export function reportEntries(state: SplitterState, limit: number, cpe?: number): ConnectionEntry[] {
  return connectionEntries(state, state.reports, limit, cpe, (slot) => state.reports.visiblePort(slot));
}

export function activationEntries(state: SplitterState, limit: number, cpe?: number): ActivationEntry[] {
  const { activated, owners } = state;
  const { table } = activated;
  const entries: ActivationEntry[] = [];
  for (let slot = 0; slot < table.slotCount && entries.length < limit; slot++) {
    if (!table.isLive(slot) || (cpe !== undefined && table.keyWord(slot, 0) !== cpe)) continue;
    entries.push({
      cpe: formatIpv4(table.keyWord(slot, 0)),
      collector: owners.name(activated.owner(slot)),
      phase: activated.isArmed(slot) ? 'armed' : activated.isGrace(slot) ? 'grace' : 'consumed',
      idleMs: table.ageMs(slot),
      remainingMs: table.remainingMs(slot),
    });
  }
  return entries;
}

function connectionEntries(
  state: SplitterState,
  connections: ConnectionTable,
  limit: number,
  cpe: number | undefined,
  ownPort: (slot: number) => number,
): ConnectionEntry[] {
  const { table } = connections;
  const entries: ConnectionEntry[] = [];
  for (let slot = 0; slot < table.slotCount && entries.length < limit; slot++) {
    if (!table.isLive(slot) || (cpe !== undefined && connections.cpe(slot) !== cpe)) continue;
    entries.push({
      cpe: formatIpv4(connections.cpe(slot)),
      cpePort: connections.cpePort(slot),
      port: connections.visiblePort(slot),
      ownPort: ownPort(slot),
      owner: state.owners.name(connections.owner(slot)),
      phase: phaseOf(connections, slot),
      idleMs: table.ageMs(slot),
      remainingMs: table.remainingMs(slot),
    });
  }
  return entries;
}

function phaseOf(connections: ConnectionTable, slot: number): ConnectionEntry['phase'] {
  if (connections.isReset(slot)) return 'reset';
  if (connections.isFinished(slot)) return 'closed';
  if (connections.has(slot, Seen.FinOfCpe | Seen.FinOfServer)) return 'fin';
  return connections.isAnswered(slot) ? 'established' : 'unanswered';
}
