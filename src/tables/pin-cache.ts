/**
 * Remembers that the SYNs of undiverted report connections went to the ITMS. [D]
 *
 * Undiverted connections have no table entry, so that a flood of SYNs costs nothing. But when an activation is armed
 * between a SYN and its retransmission, the retransmission must follow the SYN; otherwise two servers answer one
 * connection. So each of those SYNs is noted here, in a fixed set-associative cache that overwrites its oldest line. A
 * flood can only make it forget.
 *
 * A CPE's ports have at most two lines: the latest SYN, and the SYN that the ITMS has answered. Anyone can forge the
 * first, nobody the second, so a forged SYN cannot take the place of one that has an answer.
 */

const WAYS = 4;
const SETS = 16384;

const enum Line {
  /** CPE port and report port; all bits inverted once the ITMS has answered this SYN. */
  Ports,
  Isn,
  /** Tick of the SYN; never 0, which marks an empty line. */
  Tick,
  /** The CPE's address, up to the end of the line. */
  Cpe,
}

/** Linux gives up on a SYN after about 127 s (tcp_syn_retries = 6). */
const LIFE_MS = 130_000;

export class PinCache {
  private readonly lines: Int32Array;
  private readonly lineWords: number;
  private nowTick = 1;

  static bytes(addressWords: number): number {
    return WAYS * SETS * (addressWords + Line.Cpe) * 4;
  }

  /** @param buffer zeroed memory of `PinCache.bytes(addressWords)` from `at` */
  constructor(
    buffer: ArrayBuffer,
    at: number,
    addressWords: number,
    private readonly seed: number,
  ) {
    this.lineWords = addressWords + Line.Cpe;
    this.lines = new Int32Array(buffer, at, WAYS * SETS * this.lineWords);
  }

  advance(nowMs: number): void {
    this.nowTick = nowMs | 0 || 1;
  }

  /**
   * Notes a SYN that goes to the ITMS.
   *
   * @param cpe an address of the cache's family
   * @returns true when it is known already: a retransmission
   */
  pin(cpe: Int32Array, cpePort: number, reportPort: number, isn: number): boolean {
    const { lines } = this;
    const ports = (cpePort << 16) | reportPort;
    const first = this.set(cpe, ports);
    const answered = this.find(first, cpe, ~ports);
    if (this.holds(answered, isn)) {
      lines[answered + Line.Tick] = this.nowTick;
      return true;
    }
    const latest = this.find(first, cpe, ports);
    const isKnown = this.holds(latest, isn);
    this.write(latest >= 0 ? latest : this.victim(first), cpe, ports, isn);
    return isKnown;
  }

  /** Notes that the ITMS has answered the SYN with this ISN: only its next answer on these ports replaces the pin. */
  pinAnswered(cpe: Int32Array, cpePort: number, reportPort: number, isn: number): void {
    const { lines } = this;
    const ports = (cpePort << 16) | reportPort;
    const first = this.set(cpe, ports);
    let line = this.find(first, cpe, ~ports);
    let latest = this.find(first, cpe, ports);
    if (latest >= 0 && lines[latest + Line.Isn] !== isn) latest = -1;
    if (line < 0) line = latest >= 0 ? latest : this.victim(first);
    this.write(line, cpe, ~ports, isn);
    if (latest >= 0 && latest !== line) lines[latest + Line.Tick] = 0;
  }

  /** True when this very SYN has gone to the ITMS before. */
  isPinned(cpe: Int32Array, cpePort: number, reportPort: number, isn: number): boolean {
    const ports = (cpePort << 16) | reportPort;
    const first = this.set(cpe, ports);
    return this.holds(this.find(first, cpe, ports), isn) || this.holds(this.find(first, cpe, ~ports), isn);
  }

  /** @param line its first word, or -1 */
  private holds(line: number, isn: number): boolean {
    if (line < 0 || this.lines[line + Line.Isn] !== isn) return false;
    // Slightly negative when a capture's clock steps back; far below zero when the ticks have wrapped.
    const age = (this.nowTick - this.lines[line + Line.Tick]) | 0;
    return age <= LIFE_MS && age >= -LIFE_MS;
  }

  /** First word of the line of that CPE with this word of ports, or -1. @param first of the set */
  private find(first: number, cpe: Int32Array, ports: number): number {
    const { lines, lineWords } = this;
    const end = first + WAYS * lineWords;
    for (let line = first; line < end; line += lineWords) {
      if (lines[line + Line.Tick] !== 0 && lines[line + Line.Ports] === ports && this.isOf(line, cpe)) return line;
    }
    return -1;
  }

  /** The line of a set to overwrite: an empty one, or the oldest. */
  private victim(first: number): number {
    const { lines, lineWords, nowTick } = this;
    const end = first + WAYS * lineWords;
    let victim = first;
    let oldest = -0x80000000;
    for (let line = first; line < end; line += lineWords) {
      const tick = lines[line + Line.Tick];
      if (tick === 0) return line;
      const age = (nowTick - tick) | 0;
      if (age >= oldest) {
        oldest = age;
        victim = line;
      }
    }
    return victim;
  }

  private write(line: number, cpe: Int32Array, ports: number, isn: number): void {
    const { lines, lineWords } = this;
    lines[line + Line.Ports] = ports;
    lines[line + Line.Isn] = isn;
    lines[line + Line.Tick] = this.nowTick;
    for (let word = Line.Cpe; word < lineWords; word++) lines[line + word] = cpe[word - Line.Cpe];
  }

  /** True when the line at this word belongs to that CPE. */
  private isOf(line: number, cpe: Int32Array): boolean {
    const { lines, lineWords } = this;
    for (let word = Line.Cpe; word < lineWords; word++) if (lines[line + word] !== cpe[word - Line.Cpe]) return false;
    return true;
  }

  /** First word of the set that a connection maps to. */
  private set(cpe: Int32Array, ports: number): number {
    const { lineWords } = this;
    let hash = Math.imul(ports, 0x85ebca6b) ^ this.seed;
    for (let word = lineWords - Line.Cpe - 1; word >= 0; word--) {
      hash = Math.imul(hash ^ (hash >>> 15) ^ cpe[word], 0x9e3779b1);
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    hash ^= hash >>> 16;
    return (hash & (SETS - 1)) * WAYS * lineWords;
  }
}
