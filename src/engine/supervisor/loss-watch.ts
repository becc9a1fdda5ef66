/** Reports packet losses: one warning for each cause with losses since the last look. */

import { type EngineLog } from '../shared/engine-log';
import { type Losses } from '../report/status';

const INTERVAL_MS = 5000;

/** Each cause of loss in words, with its remedy. */
const CAUSES: Record<keyof Losses, string> = {
  queueDropped: 'the queue was full: raise queue.length',
  userDropped: 'the receive buffer was full: raise queue.length, or run with CAP_NET_ADMIN on the host',
  verdictsLate:
    'the kernel had given up the packets: did an interface go down, or was a table of nftables deleted, which flushes every queue?',
  unparsed: 'the kernel sent messages without a legible packet',
  givenUp: 'two workers died of them: please report it, with what the log says of the deaths',
};

export interface LossParts {
  losses: () => Losses;
  log: EngineLog;
}

export function watchLosses({ losses, log }: LossParts): { stop(): void } {
  let before = losses();
  const timer = setInterval(() => {
    const now = losses();
    for (const cause of Object.keys(CAUSES) as (keyof Losses)[]) {
      const packets = now[cause] - before[cause];
      if (packets > 0) log.warn({ event: 'lost', cause, packets }, `${packets} packets lost: ${CAUSES[cause]}`);
    }
    before = now;
  }, INTERVAL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
