/** The engine's queues: how large their receive buffer must be, and opening them. */
import { type OpenedQueues, openQueues, type QueueError } from '../shared/binding';
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';
import { SIDES } from '../../packet/batch';

export interface QueueSettings {
  first: number;
  /** Packets, per queue. */
  length: number;
  gso: boolean;
}

/** What one packet of 20 to 1400 bytes costs in the receive buffer, as the kernel counts (832 to 2305, measured). */
const PACKET_COST_BYTES = 2560;
/** Super-packets are few among the waiting, but up to 64 KiB each. */
const GSO_PACKET_COST_BYTES = 8192;
/** The fourth, with this host's own ICMP errors, is nearly always empty: the kernel limits their rate. */
const BUSY_QUEUES = 3;
/** The kernel doubles what it is asked for, in an int. socket(7) */
const MAX_RECEIVE_BUFFER_BYTES = 2 ** 30 - 1;
/** The worker of a supervisor that was killed a moment ago still holds the queues while it dies. */
const RETRY_MS = 1500;
const RETRY_INTERVAL_MS = 50;

export function wantedReceiveBufferBytes(queue: QueueSettings): number {
  const cost = queue.gso ? GSO_PACKET_COST_BYTES : PACKET_COST_BYTES;
  return Math.min(queue.length * BUSY_QUEUES * cost, MAX_RECEIVE_BUFFER_BYTES);
}

/** @throws EngineError, one line that says who is in the way; the signal's reason */
export async function openEngineQueues(queue: QueueSettings, stopped: AbortSignal): Promise<OpenedQueues> {
  const { first, length, gso } = queue;
  const receiveBufferBytes = wantedReceiveBufferBytes(queue);
  for (const deadline = performance.now() + RETRY_MS; ;) {
    try {
      return openQueues({ first, count: SIDES.length, length, gso, receiveBufferBytes });
    } catch (error) {
      const { code, queue: taken, message } = error as QueueError;
      const mayPass = taken !== undefined && (code === 'EPERM' || code === 'EBUSY');
      if (!mayPass || performance.now() > deadline) throw new EngineError(message, { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL_MS));
    stopped.throwIfAborted();
  }
}

/** Says so when the kernel granted less receive buffer than the queues can fill. */
export function warnOfReceiveBuffer(opened: OpenedQueues, queue: QueueSettings, log: EngineLog): void {
  const { receiveBufferBytes: granted } = opened;
  const wanted = wantedReceiveBufferBytes(queue);
  if (granted >= wanted) return;
  log.warn(
    { event: 'receive-buffer', granted, wanted },
    'receive buffer smaller than the queues: bursts may be lost (needs CAP_NET_ADMIN on the host)',
  );
}
