/** What a watcher remembers: the statuses of the last minutes as rates, for numbers and sparklines. Knows no clock. */

import { type Status } from '../../engine';

/** A status and when it was taken, in ms of any monotonic clock. */
export interface Sample {
  atMs: number;
  status: Status;
}

/** Packets a second and events a second between two samples. */
export interface Rates {
  /** By queue, in the status's order. */
  queues: number[];
  dropped: number;
  byReason: Record<string, number>;
  diverted: number;
}

/** What is kept for sparklines: wider than a terminal. */
const MAX_RATES = 240;

export class History {
  now: Sample | undefined = undefined;
  /** Oldest first. */
  readonly rates: Rates[] = [];

  add(sample: Sample): void {
    const before = this.now;
    // Another engine's counters are no progress of the one before.
    const isSameEngine = before && sample.status.uptimeMs >= before.status.uptimeMs;
    if (isSameEngine && sample.atMs > before.atMs) this.rates.push(ratesBetween(before, sample));
    if (this.rates.length > MAX_RATES) this.rates.shift();
    this.now = sample;
  }
}

/** A counter that went back has begun anew: nothing is known of that interval. */
export function ratesBetween(before: Sample, now: Sample): Rates {
  const seconds = (now.atMs - before.atMs) / 1000;
  const rate = (was: number | undefined, is: number | undefined) => Math.max(0, (is ?? 0) - (was ?? 0)) / seconds;
  const [was, is] = [before.status, now.status];
  const byReason = Object.entries(is.packets.byReason).map(([reason, count]): [string, number] => [
    reason,
    rate(was.packets.byReason[reason], count),
  ]);
  const diversions = ({ packets: { byReason: counts } }: Status) =>
    (counts.diverted ?? 0) + (counts['diverted-in-grace'] ?? 0);
  return {
    queues: is.queues.map(({ received }, index) => rate(was.queues[index]?.received, received)),
    dropped: rate(was.packets.dropped, is.packets.dropped),
    byReason: Object.fromEntries(byReason),
    diverted: rate(diversions(was), diversions(is)),
  };
}
