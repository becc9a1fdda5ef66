/**
 * Rates and fill of the last hour, a sample every 10 s, in memory: what a picture of the hour needs. Each sample is the mean
 * of its interval. docs/decisions/history.md
 */
import { SIDES } from '../../packet/batch';
import { type Status } from './status';

export const SAMPLE_MS = 10_000;
const SAMPLES = 360;

export interface HourSample {
  /** End of the interval, wall clock, ms since 1970. */
  timeMs: number;
  /** Packets decided per second, by the side that sent them. */
  packets: Record<string, number>;
  /** Per second. */
  dropped: number;
  diverted: number;
  /** Packets in the queues, and entries of the tables, at the end. */
  waiting: number;
  tables: Record<string, number>;
}

/** The counters of which rates are made. */
interface Seen {
  timeMs: number;
  received: number[];
  dropped: number;
  diverted: number;
}

export class LastHour {
  /** The oldest first. */
  readonly samples: HourSample[] = [];
  private before: Seen | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** Looks now, and then until `stop`. */
  watch(status: () => Status): void {
    const look = () => this.add(status(), Date.now());
    look();
    this.timer = setInterval(look, SAMPLE_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Adds a sample. Call it every SAMPLE_MS. */
  add(status: Pick<Status, 'queues' | 'packets' | 'tables'>, timeMs: number): void {
    const { queues, packets, tables } = status;
    const { byReason } = packets;
    const now: Seen = {
      timeMs,
      received: SIDES.map((side) => queues.find((queue) => queue.side === side)?.received ?? 0),
      dropped: packets.dropped,
      diverted: (byReason.diverted ?? 0) + (byReason['diverted-in-grace'] ?? 0),
    };
    const { before } = this;
    this.before = now;
    // The first look has no interval; a clock that was set makes one of no length.
    if (before === undefined || timeMs <= before.timeMs) return;
    const rate = (was: number, is: number) => round((Math.max(0, is - was) * 1000) / (timeMs - before.timeMs));
    this.samples.push({
      timeMs,
      packets: Object.fromEntries(SIDES.map((side, i) => [side, rate(before.received[i], now.received[i])])),
      dropped: rate(before.dropped, now.dropped),
      diverted: rate(before.diverted, now.diverted),
      waiting: queues.reduce((sum, { waiting }) => sum + (waiting ?? 0), 0),
      tables: Object.fromEntries(Object.entries(tables).map(([name, { count }]) => [name, count])),
    });
    if (this.samples.length > SAMPLES) this.samples.shift();
  }

  get answer(): { intervalMs: number; samples: readonly HourSample[] } {
    return { intervalMs: SAMPLE_MS, samples: this.samples };
  }
}

function round(rate: number): number {
  return Math.round(rate * 100) / 100;
}
