/**
 * Copies of packets that the fast path has carried, which the engine decides as it would have decided the packets: the ACK
 * that confirms a diverted connection, the heads of the collectors' answers, and the ITMS's SYN+ACKs.
 */
import { PacketBatch, PacketFlag, Side } from '../../packet/batch';
import { PacketView, Parsed } from '../../packet/view';
import { type Splitter } from '../../splitter/splitter';
import { type FlowMirror } from './flow-mirror';
import { NUMBERS_BYTES } from '../shared/flow-value';
import { type Ring, RingReader } from './ring-reader';

/** native/fast-path/layout.h: OVERHEARD_BYTES */
export const RING_BYTES = 1 << 22;
/** struct overheard */
const SIDE_AT = NUMBERS_BYTES / 4;
const BYTES_AT = SIDE_AT + 1;
const PACKET_AT = NUMBERS_BYTES + 8;

export class Overheard {
  private readonly ring: RingReader;
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  private readonly view = new PacketView();
  /** What stands before the packet in a record. */
  private readonly words = new Int32Array(PACKET_AT / 4);
  private readonly bytes = new Uint8Array(this.words.buffer);

  constructor(
    ring: Ring,
    private readonly mirror: FlowMirror,
    ringBytes = RING_BYTES,
  ) {
    this.ring = new RingReader(ring, ringBytes);
  }

  /** Lets the splitter learn from all copies, in the order of their packets. */
  drain(splitter: Splitter, nowMs: number): void {
    this.ring.read((record) => this.decide(splitter, nowMs, record));
  }

  private decide(splitter: Splitter, nowMs: number, record: Uint8Array): void {
    const { batch, view, words, bytes } = this;
    bytes.set(record.subarray(0, PACKET_AT));
    const side = words[SIDE_AT] as Side;
    batch.count = 0;
    const packet = record.subarray(PACKET_AT, PACKET_AT + words[BYTES_AT]);
    batch.push(side, packet, PacketFlag.Snapped);
    if (side === Side.Itms) return splitter.overhear(batch, nowMs);
    if (view.parse(batch.bytes, batch.offset[0], batch.length[0], true) !== Parsed.Ok) return;
    const isFromServer = side === Side.Collector;
    const cpe = isFromServer ? view.destination : view.source;
    const cpePort = isFromServer ? view.destinationPort : view.sourcePort;
    const port = isFromServer ? view.sourcePort : view.destinationPort;
    if (!this.mirror.hears(cpe, cpePort, port, words)) return;
    try {
      splitter.overhear(batch, nowMs);
    } finally {
      this.mirror.heard();
    }
  }
}
