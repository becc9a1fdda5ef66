/** A capture truncated anywhere, as by a full disk, ends with its last whole packet. */
import { constants, openSync, readFileSync } from 'node:fs';
import { DescriptorSink } from '../../../src/replay/byte-io';
import { cutBack } from '../../../src/replay/cut-back';
import { frame, pcapFile, pcapngFile } from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { report, Wire } from '../../support/conversation';
import { TemporaryFolder } from '../../support/temporary';

const folder = new TemporaryFolder();
const wire = new Wire();
report(wire, '10.1.7.1', 40001, 'c1').open().say('opener', 'Inform');
const FRAMES = wire.packets.map((packet) => frame(packet));

/** Divides no block or record size, so that the cuts fall everywhere. */
const STEP_BYTES = 7;

function cutBackFile(content: Uint8Array): { packets: number | undefined; left: Buffer } {
  const path = folder.file('cut', content);
  const sink = new DescriptorSink(path, openSync(path, constants.O_WRONLY), true);
  sink.write(new Uint8Array(10), 0, 10);
  const packets = cutBack(sink);
  sink.abandon();
  return { packets, left: readFileSync(path) };
}

test.each([
  ['pcap', pcapFile(FRAMES)],
  ['pcap, nanoseconds', pcapFile(FRAMES, { nanosecond: true })],
  ['pcap, big endian', pcapFile(FRAMES, { little: false })],
  ['pcapng', pcapngFile(FRAMES)],
])('%s: whole packets stay, wherever it was cut', (_what, file) => {
  const all = readCapture(file).packets;
  expect(all.length).toBeGreaterThan(3);
  let before = 0;
  const sizes = Array.from({ length: Math.ceil(file.length / STEP_BYTES) }, (_, n) => n * STEP_BYTES);
  for (const size of [...sizes, file.length]) {
    const { packets, left } = cutBackFile(file.subarray(0, size));
    const read = readCapture(left);
    // Only the empty file is no capture.
    expect(read.error?.complaint).toBe(left.length === 0 ? 'the file is empty' : undefined);
    expect(read.packets).toEqual(all.slice(0, packets));
    expect(packets).toBeGreaterThanOrEqual(before);
    before = packets as number;
  }
  expect(before).toBe(all.length);
});

test('a device, a foreign descriptor and a closed one are left alone', () => {
  const device = new DescriptorSink('/dev/null', openSync('/dev/null', 'w'), true);
  expect(cutBack(device)).toBeUndefined();
  device.close();
  const path = folder.file('stdout', 'of somebody else');
  const descriptor = openSync(path, constants.O_WRONLY);
  expect(cutBack(new DescriptorSink('stdout', descriptor, false))).toBeUndefined();
  const done = new DescriptorSink(path, descriptor, true);
  done.close();
  expect(cutBack(done)).toBeUndefined();
  expect(readFileSync(path, 'latin1')).toBe('of somebody else');
});
