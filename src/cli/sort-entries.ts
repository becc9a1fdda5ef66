/** The order in which `tables --sort` prints entries. */
import { parseAddress } from '../packet/address';
import { type ActivationEntry, type ConnectionEntry } from '../splitter/entries';

type Entry = ActivationEntry | ConnectionEntry;

/** Columns as they are printed. */
export const SORT_KEYS = ['cpe', 'server', 'phase', 'idle', 'left'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** In place; entries that do not differ stay in their order. */
export function sortEntries(entries: Entry[], key: SortKey, isReverse: boolean): void {
  const direction = isReverse ? -1 : 1;
  if (key === 'cpe') {
    const places = new Map(entries.map(({ cpe }) => [cpe, placeOf(cpe)]));
    entries.sort((one, other) => direction * compareText(places.get(one.cpe)!, places.get(other.cpe)!));
    return;
  }
  entries.sort((one, other) => direction * compare(one, other, key));
}

function compare(one: Entry, other: Entry, key: Exclude<SortKey, 'cpe'>): number {
  switch (key) {
    case 'server':
      return compareText(serverOf(one), serverOf(other));
    case 'phase':
      return compareText(one.phase, other.phase);
    case 'idle':
      return one.idleMs - other.idleMs;
    case 'left':
      return one.remainingMs - other.remainingMs;
  }
}

function serverOf(entry: Entry): string {
  return 'owner' in entry ? entry.owner : entry.collector;
}

/** Text that sorts as the address does: IPv4 first. */
function placeOf(cpe: string): string {
  const words = parseAddress(cpe) ?? [];
  const digits = Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0'));
  return `${digits.length} ${digits.join('')}`;
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
