/** The tables' entries as plain objects, for people. Walks whole tables, so it is not for the packet path. */
import { type Address, formatAddress, isSameAddress } from '../packet/address';
import { ActivatedCpes } from '../tables/activated-cpes';
import { Seen } from '../tables/connection-row';
import { type ConnectionTable } from '../tables/connection-table';
import { type TtlTable } from '../tables/ttl-table';
import { type FamilyState } from './memory/family-state';
import { type SplitterState } from './memory/state';
import { type TableName } from './table-list';

export interface ConnectionEntry {
  cpe: string;
  cpePort: number;
  /** The port that the CPE sees at the ACS address. */
  port: number;
  /** The server's own source port; differs from `port` when remapped. */
  ownPort: number;
  /** 'itms', or the collector's name. */
  owner: string;
  phase: 'unanswered' | 'established' | 'fin' | 'closed' | 'reset';
  idleMs: number;
  remainingMs: number;
}

export interface ActivationEntry {
  cpe: string;
  /** '' for a CPE that is only asked. */
  collector: string;
  phase: 'asked' | 'armed' | 'consumed' | 'grace';
  idleMs: number;
  remainingMs: number;
}

/** What to look for, and how far. */
export interface Search {
  /** Most entries to return. */
  limit: number;
  /** Only entries of this CPE. */
  cpe?: Address | undefined;
  /** Only entries of this server, by its id: the ITMS's requests, a collector's sessions. */
  owner?: number | undefined;
  /** The slot to start from: `next` of the previous page. */
  from?: number;
  /** Most slots to scan: a table may be large and empty. */
  slots?: number;
}

export interface Page<T> {
  entries: T[];
  /**
   * Where the next page begins; undefined at the end. An entry that moves in between may be missed, or returned twice.
   */
  next: number | undefined;
}

export function requestEntries(state: SplitterState, search: Search): Page<ConnectionEntry> {
  return walk(
    state,
    search,
    ({ connectionRequests }) => connectionRequests,
    connectionEntry((of, slot) => of.connectionRequests.ownPort(slot)),
  );
}

export function reportEntries(state: SplitterState, search: Search): Page<ConnectionEntry> {
  return walk(
    state,
    search,
    ({ reportConnections }) => reportConnections,
    connectionEntry((of, slot) => of.reportConnections.visiblePort(slot)),
  );
}

export function activationEntries(state: SplitterState, search: Search): Page<ActivationEntry> {
  return walk(
    state,
    search,
    ({ activatedCpes }) => activatedCpes,
    (activated, slot, { owners }) => ({
      cpe: formatAddress(activated.cpe(slot)),
      collector: isStanding(activated, slot) ? owners.name(activated.owner(slot)) : '',
      phase: activationPhase(activated, slot),
      idleMs: isStanding(activated, slot) ? activated.phaseMs(slot) : activated.askedMs(slot),
      remainingMs: isStanding(activated, slot) ? activated.phaseRemainingMs(slot) : activated.table.remainingMs(slot),
    }),
  );
}

/** An activation that is over may stay, because its CPE is asked. */
function hasOwner(rows: Rows, slot: number): boolean {
  return !(rows instanceof ActivatedCpes) || isStanding(rows, slot);
}

interface Rows {
  table: TtlTable;
  cpe(slot: number): Address;
  owner(slot: number): number;
}

/** IPv4's entries, then IPv6's, with consecutive slot numbers. */
function walk<R extends Rows, T>(
  state: SplitterState,
  { limit, cpe, owner, from = 0, slots = Infinity }: Search,
  rowsOf: (family: FamilyState) => R,
  entryOf: (rows: R, slot: number, family: FamilyState) => T,
): Page<T> {
  const entries: T[] = [];
  let first = 0;
  for (const family of state.families) {
    const rows = rowsOf(family);
    const { table } = rows;
    for (let slot = Math.max(0, from - first); slot < table.slotCount; slot++) {
      if (entries.length >= limit || first + slot - from >= slots) return { entries, next: first + slot };
      if (!table.isLive(slot) || (cpe && !isSameAddress(rows.cpe(slot), cpe))) continue;
      if (owner !== undefined && (rows.owner(slot) !== owner || !hasOwner(rows, slot))) continue;
      entries.push(entryOf(rows, slot, family));
    }
    first += table.slotCount;
  }
  return { entries, next: undefined };
}

function connectionEntry(ownPort: (family: FamilyState, slot: number) => number) {
  return (connections: ConnectionTable, slot: number, family: FamilyState): ConnectionEntry => ({
    cpe: formatAddress(connections.cpe(slot)),
    cpePort: connections.cpePort(slot),
    port: connections.visiblePort(slot),
    ownPort: ownPort(family, slot),
    owner: family.owners.name(connections.owner(slot)),
    phase: phaseOf(connections, slot),
    idleMs: connections.table.ageMs(slot),
    remainingMs: connections.table.remainingMs(slot),
  });
}

function isStanding(activated: ActivatedCpes, slot: number): boolean {
  return activated.phaseRemainingMs(slot) >= 0;
}

function activationPhase(activated: ActivatedCpes, slot: number): ActivationEntry['phase'] {
  if (activated.isArmed(slot)) return 'armed';
  if (activated.isGrace(slot)) return 'grace';
  return activated.isConsumed(slot) ? 'consumed' : 'asked';
}

function phaseOf(connections: ConnectionTable, slot: number): ConnectionEntry['phase'] {
  if (connections.isReset(slot)) return 'reset';
  if (connections.isFinished(slot)) return 'closed';
  if (connections.has(slot, Seen.FinOfCpe | Seen.FinOfServer)) return 'fin';
  return connections.isAnswered(slot) ? 'established' : 'unanswered';
}

/** Each table's entries. */
export const ENTRIES: Readonly<
  Record<TableName, (state: SplitterState, search: Search) => Page<ConnectionEntry | ActivationEntry>>
> = {
  connectionRequests: requestEntries,
  activatedCpes: activationEntries,
  reportConnections: reportEntries,
};
