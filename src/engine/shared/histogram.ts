/**
 * A histogram that the packet path can write: its buckets are in caller-provided memory, and counting allocates
 * nothing. Another process may read that memory at the same time. Prometheus expects cumulative buckets; these are
 * separate.
 */

export class Histogram {
  private readonly counts: Float64Array;
  private readonly totals: Float64Array;

  /** Bytes of memory needed for `bounds`. */
  static bytes(bounds: Float64Array): number {
    return (bounds.length + 3) * 8;
  }

  /** @param bounds upper ends of the buckets, inclusive, ascending; higher values count as infinite */
  constructor(
    readonly bounds: Float64Array,
    buffer: ArrayBuffer,
    at: number,
  ) {
    this.counts = new Float64Array(buffer, at, bounds.length + 1);
    this.totals = new Float64Array(buffer, at + (bounds.length + 1) * 8, 2);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.totals[0] += value;
    this.totals[1]++;
  }

  get sum(): number {
    return this.totals[0];
  }

  get count(): number {
    return this.totals[1];
  }

  /** How many values were at or below each bound. */
  cumulative(): number[] {
    let sum = 0;
    return Array.from(this.bounds, (_, bucket) => (sum += this.counts[bucket]));
  }
}
