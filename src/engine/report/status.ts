/** What `acsplit status --json` prints: composed here, from the splitter's counters and the kernel's. */

import { type SideName, SIDES, Verdict } from '../../packet/batch';
import { EVENTS } from '../../splitter/memory/events';
import { REASONS, reasonName, VERDICTS } from '../../splitter/reasons';
import { type Splitter } from '../../splitter/splitter';
import { type TableName, TABLES } from '../../splitter/table-list';
import { type ActivationMode } from '../../splitter/topology';
import { type LoopCounters } from '../shared/binding';
import { type QueueCounters } from '../shared/queue-counters';
import { BATCH_CAPACITY } from '../shared/worker-protocol';

export interface TableStatus {
  count: number;
  capacity: number;
  /** How often the table was full when an entry was wanted. */
  full: number;
}

export interface QueueStatus {
  number: number;
  /** Whose packets; `host`: ICMP errors that this host's own kernel sends about them. */
  side: SideName;
  /** Packets that were decided. */
  received: number;
  /** Packets without a verdict yet; null, as the next two, where the kernel does not let us see. */
  waiting: number | null;
  /** Dropped by the kernel because the queue was full. */
  queueDropped: number | null;
  /** Dropped by the kernel because the receive buffer was full. */
  userDropped: number | null;
  /** Numbered by the kernel, and never arrived here. */
  lost: number;
}

/** Packets lost since the engine started, by cause; each is in one of them only. */
export interface Losses {
  /** The queue was full. */
  queueDropped: number;
  /** The receive buffer was full. */
  userDropped: number;
  /** The kernel had given the packet up before its verdict came: an interface went down, or the queues were flushed. */
  verdictsLate: number;
  /** A message without a legible packet. */
  unparsed: number;
  /** Two workers died of the batch. */
  givenUp: number;
}

export interface Status {
  version: string;
  /** Of the supervisor: whom to signal. */
  pid: number;
  ready: boolean;
  paused: boolean;
  activation: ActivationMode;
  uptimeMs: number;
  workers: { pid: number; restarts: number }[];
  tables: Record<TableName, TableStatus>;
  /** `accepted` counts every packet that was let through, `rewritten` those of them that left changed. */
  packets: { received: number; rewritten: number; accepted: number; dropped: number; byReason: Record<string, number> };
  /** What happened to activations and connections, by event: those that occurred. */
  events: Record<string, number>;
  queues: QueueStatus[];
  losses: Losses;
}

export interface StatusParts {
  version: string;
  isReady: boolean;
  uptimeMs: number;
  pid: number;
  worker: { pid: number; restarts: number };
  paused: boolean;
  activation: ActivationMode;
  splitter: Pick<Splitter, 'tables' | 'counters'>;
  /** What was counted by queue before these queues were opened: ids count from then. See HeldState. */
  earlier: readonly number[];
  /** By Event. */
  eventCounts: Float64Array;
  /** Number of the queue of the first interface; the next three follow. */
  firstQueue: number;
  queues: readonly QueueCounters[];
  loop: Pick<LoopCounters, 'verdictsLate' | 'unparsed' | 'givenUp'>;
}

export function composeStatus(parts: StatusParts): Status {
  const { splitter } = parts;
  const queues = SIDES.map((side, i) => queueStatus(parts, side, i));
  return {
    version: parts.version,
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
  };
}

function tablesStatus(counts: Splitter['tables']): Status['tables'] {
  const rows = TABLES.map(({ name }): [TableName, TableStatus] => {
    const { count, capacityEntries, full } = counts[name];
    return [name, { count, capacity: capacityEntries, full }];
  });
  return Object.fromEntries(rows) as Status['tables'];
}

/** Only reasons that occurred, so that what happened stands out. */
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
  // The kernel's counters and ours are read one after the other: a packet between the two is no loss.
  return Math.max(0, missingPackets(kernel, splitter.counters.byQueue[index] - earlier[index]));
}

/** Ids given out, less what was decided, less what waits: ids wrap at 2^32. Less than 0 where we are ahead. */
function missingPackets(kernel: QueueCounters, decided: number): number {
  return (kernel.lastPacketId - decided - kernel.waiting) | 0;
}

/**
 * How many packets of a queue were decided, where our own count may be damaged: it is believed as far as a worker that
 * died can have been ahead of the kernel, by verdicts that it had not sent; else whatever does not wait was decided.
 */
export function decidedSoFar(kernel: QueueCounters, counted: number): number {
  const missing = missingPackets(kernel, counted);
  const ahead = missing < 0 && missing >= -BATCH_CAPACITY ? -missing : 0;
  return kernel.lastPacketId - kernel.waiting + ahead;
}
