/** A cluster in which all is well, but for what a test names. */
import { type ClusterStatus, type StoreStatus } from '../../src/engine/shared/cluster-protocol';

export function store(more: Partial<StoreStatus> = {}): StoreStatus {
  return { address: '192.0.2.1:6379', state: 'up', offsetMs: 0, error: null, advice: null, ...more };
}

export function clusterOf(more: Partial<ClusterStatus> = {}): ClusterStatus {
  return {
    ...{ state: 'joined', ready: true, group: 'north', name: 'a', pid: 9, restarts: 0, lagMs: 3, rows: 12 },
    ...{ peers: [{ name: 'b', ready: true, lagMs: 3, seenMs: 300, version: '1.0.0' }], stores: [store()] },
    ...{ published: 1, applied: 2, refused: 0, overtaken: 0, conflicts: 0, lost: 0, loads: 1 },
    ...more,
  };
}
