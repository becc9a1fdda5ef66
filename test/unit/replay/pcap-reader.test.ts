/** Classic pcap (draft-ietf-opsawg-pcap): every variant gives the same packets, whatever the chunk size. */
import { frame, type Frame, pcapFile, words } from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { report, Wire } from '../../support/conversation';

function someFrames(): Frame[] {
  const wire = new Wire();
  report(wire, '10.1.7.1', 40001, 'itms').open().say('opener', 'odd').say('acceptor', 'even').close('opener');
  return wire.packets.map((packet, i) => ({ ...frame(packet), nanoseconds: packet.micros * 1000 + i }));
}
const FRAMES = someFrames();

describe.each([
  ['little endian', true],
  ['big endian', false],
])('%s', (_order, little) => {
  test.each([
    ['microseconds', false],
    ['nanoseconds', true],
  ])('%s', (_unit, nanosecond) => {
    const { packets, error } = readCapture(pcapFile(FRAMES, { little, nanosecond }));
    expect(error).toBeUndefined();
    expect(packets).toHaveLength(FRAMES.length);
    packets.forEach((packet, i) => {
      const nanoseconds = FRAMES[i].nanoseconds - (nanosecond ? 0 : FRAMES[i].nanoseconds % 1000);
      expect(packet).toEqual({
        seconds: FRAMES[i].seconds,
        nanoseconds,
        originalBytes: FRAMES[i].originalBytes,
        linkType: 1,
        interface: '',
        bytes: Buffer.from(FRAMES[i].bytes),
      });
    });
  });
});

test.each([1, 3, 17, 100])('a pipe that gives %d bytes at once makes no difference', (chunkBytes) => {
  const file = pcapFile(FRAMES);
  expect(readCapture(file, chunkBytes)).toEqual(readCapture(file));
});

test('a capture without packets is a capture', () => {
  expect(readCapture(pcapFile([]))).toEqual({ packets: [], error: undefined, untimed: 0 });
});

test('a fraction beyond a second is carried', () => {
  const file = Buffer.from(pcapFile([{ ...FRAMES[0], seconds: 7, nanoseconds: 0 }]));
  file.writeUInt32LE(2_500_001, 24 + 4);
  expect(readCapture(file).packets[0]).toMatchObject({ seconds: 9, nanoseconds: 500_001_000 });
});

test('the bits of the link type that tell of a frame check sequence are not the link type', () => {
  const file = pcapFile(FRAMES, { linkType: (0x14000000 | 1) >>> 0 });
  expect(readCapture(file).packets[0].linkType).toBe(1);
});

test('a packet of the largest size is read, one byte more is refused', () => {
  const large = (bytes: number) => pcapFile([{ ...FRAMES[0], bytes: new Uint8Array(bytes), originalBytes: bytes }]);
  expect(readCapture(large(262144)).packets[0].bytes).toHaveLength(262144);
  expect(readCapture(large(262145)).error?.message).toBe(
    'capture: at byte 32: a packet of 262145 bytes, at most 262144 can be',
  );
});

// prettier-ignore
test.each([
  ['nothing at all', new Uint8Array(0), 0, 'the file is empty'],
  ['three bytes', Uint8Array.of(0xd4, 0xc3, 0xb2), 3, 'the file is too short to be a capture'],
  ['half a header', pcapFile([]).subarray(0, 20), 20, 'the file ends in the middle of the pcap header'],
  ['text', Buffer.from('# acsplit'), 0, 'neither pcap nor pcapng: it begins with 0x23206163'],
  ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), 0, /^neither pcap nor pcapng: .* gzip: unpack it first/],
  ['a patched format', words(true, 0xa1b2cd34, 0), 0, /a modified pcap/],
  ['another version', Buffer.concat([words(true, 0xa1b2c3d4), Uint8Array.of(2, 0, 3, 0), words(true, 0, 0, 0, 1)]), 4,
    'pcap version 2.3, expected 2.4'],
  ['another link type', pcapFile([], { linkType: 105 }), 20, /^link type 105 \(IEEE 802\.11\) is not supported;/],
])('refused: %s', (_what, file, offset, complaint) => {
  const { packets, error } = readCapture(file);
  expect(packets).toEqual([]);
  expect(error?.offset).toBe(offset);
  expect(error?.complaint).toEqual(typeof complaint === 'string' ? complaint : expect.stringMatching(complaint));
});
