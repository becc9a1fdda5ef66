/**
 * What routers tell each other of one entry, and which of two rows wins. Pure: no clock, no socket.
 *
 * Any order, any repetition, and any loss followed by a load lead every router to the same rows, because `compare` is a
 * total order and a table keeps the greatest row of each key. docs/decisions/cluster.md
 */

/** How far a connection has come. Within a generation, steps only rise. */
export const enum Step {
  Opened = 1,
  /** The collector's SYN+ACK has passed. */
  Accepted,
  Confirmed,
  Closing,
  Closed,
  /** The entry is gone. Of an activation: finished. */
  Ended,
}

/** How far an activation has come. */
export const enum Stage {
  Asked = 1,
  Armed,
  /** The CPE being woken has begun a session with the ITMS, which uses up what the same request arms. */
  SessionFirst,
  Consumed,
  Grace,
  Finished,
}

/** The prefixes of keys. */
export const enum Kind {
  Request = 'rq',
  Activation = 'ac',
  Report = 'rp',
  /** Acts of the operator for all routers. */
  Act = 'go',
}

export type Fields = Record<string, unknown>;

/** Of connections. */
export interface ConnectionFields extends Fields {
  /** `itms`, or a collector's name. */
  owner: string;
  /** int32 */
  isn: number;
  /** FINs and RSTs: bits of Seen. */
  seen: number;
  /** Window scales: the CPE's in bits 0 to 3, the server's in 4 to 7. */
  scales: number;
  /** Head, http-head.ts. */
  head: number;
  /** Of a Connection Request: the server's own port, and the tag of its address. */
  ownPort?: number;
  tag?: number;
  remapped?: boolean;
  /** The connection's first generation, where it is an earlier one. */
  born?: number;
}

/** Of activations. Times are wall clock ms; on the wire in the store's clock. 0: never. */
export interface ActivationFields extends Fields {
  /** '' while the CPE is only asked. */
  collector: string;
  /** Phase and Grace, activation-row.ts. */
  phase: number;
  grace: number;
  cpePort: number;
  port: number;
  phaseAt: number;
  armedAt: number;
  askedAt: number;
  sessionAt: number;
  /** When the arming was that is over. */
  overAt?: number;
}

/** Of the act `pause`. */
export interface PauseFields extends Fields {
  paused: boolean;
}

export interface Row {
  /** `rp/10.1.0.1/40000/7547`: see key.ts. */
  key: string;
  /** Rises with each new connection, request or arming under this key. */
  generation: number;
  step: number;
  /** Counts the prolongations within a step. */
  refresh: number;
  /** Which router wrote it. */
  router: string;
  /** Wall clock; past ones are ignored. */
  deadlineMs: number;
  fields: Fields;
}

/** What decides which of two rows of one key is newer. */
export type Version = Pick<Row, 'generation' | 'step' | 'refresh' | 'router'>;

/** Above 0 where `one` is newer than `other`. Rows of 0 are the same row. */
export function compare(one: Version, other: Version): number {
  return (
    one.generation - other.generation ||
    one.step - other.step ||
    one.refresh - other.refresh ||
    (one.router === other.router ? 0 : one.router > other.router ? 1 : -1)
  );
}

export function kindOf(key: string): string {
  return key.slice(0, 2);
}
