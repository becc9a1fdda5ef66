/**
 * `acsplit run`: queues, splitter, verdict loop and control socket, brought up in an order that leaves nothing behind
 * when one of them fails, and taken down in the reverse.
 *
 * One process for now. The verdict loop gets descriptor and memory as arguments, so that a worker may run it. [D]
 */

import { randomBytes } from 'node:crypto';
import { Splitter } from '../splitter/splitter';
import { type ActivationMode, type Lives, type Topology } from '../splitter/topology';
import { boottimeMs, closeQueues, type OpenedQueues, openQueues, type QueueError } from './binding';
import { controlSocketPath, type ControlServer, refuseLivingEngine, serveControl } from './control';
import { EngineError } from './engine-error';
import { type EngineLog } from './engine-log';
import { findHostWarnings, requireInterfaces } from './host-checks';
import { watchLosses } from './loss-watch';
import { operations } from './operations';
import { readQueueCounters } from './queue-counters';
import { composeStatus, SIDES, type Status } from './status';
import { startVerdictLoop, type VerdictLoop } from './verdict-loop';

export interface EngineOptions {
  topology: Topology;
  activation: ActivationMode;
  lives: Lives;
  capacityEntries: number;
  queue: { first: number; length: number; gso: boolean };
  stateDirectory: string;
  version: string;
  log: EngineLog;
}

export interface Engine {
  /** Answers what was read, closes the queues, removes the control socket. Idempotent. */
  stop(): Promise<void>;
  /** Resolves after `stop`; rejects with EngineError when the verdict loop broke off by itself. */
  finished: Promise<void>;
}

/** What one packet of 20 to 1400 bytes costs in the receive buffer, as the kernel counts (832 to 2305, measured). */
const PACKET_COST_BYTES = 2560;
/** Super-packets are few among the waiting, but up to 64 KiB each. */
const GSO_PACKET_COST_BYTES = 8192;
/** The fourth, with this host's own ICMP errors, is nearly always empty: the kernel limits their rate. */
const BUSY_QUEUES = 3;
/** The kernel doubles what it is asked for, in an int. socket(7) */
const MAX_RECEIVE_BUFFER_BYTES = 2 ** 30 - 1;

export function wantedReceiveBufferBytes(queue: EngineOptions['queue']): number {
  const cost = queue.gso ? GSO_PACKET_COST_BYTES : PACKET_COST_BYTES;
  return Math.min(queue.length * BUSY_QUEUES * cost, MAX_RECEIVE_BUFFER_BYTES);
}

/** @throws EngineError, one line, and nothing is left behind */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { queue, log } = options;
  const path = controlSocketPath(options.stateDirectory);
  await refuseLivingEngine(path);
  requireInterfaces(options.topology);
  const splitter = makeSplitter(options);
  const opened = open(options);
  let loop: VerdictLoop | undefined;
  let control: ControlServer | undefined;
  try {
    let report: (error: QueueError) => void = () => undefined;
    const startedMs = performance.now();
    const status = (): Status =>
      composeStatus({
        version: options.version,
        isReady: loop !== undefined,
        uptimeMs: performance.now() - startedMs,
        pid: process.pid,
        splitter,
        eventCounts: splitter.state.events.counts,
        firstQueue: queue.first,
        queues: readQueueCounters(),
      });
    const run = randomBytes(8).toString('hex');
    control = await serveControl(path, { status, ...operations(splitter, run, boottimeMs) });
    loop = startVerdictLoop({ fd: opened.fd, firstQueue: queue.first, splitter, onError: (error) => report(error) });
    const engine = assemble({ fd: opened.fd, loop, control, log, status });
    report = engine.report;
    warnOfHost(options, opened);
    log.info(
      { event: 'ready', queues: SIDES.map((_, i) => queue.first + i), activation: options.activation, control: path },
      'verdicts flow',
    );
    return engine;
  } catch (error) {
    loop?.stop();
    closeQueues(opened.fd);
    await control?.close();
    throw error;
  }
}

/** The tables' memory is taken before any packet waits for it. */
function makeSplitter(options: EngineOptions): Splitter {
  const { topology, activation, lives, capacityEntries } = options;
  try {
    return new Splitter({ topology, activation, lives, capacityEntries, seed: randomBytes(4).readInt32LE() });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const mebibytes = Math.ceil(Splitter.bufferBytes(capacityEntries, topology) / 2 ** 20);
    throw new EngineError(
      `tables.capacity ${capacityEntries} needs ${mebibytes} MiB of memory (${error.message}); configure fewer entries`,
      { cause: error },
    );
  }
}

function open(options: EngineOptions): OpenedQueues {
  const { first, length, gso } = options.queue;
  const receiveBufferBytes = wantedReceiveBufferBytes(options.queue);
  try {
    return openQueues({ first, count: SIDES.length, length, gso, receiveBufferBytes });
  } catch (error) {
    throw new EngineError((error as Error).message, { cause: error });
  }
}

/** What an engine that runs should say of the host; a start that fails says only why it failed. */
function warnOfHost({ topology, queue, log }: EngineOptions, opened: OpenedQueues): void {
  for (const warning of findHostWarnings(topology)) log.warn({ event: 'host' }, warning);
  const wanted = wantedReceiveBufferBytes(queue);
  if (opened.receiveBufferBytes >= wanted) return;
  log.warn(
    { event: 'receive-buffer', granted: opened.receiveBufferBytes, wanted },
    'receive buffer smaller than the queues: bursts may be lost (needs CAP_NET_ADMIN on the host)',
  );
}

interface Parts {
  fd: number;
  loop: VerdictLoop;
  control: ControlServer;
  log: EngineLog;
  status: () => Status;
}

function assemble({ fd, loop, control, log, status }: Parts): Engine & { report(error: QueueError): void } {
  const losses = watchLosses({ status, loop, log });
  let stopping: Promise<void> | undefined;
  let finish: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  finished.catch(() => undefined);
  const takeDown = async () => {
    losses.stop();
    loop.stop();
    closeQueues(fd);
    await control.close();
  };
  const stop = (): Promise<void> => {
    stopping ??= takeDown().then(() => {
      log.info({ event: 'stopped' }, 'queues closed');
      finish();
    });
    return stopping;
  };
  const report = (error: QueueError) => {
    if (error.syscall === 'verdict') return log.error({ event: 'verdict-refused', code: error.code }, error.message);
    stopping ??= takeDown().then(() => fail(new EngineError(`the verdict loop broke off: ${error.message}`)));
  };
  return { stop, finished, report };
}
