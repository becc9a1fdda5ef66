/** Killed between any two writes, a table comes back with every live entry exactly once, and no dead one. */
import { TtlTable } from '../../../src/tables/ttl-table';
import { CrashingMemory } from '../../support/crashing-memory';

const SHAPE = { capacityEntries: 12, keyWords: 1, valueWords: 2 };
const SHORT = 1;
const LONG = 2;
const LIVES = Int32Array.from({ length: 64 }, (_, state) => (state === LONG ? 10_000 : 100));

/** Entries as text: key, state, age, values; marks a key that appears twice or that no look-up finds. */
function contents(table: TtlTable): string[] {
  const lines: string[] = [];
  for (let slot = 0; slot < table.slotCount; slot++) {
    if (!table.isLive(slot)) continue;
    const key = table.keyWord(slot, 0);
    table.key[0] = key;
    const found = table.find() === slot ? '' : ' LOST';
    lines.push(`${key} state ${table.state(slot)} age ${table.ageMs(slot)} ${table.value(slot, 0)}${found}`);
  }
  return lines.sort();
}

/** A full table, its twelve entries in sixteen slots, so that removals shift far and around the end. */
function crowded(seed: number): CrashingMemory {
  const memory = new CrashingMemory(SHAPE, LIVES, seed);
  memory.table.advance(1000);
  for (let key = 100; key < 112; key++) {
    memory.table.key[0] = key;
    const slot = memory.table.claim(LONG);
    memory.table.setValue(slot, 0, -key);
    memory.table.setValue(slot, 1, key * 7);
  }
  return memory;
}

function remove(table: TtlTable, key: number): void {
  table.key[0] = key;
  table.remove(table.find());
}

/** The slot of each key. */
function slots(table: TtlTable): Map<number, number> {
  const found = new Map<number, number>();
  for (let slot = 0; slot < table.slotCount; slot++) if (table.isLive(slot)) found.set(table.keyWord(slot, 0), slot);
  return found;
}

/** Seeds put the entries elsewhere: chains that run around the end of the array are among them. */
const SEEDS = Array.from({ length: 25 }, (_, seed) => seed);

test.each(SEEDS)('a removal, killed at any write (seed %i)', (seed) => {
  for (let key = 100; key < 112; key++) {
    const memory = crowded(seed);
    const before = contents(memory.table);
    const copies = memory.everyCrash((table) => remove(table, key));
    const after = contents(memory.table);
    expect(after).toEqual(before.filter((line) => !line.startsWith(`${key} `)));

    // The first write records which hole is being filled; from then on the entry is gone.
    copies.forEach((copy, writes) => {
      const table = memory.recovered(copy, 1000);
      expect(contents(table)).toEqual(writes === 0 ? before : after);
      expect(table.count).toBe(writes === 0 ? 12 : 11);
    });
  }
});

test('among those removals are shifts of several rows, and shifts around the end of the array', () => {
  let severalRows = 0;
  let aroundTheEnd = 0;
  for (const seed of SEEDS) {
    for (let key = 100; key < 112; key++) {
      const { table } = crowded(seed);
      const before = slots(table);
      remove(table, key);
      const moved = [...slots(table)].filter(([one, slot]) => slot !== before.get(one));
      if (moved.length > 1) severalRows++;
      if (moved.some(([one, slot]) => slot > (before.get(one) ?? 0))) aroundTheEnd++;
    }
  }
  expect(severalRows).toBeGreaterThan(20);
  expect(aroundTheEnd).toBeGreaterThan(20);
});

test.each(SEEDS)('a new entry, killed at any write, exists whole or not at all (seed %i)', (seed) => {
  const memory = crowded(seed);
  remove(memory.table, 105);
  const before = contents(memory.table);
  const copies = memory.everyCrash((table) => {
    table.key[0] = 777;
    table.claim(SHORT);
  });
  const after = contents(memory.table);
  expect(after).toHaveLength(12);

  const found = copies.map((copy) => contents(memory.recovered(copy, 1000)));
  for (const lines of found) expect([before, after]).toContainEqual(lines);
  expect(found[0]).toEqual(before);
  expect(found.at(-1)).toEqual(after);
  for (const copy of copies) {
    const table = memory.recovered(copy, 1000);
    expect(table.count).toBe(contents(table).length);
  }
});

test('an expired entry that is claimed again, killed at any write, never revives as the old entry', () => {
  const memory = new CrashingMemory(SHAPE, LIVES, 1);
  memory.table.advance(0);
  memory.table.key[0] = 5;
  memory.table.setValue(memory.table.claim(SHORT), 0, 42);
  memory.table.advance(500);
  const copies = memory.everyCrash((table) => {
    table.key[0] = 5;
    table.claim(LONG);
  });

  const found = copies.map((copy) => contents(memory.recovered(copy, 500)).join());
  expect(found[0]).toBe('');
  expect(found.at(-1)).toBe('5 state 2 age 0 0');
  for (const text of found) expect(['', '5 state 2 age 500 0', '5 state 2 age 0 0']).toContain(text);
});

test('a sweep that frees several entries, killed at any write, loses none of the living', () => {
  const memory = crowded(3);
  for (const key of [101, 104, 107, 110]) {
    memory.table.key[0] = key;
    memory.table.setState(memory.table.find(), SHORT);
  }
  memory.table.advance(2000);
  const living = contents(memory.table);
  expect(living).toHaveLength(8);
  for (const copy of memory.everyCrash((table) => table.sweep(16))) {
    expect(contents(memory.recovered(copy, 2000))).toEqual(living);
  }
  // A freed slot is looked at again on the same budget: a round of four removals takes four looks more.
  memory.table.sweep(4);
  expect(memory.table.count).toBe(8);
});

test('a table killed while it was first written is written again', () => {
  const buffer = new ArrayBuffer(TtlTable.bytes(SHAPE));
  const header = new Int32Array(buffer, 0, 16);
  header.set([0, 1, 16]);
  const table = new TtlTable(buffer, 0, SHAPE, 9, LIVES);
  table.advance(1);
  table.key[0] = 1;
  expect(table.claim(LONG)).toBeGreaterThanOrEqual(0);
  expect(table.count).toBe(1);
});
