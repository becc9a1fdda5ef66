/**
 * The verdict loop in a process of its own, for a network namespace: opens queues, decides simply, and says on stdout
 * in JSON lines what it saw. Argument: one JSON object, `DriverOptions`. SIGTERM stops it and prints `DriverReport`.
 */
import { parseAddress } from '../../../src/packet/address';
import { PacketFlag, Verdict, type PacketBatch } from '../../../src/packet/batch';
import { rewriteDestination, rewriteSource } from '../../../src/packet/rewrite';
import { PacketView, Parsed } from '../../../src/packet/view';
import { closeQueues, openQueues, type LoopCounters, type QueueOptions } from '../../../src/engine/shared/binding';
import { startVerdictLoop } from '../../../src/engine/worker/verdict-loop';

export interface DriverOptions {
  queue: QueueOptions;
  /** `rewrite`: queue 0 to the server, queue 1 as the ACS; the others do what they say. */
  decide: 'rewrite' | 'accept' | 'drop' | 'throw' | 'stop';
  acs: string;
  server: string;
  capacity?: number;
}

export interface DriverReport {
  counters: LoopCounters;
  byQueue: number[];
  gso: number;
  checksumNotReady: number;
  rewrittenOdd: number;
  longest: number;
  sweeps: number;
}

const options = JSON.parse(process.argv[2]) as DriverOptions;
const acs = parseAddress(options.acs)!;
const server = parseAddress(options.server)!;
const view = new PacketView();
const seen = { byQueue: [0, 0, 0, 0], gso: 0, checksumNotReady: 0, rewrittenOdd: 0, longest: 0, sweeps: 0 };

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function rewrite(batch: PacketBatch, index: number): Verdict {
  if (view.parse(batch.bytes, batch.offset[index], batch.length[index]) !== Parsed.Ok) return Verdict.Accept;
  if (batch.queue[index] === 0) rewriteDestination(view, server);
  else rewriteSource(view, acs);
  if (batch.length[index] % 2 === 1) seen.rewrittenOdd++;
  return Verdict.AcceptRewritten;
}

function decide(batch: PacketBatch): void {
  for (let i = 0; i < batch.count; i++) {
    seen.byQueue[batch.queue[i]]++;
    if (batch.flags[i] & PacketFlag.Gso) seen.gso++;
    else if (batch.flags[i] & PacketFlag.ChecksumNotReady) seen.checksumNotReady++;
    seen.longest = Math.max(seen.longest, batch.length[i]);
    if (options.decide === 'throw') throw new Error('the rules broke');
    if (options.decide === 'drop') batch.verdict[i] = Verdict.Drop;
    else if (options.decide === 'accept') batch.verdict[i] = Verdict.Accept;
    else batch.verdict[i] = rewrite(batch, i);
  }
  if (options.decide === 'stop') finish();
}

function finish(): void {
  loop.stop();
  loop.stop();
  // Inside a batch its verdicts go out once `decide` has returned.
  setImmediate(() => {
    closeQueues(opened.fd);
    closeQueues(opened.fd);
    print({ counters: loop.counters(), ...seen } satisfies DriverReport);
    process.exit(0);
  });
}

function open(): { fd: number; receiveBufferBytes: number } {
  try {
    return openQueues(options.queue);
  } catch (error) {
    const { code, errno, syscall, queue, message } = error as Record<string, unknown>;
    print({ error: { code, errno, syscall, queue, message } });
    process.exit(1);
  }
}

const opened = open();
const loop = startVerdictLoop({
  fd: opened.fd,
  firstQueue: options.queue.first,
  ...(options.capacity === undefined ? {} : { capacity: options.capacity }),
  splitter: { decide, sweep: () => seen.sweeps++ },
  onError: (error) => print({ loopError: { code: error.code, errno: error.errno, syscall: error.syscall } }),
});
process.on('SIGTERM', finish);
print({ ready: true, pid: process.pid, receiveBufferBytes: opened.receiveBufferBytes });
