/**
 * The addon as TypeScript sees it: build/Release/acsplit.node, loaded on first use, its errors put into words.
 *
 * Nothing else in the project loads native code.
 */
import * as path from 'node:path';
import { explainOpenError } from './queue-owner';

/** A system error of the addon, in Node's own form. */
export interface SystemError extends Error {
  /** `'EPERM'`, … */
  code: string;
  /** Negative, as Node's own errors have it. */
  errno: number;
  syscall: string;
}

/** ... and the queue it is about. */
export interface QueueError extends SystemError {
  queue?: number;
}

export interface QueueOptions {
  /** Number of the first queue. */
  first: number;
  /** How many queues, numbered on from `first`; at most 16. */
  count: number;
  /** Packets one queue holds before the kernel drops. */
  length: number;
  /** Take super-packets as they are. */
  gso: boolean;
  /** Kernel memory for packets not yet read, all queues together, in bytes as the kernel counts them. */
  receiveBufferBytes: number;
}

export interface OpenedQueues {
  fd: number;
  /** What the kernel granted; less than was asked for where the process may not exceed net.core.rmem_max. */
  receiveBufferBytes: number;
}

/** Everything only grows. */
export interface LoopCounters {
  batches: number;
  /** Packets. */
  received: number;
  receiveCalls: number;
  sendCalls: number;
  /** Verdicts that the kernel refused, or the addon: a payload that was cut short never goes back, it is dropped. */
  verdictErrors: number;
  /** Verdicts for packets that the kernel no longer had: something flushed the queue. */
  verdictsLate: number;
  /** Packets whose tail is missing. */
  truncated: number;
  /** Messages without a legible packet. */
  unparsed: number;
  /** Gaps in the packets' ids: the receive buffer was full. */
  lost: number;
  /** Packets that a dead process had read, and a later one decided. */
  recovered: number;
  /** Packets of a batch that killed two processes: dropped undecided. */
  givenUp: number;
}

export interface NativeLoopOptions {
  fd: number;
  firstQueue: number;
  /** At least `PacketBatch.regionBytes(capacity)` bytes; the loop keeps a reference. */
  region: ArrayBuffer;
  /** Packets per batch, 1 to 1024. */
  capacity: number;
  /** Called once per batch; must have filled the verdict column when it returns. What it throws is uncaught. */
  onBatch: (count: number, nowMs: number) => void;
  /**
   * At least `Journal.bytes(capacity)` bytes that outlive the process, as `region` then must: `start` finishes what a
   * process has begun that died with them in hand.
   */
  journal?: ArrayBuffer;
  /** Told of what stopped the loop (syscall recvmmsg, sendmsg, poll), and once per kind of refused verdict. */
  onError: (error: QueueError) => void;
}

export interface NativeLoop {
  start(): void;
  /** Sends what is decided and stops. Legal twice, and inside `onBatch`. A stopped loop does not start again. */
  stop(): void;
  counters(): LoopCounters;
}

export interface BatchLayout {
  /** 32-bit words. */
  header: number;
  slotBytes: number;
  /** Byte offset of slot 0. */
  slots: number;
  regionBytes: number;
  /** Byte offset of each column. */
  columns: Record<string, number>;
  /** Byte offsets in the journal, its size, and the counters' names in their order. */
  journal: { bytes: number; phase: number; attempts: number; counters: number; counterNames: string[] };
}

export interface Addon {
  layout(capacity: number): BatchLayout;
  /** @throws QueueError */
  openQueues(options: QueueOptions): OpenedQueues;
  /** Unbinds the queues; the kernel drops what they held. Legal twice; leaves descriptors of other kinds alone. */
  close(fd: number): void;
  /** CLOCK_BOOTTIME: goes on through suspend, never jumps. */
  boottimeMs(): number;
  /** Makes the file so long, with every block there: no write to it can find the disk full. @throws SystemError */
  reserveFile(fd: number, bytes: number): void;
  /** Memory without a name, reserved and zeroed, as a descriptor. @throws SystemError */
  createMemory(bytes: number): number;
  /** Maps a part of a file, shared and writable, until the buffer is collected. @throws SystemError */
  mapFile(fd: number, offset: number, bytes: number): ArrayBuffer;
  /** The kernel kills this process when its parent dies. False when that is not `pid`, or not any more. */
  dieWithParent(pid: number): boolean;
  /** Whether something waits to be read from the descriptor. */
  isReadable(fd: number): boolean;
  /** To a unix socket; a path that begins with `@` is a name in the abstract namespace. @throws SystemError */
  sendDatagram(path: string, text: string): void;
  /** The socket that `fillSet` speaks through. @throws SystemError */
  openSetSocket(): number;
  /** Every address of family 4 or 6 is in the ipset (hash:net) for so many seconds from now. @throws SystemError */
  fillSet(fd: number, name: string, family: 4 | 6, seconds: number): void;
  VerdictLoop: new (options: NativeLoopOptions) => NativeLoop;
}

/** The same path from src/engine and from dist/engine. */
export const ADDON_FILE = path.join(__dirname, '..', '..', '..', 'build', 'Release', 'acsplit.node');

let loaded: Addon | undefined;

/** @throws Error with one line for people when the addon is not built or does not load */
export function loadAddon(file = ADDON_FILE): Addon {
  if (loaded !== undefined && file === ADDON_FILE) return loaded;
  let addon: Addon;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a native module has no other way in
    addon = require(file) as Addon;
  } catch (error) {
    throw new Error(explainLoadError(error as NodeJS.ErrnoException, file), { cause: error });
  }
  if (file === ADDON_FILE) loaded = addon;
  return addon;
}

function explainLoadError(error: NodeJS.ErrnoException, file: string): string {
  if (error.code === 'MODULE_NOT_FOUND') return `the native addon is not built (no ${file}): run npm run build`;
  const firstLine = error.message.split('\n', 1)[0];
  return `the native addon does not load (${firstLine}): install libnetfilter-queue1 and libmnl0, then run npm run build`;
}

/**
 * Opens one socket with `count` queues bound.
 * @throws QueueError whose message says in one line what is wrong and what to do
 */
export function openQueues(options: QueueOptions): OpenedQueues {
  try {
    return loadAddon().openQueues(options);
  } catch (error) {
    if (isQueueError(error)) error.message = explainOpenError(error, options);
    throw error;
  }
}

export function closeQueues(fd: number): void {
  loadAddon().close(fd);
}

/** `instanceof Error` fails across realms; the addon's errors are known by their fields. */
function isQueueError(error: unknown): error is QueueError {
  const candidate = error as Partial<QueueError> | null;
  return typeof candidate?.code === 'string' && typeof candidate.syscall === 'string';
}

/** CLOCK_BOOTTIME in ms: the engine's clock, which survives a restart of the engine and a suspended host. */
export function boottimeMs(): number {
  return loadAddon().boottimeMs();
}
