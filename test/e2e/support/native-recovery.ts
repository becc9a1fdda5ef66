/**
 * Processes that serve one queue, one after the other, and die; queue and batch outlive them. A program for a network
 * namespace: prints `{ ready }`, waits until all packets do, has the first ones die, prints `{ signal }` for each, and the last
 * one's `LoopCounters`. Argument: one JSON object, `RecoveryOptions`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { loadAddon, openQueues } from '../../../src/engine/shared/binding';
import { Journal } from '../../../src/engine/shared/journal';
import { readQueueCounters } from '../../../src/engine/shared/queue-counters';
import { startVerdictLoop } from '../../../src/engine/worker/verdict-loop';
import { PacketBatch, Verdict } from '../../../src/packet/batch';

export interface RecoveryOptions {
  queue: number;
  /** That wait before anybody serves. */
  packets: number;
  /** Packets per batch. */
  capacity: number;
  deaths: number;
  /** Of a batch's verdicts: killed when they are decided and not sent, or sent and not noted. */
  dies: 'before sending' | 'after sending';
  /** Somebody flushes every queue while the last process decides its first batch. */
  flushes: boolean;
}

type Servant = RecoveryOptions & { isLast: boolean };

/** Descriptors of a servant. */
const FD = { queue: 3, memory: 4 } as const;
const PAGE = 4096;

const print = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const die = (): void => void process.kill(process.pid, 'SIGKILL');

function own(options: RecoveryOptions): void {
  const { queue, packets, capacity, deaths } = options;
  const { fd } = openQueues({ first: queue, count: 1, length: 1024, gso: true, receiveBufferBytes: 1 << 20 });
  const memory = loadAddon().createMemory(journalAt(capacity) + Journal.bytes(capacity));
  const serve = (isLast: boolean) => {
    const words = [...process.execArgv, process.argv[1], JSON.stringify({ ...options, isLast } satisfies Servant)];
    return spawnSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit', fd, memory], encoding: 'utf8' });
  };
  print({ ready: true });
  const waiting = setInterval(() => {
    if (readQueueCounters()[0]?.waiting !== packets) return;
    clearInterval(waiting);
    for (let death = 0; death < deaths; death++) print({ signal: serve(false).signal });
    process.stdout.write(serve(true).stdout);
  }, 10);
}

function serve({ queue, capacity, dies, flushes, isLast }: Servant): void {
  const addon = loadAddon();
  const memory = addon.mapFile(FD.memory, 0, journalAt(capacity) + Journal.bytes(capacity));
  const journal = addon.mapFile(FD.memory, journalAt(capacity), Journal.bytes(capacity));
  let batches = 0;
  const decide = (batch: PacketBatch): void => {
    if (isLast && flushes && batches++ === 0) flush();
    for (let i = 0; i < batch.count; i++) batch.verdict[i] = Verdict.Accept;
    if (isLast) return;
    if (dies === 'before sending') return die();
    // The verdicts go out when we return. What is noted then is taken back: dead at the system call's end.
    const before = new Uint8Array(memory).slice();
    setImmediate(() => {
      new Uint8Array(memory).set(before);
      die();
    });
  };
  const loop = startVerdictLoop({
    fd: FD.queue,
    firstQueue: queue,
    region: addon.mapFile(FD.memory, 0, PacketBatch.regionBytes(capacity)),
    journal,
    capacity,
    splitter: { decide, sweep: () => undefined },
  });
  if (!isLast) return;
  // What is read is counted before we come to look again; a refusal is there when the verdict is sent.
  const reading = setInterval(() => {
    if (addon.isReadable(FD.queue)) return;
    clearInterval(reading);
    loop.stop();
    print(loop.counters());
    process.exit(0);
  }, 10);
}

function journalAt(capacity: number): number {
  return Math.ceil(PacketBatch.regionBytes(capacity) / PAGE) * PAGE;
}

function flush(): void {
  execFileSync('nft', ['add table ip other; add chain ip other c { type filter hook forward priority 0; }']);
  execFileSync('nft', ['delete table ip other']);
}

const options = JSON.parse(process.argv[2]) as RecoveryOptions | Servant;
if ('isLast' in options) serve(options);
else own(options);
