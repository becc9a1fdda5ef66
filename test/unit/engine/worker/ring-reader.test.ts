/** The reading end of a BPF ring buffer, over memory laid out as the kernel lays it out. */
import { RingReader } from '../../../../src/engine/worker/ring-reader';

const PAGE = 4096;
const BYTES = 4096;
const BUSY = 0x80000000;
const DISCARDED = 0x40000000;

/** A producer as kernel/bpf/ringbuf.c: both copies of the data are the same memory there. */
class Producer {
  readonly consumer = new ArrayBuffer(PAGE);
  readonly producer = new ArrayBuffer(PAGE + 2 * BYTES);
  at = 0;

  write(text: string, flags = 0): void {
    const bytes = Buffer.from(text);
    const header = Buffer.alloc(8);
    header.writeUInt32LE((bytes.length | flags) >>> 0);
    for (const [i, byte] of [...header, ...bytes].entries()) this.put((this.at + i) % BYTES, byte);
    this.at += (8 + bytes.length + 7) & ~7;
    new BigUint64Array(this.producer, 0, 1)[0] = BigInt(this.at);
  }

  private put(at: number, byte: number): void {
    const data = new Uint8Array(this.producer, PAGE);
    data[at] = data[at + BYTES] = byte;
  }

  get consumed(): number {
    return Number(new BigUint64Array(this.consumer)[0]);
  }
}

function read(reader: RingReader): string[] {
  const texts: string[] = [];
  reader.read((record) => texts.push(Buffer.from(record).toString()));
  return texts;
}

test('records come in order, once, across the end of the ring; discarded ones are passed over', () => {
  const producer = new Producer();
  const reader = new RingReader(producer, BYTES);
  expect(read(reader)).toEqual([]);
  for (let round = 0; round < 300; round++) {
    producer.write(`one ${round}`);
    producer.write('gone', DISCARDED);
    producer.write('x'.repeat(round));
    expect(read(reader)).toEqual([`one ${round}`, 'x'.repeat(round)]);
    expect(producer.consumed).toBe(producer.at);
  }
  expect(read(new RingReader(producer, BYTES))).toEqual([]);
});

test('a record that is being written ends the reading', () => {
  const producer = new Producer();
  producer.write('first');
  const before = producer.at;
  producer.write('second', BUSY);
  producer.write('third');
  expect(read(new RingReader(producer, BYTES))).toEqual(['first']);
  expect(producer.consumed).toBe(before);
});

test('what was not dealt with is there for the next reader', () => {
  const producer = new Producer();
  producer.write('first');
  const killed = new RingReader(producer, BYTES);
  expect(() =>
    killed.read(() => {
      throw new Error('killed');
    }),
  ).toThrow('killed');
  expect(read(new RingReader(producer, BYTES))).toEqual(['first']);
});
