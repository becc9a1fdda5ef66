/** Files, pipes, and a sink's buffering. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { DescriptorSink, DescriptorSource } from '../../../src/replay/byte-io';
import { LineTee, LineWriter } from '../../../src/replay/lines';
import { MemorySink } from '../../support/memory-files';
import { TemporaryFolder } from '../../support/temporary';

const folder = new TemporaryFolder();

test.each([1, 100, 255, 256, 5000, 70_000, 200_000])('writes of %d bytes come out in order', (size) => {
  const path = folder.file(`sink-${size}`);
  const sink = new DescriptorSink(path, openSync(path, 'w'), true);
  const expected: Uint8Array[] = [];
  for (let n = 0; n < Math.max(4, 600_000 / size / 8); n++) {
    const bytes = new Uint8Array(size + 2).fill(n);
    sink.write(bytes, 1, size);
    expected.push(bytes.subarray(1, size + 1));
  }
  sink.close();
  sink.close();
  expect(readFileSync(path).equals(Buffer.concat(expected))).toBe(true);
});

test('an abandoned sink writes nothing of its buffer', () => {
  const path = folder.file('abandoned');
  const sink = new DescriptorSink(path, openSync(path, 'w'), true);
  sink.write(new Uint8Array(10), 0, 10);
  sink.abandon();
  expect(readFileSync(path)).toHaveLength(0);
});

test('a full disk is said, not swallowed', () => {
  const sink = new DescriptorSink('/dev/full', openSync('/dev/full', 'w'), true);
  sink.write(new Uint8Array(10), 0, 10);
  expect(() => sink.close()).toThrow('ENOSPC');
});

test('a source reads to the end, and closes only what it owns', () => {
  const descriptor = openSync(folder.file('source', 'abc'), 'r');
  const source = new DescriptorSource('source', descriptor, false);
  const bytes = new Uint8Array(5);
  expect([source.read(bytes, 1, 4), source.read(bytes, 1, 4)]).toEqual([3, 0]);
  expect(Buffer.from(bytes).toString('latin1')).toBe('\0abc\0');
  source.close();
  closeSync(descriptor);
  const owned = new DescriptorSource('source', openSync(folder.file('source'), 'r'), true);
  owned.close();
  owned.close();
  expect(() => owned.read(bytes, 0, 1)).toThrow('EBADF');
});

test('lines go to every sink, each with its end', () => {
  const [one, two] = [new MemorySink(), new MemorySink()];
  const tee = new LineTee([new LineWriter(one), new LineWriter(two)]);
  for (let n = 0; n < 5000; n++) tee.line(`line ${n}, é`);
  tee.end();
  expect(one.text).toBe(Array.from({ length: 5000 }, (_, n) => `line ${n}, é\n`).join(''));
  expect(two.text).toBe(one.text);
  expect(one.closed).toBe(true);
});
