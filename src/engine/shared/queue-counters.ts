/**
 * The kernel's queue counters: /proc/net/netfilter/nfnetlink_queue, one line per queue. Columns: number, port id of the
 * owner, packets waiting, copy mode, copy range, dropped because the queue was full, dropped because the socket was
 * full, last packet id, 1. Source: net/netfilter/nfnetlink_queue.c, seq_show.
 */

import { readFileSync } from 'node:fs';

export interface QueueCounters {
  number: number;
  ownerPortId: number;
  waiting: number;
  queueDropped: number;
  userDropped: number;
  /** Counts up from 1 and wraps at 2^32. */
  lastPacketId: number;
}

const FILE = '/proc/net/netfilter/nfnetlink_queue';

export function parseQueueCounters(text: string): QueueCounters[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((columns) => columns.length >= 8 && columns.every(Number.isFinite))
    .map(([number, ownerPortId, waiting, , , queueDropped, userDropped, lastPacketId]) => ({
      number,
      ownerPortId,
      waiting,
      queueDropped,
      userDropped,
      lastPacketId,
    }));
}

/** The queues of this network namespace; empty when the file may not be read. */
export function readQueueCounters(): QueueCounters[] {
  try {
    return parseQueueCounters(readFileSync(FILE, 'utf8'));
  } catch {
    return [];
  }
}
