/**
 * A batch of packets as columns over one region of memory, shared with the addon (native/batch.h).
 *
 * Knows bytes only. The addon fills the columns and slots, `Splitter.decide` writes `verdict` and `reason`, the addon
 * sends the verdicts. The layout is defined twice, here and in native/batch.h; a test in test/e2e compares the two.
 *
 *     int32 header[16]          HEADER_COUNT: how many packets the batch holds
 *     int32 column[capacity]    one per entry of COLUMNS, in that order
 *     bytes slot[capacity]      SLOT_BYTES each, 8-aligned: a whole netlink message, the packet somewhere inside
 */

export const HEADER_WORDS = 16;
export const HEADER_COUNT = 0;

/** 64 KiB, the largest packet NFQUEUE delivers, and 4 KiB for netlink's headers and attributes. */
export const SLOT_BYTES = 65536 + 4096;

export const COLUMNS = ['queue', 'packetId', 'flags', 'offset', 'length', 'verdict', 'reason'] as const;

/** Where a packet comes from: the value of the `queue` column, counted from the engine's first queue. [P2] */
export const enum Side {
  /** First interface. */
  Cpe,
  /** Second interface. */
  Itms,
  /** Third interface: all collectors. */
  Collector,
  /** ICMP errors that this host sends itself. */
  Host,
}

/** Names of the sides, by Side. */
export const SIDES = ['cpe', 'itms', 'collector', 'host'] as const;
export type SideName = (typeof SIDES)[number];

/** Bits of the `flags` column. */
export const enum PacketFlag {
  /** NFQA_SKB_CSUMNOTREADY: the TCP checksum holds only the pseudo-header's sum; native fills it in on sending. */
  ChecksumNotReady = 1,
  /** NFQA_SKB_GSO: a super-packet; the kernel computes every segment's checksum itself. */
  Gso = 2,
  /** NFQA_CAP_LEN: the kernel kept the tail. Never rewritten: what we send back would replace the whole packet. */
  Truncated = 4,
  /** A capture cut by snaplen: the tail is missing. With whole headers it is decided and rewritten as if complete. */
  Snapped = 8,
  /**
   * From a capture, which does not tell whether the TCP checksum is final. One that holds only the pseudo-header's sum
   * is accepted.
   */
  Captured = 16,
}

/** Values of the `verdict` column. */
export const enum Verdict {
  /** The initial value: nobody has decided yet. If sent, it drops the packet. */
  Undecided = -1,
  Drop = 0,
  /** Leaves unchanged: no payload goes back to the kernel. */
  Accept = 1,
  /** Leaves with the bytes now in its slot. */
  AcceptRewritten = 2,
}

export class PacketBatch {
  readonly capacity: number;
  /** The whole region as bytes; `offset` is relative to it. */
  readonly bytes: Uint8Array;
  readonly header: Int32Array;
  /** Side of each packet: its queue, counted from the engine's first. */
  readonly queue: Int32Array;
  /** The kernel's packet id, unsigned 32 bits in an int32; counts per queue. */
  readonly packetId: Int32Array;
  readonly flags: Int32Array;
  /** Byte offset of the packet's first IP byte in `bytes`. */
  readonly offset: Int32Array;
  /** Length of the packet in bytes. */
  readonly length: Int32Array;
  readonly verdict: Int32Array;
  readonly reason: Int32Array;

  /** @param region memory of at least `PacketBatch.regionBytes(capacity)` bytes */
  constructor(region: ArrayBuffer, capacity: number) {
    if (region.byteLength < PacketBatch.regionBytes(capacity)) throw new RangeError('region too small for the batch');
    const column = (index: number) => new Int32Array(region, (HEADER_WORDS + index * capacity) * 4, capacity);
    this.capacity = capacity;
    this.bytes = new Uint8Array(region);
    this.header = new Int32Array(region, 0, HEADER_WORDS);
    this.queue = column(0);
    this.packetId = column(1);
    this.flags = column(2);
    this.offset = column(3);
    this.length = column(4);
    this.verdict = column(5);
    this.reason = column(6);
  }

  get count(): number {
    return this.header[HEADER_COUNT];
  }

  set count(packets: number) {
    this.header[HEADER_COUNT] = packets;
  }

  /** Where slot 0 begins. */
  static slotsOffset(capacity: number): number {
    return (HEADER_WORDS * 4 + COLUMNS.length * 4 * capacity + 7) & ~7;
  }

  static regionBytes(capacity: number): number {
    return PacketBatch.slotsOffset(capacity) + capacity * SLOT_BYTES;
  }

  /** Appends a packet by copying it into the next slot; for drivers other than the live queue. Returns its index. */
  push(side: Side, packet: Uint8Array, flags = 0): number {
    const index = this.count;
    if (index >= this.capacity) throw new RangeError('batch is full');
    if (packet.length > SLOT_BYTES) throw new RangeError('packet larger than a slot');
    const at = PacketBatch.slotsOffset(this.capacity) + index * SLOT_BYTES;
    this.bytes.set(packet, at);
    this.queue[index] = side;
    this.packetId[index] = index + 1;
    this.flags[index] = flags;
    this.offset[index] = at;
    this.length[index] = packet.length;
    this.verdict[index] = Verdict.Drop;
    this.reason[index] = 0;
    this.count = index + 1;
    return index;
  }

  /** The current bytes of packet `index` (a view, not a copy). */
  packet(index: number): Uint8Array {
    return this.bytes.subarray(this.offset[index], this.offset[index] + this.length[index]);
  }
}
