/** TtlTable behaves like a Map with full timestamps, for any order of calls and any passage of time. */
import * as fc from 'fast-check';
import { TtlTable } from '../../src/tables/ttl-table';
import { NaiveTable } from '../support/naive-table';

const KEY_WORDS = 2;
const VALUE_WORDS = 2;
/** State 0 is an empty slot; the lives of 1 to 4, the longest of them that of the longest time-out anyone may configure. */
const LIVES = Int32Array.from({ length: 64 }, (_, state) => [0, 10, 1000, 7_500_000, 7 * 86_400_000][state] ?? 0);
/** Below the table's own grant when full (256 slots), so that "full" means: that many entries live. */
const CAPACITIES = [1, 6, 11, 60];

type Step =
  | { verb: 'advance'; byMs: number }
  | { verb: 'find' | 'touch' | 'remove'; key: number[] }
  | { verb: 'claim' | 'setState'; key: number[]; state: number }
  | { verb: 'setValue'; key: number[]; value: number }
  | { verb: 'sweep'; slots: number }
  | { verb: 'clear' }
  | { verb: 'adopt' };

const key = fc.tuple(
  fc.constantFrom(0, 1, -1, 0x0a010203),
  fc.integer({ min: 0, max: 15 }).map((port) => port << 16),
);
const state = fc.integer({ min: 1, max: 4 });
/** Lives to the millisecond, wraps of int32, pauses that no stamp can tell, small steps back. */
const byMs = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 20 }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(10, 11, 1000, 1001, 7_500_000, 7_500_001, 7 * 86_400_000, 7 * 86_400_000 + 1),
  },
  { weight: 1, arbitrary: fc.constantFrom(2 ** 27, 2 ** 30 - 1, 2 ** 30, 2 ** 30 + 1, 2 ** 31, 2 ** 32, 2 ** 32 + 5) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -11, -1001, -(2 ** 30) - 1) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ verb: fc.constant('advance' as const), byMs }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constantFrom('find' as const, 'touch', 'remove'), key }) },
  { weight: 6, arbitrary: fc.record({ verb: fc.constantFrom('claim' as const, 'claim', 'setState'), key, state }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('setValue' as const), key, value: fc.integer() }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('sweep' as const), slots: fc.integer({ min: 0, max: 100 }) }) },
  { weight: 1, arbitrary: fc.constantFrom({ verb: 'clear' as const }, { verb: 'adopt' as const }) },
);

/** Both tables, one call behind the other. */
class Twins {
  readonly shape;
  readonly buffer: ArrayBuffer;
  table: TtlTable;
  readonly naive: NaiveTable;

  constructor(
    capacityEntries: number,
    private nowMs: number,
  ) {
    this.shape = { capacityEntries, keyWords: KEY_WORDS, valueWords: VALUE_WORDS };
    this.buffer = new ArrayBuffer(TtlTable.bytes(this.shape));
    this.table = this.adopted();
    this.naive = new NaiveTable(capacityEntries, VALUE_WORDS, LIVES);
    this.advance(0);
  }

  /** A table over the same memory, as after a restart; the seed it is offered must not matter. */
  private adopted(): TtlTable {
    return new TtlTable(this.buffer, 0, this.shape, this.table ? 99 : 7, LIVES);
  }

  private advance(byMs: number): void {
    // A step back makes what has just expired young again, unless a sweep has freed it: leave nothing to chance.
    if (byMs < 0) for (let round = 0; round < 2; round++) this.table.sweep(this.table.slotCount);
    // No clock of ours shows less than zero.
    if (this.nowMs + byMs >= 0) this.nowMs += byMs;
    this.table.advance(this.nowMs);
    this.naive.advance(this.nowMs);
  }

  private slotOf(words: number[]): number {
    this.table.key.set(words);
    return this.table.find();
  }

  take(step: Step): void {
    switch (step.verb) {
      case 'advance':
        return this.advance(step.byMs);
      case 'sweep':
        return this.table.sweep(step.slots);
      case 'clear':
        this.table.clear();
        return this.naive.clear();
      case 'adopt':
        this.table = this.adopted();
        return this.table.advance(this.nowMs);
      case 'claim': {
        this.table.key.set(step.key);
        const refusals = this.table.full;
        const entry = this.naive.claim(step.key, step.state);
        expect(this.table.claim(step.state) >= 0).toBe(entry !== undefined);
        return expect(this.table.full - refusals).toBe(entry ? 0 : 1);
      }
      default:
        return this.takeOnEntry(step);
    }
  }

  private takeOnEntry(step: Extract<Step, { key: number[] }>): void {
    const entry = this.naive.find(step.key);
    const slot = this.slotOf(step.key);
    expect(slot >= 0).toBe(entry !== undefined);
    if (!entry) return;
    if (step.verb === 'touch') {
      this.table.touch(slot);
      this.naive.touch(entry);
    } else if (step.verb === 'remove') {
      this.table.remove(slot);
      this.naive.remove(step.key);
    } else if (step.verb === 'setState') {
      // A change of state comes with a packet, and a packet touches.
      this.table.touch(slot);
      this.naive.touch(entry);
      this.table.setState(slot, step.state);
      entry.state = step.state;
    } else if (step.verb === 'setValue') {
      this.table.setValue(slot, 1, step.value);
      entry.values[1] = step.value;
    }
  }

  /** As text, since a hundred thousand calls of `expect` take half a minute. */
  compare(): void {
    const { table, naive } = this;
    const live: string[] = [];
    let occupied = 0;
    for (let slot = 0; slot < table.slotCount; slot++) {
      if (table.state(slot) !== 0) occupied++;
      if (!table.isLive(slot)) continue;
      const words = [table.keyWord(slot, 0), table.keyWord(slot, 1)];
      const found = this.slotOf(words) === slot ? 'found' : 'lost';
      const values = [table.value(slot, 0), table.value(slot, 1)];
      live.push(`${words} ${found} age ${table.ageMs(slot)} state ${table.state(slot)} values ${values}`);
    }
    const expected = naive
      .list()
      .map((entry) => `${entry.key} found age ${naive.ageMs(entry)} state ${entry.state} values ${entry.values}`);
    if (live.sort().join('\n') !== expected.sort().join('\n')) expect(live).toEqual(expected);
    expect(table.count).toBe(occupied);
    if (occupied > table.capacityEntries) throw new Error(`${occupied} entries`);
  }
}

test('after every call the table and its naive twin hold the same', () => {
  const beginnings = fc.constantFrom(0, 1, 86_400_000.25, 2 ** 31 - 5, 2 ** 32 - 5, 1.7e12);
  fc.assert(
    fc.property(
      fc.constantFrom(...CAPACITIES),
      beginnings,
      fc.array(step, { minLength: 20, maxLength: 200, size: 'max' }),
      (capacity, nowMs, steps) => {
        const twins = new Twins(capacity, nowMs);
        for (const one of steps) {
          twins.take(one);
          twins.compare();
        }
      },
    ),
    { numRuns: 100 },
  );
});
