/**
 * Corrupt files: everything before the fault is read, one error names file and offset, and only a CaptureError is ever
 * thrown. Memory is bounded, because the window is, and so is what is kept of an interface's name.
 */
import { type ByteSource } from '../../../src/replay/byte-io';
import { Step } from '../../../src/replay/capture-reader';
import { openCapture, WINDOW_BYTES } from '../../../src/replay/open-capture';
import {
  block,
  enhancedPacket,
  frame,
  type Frame,
  halves,
  interfaceDescription,
  microStamp,
  option,
  pcapFile,
  pcapngFile,
  sectionHeader,
  words,
} from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { report, Wire } from '../../support/conversation';
import { replayInMemory } from '../../support/replay-run';

function someFrames(): Frame[] {
  const wire = new Wire();
  report(wire, '10.1.7.1', 40001, 'itms').open().say('opener', 'odd');
  return wire.packets.map((packet) => frame(packet));
}
const FRAMES = someFrames();
const [FIRST] = FRAMES;
const FILES: readonly (readonly [string, Uint8Array])[] = [
  ['pcap', pcapFile(FRAMES)],
  ['pcap, big endian, nanoseconds', pcapFile(FRAMES, { little: false, nanosecond: true })],
  ['pcapng', pcapngFile(FRAMES)],
  ['pcapng, big endian', pcapngFile(FRAMES, false)],
];

describe.each(FILES)('%s', (_format, file) => {
  const whole = readCapture(file).packets;

  test('cut at every byte: the packets before the cut, and an error unless the cut is between records', () => {
    let silent = 0;
    for (let length = 0; length < file.length; length++) {
      const { packets, error } = readCapture(file.subarray(0, length));
      expect(packets).toEqual(whole.slice(0, packets.length));
      if (!error) silent++;
      else expect(error.message).toMatch(new RegExp(`^capture: at byte ${length}: the file (ends|is)`));
    }
    // Between records only: behind the header (pcap), behind each block (pcapng), behind each packet but the last.
    const headers = whole[0].interface === '' ? 1 : 3;
    expect(silent).toBe(headers + whole.length - 1);
  });

  test('0, 0xffffffff and one too many in every word: packets or an error, never an exception', () => {
    for (let at = 0; at + 4 <= file.length; at++) {
      for (const change of [() => 0, () => 0xffffffff, (old: number) => (old + 1) >>> 0]) {
        const bytes = Buffer.from(file);
        bytes.writeUInt32LE(change(bytes.readUInt32LE(at)), at);
        const { packets, error } = readCapture(bytes);
        for (const packet of packets) expect(packet.bytes.length).toBeLessThanOrEqual(file.length);
        if (error) expect(error.offset).toBeLessThanOrEqual(file.length);
      }
    }
  });

  test('the readable part is replayed, and the error is reported', () => {
    const { result, output } = replayInMemory([file.subarray(0, file.length - 1)]);
    expect(result.packets).toBeGreaterThanOrEqual(whole.length - 1);
    expect(result.errors).toHaveLength(1);
    expect(readCapture(output).packets).toHaveLength(result.packets);
  });
});

const SECTION = sectionHeader(true);
const DESCRIBED = Buffer.concat([SECTION, interfaceDescription(true, 1, '')]);
const PACKET = enhancedPacket(true, 0, microStamp(FIRST), FIRST);
const with32 = (bytes: Uint8Array, at: number, value: number) => {
  const changed = Buffer.from(bytes);
  changed.writeUInt32LE(value, at);
  return changed;
};

// prettier-ignore
test.each([
  ['a block length of 0', with32(PACKET, 4, 0), 4, 'a block of 0 bytes; expected a multiple of 4, at least 12'],
  ['a block length that is no multiple of 4', with32(PACKET, 4, PACKET.length + 1), 4, `a block of ${PACKET.length + 1} bytes; expected a multiple of 4, at least 12`],
  ['a block one word too long', with32(PACKET, 4, PACKET.length + 4), PACKET.length, `the file ends in the middle of the block that begins at byte ${DESCRIBED.length}`],
  ['a trailer that disagrees', with32(PACKET, PACKET.length - 4, 12), PACKET.length - 4, `a block of ${PACKET.length} bytes whose trailing length is 12`],
  ['a captured length beyond the block', with32(PACKET, 20, 0xffffffff), 20, `a packet of 4294967295 bytes in a block with room for ${PACKET.length - 32}`],
  ['a packet block too short for its header', block(true, 6, words(true, 0)), 4, 'a packet block of 16 bytes, at least 32 expected'],
  ['an unknown interface', enhancedPacket(true, 1, 0n, FIRST), 8, 'a packet of interface 1, but the section has described 1 so far'],
  ['a simple packet longer than its block', block(true, 3, words(true, 999)), 8, 'a packet of 999 bytes in a block with room for 0'],
  ['an option beyond its block', block(true, 1, halves(true, 1, 0), words(true, 0), halves(true, 2, 400)), 18, 'an option of 400 bytes in an interface description that has 0 left'],
  ['an interface description beyond reason', with32(interfaceDescription(true, 1, ''), 4, 0x7ffffffc), 4, 'an interface description of 2147483644 bytes, at most 65536 are read'],
  ['a section without byte order', with32(SECTION, 8, 0), 8, 'a section header without a byte-order magic'],
  ['a section of version 2', with32(SECTION, 12, 2), 12, 'pcapng version 2.0, expected 1.x'],
  ['a 4 GiB packet block', with32(with32(PACKET, 4, 0xfffffffc), 20, 0xffffff00), 20, 'a packet of 4294967040 bytes, at most 262144 can be'],
])('%s: named with its offset', (_what, bad, offset, complaint) => {
  const { packets, error } = readCapture(Buffer.concat([DESCRIBED, bad]));
  expect(error?.complaint).toBe(complaint);
  expect(error?.offset).toBe(DESCRIBED.length + offset);
  expect(packets.length).toBeLessThanOrEqual(1);
});

test('4097 interfaces in one section are refused', () => {
  const many = Buffer.concat(Array.from({ length: 4097 }, () => interfaceDescription(true, 1, '')));
  expect(readCapture(Buffer.concat([SECTION, many])).error?.complaint).toBe('more than 4096 interfaces in one section');
});

test('of an interface’s name, however long, 256 bytes are kept', () => {
  const described = interfaceDescription(true, 1, 'x'.repeat(60_000));
  const { packets, error } = readCapture(Buffer.concat([SECTION, described, PACKET]));
  expect(error).toBeUndefined();
  expect(packets.map((packet) => packet.interface)).toEqual(['x'.repeat(256)]);
});

/** A file of 4 GiB whose middle is not stored. */
class HollowSource implements ByteSource {
  readonly name = 'hollow';
  private position = 0;

  constructor(
    private readonly head: Uint8Array,
    private readonly hollowBytes: number,
    private readonly tail: Uint8Array,
  ) {}

  read(bytes: Uint8Array, at: number, length: number): number {
    const { head, tail } = this;
    const tailAt = head.length + this.hollowBytes;
    const from = this.position;
    const part = from < head.length ? head.subarray(from) : from >= tailAt ? tail.subarray(from - tailAt) : undefined;
    const count = Math.min(length, part ? part.length : tailAt - from);
    if (part) bytes.set(part.subarray(0, count), at);
    this.position += count;
    return count;
  }

  close(): void {}
}

test('an unknown block of 4 GiB is skipped in the same memory, and the packet behind it is read', () => {
  const length = 0xfffffffc;
  const head = Buffer.concat([DESCRIBED, words(true, 0x0bad, length)]);
  const tail = Buffer.concat([words(true, length), PACKET, PACKET.subarray(0, 30)]);
  const memory = new Uint8Array(WINDOW_BYTES);
  const reader = openCapture(new HollowSource(head, length - 12, tail), memory, 0);
  const steps = [];
  for (let step = reader.advance(); ; step = reader.advance()) {
    if (step === Step.Refill) reader.refill();
    else steps.push(step);
    if (step === Step.End) break;
  }
  expect(steps).toEqual([Step.Packet, Step.End]);
  expect(reader.error?.offset).toBe(DESCRIBED.length + length + PACKET.length + 30);
});

test('a comment option longer than the window does not hide the packet before it', () => {
  const long = new Uint8Array(65532);
  const comments = Array.from({ length: 12 }, () => option(true, 1, long));
  const file = Buffer.concat([DESCRIBED, enhancedPacket(true, 0, 0n, FIRST, ...comments), PACKET]);
  expect(file.length).toBeGreaterThan(WINDOW_BYTES);
  const { packets, error } = readCapture(file);
  expect(error).toBeUndefined();
  expect(packets).toHaveLength(2);
});
