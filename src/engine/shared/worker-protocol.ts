/** The messages between supervisor and worker on Node's IPC channel, and the descriptors that a worker inherits. */
import { PacketBatch } from '../../packet/batch';
import { type Family } from '../../packet/address';
import { Health } from '../../splitter/health/health';
import { type ActivationMode, type Lives, type OnCollectorDown, type Topology } from '../../splitter/topology';
import { type ChangeRequest } from './control-request';
import { Journal } from './journal';
import { Observation } from './observation';

/** Descriptor numbers in the worker. */
export const FD = {
  channel: 3,
  queue: 4,
  batch: 5,
  state: 6,
  modules: 7,
  addon: 8,
  control: 9,
  flows4: 10,
  flows6: 11,
  history: 12,
  overheard: 13,
  cluster: 14,
} as const;

/** What a reload may change. */
export interface Reloadable {
  topology: Topology;
  activation: ActivationMode;
  lives: Lives;
  onCollectorDown: OnCollectorDown;
}

/** The same, as a worker receives them. */
export interface WorkerSettings extends Reloadable {
  /** See EngineClock. */
  longestStallMs: number;
  /** After a stall of that length the kernel alone has sent CPEs to the ITMS. */
  kernelTakesOver: boolean;
}

export interface WorkerStart {
  kind: 'start';
  /** Process id of the supervisor. */
  parent: number;
  settings: WorkerSettings;
  capacityEntries: number;
  firstQueue: number;
  /** int32, for tables that do not exist yet. */
  seed: number;
  /** After an absence of that length the kernel alone may have sent CPEs to the ITMS. */
  takeoverMs: number;
  /** Mirror the report table into the maps of the fast path, whose descriptors were inherited. */
  mirrors: boolean;
  /** A recorder reads the flow ring at FD.history. */
  hasHistory: boolean;
  /** A cluster process reads and fills the rings at FD.cluster. */
  hasCluster: boolean;
}

/** A request and its answer. */
interface Asked {
  id: number;
  /** By `monotonicMs`. Nobody waits longer, so after that the request must not be carried out. */
  untilMs: number;
}

export interface WorkerCommand extends Asked {
  kind: 'command';
  request: ChangeRequest;
}

export interface WorkerReload extends Asked {
  kind: 'reload';
  settings: WorkerSettings;
}

/** The dead-man's sets were empty for a while, although this worker may have been running. */
export interface WorkerTakeover {
  kind: 'takeover';
}

/** A probe has connected to a server that is down. */
export interface WorkerProbed {
  kind: 'probed';
  /** `itms`, or the collector's name. */
  server: string;
  family: Family;
}

export interface WorkerStop {
  kind: 'stop';
}

export type ToWorker = WorkerStart | WorkerCommand | WorkerReload | WorkerTakeover | WorkerProbed | WorkerStop;

export type FromWorker =
  /** The worker waits for its instructions. */
  | { kind: 'up' }
  /** Verdicts flow. */
  | { kind: 'ready' }
  /** Nobody decided for this long: the worker was stopped, or had no CPU time. */
  | { kind: 'stalled'; ms: number }
  | { kind: 'answer'; id: number; result?: unknown; error?: string }
  /** The kernel refuses verdicts of one kind. */
  | { kind: 'verdict-refused'; code: string; message: string }
  /** The report table is not mirrored, for this reason, so nothing is carried; without one: it is again. */
  | { kind: 'mirror'; error?: string }
  /** The tables cannot be taken over. */
  | { kind: 'state-unusable'; message: string };

/** CLOCK_MONOTONIC, shared by all processes; `performance.now()` starts with each process. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Packets of one batch. */
export const BATCH_CAPACITY = 64;

const PAGE = 4096;

/** The supervisor's memory: the batch in hand, its journal, observation and servers' health, each on its own pages. */
export const BATCH_MEMORY = (() => {
  const journalAt = Math.ceil(PacketBatch.regionBytes(BATCH_CAPACITY) / PAGE) * PAGE;
  const journalBytes = Math.ceil(Journal.bytes(BATCH_CAPACITY) / PAGE) * PAGE;
  const observationAt = journalAt + journalBytes;
  const observationBytes = Math.ceil(Observation.BYTES / PAGE) * PAGE;
  const healthAt = observationAt + observationBytes;
  const healthBytes = Math.ceil(Health.BYTES / PAGE) * PAGE;
  const bytes = healthAt + healthBytes;
  return {
    ...{ regionBytes: journalAt, journalAt, journalBytes, observationAt, observationBytes },
    ...{ healthAt, healthBytes, bytes },
  } as const;
})();
