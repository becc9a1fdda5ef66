/** Opens the engine's queues and sizes their receive buffer. */
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

/** Receive-buffer cost of one packet of 20 to 1400 bytes, as the kernel counts it (832 to 2305, measured). */
const PACKET_COST_BYTES = 2560;
/** Few of the waiting packets are super-packets, but each has up to 64 KiB. */
const GSO_PACKET_COST_BYTES = 8192;
/** The fourth, for this host's own ICMP errors, is nearly always empty: the kernel limits their rate. */
const BUSY_QUEUES = 3;
/** The kernel doubles the requested size, in an int. socket(7) */
const MAX_RECEIVE_BUFFER_BYTES = 2 ** 30 - 1;
/** The worker of a supervisor killed a moment ago holds the queues until it is dead. */
const RETRY_MS = 1500;
const RETRY_INTERVAL_MS = 50;

export function wantedReceiveBufferBytes(queue: QueueSettings): number {
  const cost = queue.gso ? GSO_PACKET_COST_BYTES : PACKET_COST_BYTES;
  return Math.min(queue.length * BUSY_QUEUES * cost, MAX_RECEIVE_BUFFER_BYTES);
}

/** @throws EngineError, one line naming the current owner; the signal's reason when stopped */
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

/** Warns when the kernel granted less receive buffer than the queues can fill. */
export function warnOfReceiveBuffer(opened: OpenedQueues, queue: QueueSettings, log: EngineLog): void {
  const { receiveBufferBytes: granted } = opened;
  const wanted = wantedReceiveBufferBytes(queue);
  if (granted >= wanted) return;
  log.warn(
    { event: 'receive-buffer', granted, wanted },
    'receive buffer smaller than the queues: bursts may be lost (needs CAP_NET_ADMIN on the host)',
  );
}
