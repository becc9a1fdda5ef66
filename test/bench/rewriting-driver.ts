/** The plainest rewriting behind one of the two bindings, for nfqueue-binding.ts; runs inside the router's namespace. */
import { closeQueues, openQueues } from '../../src/engine/binding';
import { startVerdictLoop } from '../../src/engine/verdict-loop';
import { type PacketBatch, Verdict } from '../../src/packet/batch';
import { parseIpv4 } from '../../src/packet/address';
import { rewriteDestination, rewriteSource } from '../../src/packet/rewrite';
import { PacketView, Parsed } from '../../src/packet/view';
import { type Binding } from '../e2e/support/binding-driver';
import { startNfqueueAdapter } from '../e2e/support/nfqueue-adapter';

export interface RewritingOptions {
  binding: Binding;
  firstQueue: number;
  acs: string;
  server: string;
}

const QUEUES = 2;
const QUEUE_LENGTH = 16384;
const RECEIVE_BUFFER_BYTES = 64 << 20;

const { binding, firstQueue, ...addresses } = JSON.parse(process.argv[2]) as RewritingOptions;
const acs = parseIpv4(addresses.acs)!;
const server = parseIpv4(addresses.server)!;
const view = new PacketView();

function decide(batch: PacketBatch): void {
  for (let i = 0; i < batch.count; i++) {
    batch.verdict[i] = Verdict.Accept;
    if (view.parse(batch.bytes, batch.offset[i], batch.length[i]) !== Parsed.Ok) continue;
    if (batch.queue[i] === 0) rewriteDestination(view, server);
    else rewriteSource(view, acs);
    batch.verdict[i] = Verdict.AcceptRewritten;
  }
}

if (binding === 'nfqueue') {
  const splitter = { decide };
  startNfqueueAdapter({
    firstQueue,
    count: QUEUES,
    splitter,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES / 2, // the kernel doubles it; the addon has allowed for that
    nowMs: () => 0,
  });
} else {
  const { fd } = openQueues({
    first: firstQueue,
    count: QUEUES,
    length: QUEUE_LENGTH,
    gso: true,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  });
  startVerdictLoop({ fd, firstQueue, splitter: { decide, sweep: () => undefined } });
  process.on('exit', () => closeQueues(fd));
}
process.on('SIGTERM', () => process.exit(0));
process.stdout.write('{"ready":true}\n');
