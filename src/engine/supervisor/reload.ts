/** What a running engine can change on reload, and what needs a restart. */
import { cpeInterfaceNames, families } from '../../splitter/topology';
import { EngineError } from '../shared/engine-error';
import { type ClusterSettings } from '../shared/cluster-protocol';
import { type FastPathMode } from '../shared/fast-path';
import { type QueueSettings } from './queues';
import { type HistorySettings } from '../shared/recorder-protocol';
import { type Reloadable } from '../shared/worker-protocol';

/** An engine's settings, reloadable or not. */
export interface EngineSettings extends Reloadable {
  /** The instance. */
  name: string;
  capacityEntries: number;
  queue: QueueSettings;
  stateDirectory: string;
  controlGroup: string | undefined;
  metrics: { listen: string; tokenFile?: string | undefined };
  fastPath: FastPathMode;
  history: HistorySettings | undefined;
  cluster: ClusterSettings | undefined;
}

/** Keys of the file, without those below them, whose change needs a restart. */
const FIXED = [
  ...['name', 'cpe.interface', 'itms.interface', 'tables.capacity', 'queue', 'stateDirectory', 'controlGroup'],
  ...['metrics', 'fastPath', 'history', 'cluster'],
];

/** Whether a change of this key, as `status` names it, needs a restart. */
export function takesRestart(key: string): boolean {
  return FIXED.some((fixed) => key === fixed || key.startsWith(`${fixed}.`) || key.startsWith(`${fixed}[`));
}

/** @throws EngineError naming the first key whose change needs a restart */
export function requireReloadable(now: EngineSettings, wanted: EngineSettings): void {
  const fixed = (options: EngineSettings): Record<string, unknown> => ({
    name: options.name,
    'address families': families(options.topology).join(' and '),
    'cpe.interface': cpeInterfaceNames(options.topology).join(', '),
    'itms.interface': options.topology.itms.interface,
    'tables.capacity': options.capacityEntries,
    'queue.first': options.queue.first,
    'queue.length': options.queue.length,
    'queue.gso': options.queue.gso,
    stateDirectory: options.stateDirectory,
    controlGroup: options.controlGroup,
    'metrics.listen': options.metrics.listen,
    'metrics.tokenFile': options.metrics.tokenFile ?? 'none',
    fastPath: options.fastPath,
    'history.directory': options.history?.directory ?? 'none',
    'history.keepDays': options.history?.keepDays,
    'history.maxMiB': options.history?.maxMiB,
    'cluster.group': options.cluster?.group ?? 'none',
    'cluster.name': options.cluster?.name,
    'cluster.stores': JSON.stringify(options.cluster?.stores),
  });
  const [before, after] = [fixed(now), fixed(wanted)];
  for (const key of Object.keys(before)) {
    if (before[key] === after[key]) continue;
    const change = `${String(before[key])} to ${String(after[key])}`;
    throw new EngineError(`${key} changed from ${change}, which takes a restart; nothing was changed`);
  }
}
