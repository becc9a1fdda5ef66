/** The messages between supervisor and cluster process on Node's IPC channel. Descriptors: FD in worker-protocol.ts. */

/** One of the group's servers. */
export interface StoreSettings {
  /** `HOST:PORT`, or the absolute path of a socket. */
  address: string;
  user: string | undefined;
  passwordFile: string | undefined;
  tls: { ca: string | undefined } | undefined;
}

/** `cluster` in the configuration. */
export interface ClusterSettings {
  /** Its routers share their rows. */
  group: string;
  /** Of this router. */
  name: string;
  stores: readonly StoreSettings[];
}

export interface ClusterStart {
  kind: 'start';
  /** Process id of the supervisor. */
  parent: number;
  version: string;
  settings: ClusterSettings;
}

export type ToCluster =
  | ClusterStart
  /** An operator's act for all routers. It is answered when all have confirmed, or after a while. */
  | { kind: 'pause'; id: number; paused: boolean }
  /** What a peer wanted is done. */
  | { kind: 'paused'; generation: number }
  | { kind: 'stop' };

/** Which routers have confirmed an act, and which have not yet. */
export interface Confirmation {
  confirmed: readonly string[];
  missing: readonly string[];
  /** Stores that could be reached. */
  stores: number;
}

export type FromCluster =
  /** It waits for its instructions. */
  | { kind: 'up' }
  | { kind: 'status'; status: ClusterReport }
  /** A peer has paused or resumed the cluster. */
  | { kind: 'pause'; paused: boolean; by: string; generation: number }
  | { kind: 'confirmed'; id: number; confirmation: Confirmation }
  | { kind: 'log'; level: 'info' | 'warn' | 'error'; message: string; details: Record<string, unknown> };

export interface PeerStatus {
  name: string;
  ready: boolean;
  /** From publishing to hearing. */
  lagMs: number;
  /** Since its last heartbeat. */
  seenMs: number;
  version: string;
}

export interface StoreStatus {
  address: string;
  state: 'connecting' | 'loading' | 'up';
  /** What its clock is ahead of ours. */
  offsetMs: number;
  /** Why it cannot be used, or not be written to; null when it can. */
  error: string | null;
  /** What should be set otherwise in it; null: nothing, or it does not tell. */
  advice: string | null;
}

/** What the cluster process knows. */
export interface ClusterReport {
  /** Loaded from a store; or none has answered for a while. */
  ready: boolean;
  lagMs: number;
  peers: PeerStatus[];
  stores: StoreStatus[];
  /** Rows known here, those of peers included. */
  rows: number;
  /** Rows written to a store. */
  published: number;
  /** Rows of stores that are none, or not of this configuration. */
  refused: number;
  /** Rows of peers in our tables. */
  applied: number;
  overtaken: number;
  conflicts: number;
  /** Changes that were not told because the ring was full. */
  lost: number;
  /** Times that everything was loaded from a store. */
  loads: number;
}

/** What `status` tells of the cluster. */
export interface ClusterStatus extends ClusterReport {
  state: 'joining' | 'joined' | 'alone';
  group: string;
  name: string;
  /** Process id, 0 while none runs. */
  pid: number;
  restarts: number;
}
