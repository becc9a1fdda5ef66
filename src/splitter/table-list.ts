/** The three tables of the patent [P5] and all their names in one list, so that no place forgets a table. */

import { type TableName } from '../tables/flow-port';

export { type TableName };

export interface TableDescriptor {
  name: TableName;
  /** On the command line and in the control socket's requests. */
  word: string;
  /** Label in metrics. */
  metric: string;
}

type Names = Omit<TableDescriptor, 'name'>;

const NAMES = {
  /** HASH table 1. */
  connectionRequests: { word: 'requests', metric: 'connection_requests' },
  /** HASH table 2. */
  activatedCpes: { word: 'activated', metric: 'activated_cpes' },
  /** HASH table 3. */
  reportConnections: { word: 'connections', metric: 'report_connections' },
} as const satisfies Record<TableName, Names>;

/** The word an operator types for a table. */
export type TableWord = (typeof NAMES)[TableName]['word'];

/** Descriptors in the patent's order. */
export const TABLES: readonly (TableDescriptor & { word: TableWord })[] = (Object.keys(NAMES) as TableName[]).map(
  (name) => ({ name, ...NAMES[name] }),
);

/** The table of a command word; `undefined` when there is none. */
export function tableOfWord(word: unknown): TableName | undefined {
  return TABLES.find((table) => table.word === word)?.name;
}
