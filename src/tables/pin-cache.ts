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
const LINE_WORDS = 4;

const enum Line {
  Cpe,
  /** CPE port and report port. */
  Ports,
  Isn,
  /** Tick of the SYN, never 0 (an empty line). */
  Tick,
}

export const PIN_CACHE_BYTES = WAYS * SETS * LINE_WORDS * 4;

/** Linux gives up a SYN after about 127 s (tcp_syn_retries = 6). */
const LIFE_MS = 130_000;

export class PinCache {
  private readonly lines: Int32Array;
  private nowTick = 1;

  /** @param buffer zeroed memory of PIN_CACHE_BYTES from `at` */
  constructor(
    buffer: ArrayBuffer,
    at: number,
    private readonly seed: number,
  ) {
    this.lines = new Int32Array(buffer, at, WAYS * SETS * LINE_WORDS);
  }

  advance(nowMs: number): void {
    this.nowTick = nowMs | 0 || 1;
  }

  /** Notes a SYN that goes to the ITMS. */
  pin(cpe: number, cpePort: number, reportPort: number, isn: number): void {
    const { lines } = this;
    const ports = (cpePort << 16) | reportPort;
    const first = this.set(cpe, ports);
    let victim = first;
    let oldest = -0x80000000;
    for (let line = first; line < first + WAYS * LINE_WORDS; line += LINE_WORDS) {
      if (lines[line + Line.Tick] === 0 || (lines[line + Line.Cpe] === cpe && lines[line + Line.Ports] === ports)) {
        victim = line;
        break;
      }
      const age = (this.nowTick - lines[line + Line.Tick]) | 0;
      if (age >= oldest) {
        oldest = age;
        victim = line;
      }
    }
    lines[victim + Line.Cpe] = cpe;
    lines[victim + Line.Ports] = ports;
    lines[victim + Line.Isn] = isn;
    lines[victim + Line.Tick] = this.nowTick;
  }

  /** True when this very SYN went to the ITMS before. */
  isPinned(cpe: number, cpePort: number, reportPort: number, isn: number): boolean {
    const { lines } = this;
    const ports = (cpePort << 16) | reportPort;
    const first = this.set(cpe, ports);
    for (let line = first; line < first + WAYS * LINE_WORDS; line += LINE_WORDS) {
      if (lines[line + Line.Cpe] !== cpe || lines[line + Line.Ports] !== ports || lines[line + Line.Isn] !== isn)
        continue;
      const tick = lines[line + Line.Tick];
      // Below zero where the clock of a capture steps back a little; far below, the ticks have wrapped.
      const age = (this.nowTick - tick) | 0;
      if (tick !== 0 && age <= LIFE_MS && age >= -LIFE_MS) return true;
    }
    return false;
  }

  /** First word of the set that a connection falls into. */
  private set(cpe: number, ports: number): number {
    let hash = Math.imul(cpe ^ this.seed, 0x9e3779b1) ^ Math.imul(ports, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    hash ^= hash >>> 16;
    return (hash & (SETS - 1)) * WAYS * LINE_WORDS;
  }
}
