/** pcapng (draft-ietf-opsawg-pcapng): sections, interfaces, clocks, the three packet blocks, and what is skipped. */
import {
  block,
  enhancedPacket,
  frame,
  type Frame,
  halves,
  interfaceDescription,
  microStamp,
  option,
  padded,
  pcapngFile,
  sectionHeader,
  words,
} from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { report, Wire } from '../../support/conversation';

function someFrames(): Frame[] {
  const wire = new Wire();
  report(wire, '10.1.7.1', 40001, 'itms').open().say('opener', 'odd').say('acceptor', 'even').close('opener');
  return wire.packets.map((packet) => frame(packet));
}
const FRAMES = someFrames();
const [FIRST, SECOND] = FRAMES;
const bytesOf = (frames: readonly Frame[]) => frames.map((one) => Buffer.from(one.bytes));

const TSRESOL = 9;
const TSOFFSET = 14;

describe.each([
  ['little endian', true],
  ['big endian', false],
])('%s', (_order, little) => {
  test('interfaces by name, enhanced packet blocks', () => {
    const { packets, error } = readCapture(pcapngFile(FRAMES, little));
    expect(error).toBeUndefined();
    expect(packets.map((one) => one.bytes)).toEqual(bytesOf(FRAMES));
    expect(packets.map((one) => one.interface)).toEqual(FRAMES.map((one) => one.interface));
    expect(packets.map((one) => [one.seconds, one.nanoseconds])).toEqual(
      FRAMES.map((one) => [one.seconds, one.nanoseconds]),
    );
  });

  test.each([
    ['milliseconds', 3, 1234n, [1, 234_000_000]],
    ['seconds', 0, 1234n, [1234, 0]],
    ['nanoseconds', 9, 1_400_000_000_123_456_789n, [1_400_000_000, 123_456_789]],
    ['picoseconds', 12, 5_000_000_000_999n, [5, 0]],
    ['1/1024 s', 0x8a, 1025n, [1, 976_562]],
    ['1/2^32 s', 0xa0, 0x0000_0007_8000_0000n, [7, 500_000_000]],
    ['1/2^127 s', 0xff, 12345n, [0, 0]],
    ['10^-127 s', 0x7f, 12345n, [0, 0]],
  ])('an interface’s clock in %s', (_what, resolution, stamp, time) => {
    const description = interfaceDescription(little, 1, '', option(little, TSRESOL, Uint8Array.of(resolution)));
    const file = [sectionHeader(little), description, enhancedPacket(little, 0, stamp, FIRST)];
    const [packet] = readCapture(Buffer.concat(file)).packets;
    expect([packet.seconds, packet.nanoseconds]).toEqual(time);
  });

  test('an interface’s offset, also a negative one', () => {
    const offset = new DataView(new ArrayBuffer(8));
    offset.setBigInt64(0, -3600n, little);
    const description = interfaceDescription(little, 1, '', option(little, TSOFFSET, new Uint8Array(offset.buffer)));
    const file = [sectionHeader(little), description, enhancedPacket(little, 0, 5_000_000n, FIRST)];
    expect(readCapture(Buffer.concat(file)).packets[0]).toMatchObject({ seconds: -3595, nanoseconds: 0 });
  });

  test('the obsolete packet block', () => {
    const stamp = microStamp(FIRST);
    // Interface id and drop count are 16 bits each.
    const fixed = [halves(little, 0, 77), words(little, Number(stamp >> 32n), Number(stamp & 0xffffffffn))];
    const lengths = words(little, FIRST.bytes.length, FIRST.originalBytes);
    const packet = block(little, 2, ...fixed, lengths, padded(FIRST.bytes));
    const file = Buffer.concat([sectionHeader(little), interfaceDescription(little, 1, 'cpe0'), packet]);
    const [read] = readCapture(file).packets;
    expect(read).toMatchObject({ seconds: FIRST.seconds, nanoseconds: FIRST.nanoseconds, interface: 'cpe0' });
    expect(read.bytes).toEqual(Buffer.from(FIRST.bytes));
  });

  test('simple packet blocks: the first interface’s snaplen, the time of the packet before', () => {
    const described = block(little, 1, halves(little, 1, 0), words(little, 40));
    const simple = block(little, 3, words(little, SECOND.originalBytes), SECOND.bytes.subarray(0, 40));
    const file = [sectionHeader(little), described, enhancedPacket(little, 0, microStamp(FIRST), FIRST), simple];
    const { packets, untimed } = readCapture(Buffer.concat(file));
    expect(untimed).toBe(1);
    expect(packets[1]).toEqual({
      ...packets[0],
      originalBytes: SECOND.originalBytes,
      bytes: Buffer.from(SECOND.bytes.subarray(0, 40)),
    });
  });

  test('unknown blocks and options are skipped', () => {
    const file = Buffer.concat([
      sectionHeader(little),
      block(little, 0x0bad, Buffer.from('a custom block of any length')),
      interfaceDescription(little, 1, 'cpe0', option(little, 2988, 'whatever')),
      block(little, 4, words(little, 0)),
      enhancedPacket(little, 0, microStamp(FIRST), FIRST, option(little, 1, 'a comment'), option(little, 0, '')),
      block(little, 5, words(little, 0, 0, 0)),
      enhancedPacket(little, 0, microStamp(SECOND), SECOND),
    ]);
    const { packets, error } = readCapture(file);
    expect(error).toBeUndefined();
    expect(packets.map((one) => one.bytes)).toEqual(bytesOf([FIRST, SECOND]));
  });
});

test('sections in different byte orders, each with interfaces of its own', () => {
  const section = (little: boolean, name: string, one: Frame) => [
    sectionHeader(little),
    interfaceDescription(little, 1, name),
    enhancedPacket(little, 0, microStamp(one), one),
  ];
  const file = Buffer.concat([...section(true, 'cpe0', FIRST), ...section(false, 'itms0', SECOND)]);
  const { packets } = readCapture(file);
  expect(packets.map((one) => one.interface)).toEqual(['cpe0', 'itms0']);
  expect(packets.map((one) => one.bytes)).toEqual(bytesOf([FIRST, SECOND]));
});

test('interfaces of one section with clocks of their own', () => {
  const file = Buffer.concat([
    sectionHeader(true),
    interfaceDescription(true, 1, 'cpe0', option(true, TSRESOL, Uint8Array.of(3))),
    interfaceDescription(true, 101, 'itms0', option(true, TSRESOL, Uint8Array.of(9))),
    enhancedPacket(true, 1, 2_000_000_005n, SECOND),
    enhancedPacket(true, 0, 2_001n, FIRST),
  ]);
  const { packets } = readCapture(file);
  expect(packets.map((one) => [one.interface, one.linkType, one.seconds, one.nanoseconds])).toEqual([
    ['itms0', 101, 2, 5],
    ['cpe0', 1, 2, 1_000_000],
  ]);
});

test.each([1, 3, 17, 100])('a pipe that gives %d bytes at once makes no difference', (chunkBytes) => {
  const file = pcapngFile(FRAMES);
  expect(readCapture(file, chunkBytes)).toEqual(readCapture(file));
});
