/**
 * Where the SYNs of undiverted report connections were sent: to the ITMS. [D]
 *
 * Undiverted connections have no table entry, so that a flood of SYNs costs nothing. But when an activation is armed
 * between a SYN and its retransmission, the retransmission must follow the SYN, else two servers answer one connection.
 * So each of those SYNs is noted here, in a fixed set-associative cache that overwrites its oldest line: a flood can
 * only make it forget.
 */

const WAYS = 4;
const SETS = 16384;

/** A line, behind the CPE's address. */
const enum Line {
  /** CPE port and report port. */
  Ports,
  Isn,
  /** Tick of the SYN, never 0 (an empty line). */
  Tick,
  Words,
}

/** Linux gives up a SYN after about 127 s (tcp_syn_retries = 6). */
const LIFE_MS = 130_000;

export class PinCache {
  private readonly lines: Int32Array;
  private readonly lineWords: number;
  private nowTick = 1;

  static bytes(addressWords: number): number {
    return WAYS * SETS * (addressWords + Line.Words) * 4;
  }

  /** @param buffer zeroed memory of `PinCache.bytes(addressWords)` from `at` */
  constructor(
    buffer: ArrayBuffer,
    at: number,
    private readonly addressWords: number,
    private readonly seed: number,
  ) {
    this.lineWords = addressWords + Line.Words;
    this.lines = new Int32Array(buffer, at, WAYS * SETS * this.lineWords);
  }

  advance(nowMs: number): void {
    this.nowTick = nowMs | 0 || 1;
  }

  /** Notes a SYN that goes to the ITMS. @param cpe an address of the cache's family */
  pin(cpe: Int32Array, cpePort: number, reportPort: number, isn: number): void {
    const { lines, lineWords, addressWords } = this;
    const ports = (cpePort << 16) | reportPort;
    const first = this.set(cpe, ports);
    let victim = first;
    let oldest = -0x80000000;
    for (let line = first; line < first + WAYS * lineWords; line += lineWords) {
      const tick = lines[line + addressWords + Line.Tick];
      if (tick === 0 || this.isOf(line, cpe, ports)) {
        victim = line;
        break;
      }
      const age = (this.nowTick - tick) | 0;
      if (age >= oldest) {
        oldest = age;
        victim = line;
      }
    }
    for (let word = 0; word < addressWords; word++) lines[victim + word] = cpe[word];
    lines[victim + addressWords + Line.Ports] = ports;
    lines[victim + addressWords + Line.Isn] = isn;
    lines[victim + addressWords + Line.Tick] = this.nowTick;
  }

  /** True when this very SYN went to the ITMS before. */
  isPinned(cpe: Int32Array, cpePort: number, reportPort: number, isn: number): boolean {
    const { lines, lineWords, addressWords } = this;
    const ports = (cpePort << 16) | reportPort;
    const first = this.set(cpe, ports);
    for (let line = first; line < first + WAYS * lineWords; line += lineWords) {
      if (lines[line + addressWords + Line.Isn] !== isn || !this.isOf(line, cpe, ports)) continue;
      const tick = lines[line + addressWords + Line.Tick];
      // Below zero where the clock of a capture steps back a little; far below, the ticks have wrapped.
      const age = (this.nowTick - tick) | 0;
      if (tick !== 0 && age <= LIFE_MS && age >= -LIFE_MS) return true;
    }
    return false;
  }

  /** True where the line at this word is of that connection. */
  private isOf(line: number, cpe: Int32Array, ports: number): boolean {
    const { lines, addressWords } = this;
    if (lines[line + addressWords + Line.Ports] !== ports) return false;
    for (let word = 0; word < addressWords; word++) if (lines[line + word] !== cpe[word]) return false;
    return true;
  }

  /** First word of the set that a connection falls into. */
  private set(cpe: Int32Array, ports: number): number {
    let hash = this.seed;
    for (let word = 0; word < this.addressWords; word++) {
      hash = Math.imul(cpe[word] ^ hash, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash ^= Math.imul(ports, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    hash ^= hash >>> 16;
    return (hash & (SETS - 1)) * WAYS * this.lineWords;
  }
}
