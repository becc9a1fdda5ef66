/**
 * The addon's TypeScript interface: build/Release/acsplit.node, loaded on first use, with its errors put into words.
 *
 * Nothing else in the project loads native code.
 */
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { explainOpenError } from './queue-owner';

/** A system error from the addon, in Node's form. */
export interface SystemError extends Error {
  /** `'EPERM'`, … */
  code: string;
  /** Negative, as in Node's own errors. */
  errno: number;
  syscall: string;
}

/** A system error with the queue it concerns. */
export interface QueueError extends SystemError {
  queue?: number;
}

export interface QueueOptions {
  /** Number of the first queue. */
  first: number;
  /** How many consecutive queues, starting at `first`; at most 16. */
  count: number;
  /** Packets one queue holds before the kernel drops. */
  length: number;
  /** Accept super-packets without segmenting them. */
  gso: boolean;
  /** Kernel memory for unread packets of all queues, in bytes as the kernel counts them. */
  receiveBufferBytes: number;
}

export interface OpenedQueues {
  fd: number;
  /** What the kernel granted; less than requested when the process may not exceed net.core.rmem_max. */
  receiveBufferBytes: number;
}

/** All counters only grow. */
export interface LoopCounters {
  batches: number;
  /** Packets. */
  received: number;
  receiveCalls: number;
  sendCalls: number;
  /** Verdicts refused by the kernel or the addon. The addon drops a truncated packet rather than send it back. */
  verdictErrors: number;
  /** Verdicts for packets the kernel no longer had: something flushed the queue. */
  verdictsLate: number;
  /** Packets whose tail is missing. */
  truncated: number;
  /** Messages without a legible packet. */
  unparsed: number;
  /** Gaps in the packets' ids: the receive buffer was full. */
  lost: number;
  /** Packets read by a process that died, decided by a later one. */
  recovered: number;
  /** Packets of a batch that killed two processes; dropped undecided. */
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
   * At least `Journal.bytes(capacity)` bytes that outlive the process; `region` must outlive it too. `start` completes
   * the batch that an earlier process had in hand when it died.
   */
  journal?: ArrayBuffer;
  /** Polls for 40 µs before it sleeps. True if absent. */
  spins?: boolean;
  /**
   * Called with the error that stopped the loop (syscall recvmmsg, sendmsg, poll), and once per kind of refused
   * verdict.
   */
  onError: (error: QueueError) => void;
}

export interface NativeLoop {
  start(): void;
  /**
   * Sends what is decided and stops. May be called twice, and from within `onBatch`. A stopped loop cannot be
   * restarted.
   */
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
  /** Byte offsets in the journal, its size, and the counters' names in order. */
  journal: { bytes: number; phase: number; attempts: number; counters: number; counterNames: string[] };
}

/** By SO_PEERCRED. */
export interface Peer {
  pid: number;
  uid: number;
}

export interface MacQuestion {
  interface: string;
  address: string;
}

export interface EchoQuestion {
  address: string;
  /** Of the whole IP packet. */
  bytes: number;
  /** Our address; as the route has it, if absent. */
  from?: string;
}

export interface EchoAnswer {
  isAnswered: boolean;
  /** What this host or a router on the way said would fit; 0: nothing. */
  mtu: number;
}

export interface Addon {
  layout(capacity: number): BatchLayout;
  /** @throws QueueError */
  openQueues(options: QueueOptions): OpenedQueues;
  /** The same in a network namespace that ends with the trial; `fd` is -1. @throws QueueError */
  tryQueues(options: QueueOptions): OpenedQueues;
  /** Unbinds the queues; the kernel drops what they held. May be called twice; ignores descriptors of other kinds. */
  close(fd: number): void;
  /** CLOCK_BOOTTIME: keeps counting through suspend, never jumps. */
  boottimeMs(): number;
  /**
   * Extends the file to this size with every block allocated, so no write can find the disk full. @throws SystemError
   */
  reserveFile(fd: number, bytes: number): void;
  /** Anonymous memory, reserved and zeroed, as a descriptor. @throws SystemError */
  createMemory(bytes: number): number;
  /** Maps part of a file, shared and writable, until the buffer is collected. @throws SystemError */
  mapFile(fd: number, offset: number, bytes: number): ArrayBuffer;
  /** The kernel kills this process when its parent dies. False when the parent is not `pid`, or no longer is. */
  dieWithParent(pid: number): boolean;
  /** Whether the descriptor has something to read. */
  isReadable(fd: number): boolean;
  /** To a unix socket; a path starting with `@` is a name in the abstract namespace. @throws SystemError */
  sendDatagram(path: string, text: string): void;
  /** The process that connected to this unix socket, as it was then. @throws SystemError */
  peerOf(fd: number): Peer;
  /** The socket that `fillSet` uses. @throws SystemError */
  openSetSocket(): number;
  /** Puts every address of family 4 or 6 into the ipset (hash:net) for this many seconds. @throws SystemError */
  fillSet(fd: number, name: string, family: 4 | 6, seconds: number): void;
  /**
   * Who has these addresses, by ARP or neighbour discovery: the MACs that answer each within `waitMs`, for which the caller is
   * blocked. Tells nobody an address of ours. No answers where the interface is gone or not Ethernet. @throws SystemError
   */
  askMacs(questions: readonly MacQuestion[], waitMs: number): string[][];
  /** Sends each an ICMP echo of this size, unfragmented; the caller is blocked for at most `waitMs`. @throws SystemError */
  echo(questions: readonly EchoQuestion[], waitMs: number): EchoAnswer[];
  /** A descriptor of the same map for as long as the process lives: calls with it are cheaper. @throws SystemError */
  holdMap(fd: number): number;
  /** Key and value have the map's sizes. @throws SystemError; E2BIG when it is full */
  updateMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): void;
  /** False when there was no such entry. @throws SystemError */
  deleteFromMap(fd: number, key: Uint8Array): boolean;
  /** Fills `value`; false when there is no such entry. @throws SystemError */
  readMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): boolean;
  /** A BPF ring buffer of that size: the consumer's page, and the producer's with the ring behind it, twice. @throws SystemError */
  mapRing(fd: number, bytes: number): { consumer: ArrayBuffer; producer: ArrayBuffer };
  /** Keys and values of all entries, one after the other. @throws SystemError */
  readMapEntries(fd: number): Uint8Array;
  VerdictLoop: new (options: NativeLoopOptions) => NativeLoop;
}

/** The same path from src/engine and from dist/engine. */
const ROOT = path.join(__dirname, '..', '..', '..');
export const ADDON_FILE = path.join(ROOT, 'build', 'Release', 'acsplit.node');

let loaded: Addon | undefined;

/** @throws Error with a one-line message when the addon is not built or does not load */
export function loadAddon(file = ADDON_FILE): Addon {
  if (loaded !== undefined && file === ADDON_FILE) return loaded;
  let addon: Addon;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a native module can only be required
    addon = require(file) as Addon;
  } catch (error) {
    throw new Error(explainLoadError(error as NodeJS.ErrnoException, file), { cause: error });
  }
  if (file === ADDON_FILE) loaded = addon;
  return addon;
}

/** A package brings no sources of ours to build. */
const REMEDY = existsSync(path.join(ROOT, 'src')) ? 'run npm run build' : 'install acsplit again';

function explainLoadError(error: NodeJS.ErrnoException, file: string): string {
  if (error.code === 'MODULE_NOT_FOUND') return `the native addon is not there (no ${file}): ${REMEDY}`;
  const firstLine = error.message.split('\n', 1)[0];
  return `the native addon does not load (${firstLine}): install libnetfilter-queue1 and libmnl0, then ${REMEDY}`;
}

/**
 * Opens one socket with `count` queues bound.
 * @throws QueueError whose one-line message says what is wrong and what to do
 */
export function openQueues(options: QueueOptions): OpenedQueues {
  return inWords(options, () => loadAddon().openQueues(options));
}

/** Whether the queues could be opened: tried in a network namespace that ends with the trial. @throws as `openQueues` */
export function tryQueues(options: QueueOptions): OpenedQueues {
  return inWords(options, () => loadAddon().tryQueues(options));
}

function inWords(options: QueueOptions, open: () => OpenedQueues): OpenedQueues {
  try {
    return open();
  } catch (error) {
    if (isQueueError(error)) error.message = explainOpenError(error, options);
    throw error;
  }
}

export function closeQueues(fd: number): void {
  loadAddon().close(fd);
}

/** `instanceof Error` fails across realms, so the addon's errors are recognised by their fields. */
function isQueueError(error: unknown): error is QueueError {
  const candidate = error as Partial<QueueError> | null;
  return typeof candidate?.code === 'string' && typeof candidate.syscall === 'string';
}

/** CLOCK_BOOTTIME in ms. It keeps counting through a restart of the engine and while the host is suspended. */
export function boottimeMs(): number {
  return loadAddon().boottimeMs();
}
