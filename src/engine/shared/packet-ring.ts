/**
 * Packets as they arrived and what became of them, kept for `trace` in a ring that worker and supervisor share. The
 * worker writes only while somebody holds a lease, which every request renews, and it never waits: a slow reader finds
 * packets overwritten and counts them. Knows bytes only. One writer, any number of readers.
 */

import { type Address } from '../../packet/address';
import { type PacketBatch } from '../../packet/batch';
import * as ipv4 from '../../packet/ipv4';

export const RING_SLOTS = 2048;
const SLOT_BYTES = 2048;
/** Fields of a slot, byte offsets. */
const NUMBER_AT = 0;
const INDEX_AT = 4;
const TIME_AT = 8;
const QUEUE_AT = 16;
const VERDICT_AT = 20;
const REASON_AT = 24;
const ORIGINAL_AT = 28;
const CAPTURED_AT = 32;
const AFTER_LENGTH_AT = 36;
const AFTER_AT = 40;
/** Headers as they left: IPv6 with an extension header, and the ports. */
const MAX_AFTER_BYTES = 96;
const PACKET_AT = AFTER_AT + MAX_AFTER_BYTES;
/** More than an Ethernet frame carries; a super-packet is cut to this size. */
export const MAX_KEPT_BYTES = SLOT_BYTES - PACKET_AT;

/** Concurrent readers; each traces one CPE or all. */
const LEASES = 8;
const LEASE_BYTES = 32;
/** Fields of a lease, byte offsets. */
const UNTIL_AT = 0;
const LENGTH_AT = 8;
const ADDRESS_AT = 12;
const WRITTEN_AT = LEASES * LEASE_BYTES;
const SLOTS_AT = WRITTEN_AT + 8;

/** No packet has this number: numbers count up from 0 and wrap at 2^31. */
const BEING_WRITTEN = -1;
const NUMBERS = 2 ** 31;

/** RFC 8200 section 3. */
const IPV6_SOURCE = 8;
const IPV6_DESTINATION = 24;
const IPV6_HEADER_BYTES = 40;

export interface RingPacket {
  /** CLOCK_BOOTTIME in ms. */
  timeMs: number;
  queue: number;
  verdict: number;
  reason: number;
  /** Length of the packet in the queue; `bytes` may hold less. */
  originalBytes: number;
  /** As it arrived. */
  bytes: Uint8Array;
  /** Its first bytes as they left. */
  after: Uint8Array;
}

export class PacketRing {
  static readonly BYTES = SLOTS_AT + RING_SLOTS * SLOT_BYTES;
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;
  /** Packets of the current batch that are kept. */
  private held = 0;

  /** @param at a multiple of 8 */
  constructor(buffer: ArrayBuffer, at: number) {
    this.bytes = new Uint8Array(buffer, at, PacketRing.BYTES);
    this.words = new Int32Array(buffer, at, PacketRing.BYTES / 4);
    this.doubles = new Float64Array(buffer, at, PacketRing.BYTES / 8);
  }

  /** Packets kept since the ring was created. */
  get written(): number {
    return this.doubles[WRITTEN_AT / 8];
  }

  // ---- the writer ----

  /** Keeps the traced packets of a batch before it is decided. */
  before(batch: PacketBatch, nowMs: number): void {
    this.held = 0;
    if (!this.isWanted(nowMs)) return;
    for (let i = 0; i < batch.count; i++) {
      if (this.wants(batch.bytes, batch.offset[i], batch.length[i], nowMs)) this.keep(batch, i, nowMs);
    }
  }

  /** Adds the outcome. */
  after(batch: PacketBatch): void {
    if (this.held === 0) return;
    const { words, written, held } = this;
    for (let n = written; n < written + held; n++) {
      const at = slotAt(n);
      const index = words[(at + INDEX_AT) / 4];
      words[(at + VERDICT_AT) / 4] = batch.verdict[index];
      words[(at + REASON_AT) / 4] = batch.reason[index];
      const length = Math.min(batch.length[index], MAX_AFTER_BYTES);
      words[(at + AFTER_LENGTH_AT) / 4] = length;
      this.copy(batch.bytes, batch.offset[index], at + AFTER_AT, length);
      Atomics.store(words, (at + NUMBER_AT) / 4, n % NUMBERS);
    }
    this.doubles[WRITTEN_AT / 8] = written + held;
    this.held = 0;
  }

  private keep(batch: PacketBatch, index: number, nowMs: number): void {
    const { words } = this;
    const at = slotAt(this.written + this.held++);
    Atomics.store(words, (at + NUMBER_AT) / 4, BEING_WRITTEN);
    const kept = Math.min(batch.length[index], MAX_KEPT_BYTES);
    words[(at + INDEX_AT) / 4] = index;
    this.doubles[(at + TIME_AT) / 8] = nowMs;
    words[(at + QUEUE_AT) / 4] = batch.queue[index];
    words[(at + ORIGINAL_AT) / 4] = batch.length[index];
    words[(at + CAPTURED_AT) / 4] = kept;
    this.copy(batch.bytes, batch.offset[index], at + PACKET_AT, kept);
  }

  /** Byte by byte: copying through a view would allocate an object per packet. */
  private copy(from: Uint8Array, fromAt: number, at: number, length: number): void {
    for (let i = 0; i < length; i++) this.bytes[at + i] = from[fromAt + i];
  }

  private isWanted(nowMs: number): boolean {
    for (let lease = 0; lease < LEASES; lease++) if (this.isLive(lease, nowMs)) return true;
    return false;
  }

  private wants(bytes: Uint8Array, at: number, length: number, nowMs: number): boolean {
    for (let lease = 0; lease < LEASES; lease++) {
      if (this.isLive(lease, nowMs) && this.fits(lease, bytes, at, length)) return true;
    }
    return false;
  }

  private isLive(lease: number, nowMs: number): boolean {
    return this.doubles[(lease * LEASE_BYTES + UNTIL_AT) / 8] > nowMs;
  }

  private fits(lease: number, bytes: Uint8Array, at: number, length: number): boolean {
    const size = this.words[(lease * LEASE_BYTES + LENGTH_AT) / 4];
    if (size === 0) return true;
    return concerns(bytes, at, length, this.bytes, lease * LEASE_BYTES + ADDRESS_AT, size);
  }

  // ---- readers ----

  /**
   * Keeps packets until `untilMs`: those from or to `cpe`, or all. False when all leases are taken. Only one process
   * may call this.
   */
  lease(cpe: Address | undefined, nowMs: number, untilMs: number): boolean {
    const wanted = cpe === undefined ? new Uint8Array(0) : networkOrder(cpe);
    let free = -1;
    for (let lease = 0; lease < LEASES; lease++) {
      if (!this.isLive(lease, nowMs)) free = lease;
      else if (this.isLeaseOf(lease, wanted)) {
        this.doubles[(lease * LEASE_BYTES + UNTIL_AT) / 8] = untilMs;
        return true;
      }
    }
    if (free < 0) return false;
    this.words[(free * LEASE_BYTES + LENGTH_AT) / 4] = wanted.length;
    this.bytes.set(wanted, free * LEASE_BYTES + ADDRESS_AT);
    this.doubles[(free * LEASE_BYTES + UNTIL_AT) / 8] = untilMs;
    return true;
  }

  /**
   * Calls `visit` for packets from number `since` on, of `cpe` or of all, until it returns false.
   * @returns the number to continue from, and how many packets had been overwritten
   */
  readSince(since: number, cpe: Address | undefined, visit: (packet: RingPacket) => boolean) {
    const { written } = this;
    const wanted = cpe === undefined ? undefined : networkOrder(cpe);
    const first = Math.max(since, written - RING_SLOTS);
    let missed = Math.max(0, first - since);
    for (let n = first; n < written; n++) {
      const packet = this.packet(n);
      if (packet === undefined) {
        missed++;
        continue;
      }
      const { bytes } = packet;
      if (wanted && !concerns(bytes, 0, bytes.length, wanted, 0, wanted.length)) continue;
      if (!visit(packet)) return { next: n + 1, missed };
    }
    return { next: Math.max(written, first), missed };
  }

  /** A copy; undefined when the writer has overwritten it meanwhile. */
  private packet(n: number): RingPacket | undefined {
    const at = slotAt(n);
    const { words } = this;
    const number = (at + NUMBER_AT) / 4;
    if (Atomics.load(words, number) !== n % NUMBERS) return undefined;
    const word = (field: number) => words[(at + field) / 4];
    const kept = Math.min(word(CAPTURED_AT), MAX_KEPT_BYTES);
    const packet = {
      timeMs: this.doubles[(at + TIME_AT) / 8],
      queue: word(QUEUE_AT),
      verdict: word(VERDICT_AT),
      reason: word(REASON_AT),
      originalBytes: word(ORIGINAL_AT),
      bytes: this.bytes.slice(at + PACKET_AT, at + PACKET_AT + kept),
      after: this.bytes.slice(at + AFTER_AT, at + AFTER_AT + Math.min(word(AFTER_LENGTH_AT), MAX_AFTER_BYTES)),
    };
    return Atomics.load(words, number) === n % NUMBERS ? packet : undefined;
  }

  private isLeaseOf(lease: number, wanted: Uint8Array): boolean {
    const at = lease * LEASE_BYTES + ADDRESS_AT;
    return (
      this.words[(lease * LEASE_BYTES + LENGTH_AT) / 4] === wanted.length &&
      hasAt(this.bytes, at, wanted, 0, wanted.length)
    );
  }
}

function slotAt(n: number): number {
  return SLOTS_AT + (n % RING_SLOTS) * SLOT_BYTES;
}

/** Whether the packet's source or destination is this address, of 4 or 16 bytes. */
function concerns(
  bytes: Uint8Array,
  at: number,
  length: number,
  address: Uint8Array,
  addressAt: number,
  size: number,
): boolean {
  const isIpv4 = size === 4;
  if (length < (isIpv4 ? ipv4.MIN_HEADER_BYTES : IPV6_HEADER_BYTES) || bytes[at] >>> 4 !== (isIpv4 ? 4 : 6))
    return false;
  const source = at + (isIpv4 ? ipv4.SOURCE : IPV6_SOURCE);
  const destination = at + (isIpv4 ? ipv4.DESTINATION : IPV6_DESTINATION);
  return hasAt(bytes, source, address, addressAt, size) || hasAt(bytes, destination, address, addressAt, size);
}

function hasAt(bytes: Uint8Array, at: number, other: Uint8Array, otherAt: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== other[otherAt + i]) return false;
  return true;
}

function networkOrder(address: Address): Uint8Array {
  const bytes = new Uint8Array(address.length * 4);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < address.length; word++) view.setInt32(word * 4, address[word]);
  return bytes;
}
