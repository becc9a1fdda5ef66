/** TtlTable: lives, time, room, bounded sweeping, and which memory it takes over. */
import { MAX_LIFE_MS, TtlTable } from '../../../src/tables/ttl-table';

const SHAPE = { capacityEntries: 300, keyWords: 2, valueWords: 1 };
const SHORT = 1;
const LONG = 2;
const LIVES = Int32Array.from({ length: 64 }, (_, state) => (state === LONG ? 7_500_000 : 10_000));
const INT32_MS = 2 ** 31;

function tableOf(shape = SHAPE, lives = LIVES): TtlTable {
  const table = new TtlTable(new ArrayBuffer(TtlTable.bytes(shape)), 0, shape, 1234, lives);
  table.advance(0);
  return table;
}

function claim(table: TtlTable, first: number, second: number, state = SHORT): number {
  table.key[0] = first;
  table.key[1] = second;
  return table.claim(state);
}

function find(table: TtlTable, first: number, second: number): number {
  table.key[0] = first;
  table.key[1] = second;
  return table.find();
}

function fill(table: TtlTable, entries: number, state = SHORT): void {
  for (let n = 0; n < entries; n++) claim(table, n, -n, state);
}

describe('an entry lives exactly as long as its state says', () => {
  test.each([
    ['one ms before its life ends, it stands', SHORT, 9_999, true],
    ['at the very ms, it stands', SHORT, 10_000, true],
    ['one ms later, it is gone', SHORT, 10_001, false],
    ['in another state, another life', LONG, 10_001, true],
    ['which ends as exactly', LONG, 7_500_001, false],
  ])('%s', (_claim, state, afterMs, stands) => {
    const table = tableOf();
    claim(table, 1, 2, state);
    table.advance(afterMs);
    expect(find(table, 1, 2) >= 0).toBe(stands);
  });

  test('a touch begins the life again, a change of state chooses another', () => {
    const table = tableOf();
    claim(table, 1, 2);
    table.advance(10_000);
    table.touch(find(table, 1, 2));
    table.advance(20_000);
    expect(table.remainingMs(find(table, 1, 2))).toBe(0);
    table.setState(find(table, 1, 2), LONG);
    table.advance(20_001);
    expect(table.remainingMs(find(table, 1, 2))).toBe(7_500_000 - 10_001);
  });

  test('a changed life applies to existing entries', () => {
    const lives = LIVES.slice();
    const table = tableOf(SHAPE, lives);
    claim(table, 1, 2);
    table.advance(5_000);
    lives[SHORT] = 4_999;
    expect(find(table, 1, 2)).toBe(-1);
    lives[SHORT] = 5_000;
    expect(find(table, 1, 2)).toBeGreaterThanOrEqual(0);
  });

  test('only the low six bits of the state choose the life', () => {
    const table = tableOf();
    claim(table, 1, 2, (1023 << 16) | (0x3ff << 6) | LONG);
    table.advance(10_001);
    expect(table.state(find(table, 1, 2)) >>> 16).toBe(1023);
  });

  test('an expired entry that is claimed again is a new one: no old values, no second row', () => {
    const table = tableOf();
    table.setValue(claim(table, 1, 2), 0, 99);
    table.advance(10_001);
    const slot = claim(table, 1, 2, LONG);
    expect([table.value(slot, 0), table.state(slot), table.ageMs(slot), table.count]).toEqual([0, LONG, 0, 1]);
  });
});

describe('time wraps, pauses and steps back', () => {
  test.each([
    ['2^31 ms after boot', INT32_MS],
    ['2^32 ms after boot', 2 ** 32],
    ['3 * 2^31 ms after boot', 3 * INT32_MS],
    ['today, in ms since 1970', 1_763_900_000_000],
  ])('entries that stand %s live their life, no more and no less', (_when, atMs) => {
    const table = tableOf();
    // Time runs there in steps, as it does: the table's ticks wrap on the way.
    for (let nowMs = atMs % 1e9; nowMs < atMs - 5_000; nowMs += 1e9) table.advance(nowMs);
    table.advance(atMs - 5_000);
    claim(table, 1, 2);
    table.advance(atMs + 5_000);
    expect(table.ageMs(find(table, 1, 2))).toBe(10_000);
    table.advance(atMs + 5_001);
    expect(find(table, 1, 2)).toBe(-1);
  });

  test('the longest possible life is exact, whenever it begins', () => {
    const table = tableOf(SHAPE, new Int32Array(64).fill(MAX_LIFE_MS));
    for (let began = 0; began < 2 ** 33; began += 2 ** 30) {
      table.advance(began);
      claim(table, 1, 2);
      table.advance(began + MAX_LIFE_MS);
      expect(find(table, 1, 2)).toBeGreaterThanOrEqual(0);
      table.advance(began + MAX_LIFE_MS + 1);
      expect(find(table, 1, 2)).toBe(-1);
    }
  });

  test.each([
    ['an hour', 3_600_000],
    ['a day', 86_400_000],
    ['12 days', 2 ** 30],
    ['12 days and a ms', 2 ** 30 + 1],
    ['25 days', INT32_MS],
    ['50 days', 2 ** 32],
  ])('looked at every %s and never swept, a dead entry stays dead for half a year', (_step, stepMs) => {
    const table = tableOf();
    claim(table, 1, 2);
    let second = 0;
    for (let nowMs = stepMs; nowMs < 185 * 86_400_000; nowMs += stepMs) {
      table.advance(nowMs);
      expect([find(table, 1, 2), find(table, 3, 4)]).toEqual([-1, -1]);
      if (nowMs > 3 * 86_400_000 && second++ === 0) claim(table, 3, 4);
    }
    expect(table.count).toBe(0);
  });

  test('a pause of more than 2^30 ms empties the table; what comes after it is kept', () => {
    const table = tableOf();
    fill(table, 50);
    table.advance(2 ** 30 + 1);
    expect(table.count).toBe(0);
    claim(table, 7, 7);
    table.advance(2 ** 30 + 10_001);
    expect(find(table, 7, 7)).toBeGreaterThanOrEqual(0);
  });

  test('a step back makes an entry look young, never old', () => {
    const table = tableOf();
    table.advance(1_000_000);
    claim(table, 1, 2);
    table.advance(1_000);
    expect(table.ageMs(find(table, 1, 2))).toBe(-999_000);
    table.advance(1_010_000);
    expect(find(table, 1, 2)).toBeGreaterThanOrEqual(0);
    table.advance(1_010_001);
    expect(find(table, 1, 2)).toBe(-1);
  });
});

describe('a clock that steps back', () => {
  test.each([
    ['12 days: the entry is young', 2 ** 30, true],
    ['and a ms more: the table is emptied', 2 ** 30 + 1, false],
  ])('by %s', (_far, backMs, stands) => {
    const table = tableOf();
    table.advance(2 ** 31);
    claim(table, 1, 2);
    table.advance(2 ** 31 - backMs);
    expect([find(table, 1, 2) >= 0, table.count]).toEqual([stands, stands ? 1 : 0]);
  });
});

/** MurmurHash3 (x86, 32 bits) of words, as its author tells it, less the length; in whole numbers of any size. */
function naiveHash(words: number[], seed: number): bigint {
  const u32 = (value: bigint) => BigInt.asUintN(32, value);
  const rotated = (value: bigint, by: bigint) => u32(value << by) | (value >> (32n - by));
  let hash = u32(BigInt(seed));
  for (const word of words) {
    hash ^= u32(rotated(u32(u32(BigInt(word)) * 0xcc9e2d51n), 15n) * 0x1b873593n);
    hash = u32(rotated(hash, 13n) * 5n + 0xe6546b64n);
  }
  hash = u32((hash ^ (hash >> 16n)) * 0x85ebca6bn);
  hash = u32((hash ^ (hash >> 13n)) * 0xc2b2ae35n);
  return hash ^ (hash >> 16n);
}

test('an entry’s home is its key’s hash, mapped to a slot (naive twin: BigInt)', () => {
  const keys = [0, 1, -1, 0x7fffffff, -0x80000000, 0x0a010701, 0x12345678].flatMap((one, _, all) =>
    all.map((other) => [one, other]),
  );
  for (const seed of [0, 1, -1, 0x9747b28c | 0]) {
    for (const [first, second] of keys) {
      const table = new TtlTable(new ArrayBuffer(TtlTable.bytes(SHAPE)), 0, SHAPE, seed, LIVES);
      table.advance(0);
      const home = (naiveHash([first, second], seed) * BigInt(table.slotCount)) >> 32n;
      expect([first, second, claim(table, first, second)]).toEqual([first, second, Number(home)]);
    }
  }
});

describe('a full table is an answer, not a growth', () => {
  test('the first entry beyond capacity is refused and counted; the others stay', () => {
    const table = tableOf();
    fill(table, 300, LONG);
    expect(claim(table, 999, 0)).toBe(-1);
    expect(claim(table, 998, 0)).toBe(-1);
    expect([table.full, table.count]).toEqual([2, 300]);
    for (let n = 0; n < 300; n++) expect(find(table, n, -n)).toBeGreaterThanOrEqual(0);
  });

  test('a known key is claimed though the table is full', () => {
    const table = tableOf();
    fill(table, 300, LONG);
    expect(claim(table, 17, -17, SHORT)).toBe(find(table, 17, -17));
    expect([table.full, table.count]).toEqual([0, 300]);
  });

  test('where expired entries fill it, it makes room', () => {
    const table = tableOf();
    fill(table, 300);
    table.advance(10_001);
    expect(claim(table, 999, 0)).toBeGreaterThanOrEqual(0);
    expect(find(table, 999, 0)).toBeGreaterThanOrEqual(0);
    expect(table.full).toBe(0);
  });

  test.each([1, 2, 6, 7, 100, 4095])('%i entries fit a table of as many, with slots to spare', (capacityEntries) => {
    const table = tableOf({ ...SHAPE, capacityEntries });
    fill(table, capacityEntries, LONG);
    expect([table.count, table.full]).toEqual([capacityEntries, 0]);
    expect(table.slotCount * 0.75).toBeGreaterThanOrEqual(capacityEntries);
  });
});

describe('sweeping is bounded', () => {
  test.each([1, 7, 64, 400])('steps of %i slots: none frees more, and two rounds free all', (slots) => {
    const table = tableOf();
    fill(table, 300);
    table.advance(10_001);
    const steps = Math.ceil((table.slotCount + 300) / slots);
    for (let step = 0; step < steps; step++) {
      const before = table.count;
      table.sweep(slots);
      expect(before - table.count).toBeLessThanOrEqual(slots);
    }
    expect(table.count).toBe(0);
  });

  test('a round looks at every slot once: an entry is freed after at most slotCount looks, and not sooner', () => {
    const table = tableOf();
    claim(table, 9, 9, LONG);
    for (let round = 0, nowMs = 0; round < 3; round++) {
      const slot = claim(table, 1, round);
      table.advance((nowMs += 10_001));
      for (let looked = 0; looked < slot; looked++) table.sweep(1);
      expect(table.count).toBe(2);
      table.sweep(1);
      expect(table.count).toBe(1);
      // The freed slot is looked at again, then the rest.
      for (let looked = slot; looked < table.slotCount; looked++) table.sweep(1);
    }
  });

  test.each([10_001, 2 ** 28, 1_763_900_000_000])(
    'neither time (%i ms) nor a new entry that finds room frees another',
    (nowMs) => {
      const table = tableOf();
      table.advance(nowMs - 10_001);
      claim(table, 1, 2);
      table.advance(nowMs);
      claim(table, 3, 4);
      expect(table.count).toBe(2);
    },
  );

  test('the living are left alone, wherever the freed ones stood', () => {
    const table = tableOf();
    fill(table, 300, LONG);
    for (let n = 0; n < 300; n += 3) table.setState(find(table, n, -n), SHORT);
    table.advance(10_001);
    for (let step = 0; step < 10; step++) table.sweep(100);
    expect(table.count).toBe(200);
    for (let n = 0; n < 300; n++) expect(find(table, n, -n) >= 0).toBe(n % 3 !== 0);
  });
});

describe('memory of an earlier run', () => {
  const [MAGIC, VERSION, SLOTS] = [0, 1, 2];
  function memory(): { buffer: ArrayBuffer; header: Int32Array } {
    const buffer = new ArrayBuffer(TtlTable.bytes(SHAPE) + 16);
    const table = new TtlTable(buffer, 16, SHAPE, 5, LIVES);
    table.advance(100);
    claim(table, 1, 2);
    return { buffer, header: new Int32Array(buffer, 16, 16) };
  }

  test('is taken over with its entries, its seed and its time', () => {
    const { buffer } = memory();
    const table = new TtlTable(buffer, 16, SHAPE, 6, LIVES);
    expect(table.hashSeed).toBe(5);
    table.advance(10_100);
    expect(find(table, 1, 2)).toBeGreaterThanOrEqual(0);
    table.advance(10_101);
    expect(find(table, 1, 2)).toBe(-1);
  });

  test.each([
    ['a stranger', (header: Int32Array) => (header[MAGIC] = 0x7f454c46), SHAPE, 'not an acsplit table'],
    ['another version', (header: Int32Array) => header[VERSION]++, SHAPE, 'not an acsplit table'],
    ['another number of slots', (header: Int32Array) => header[SLOTS]++, SHAPE, 'a table of another shape'],
    ['rows of another length', () => 0, { ...SHAPE, valueWords: 0 }, 'a table of another shape'],
    ['a smaller capacity', () => 0, { ...SHAPE, capacityEntries: 299 - 2 }, 'a table of another shape'],
  ])('of %s is refused', (_what, spoil, shape, message) => {
    const { buffer, header } = memory();
    spoil(header);
    const before = new Uint8Array(buffer.slice(0));
    expect(() => new TtlTable(buffer, 16, shape, 6, LIVES)).toThrow(message);
    expect(new Uint8Array(buffer)).toEqual(before);
  });

  test('without an empty slot is refused, rather than searched for ever', () => {
    const { buffer } = memory();
    new Int32Array(buffer, 16 + 64).fill(1);
    expect(() => new TtlTable(buffer, 16, SHAPE, 6, LIVES)).toThrow('more entries than its capacity');
  });

  test('may lie next to other memory, which stays as it is', () => {
    const buffer = new ArrayBuffer(TtlTable.bytes(SHAPE) + 32);
    const bytes = new Uint8Array(buffer);
    bytes.fill(0xa5, 0, 16);
    bytes.fill(0xa5, bytes.length - 16);
    const table = new TtlTable(buffer, 16, SHAPE, 5, LIVES);
    table.advance(0);
    fill(table, 301);
    table.advance(10_001);
    table.sweep(1000);
    table.clear();
    expect([...bytes.subarray(0, 16), ...bytes.subarray(-16)]).toEqual(new Array(32).fill(0xa5));
  });
});
