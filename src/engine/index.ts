/**
 * The engine's only interface to the rest of the program: start an engine, query a running one, and the types of the
 * answers. Commands that only query load neither the supervisor nor the addon.
 */
import type { Engine, EngineOptions } from './supervisor/engine-options';

export { askEngine, controlSocketPath, NoEngineError } from './control/ask';
export { MAX_ENTRIES, type TableAnswer, type TraceAnswer, type TraceEvent } from './control/operations';
export { type PacketsAnswer, type TracedPacket } from './control/packet-trace';
export { readHistory } from './recorder/read-history';
export { OUTCOMES, type SessionRow, WOKEN } from './recorder/session';
export { headsOf, sessionJson } from './recorder/session-json';
export { isJournal, openSink } from './report/log-sink';
export { LogStream } from './report/log-stream';
export { RecentLog } from './report/recent-log';
export { type FlowCheck } from './shared/flow-check';
export { type ServerStatus } from './report/servers';
export { type QueueStatus, type Status } from './report/status';
export {
  type MacQuestion,
  closeQueues,
  type EchoAnswer,
  type EchoQuestion,
  loadAddon,
  openQueues,
  type QueueError,
  type QueueOptions,
  tryQueues,
} from './shared/binding';
export { type ClusterStatus } from './shared/cluster-protocol';
export { type ActivateAnswer, type ControlRequest } from './shared/control-request';
export { EngineError } from './shared/engine-error';
export { type EngineLog } from './shared/engine-log';
export { findQueueHolder, findQueuePort, findSocketHolder, type Holder } from './shared/queue-owner';
export { EVENT_KINDS, type EventKind, type HistoryEvent } from './shared/recorder-protocol';
export { listEngines, type RunningEngine } from './shared/registry';
export { stateFilePath } from './shared/state-file';
export { findForwardingFaults, type HostFault } from './supervisor/host-checks';
export { wantedReceiveBufferBytes } from './supervisor/queues';
export { takesRestart } from './supervisor/reload';
export { installedVersion } from './supervisor/worker-program';
export { ServiceManager } from './supervisor/service-manager';
export { type Engine, type EngineOptions };

/** Starts the supervisor in this process. See supervisor.ts. */
export function startEngine(options: EngineOptions, stopped: AbortSignal): Promise<Engine> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports, @typescript-eslint/consistent-type-imports -- loaded on demand
  const supervisor = require('./supervisor/supervisor') as typeof import('./supervisor/supervisor');
  return supervisor.startEngine(options, stopped);
}
