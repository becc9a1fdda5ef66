/** Compares the layouts that are defined both in native/ and in TypeScript (batch.h, journal.h). */
import { loadAddon } from '../../src/engine/shared/binding';
import { Journal, JOURNAL_LAYOUT } from '../../src/engine/shared/journal';
import { COLUMNS, HEADER_WORDS, PacketBatch, SLOT_BYTES } from '../../src/packet/batch';

test.each([1, 3, 64, 1024])('a batch of %i packets lies alike in C++ and TypeScript', (capacity) => {
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(capacity)), capacity);

  expect(loadAddon().layout(capacity)).toEqual({
    header: HEADER_WORDS,
    slotBytes: SLOT_BYTES,
    slots: PacketBatch.slotsOffset(capacity),
    regionBytes: PacketBatch.regionBytes(capacity),
    journal: { bytes: Journal.bytes(capacity), ...JOURNAL_LAYOUT },
    columns: Object.fromEntries(COLUMNS.map((name) => [name, batch[name].byteOffset])),
  });
});

test.each([0, -1, 1025, Number.NaN, '64'])('a capacity of %p is refused', (capacity) => {
  expect(() => loadAddon().layout(capacity as number)).toThrow('layout: a capacity from 1 to 1024 is expected');
});
