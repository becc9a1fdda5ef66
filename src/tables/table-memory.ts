import { type FlowPort } from './flow-port';

/** Where a table of one address family lies, and how large it is: what all of them are made with. */
export interface TableMemory {
  /** Memory from `at` (8-aligned): zeroed, or a table of the same shape. */
  buffer: ArrayBuffer;
  at: number;
  capacityEntries: number;
  /** int32 words of an address: 1 for IPv4, 4 for IPv6. */
  addressWords: number;
  /** Of the hash, for a table that is not there yet. */
  seed: number;
  /** See TtlTable. */
  isReader?: boolean | undefined;
  /** What becomes of its entries is told here. */
  port?: FlowPort | undefined;
}
