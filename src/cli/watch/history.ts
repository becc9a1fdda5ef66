/** Rates of the last few minutes, computed from successive statuses, for numbers and sparklines. Reads no clock. */

import { type Status } from '../../engine';
import { carriedFrom, type CarriedSide, serversOf } from '../status-text';

/** A status and the time it was taken, in ms of any monotonic clock. */
export interface Sample {
  atMs: number;
  status: Status;
}

/** Packets and events per second between two samples. */
export interface Rates {
  /** One per queue, in the order of the status. */
  queues: number[];
  dropped: number;
  byReason: Record<string, number>;
  diverted: number;
  /** By the kernel, by the side that sent them. */
  carried: Record<CarriedSide, number>;
  /** Connections that CPEs opened, by server. */
  opened: Record<string, number>;
}

/** What a picture is drawn from. */
export interface Seen {
  readonly now: Sample | undefined;
  readonly rates: readonly Rates[];
}

/** More samples than any terminal has columns. */
const MAX_RATES = 240;

export class History implements Seen {
  now: Sample | undefined = undefined;
  /** Oldest first. */
  readonly rates: Rates[] = [];

  add(sample: Sample): void {
    const before = this.now;
    // A new engine counts from 0: its counters cannot be compared with those of the last one.
    const isSameEngine = before && sample.status.uptimeMs >= before.status.uptimeMs;
    if (isSameEngine && sample.atMs > before.atMs) this.rates.push(ratesBetween(before, sample));
    if (this.rates.length > MAX_RATES) this.rates.shift();
    this.now = sample;
  }

  /** What is seen now, whatever comes. */
  frozen(): Seen {
    return { now: this.now, rates: [...this.rates] };
  }
}

/** A counter that went backwards was reset: its rate for that interval is unknown and shown as 0. */
export function ratesBetween(before: Sample, now: Sample): Rates {
  const seconds = (now.atMs - before.atMs) / 1000;
  const rate = (was: number | undefined, is: number | undefined) => Math.max(0, (is ?? 0) - (was ?? 0)) / seconds;
  const [was, is] = [before.status, now.status];
  const byReason = Object.entries(is.packets.byReason).map(([reason, count]): [string, number] => [
    reason,
    rate(was.packets.byReason[reason], count),
  ]);
  const opened = Object.fromEntries(
    Object.entries(serversOf(is)).map(([name, one]) => [name, rate(serversOf(was)[name]?.opened, one.opened)]),
  );
  const diversions = ({ packets: { byReason: counts } }: Status) =>
    (counts.diverted ?? 0) + (counts['diverted-in-grace'] ?? 0);
  return {
    queues: is.queues.map(({ received }, index) => rate(was.queues[index]?.received, received)),
    dropped: rate(was.packets.dropped, is.packets.dropped),
    byReason: Object.fromEntries(byReason),
    diverted: rate(diversions(was), diversions(is)),
    carried: {
      cpe: rate(carriedFrom(was).cpe, carriedFrom(is).cpe),
      itms: rate(carriedFrom(was).itms, carriedFrom(is).itms),
      collector: rate(carriedFrom(was).collector, carriedFrom(is).collector),
    },
    opened,
  };
}
