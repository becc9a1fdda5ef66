/**
 * The live driver: queue batch → `decide` → queue verdicts, with the tables swept between batches.
 *
 * Takes the queue's descriptor and the batch's memory as arguments, so that another process may own them. Knows nothing
 * of configuration, control or restarts.
 */
import { setFlagsFromString } from 'node:v8';
import { PacketBatch } from '../../packet/batch';
import { INLINING_FLAG } from '../../splitter/inlining';
import { loadAddon, type LoopCounters, type QueueError } from '../shared/binding';

/** What decides: the Splitter, or a test's stand-in. */
export interface Decider {
  /** Fills `verdict` and `reason` of every packet in the batch, rewriting packets in place. */
  decide(batch: PacketBatch, nowMs: number): void;
  /** One bounded step of expiry. */
  sweep(nowMs: number): void;
}

export interface VerdictLoopOptions {
  /** The queue socket. The caller keeps ownership and closes it after `stop`. */
  fd: number;
  /** Number of the queue that is 0 in `batch.queue`. */
  firstQueue: number;
  splitter: Decider;
  /** The batch's memory, at least `PacketBatch.regionBytes(capacity)` bytes; allocated here if absent. */
  region?: ArrayBuffer;
  /** Memory that outlives this process; `region` must then outlive it too. See NativeLoopOptions. */
  journal?: ArrayBuffer;
  /** Packets per batch, 1 to 1024. */
  capacity?: number;
  /** Polls for the next packet before it sleeps: a request is through sooner, and a core is busy for it. True if absent. */
  spins?: boolean;
  /** Between two sweeps. */
  sweepIntervalMs?: number;
  /**
   * Called with the error that stopped the loop, and once per kind of refused verdict (`error.syscall` is `verdict`).
   * If absent, the former is thrown and so ends the process; the latter is only counted.
   */
  onError?: (error: QueueError) => void;
}

export interface VerdictLoop {
  /** Sends what is decided and stops. May be called twice. */
  stop(): void;
  counters(): LoopCounters;
}

/** 64 packets get the full gain of batching; more would only wait for each other. */
export const DEFAULT_CAPACITY = 64;
export const DEFAULT_SWEEP_INTERVAL_MS = 25;

/** @throws TypeError when an argument is wrong, QueueError when the descriptor cannot be watched */
export function startVerdictLoop(options: VerdictLoopOptions): VerdictLoop {
  const { fd, firstQueue, splitter, capacity = DEFAULT_CAPACITY } = options;
  setFlagsFromString(INLINING_FLAG);
  const region = options.region ?? new ArrayBuffer(PacketBatch.regionBytes(capacity));
  const addon = loadAddon();
  const batch = new PacketBatch(region, capacity);
  const loop = new addon.VerdictLoop({
    fd,
    firstQueue,
    region,
    capacity,
    ...(options.journal === undefined ? {} : { journal: options.journal }),
    spins: options.spins ?? true,
    // The addon has written the count into the batch's header.
    onBatch: (_count, nowMs) => splitter.decide(batch, nowMs),
    onError: options.onError ?? raiseUnlessVerdict,
  });
  loop.start();
  const sweeper = setInterval(
    () => splitter.sweep(addon.boottimeMs()),
    options.sweepIntervalMs ?? DEFAULT_SWEEP_INTERVAL_MS,
  );
  // Sweeping alone must not keep the process alive once the loop has stopped.
  sweeper.unref();
  return {
    stop: () => {
      clearInterval(sweeper);
      loop.stop();
    },
    counters: () => loop.counters(),
  };
}

function raiseUnlessVerdict(error: QueueError): void {
  if (error.syscall !== 'verdict') throw error;
}
