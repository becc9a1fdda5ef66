/** The tables' entries as plain objects, for people who ask. Walks whole tables: not for the packet path. */
import { type Address, formatAddress, isSameAddress } from '../packet/address';
import { type ConnectionTable, Seen } from '../tables/connection-table';
import { type FamilyState } from './family-state';
import { type Owners } from './owners';
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

/** Stops after `limit` entries. @param cpe to see only this CPE's */
export function requestEntries(state: SplitterState, limit: number, cpe?: Address): ConnectionEntry[] {
  return ofFamilies(state, limit, ({ requests, owners }, most) =>
    connectionEntries(requests, owners, most, cpe, (slot) => requests.ownPort(slot)),
  );
}

export function reportEntries(state: SplitterState, limit: number, cpe?: Address): ConnectionEntry[] {
  return ofFamilies(state, limit, ({ reports, owners }, most) =>
    connectionEntries(reports, owners, most, cpe, (slot) => reports.visiblePort(slot)),
  );
}

export function activationEntries(state: SplitterState, limit: number, cpe?: Address): ActivationEntry[] {
  return ofFamilies(state, limit, ({ activated, owners }, most) => {
    const { table } = activated;
    const entries: ActivationEntry[] = [];
    for (let slot = 0; slot < table.slotCount && entries.length < most; slot++) {
      if (!table.isLive(slot) || (cpe && !isSameAddress(activated.cpe(slot), cpe))) continue;
      entries.push({
        cpe: formatAddress(activated.cpe(slot)),
        collector: owners.name(activated.owner(slot)),
        phase: activated.isArmed(slot) ? 'armed' : activated.isGrace(slot) ? 'grace' : 'consumed',
        idleMs: table.ageMs(slot),
        remainingMs: table.remainingMs(slot),
      });
    }
    return entries;
  });
}

/** IPv4's entries, then IPv6's. */
function ofFamilies<T>(state: SplitterState, limit: number, list: (of: FamilyState, most: number) => T[]): T[] {
  return state.families.reduce<T[]>((entries, family) => [...entries, ...list(family, limit - entries.length)], []);
}

function connectionEntries(
  connections: ConnectionTable,
  owners: Owners,
  limit: number,
  cpe: Address | undefined,
  ownPort: (slot: number) => number,
): ConnectionEntry[] {
  const { table } = connections;
  const entries: ConnectionEntry[] = [];
  for (let slot = 0; slot < table.slotCount && entries.length < limit; slot++) {
    if (!table.isLive(slot) || (cpe && !isSameAddress(connections.cpe(slot), cpe))) continue;
    entries.push({
      cpe: formatAddress(connections.cpe(slot)),
      cpePort: connections.cpePort(slot),
      port: connections.visiblePort(slot),
      ownPort: ownPort(slot),
      owner: owners.name(connections.owner(slot)),
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
