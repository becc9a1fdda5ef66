/**
 * What the verdict loop shows besides the splitter's own counters: packets by side and reason, batch sizes, decision
 * times, and traced packets. All of it is in one block of caller-provided memory: the worker writes, the supervisor
 * reads at any time. Nothing here allocates on the packet path.
 */

import { type PacketBatch, Side, SIDES } from '../../packet/batch';
import { Histogram } from './histogram';
import { PacketRing } from './packet-ring';

/** Leaves room for future reasons; the memory's layout does not depend on how many there are. */
const MAX_REASONS = 128;

const BATCH_BOUNDS = Float64Array.of(1, 2, 4, 8, 16, 32, 64);
/** Seconds. A packet takes about a microsecond. */
const TIME_BOUNDS = Float64Array.of(5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25);

const COUNTS_BYTES = SIDES.length * MAX_REASONS * 8;
const SIZES_AT = COUNTS_BYTES;
const TIMES_AT = SIZES_AT + Histogram.bytes(BATCH_BOUNDS);
const DECIDED_AT = TIMES_AT + Histogram.bytes(TIME_BOUNDS);
const FLOWS_AT = DECIDED_AT + 8;
const RING_AT = FLOWS_AT + 8;

export class Observation {
  static readonly BYTES = RING_AT + PacketRing.BYTES;
  /** Packets of a batch. */
  readonly batchPackets: Histogram;
  /** Seconds from the batch's arrival in JavaScript to its last decision. */
  readonly decideSeconds: Histogram;
  readonly ring: PacketRing;
  private readonly counts: Float64Array;
  private readonly decided: Float64Array;
  private readonly carriedFlows: Float64Array;

  /** @param buffer zeroed, or in use by another process @param at a multiple of 8 */
  constructor(buffer: ArrayBuffer, at = 0) {
    this.counts = new Float64Array(buffer, at, SIDES.length * MAX_REASONS);
    this.batchPackets = new Histogram(BATCH_BOUNDS, buffer, at + SIZES_AT);
    this.decideSeconds = new Histogram(TIME_BOUNDS, buffer, at + TIMES_AT);
    this.decided = new Float64Array(buffer, at + DECIDED_AT, 1);
    this.carriedFlows = new Float64Array(buffer, at + FLOWS_AT, 1);
    this.ring = new PacketRing(buffer, at + RING_AT);
  }

  /** Packets from queue 0 to 3 with this reason. */
  packets(queue: number, reason: number): number {
    return this.counts[queue * MAX_REASONS + reason];
  }

  /** Batches decided so far, by all workers. Fail-over depends on this counter and on no Prometheus metric. */
  get decidedBatches(): number {
    return this.decided[0];
  }

  /** Diverted connections that the kernel carries. */
  get flows(): number {
    return this.carriedFlows[0];
  }

  set flows(count: number) {
    this.carriedFlows[0] = count;
  }

  /** Counts a batch that has just been decided. */
  count(batch: PacketBatch): void {
    const { counts } = this;
    this.decided[0]++;
    for (let i = 0; i < batch.count; i++)
      counts[(batch.queue[i] & Side.Host) * MAX_REASONS + (batch.reason[i] & 127)]++;
  }
}
