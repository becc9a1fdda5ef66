/**
 * The Splitter behind one of the two bindings, in a process of its own for a network namespace. Prints one JSON line
 * per packet, `TranscriptLine`. Time counts packets, not seconds, so that two runs are alike.
 */
import { Verdict, type PacketBatch } from '../../../src/packet/batch';
import { closeQueues, openQueues } from '../../../src/engine/shared/binding';
import { startVerdictLoop } from '../../../src/engine/worker/verdict-loop';
import { reasonName } from '../../../src/splitter/reasons';
import { Splitter } from '../../../src/splitter/splitter';
import { type Topology } from '../../../src/splitter/topology';
import { startNfqueueAdapter } from './nfqueue-adapter';

export type Binding = 'addon' | 'nfqueue';

export interface BindingDriverOptions {
  binding: Binding;
  firstQueue: number;
  topology: Topology;
}

export interface TranscriptLine {
  queue: number;
  verdict: string;
  reason: string;
  /** The packet as it stood when the verdict was given, hexadecimal. */
  bytes: string;
}

const VERDICT_NAMES = { [Verdict.Drop]: 'drop', [Verdict.Accept]: 'accept', [Verdict.AcceptRewritten]: 'rewritten' };
const QUEUES = 3;
const RECEIVE_BUFFER_BYTES = 8 << 20;
const MS_PER_PACKET = 10;

const { binding, firstQueue, topology } = JSON.parse(process.argv[2]) as BindingDriverOptions;
const splitter = new Splitter({ topology, activation: 'auto', capacityEntries: 1024, seed: 1 });
let packets = 0;

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function decide(batch: PacketBatch): void {
  splitter.decide(batch, 1000 + MS_PER_PACKET * packets++);
  for (let i = 0; i < batch.count; i++) {
    print({
      queue: batch.queue[i],
      verdict: VERDICT_NAMES[batch.verdict[i] as Exclude<Verdict, Verdict.Undecided>],
      reason: reasonName(batch.reason[i]),
      bytes: Buffer.from(batch.packet(i)).toString('hex'),
    } satisfies TranscriptLine);
  }
}

if (binding === 'nfqueue') {
  startNfqueueAdapter({
    firstQueue,
    count: QUEUES,
    splitter: { decide },
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    nowMs: () => 0,
  });
} else {
  const { fd } = openQueues({
    first: firstQueue,
    count: QUEUES,
    length: 1024,
    gso: true,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  });
  startVerdictLoop({ fd, firstQueue, splitter: { decide, sweep: () => undefined } });
  process.on('exit', () => closeQueues(fd));
}
process.on('SIGTERM', () => {
  print({ packets });
  process.exit(0);
});
print({ ready: true });
