import { PacketBatch, Side } from '../../../src/packet/batch';
import { TtlTable } from '../../../src/tables/ttl-table';
import { Rig } from '../../support/rig';

const SHAPE = { capacityEntries: 4, keyWords: 1, valueWords: 0 };

test('a batch that claims more packets than it has slots is refused before any is decided', () => {
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  batch.push(Side.Cpe, Uint8Array.of(0));
  batch.count = 2;
  expect(() => new Rig().splitter.decide(batch, 0)).toThrow('no more packets than it has slots');
});

test('an empty slot can be neither claimed as such nor removed', () => {
  const table = new TtlTable(new ArrayBuffer(TtlTable.bytes(SHAPE)), 0, SHAPE, 1, new Int32Array(64));
  expect(() => table.claim(0)).toThrow('state 0 marks an empty slot');
  expect(() => table.remove(0)).toThrow('only an entry can be removed');
});
