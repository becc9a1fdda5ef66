/**
 * SYNs that went to a server, until it answers or PATIENCE_MS are over. A ring in order of time, found by a hash over
 * its slots. Beyond CAPACITY the oldest is forgotten without a judgement. Times are ticks, int32 milliseconds that wrap.
 */
import { type Address } from '../../packet/address';

/** Without an answer for this long, a SYN counts as unanswered. */
export const PATIENCE_MS = 3000;
/** SYNs of PATIENCE_MS at 10 000 a second. A power of two. */
export const CAPACITY = 1 << 15;

const MASK = CAPACITY - 1;
const MAX_WORDS = 4;
const NONE = -1;

export const enum SynState {
  Free,
  Waiting,
  /** Unanswered; kept so that a retransmission is not taken for another connection. */
  Judged,
  /** The server has accepted it; kept for a RST that follows. */
  Accepted,
}

export class PendingSyns {
  private readonly states = new Uint8Array(CAPACITY);
  private readonly rows = new Int32Array(CAPACITY);
  private readonly words = new Int32Array(CAPACITY * MAX_WORDS);
  private readonly ports = new Int32Array(CAPACITY);
  private readonly isns = new Int32Array(CAPACITY);
  private readonly ticks = new Int32Array(CAPACITY);
  /** Of accepted ones: the sequence number of the server's first byte. */
  private readonly firstBytes = new Int32Array(CAPACITY);
  /** First slot of a hash, and the next one with the same hash. */
  private readonly first = new Int32Array(CAPACITY).fill(NONE);
  private readonly next = new Int32Array(CAPACITY).fill(NONE);
  /** Numbers of the next SYN, and of the first one that is not judged. Slots are these modulo CAPACITY. */
  private written = 0;
  private judged = 0;

  /** @param seed int32, so that nobody chooses collisions */
  constructor(private readonly seed: number) {}

  /** Slot of the SYN from these ends, or -1. */
  find(cpe: Address, cpePort: number, port: number): number {
    const ports = (cpePort << 16) | port;
    for (let slot = this.first[this.hash(cpe, ports)]; slot !== NONE; slot = this.next[slot]) {
      if (this.ports[slot] === ports && this.isOf(slot, cpe)) return slot;
    }
    return NONE;
  }

  /** @param row of the server */
  add(row: number, cpe: Address, cpePort: number, port: number, isn: number, tick: number): void {
    const slot = this.written & MASK;
    this.remove(slot);
    this.written++;
    if (this.written - this.judged > CAPACITY) this.judged++;
    const ports = (cpePort << 16) | port;
    const at = slot * MAX_WORDS;
    for (let word = 0; word < MAX_WORDS; word++) this.words[at + word] = word < cpe.length ? cpe[word] : 0;
    this.states[slot] = SynState.Waiting;
    this.rows[slot] = row;
    this.ports[slot] = ports;
    this.isns[slot] = isn;
    this.ticks[slot] = tick;
    const hash = this.hash(cpe, ports);
    this.next[slot] = this.first[hash];
    this.first[hash] = slot;
  }

  remove(slot: number): void {
    if (this.states[slot] === SynState.Free) return;
    this.states[slot] = SynState.Free;
    const hash = this.hashOf(slot);
    let before = NONE;
    let at = this.first[hash];
    while (at !== slot) {
      before = at;
      at = this.next[at];
    }
    if (before === NONE) this.first[hash] = this.next[slot];
    else this.next[before] = this.next[slot];
  }

  /** The next SYN whose time is over, from now on Judged; -1 when there is none. */
  judge(tick: number): number {
    while (this.judged < this.written) {
      const slot = this.judged & MASK;
      const isWaiting = this.states[slot] === SynState.Waiting;
      if (isWaiting && ((tick - this.ticks[slot]) | 0) < PATIENCE_MS) return NONE;
      this.judged++;
      if (!isWaiting) continue;
      this.states[slot] = SynState.Judged;
      return slot;
    }
    return NONE;
  }

  /** Judges none of the SYNs so far. An answer that still comes counts. */
  forgive(): void {
    this.judged = this.written;
  }

  isWaiting(slot: number): boolean {
    return this.states[slot] === SynState.Waiting;
  }

  /** @param sequence of the SYN+ACK */
  accept(slot: number, sequence: number): void {
    this.states[slot] = SynState.Accepted;
    this.firstBytes[slot] = (sequence + 1) | 0;
  }

  isAccepted(slot: number): boolean {
    return this.states[slot] === SynState.Accepted;
  }

  /** The server has accepted it, and has said nothing before this sequence number. */
  isSilentUntil(slot: number, sequence: number): boolean {
    return this.isAccepted(slot) && this.firstBytes[slot] === sequence;
  }

  row(slot: number): number {
    return this.rows[slot];
  }

  isn(slot: number): number {
    return this.isns[slot];
  }

  /** When it was sent. */
  tick(slot: number): number {
    return this.ticks[slot];
  }

  /** A word of the CPE's address; 0 beyond its length. */
  word(slot: number, word: number): number {
    return this.words[slot * MAX_WORDS + word];
  }

  private isOf(slot: number, cpe: Address): boolean {
    const at = slot * MAX_WORDS;
    for (let word = 0; word < cpe.length; word++) if (this.words[at + word] !== cpe[word]) return false;
    return true;
  }

  private hash(cpe: Address, ports: number): number {
    let hash = this.seed ^ ports;
    for (let word = 0; word < cpe.length; word++) hash = mixed(hash, cpe[word]);
    return mixed(hash, ports) & MASK;
  }

  private hashOf(slot: number): number {
    const at = slot * MAX_WORDS;
    const isIpv4 = (this.rows[slot] & 1) === 0;
    let hash = this.seed ^ this.ports[slot];
    for (let word = 0; word < (isIpv4 ? 1 : MAX_WORDS); word++) hash = mixed(hash, this.words[at + word]);
    return mixed(hash, this.ports[slot]) & MASK;
  }
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1);
  return product ^ (product >>> 15);
}
