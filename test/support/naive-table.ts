/** What a TtlTable ought to hold, the slow and obvious way: a Map of entries with whole times. */

export interface NaiveEntry {
  key: number[];
  touchedMs: number;
  state: number;
  values: number[];
}

/** A pause of this many ms, either way, empties the table. */
const MAX_PAUSE_MS = 2 ** 30;

export class NaiveTable {
  private readonly entries = new Map<string, NaiveEntry>();
  private nowMs: number | undefined;

  /** @param lives ms by state */
  constructor(
    readonly capacityEntries: number,
    private readonly valueWords: number,
    private readonly lives: ArrayLike<number>,
  ) {}

  advance(nowMs: number): void {
    if (this.nowMs !== undefined && Math.abs(nowMs - this.nowMs) > MAX_PAUSE_MS) this.entries.clear();
    this.nowMs = nowMs;
    for (const [name, entry] of this.entries)
      if (nowMs - entry.touchedMs > this.lives[entry.state]) this.entries.delete(name);
  }

  find(key: number[]): NaiveEntry | undefined {
    return this.entries.get(key.join());
  }

  claim(key: number[], state: number): NaiveEntry | undefined {
    if (!this.find(key) && this.entries.size >= this.capacityEntries) return undefined;
    const entry = { key, touchedMs: this.nowMs ?? 0, state, values: new Array<number>(this.valueWords).fill(0) };
    this.entries.set(key.join(), entry);
    return entry;
  }

  touch(entry: NaiveEntry): void {
    entry.touchedMs = this.nowMs ?? 0;
  }

  remove(key: number[]): void {
    this.entries.delete(key.join());
  }

  clear(): void {
    this.entries.clear();
  }

  /** All entries that live. */
  list(): NaiveEntry[] {
    return [...this.entries.values()];
  }

  ageMs(entry: NaiveEntry): number {
    return (this.nowMs ?? 0) - entry.touchedMs;
  }
}
