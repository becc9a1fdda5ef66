/** The cluster process's program, started by the supervisor (cluster-keeper.ts) and killed at any moment. */
import { loadAddon } from '../shared/binding';
import { type FromCluster, type ToCluster } from '../shared/cluster-protocol';
import { ClusterRings } from '../shared/cluster-rings';
import { FD } from '../shared/worker-protocol';
import { ClusterMember } from './member';

function tell(message: FromCluster): void {
  // The supervisor may be gone.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function begin({ parent, settings, version }: Extract<ToCluster, { kind: 'start' }>): ClusterMember {
  if (!loadAddon().dieWithParent(parent)) process.exit(0);
  const rings = new ClusterRings(loadAddon().mapFile(FD.cluster, 0, ClusterRings.BYTES));
  return new ClusterMember(settings, version, rings, tell);
}

let member: ClusterMember | undefined;
process.on('message', (message: ToCluster) => {
  if (message.kind === 'start') member = begin(message);
  else if (member === undefined) process.exit(0);
  else if (message.kind === 'pause') member.pause(message.id, message.paused);
  else if (message.kind === 'paused') member.paused(message.generation);
  else void member.stop().then(() => process.exit(0));
});
process.on('disconnect', () => process.exit(0));
// Signals to the whole process group (Ctrl-C) are the supervisor's to handle.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
tell({ kind: 'up' });
