/** A table whose memory was damaged while no process ran, and one that is read while another process writes. */
import { HEADER_BYTES, Header } from '../../../src/tables/table-header';
import { TtlTable } from '../../../src/tables/ttl-table';

const SHAPE = { capacityEntries: 12, keyWords: 1, valueWords: 1 };
const LIVES = new Int32Array(64).fill(10_000);
const BYTES = TtlTable.bytes(SHAPE);

function open(buffer: ArrayBuffer, isReader = false): TtlTable {
  return new TtlTable(buffer, 0, SHAPE, 5, LIVES, isReader);
}

/** A table with the keys 1 to 8 at time 1 000 000. */
function filled(): ArrayBuffer {
  const buffer = new ArrayBuffer(BYTES);
  const table = open(buffer);
  table.advance(1_000_000);
  for (let key = 1; key <= 8; key++) {
    table.key[0] = key;
    table.claim(1);
  }
  return buffer;
}

function liveKeys(table: TtlTable): number[] {
  const keys: number[] = [];
  for (let slot = 0; slot < table.slotCount; slot++) if (table.isLive(slot)) keys.push(table.keyWord(slot, 0));
  return keys.sort((a, b) => a - b);
}

describe('every bit of the header, flipped', () => {
  const bits = Array.from({ length: HEADER_BYTES * 8 }, (_, bit) => bit);
  const sealed = [Header.Magic, Header.Version, Header.Slots, Header.RowWords, Header.Seed, Header.Check];
  const words = new Set<number>(sealed);

  test.each(bits)('bit %i is refused, or costs at most one entry, or empties the table', (bit) => {
    const buffer = filled();
    new Uint8Array(buffer)[bit >> 3] ^= 1 << (bit & 7);
    const word = bit >> 5;
    if (words.has(word)) return expect(() => open(buffer)).toThrow(/table/);
    const table = open(buffer);
    table.advance(1_000_500);
    const keys = liveKeys(table);
    expect(table.count).toBe(keys.length);
    if (word === (Header.Redo as number)) expect(keys.length).toBeGreaterThanOrEqual(7);
    else expect([0, 8]).toContain(keys.length);
    table.advance(1_020_000);
    for (let round = 0; round < 3; round++) table.sweep(16);
    expect([table.count, liveKeys(table)]).toEqual([0, []]);
  });
});

test('an entry whose stamp lies in the future begins its life again, and ends', () => {
  const buffer = filled();
  const rows = new Int32Array(buffer, HEADER_BYTES);
  for (let slot = 0; slot < 16; slot++) if (rows[slot * 4 + 2] !== 0) rows[slot * 4 + 1] ^= 1 << 30;
  const table = open(buffer);
  table.advance(1_000_500);
  expect(liveKeys(table)).toHaveLength(8);
  table.advance(1_010_501);
  expect(liveKeys(table)).toEqual([]);
});

test.each([
  ['as far as a clock steps back, it is left alone', 940_000, -60_000],
  ['further, its life begins again', 939_999, 0],
])('an entry of the future: %s', (_how, nowMs, ageMs) => {
  const table = open(filled());
  table.advance(nowMs);
  table.key[0] = 5;
  expect(table.ageMs(table.find())).toBe(ageMs);
});

test('that is looked for once, when the table is taken over: later, a clock may step back as it likes', () => {
  const table = open(filled());
  table.advance(1_000_000);
  table.advance(900_000);
  table.key[0] = 5;
  expect(table.ageMs(table.find())).toBe(-100_000);
});

describe('a reader', () => {
  test('sees what another writes, and writes nothing', () => {
    const buffer = filled();
    const writer = open(buffer);
    const reader = open(buffer, true);
    const before = new Uint8Array(buffer.slice(0));
    reader.advance(1_000_100);
    expect([reader.count, reader.full, liveKeys(reader)]).toEqual([8, 0, [1, 2, 3, 4, 5, 6, 7, 8]]);
    reader.advance(9e12);
    expect(new Uint8Array(buffer)).toEqual(before);

    writer.advance(1_000_200);
    for (let key = 11; key < 20; key++) {
      writer.key[0] = key;
      writer.claim(1);
    }
    reader.advance(1_000_200);
    expect([reader.count, reader.full]).toEqual([12, 5]);
    reader.key[0] = 12;
    expect(reader.ageMs(reader.find())).toBe(0);
  });

  test('takes no memory that is not a table', () => {
    expect(() => open(new ArrayBuffer(BYTES), true)).toThrow('not an acsplit table');
  });
});
