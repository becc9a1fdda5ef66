/**
 * The npm package nfqueue as a second, independent binding: the same core, one packet at a time. Not for production;
 * docs/decisions/dependencies.md says why. What it cannot do and the addon can: GSO, several queues on one socket, telling
 * that a verdict failed, closing a queue.
 */
import { PacketBatch, Verdict } from '../../../src/packet/batch';
import { type Decider } from '../../../src/engine/worker/verdict-loop';

/** The package's interface, as far as it is used here. */
interface Nfqueue {
  NF_DROP: number;
  NF_ACCEPT: number;
  createQueueHandler(queue: number, receiveBufferBytes: number, callback: (packet: NfqueuePacket) => void): unknown;
}

interface NfqueuePacket {
  info: { id: number };
  payload: Buffer;
  /** `mark` undefined: leave it; `buffer` null or absent: the packet leaves as it came. */
  setVerdict(verdict: number, mark?: number, buffer?: Buffer | null): void;
}

export interface AdapterOptions {
  firstQueue: number;
  /** Queues, one socket each. */
  count: number;
  splitter: Pick<Decider, 'decide'>;
  receiveBufferBytes: number;
  nowMs: () => number;
}

/** Serves the queues until the process ends: the package has no way to stop. */
export function startNfqueueAdapter(options: AdapterOptions): void {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- native, and only there where it was built
  const nfqueue = require('nfqueue') as Nfqueue;
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  for (let queue = 0; queue < options.count; queue++) {
    nfqueue.createQueueHandler(options.firstQueue + queue, options.receiveBufferBytes, (packet) => {
      batch.count = 0;
      batch.push(queue, packet.payload);
      options.splitter.decide(batch, options.nowMs());
      const verdict = batch.verdict[0];
      if (verdict === Verdict.AcceptRewritten) {
        const { buffer, byteOffset, length } = batch.packet(0);
        packet.setVerdict(nfqueue.NF_ACCEPT, undefined, Buffer.from(buffer, byteOffset, length));
      } else {
        packet.setVerdict(verdict === Verdict.Accept ? nfqueue.NF_ACCEPT : nfqueue.NF_DROP);
      }
    });
  }
}
