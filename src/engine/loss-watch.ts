/** Losses are said aloud: whenever packets were lost since the last look, one warning with the sums and the cause. */

import { type EngineLog } from './engine-log';
import { type Status } from './status';
import { type LoopCounters } from './binding';

const INTERVAL_MS = 5000;

/** What is lost, by cause, and what mends it. */
const CAUSES = {
  queueDropped: 'the queue was full: raise queue.length',
  userDropped: 'the receive buffer was full: raise queue.length, or run with CAP_NET_ADMIN on the host',
  verdictsLate: 'the kernel had given up the packets: was a table of nftables deleted, which flushes every queue?',
  unparsed: 'the kernel sent messages without a legible packet',
  givenUp: 'two workers died of them: please report it, with what the log says of the deaths',
} as const;

type Cause = keyof typeof CAUSES;

export interface LossParts {
  status: () => Status;
  counters: () => LoopCounters;
  log: EngineLog;
}

export function watchLosses({ status, counters, log }: LossParts): { stop(): void } {
  let before = sums(status(), counters());
  const timer = setInterval(() => {
    const now = sums(status(), counters());
    for (const cause of Object.keys(CAUSES) as Cause[]) {
      const packets = now[cause] - before[cause];
      if (packets > 0) log.warn({ event: 'lost', cause, packets }, `${packets} packets lost: ${CAUSES[cause]}`);
    }
    before = now;
  }, INTERVAL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

function sums(status: Status, { verdictsLate, unparsed, givenUp }: LoopCounters): Record<Cause, number> {
  return {
    queueDropped: status.queues.reduce((sum, queue) => sum + (queue.queueDropped ?? 0), 0),
    userDropped: status.queues.reduce((sum, queue) => sum + (queue.userDropped ?? 0), 0),
    verdictsLate,
    unparsed,
    givenUp,
  };
}
