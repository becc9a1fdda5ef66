/**
 * Remembers when each CPE last opened a session with the ITMS that nothing diverted. Only routers of a cluster need it: the
 * row that would have diverted the session may arrive after its SYN, and must then divert no later session [D].
 *
 * A fixed set-associative cache that overwrites its oldest line, so a flood can only make it forget.
 */

const WAYS = 4;
const SETS = 32768;
/** Longer than any activation stands or is asked for; ticks wrap, so an old line must not look like a new one. */
const LIFE_MS = 600_000;

const enum Line {
  /** Never 0, which marks an empty line. */
  Tick,
  /** The CPE's address, up to the end of the line. */
  Cpe,
}

export class RecentSyns {
  private readonly lines: Int32Array;
  private readonly lineWords: number;
  private nowTick = 1;

  /** @param seed random in live use, so that nobody chooses collisions */
  constructor(
    addressWords: number,
    private readonly seed: number,
  ) {
    this.lineWords = addressWords + Line.Cpe;
    this.lines = new Int32Array(WAYS * SETS * this.lineWords);
  }

  advance(nowMs: number): void {
    this.nowTick = nowMs | 0 || 1;
  }

  /** A new SYN of the CPE goes to the ITMS. */
  note(cpe: Int32Array): void {
    const { lines, lineWords, nowTick } = this;
    const first = this.set(cpe);
    const end = first + WAYS * lineWords;
    let victim = first;
    let oldest = -1;
    for (let line = first; line < end; line += lineWords) {
      const tick = lines[line + Line.Tick];
      if (tick !== 0 && this.isOf(line, cpe)) {
        lines[line + Line.Tick] = nowTick;
        return;
      }
      const age = tick === 0 ? 0x7fffffff : Math.max(0, (nowTick - tick) | 0);
      if (age <= oldest) continue;
      oldest = age;
      victim = line;
    }
    lines[victim + Line.Tick] = nowTick;
    for (let word = Line.Cpe; word < lineWords; word++) lines[victim + word] = cpe[word - Line.Cpe];
  }

  /** ms since the CPE's last such SYN; -1: none is known. */
  ageMs(cpe: Int32Array): number {
    const { lines, lineWords } = this;
    const first = this.set(cpe);
    for (let line = first; line < first + WAYS * lineWords; line += lineWords) {
      const tick = lines[line + Line.Tick];
      if (tick === 0 || !this.isOf(line, cpe)) continue;
      const age = (this.nowTick - tick) | 0;
      return age >= 0 && age <= LIFE_MS ? age : -1;
    }
    return -1;
  }

  private isOf(line: number, cpe: Int32Array): boolean {
    const { lines, lineWords } = this;
    for (let word = Line.Cpe; word < lineWords; word++) if (lines[line + word] !== cpe[word - Line.Cpe]) return false;
    return true;
  }

  /** First word of the CPE's set. */
  private set(cpe: Int32Array): number {
    let hash = this.seed;
    for (let word = 0; word < cpe.length; word++) hash = Math.imul(hash ^ (hash >>> 15) ^ cpe[word], 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    hash ^= hash >>> 16;
    return (hash & (SETS - 1)) * WAYS * this.lineWords;
  }
}
