import { type FlowPort } from './flow-port';

/** Where the table of one address family lies and how large it is: the constructor argument of all tables. */
export interface TableMemory {
  /** Memory from `at` (8-aligned): zeroed, or a table of the same shape. */
  buffer: ArrayBuffer;
  at: number;
  capacityEntries: number;
  /** int32 words of an address: 1 for IPv4, 4 for IPv6. */
  addressWords: number;
  /** Hash seed of a new table. */
  seed: number;
  /** See TtlTable. */
  isReader?: boolean | undefined;
  /** Receives changes of its entries. */
  port?: FlowPort | undefined;
}
