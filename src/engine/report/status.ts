/** What `acsplit status --json` prints, composed from the splitter's counters and the kernel's. */

import { type SideName, SIDES, Verdict } from '../../packet/batch';
import { EVENTS } from '../../splitter/memory/events';
import { REASONS, reasonName, VERDICTS } from '../../splitter/reasons';
import { type Splitter } from '../../splitter/splitter';
import { type TableName, TABLES } from '../../splitter/table-list';
import { type ActivationMode } from '../../splitter/topology';
import { type ClusterStatus } from '../shared/cluster-protocol';
import { type RecorderStatus } from '../shared/recorder-protocol';
import { type LoopCounters } from '../shared/binding';
import { type FastPathReport } from '../shared/fast-path';
import { type QueueCounters } from '../shared/queue-counters';
import { type ServerStatus } from './servers';
import { BATCH_CAPACITY } from '../shared/worker-protocol';

export interface TableStatus {
  count: number;
  capacity: number;
  /** How often an entry was refused because the table was full. */
  full: number;
}

export interface QueueStatus {
  number: number;
  /** Which side sent the packets; `host`: this host's own ICMP errors about them. */
  side: SideName;
  /** Packets decided. */
  received: number;
  /** Packets without a verdict yet; null, like the next two, where the kernel does not show it. */
  waiting: number | null;
  /** Dropped by the kernel because the queue was full. */
  queueDropped: number | null;
  /** Dropped by the kernel because the receive buffer was full. */
  userDropped: number | null;
  /** Numbered by the kernel but never received here. */
  lost: number;
}

/** Packets lost since the engine started, by cause. Each packet counts under one cause. */
export interface Losses {
  /** The queue was full. */
  queueDropped: number;
  /** The receive buffer was full. */
  userDropped: number;
  /** The kernel had dropped the packet before its verdict came: an interface went down, or the queues were flushed. */
  verdictsLate: number;
  /** A message without a legible packet. */
  unparsed: number;
  /** The batch killed two workers. */
  givenUp: number;
}

export interface Status {
  version: string;
  /** The instance. */
  name: string;
  /** The supervisor's; send signals to it. */
  pid: number;
  ready: boolean;
  paused: boolean;
  activation: ActivationMode;
  uptimeMs: number;
  workers: { pid: number; restarts: number }[];
  tables: Record<TableName, TableStatus>;
  /** `accepted` counts all packets let through, `rewritten` those of them that left changed. */
  packets: { received: number; rewritten: number; accepted: number; dropped: number; byReason: Record<string, number> };
  /** Events of activations and connections, by name; only those that occurred. */
  events: Record<string, number>;
  queues: QueueStatus[];
  losses: Losses;
  fastPath: FastPathReport;
  history: HistoryStatus;
  cluster: ClusterStatus | { state: 'off' };
  configuration: ConfigurationStatus;
  fallback: FallbackStatus;
  rules: RulesStatus;
  /** `itms`, and the collectors by name. */
  servers: Record<string, ServerStatus>;
}

/** What is kept of past sessions. */
export type HistoryStatus = RecorderStatus | { state: 'off' };

/** What `status` tells of the configuration. */
export interface ConfigurationStatus {
  file: string;
  /** Keys whose value in the file is another one now. */
  differs: readonly string[];
  /** Why the file cannot be read now; null when it can. */
  error: string | null;
  reloads: { done: number; refused: number };
  /** The last reload was refused. */
  refused: boolean;
  /** Another version is installed than the one that runs. */
  upgraded: boolean;
}

/** What `acsplit rules check` has told this engine. */
export interface RulesStatus {
  /** Found by the last check; 0 before the first. */
  differences: number;
  checks: number;
  /** How long ago; null without one. */
  checkedMs: number | null;
}

/** Times without verdicts in which the kernel sent new sessions to the ITMS, since this engine started. */
export interface FallbackStatus {
  /** Now. */
  active: boolean;
  times: number;
  totalMs: number;
  /** Sessions that went to the ITMS; null where the rules cannot be read. */
  sessions: number | null;
}

export interface StatusParts {
  version: string;
  name: string;
  isReady: boolean;
  uptimeMs: number;
  pid: number;
  worker: { pid: number; restarts: number };
  paused: boolean;
  activation: ActivationMode;
  splitter: Pick<Splitter, 'tables' | 'counters'>;
  /** Packets counted by queue before these queues were opened; the kernel's ids count from there. See HeldState. */
  earlier: readonly number[];
  /** Indexed by Event. */
  eventCounts: Float64Array;
  /** Number of the first interface's queue; the other three follow. */
  firstQueue: number;
  queues: readonly QueueCounters[];
  loop: Pick<LoopCounters, 'verdictsLate' | 'unparsed' | 'givenUp'>;
  fastPath: Status['fastPath'];
  /** Undefined without `history` in the configuration. */
  history?: RecorderStatus | undefined;
  /** Undefined without `cluster` in the configuration. */
  cluster?: ClusterStatus | undefined;
  configuration: ConfigurationStatus;
  /** Undefined before the engine has begun. */
  fallback: FallbackStatus | undefined;
  rules: RulesStatus;
  servers: Status['servers'];
}

export function composeStatus(parts: StatusParts): Status {
  const { splitter } = parts;
  const queues = SIDES.map((side, i) => queueStatus(parts, side, i));
  return {
    version: parts.version,
    name: parts.name,
    pid: parts.pid,
    ready: parts.isReady,
    paused: parts.paused,
    activation: parts.activation,
    uptimeMs: Math.round(parts.uptimeMs),
    workers: [parts.worker],
    tables: tablesStatus(splitter.tables),
    packets: packetStatus(splitter.counters.byReason),
    events: eventStatus(parts.eventCounts),
    queues,
    losses: losses(queues, parts.loop),
    fastPath: parts.fastPath,
    history: parts.history ?? { state: 'off' },
    cluster: parts.cluster ?? { state: 'off' },
    configuration: parts.configuration,
    fallback: parts.fallback ?? { active: false, times: 0, totalMs: 0, sessions: 0 },
    rules: parts.rules,
    servers: parts.servers,
  };
}

function tablesStatus(counts: Splitter['tables']): Status['tables'] {
  const rows = TABLES.map(({ name }): [TableName, TableStatus] => {
    const { count, capacityEntries, full } = counts[name];
    return [name, { count, capacity: capacityEntries, full }];
  });
  return Object.fromEntries(rows) as Status['tables'];
}

/** Only reasons that occurred, to keep the output readable. */
function packetStatus(counts: Float64Array): Status['packets'] {
  const packets: Status['packets'] = { received: 0, rewritten: 0, accepted: 0, dropped: 0, byReason: {} };
  for (let reason = 0; reason < REASONS.length; reason++) {
    const count = counts[reason];
    if (count === 0) continue;
    packets.byReason[reasonName(reason)] = count;
    packets.received += count;
    if (VERDICTS[reason] === Verdict.Drop) packets.dropped += count;
    else packets.accepted += count;
    if (VERDICTS[reason] === Verdict.AcceptRewritten) packets.rewritten += count;
  }
  return packets;
}

function eventStatus(counts: Float64Array): Status['events'] {
  const occurred = EVENTS.map((name, event): [string, number] => [name, counts[event]]).filter(
    ([, count]) => count > 0,
  );
  return Object.fromEntries(occurred);
}

function queueStatus(parts: StatusParts, side: QueueStatus['side'], index: number): QueueStatus {
  const number = parts.firstQueue + index;
  const kernel = parts.queues.find((queue) => queue.number === number);
  const received = parts.splitter.counters.byQueue[index];
  if (!kernel) return { number, side, received, waiting: null, queueDropped: null, userDropped: null, lost: 0 };
  const { waiting, queueDropped, userDropped } = kernel;
  return {
    number,
    side,
    received,
    waiting,
    queueDropped,
    userDropped,
    lost: lostPackets(kernel, parts, index),
  };
}

function losses(queues: readonly QueueStatus[], { verdictsLate, unparsed, givenUp }: StatusParts['loop']): Losses {
  const sum = (cause: 'queueDropped' | 'userDropped') => queues.reduce((sum, queue) => sum + (queue[cause] ?? 0), 0);
  return { queueDropped: sum('queueDropped'), userDropped: sum('userDropped'), verdictsLate, unparsed, givenUp };
}

function lostPackets(kernel: QueueCounters, { splitter, earlier }: StatusParts, index: number): number {
  // The kernel's counters and ours are read one after the other, so a packet in between is not a loss.
  return Math.max(0, missingPackets(kernel, splitter.counters.byQueue[index] - earlier[index]));
}

/** Ids issued, minus packets decided, minus packets waiting. Ids wrap at 2^32. Negative where our count is ahead. */
function missingPackets(kernel: QueueCounters, decided: number): number {
  return (kernel.lastPacketId - decided - kernel.waiting) | 0;
}

/**
 * How many packets of a queue were decided, when our own count may be damaged. Our count is accepted if it is no
 * further ahead of the kernel than a dead worker could have left it (verdicts counted but not sent). Otherwise every
 * packet that is not waiting is taken as decided.
 */
export function decidedSoFar(kernel: QueueCounters, counted: number): number {
  const missing = missingPackets(kernel, counted);
  const ahead = missing < 0 && missing >= -BATCH_CAPACITY ? -missing : 0;
  return kernel.lastPacketId - kernel.waiting + ahead;
}
