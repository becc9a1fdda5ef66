/**
 * A TtlTable that is killed between any two of its writes: every write of an int32 is followed by a copy of the whole
 * memory, which is what the next run would find. Copies of whole rows are taken word by word, so they tear.
 */
import { type TableShape } from '../../src/tables/hash-rows';
import { TtlTable } from '../../src/tables/ttl-table';

export class CrashingMemory {
  readonly buffer: ArrayBuffer;
  readonly table: TtlTable;

  /** @param buffer a table to continue from; a new one if absent */
  constructor(
    private readonly shape: TableShape,
    private readonly lives: Int32Array,
    seed: number,
    buffer = new ArrayBuffer(TtlTable.bytes(shape)),
  ) {
    this.buffer = buffer;
    this.table = new TtlTable(buffer, 0, shape, seed, lives);
  }

  /** Does `act` and returns the memory as it stood after each of its writes, beginning with none. */
  everyCrash(act: (table: TtlTable) => void): ArrayBuffer[] {
    const copies = [this.buffer.slice(0)];
    const inner = this.table as unknown as { rows: Int32Array; header: Int32Array };
    const { rows, header } = inner;
    const written = () => copies.push(this.buffer.slice(0));
    inner.rows = watched(rows, written);
    inner.header = watched(header, written);
    act(this.table);
    inner.rows = rows;
    inner.header = header;
    return copies;
  }

  /** The table that the next run makes of such a copy, at time `nowMs`. */
  recovered(copy: ArrayBuffer, nowMs: number): TtlTable {
    const table = new TtlTable(copy, 0, this.shape, 0, this.lives);
    table.advance(nowMs);
    return table;
  }
}

function watched(words: Int32Array, written: () => void): Int32Array {
  const put = (index: number, word: number) => {
    words[index] = word;
    written();
  };
  return new Proxy(words, {
    get: (_, name) => {
      if (name === 'copyWithin') {
        return (to: number, from: number, end: number) => {
          for (let i = 0; from + i < end; i++) put(to + i, words[from + i]);
        };
      }
      if (name === 'fill') return (word: number) => words.forEach((_word, index) => put(index, word));
      return Reflect.get(words, name) as unknown;
    },
    set: (_, name, word) => {
      put(Number(name), word as number);
      return true;
    },
  });
}
