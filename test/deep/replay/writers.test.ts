/** What replay writes, read back byte by byte: comments, kept and dropped packets, copied and built records. */
import { frame, type Frame, pcapFile, pcapngFile } from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { ACS, report, Wire } from '../../support/conversation';
import { replayInMemory } from '../../support/replay-run';
import { TcpFlag } from '../../../src/packet/tcp';
import { WINDOW_BYTES } from '../../../src/replay/open-capture';

/** A session of a CPE with the ITMS, and amid it a SYN that must not pass. */
function frames(): Frame[] {
  const wire = new Wire();
  const session = report(wire, '10.1.7.1', 40001, 'itms').open();
  wire.send('cpe', { source: '10.1.7.1', destination: ACS, sourcePort: 5, destinationPort: 22, flags: TcpFlag.Syn });
  session.say('opener', 'odd').say('acceptor', 'even').close('opener');
  return wire.packets.map((packet) => frame(packet));
}
const FRAMES = frames();
const DROPPED_AT = 3;
const KEPT = FRAMES.filter((_, i) => i !== DROPPED_AT);

describe.each([
  ['copied records of a pcap', [pcapFile(FRAMES)], 'pcap'],
  ['a big-endian pcap', [pcapFile(FRAMES, { little: false })], 'pcap'],
  ['a nanosecond pcap', [pcapFile(FRAMES, { nanosecond: true })], 'pcap'],
  ['records built from a pcapng', [pcapngFile(FRAMES)], 'pcap'],
  ['blocks built from a pcap', [pcapFile(FRAMES)], 'pcapng'],
  ['blocks built from a pcapng', [pcapngFile(FRAMES, false)], 'pcapng'],
] as const)('%s', (_what, captures, format) => {
  test('keep time, length and link header; the dropped packet is left out', () => {
    const { packets } = readCapture(replayInMemory(captures, { format }).output);
    expect(packets.map(({ seconds, nanoseconds, originalBytes }) => [seconds, nanoseconds, originalBytes])).toEqual(
      KEPT.map(({ seconds, nanoseconds, originalBytes }) => [seconds, nanoseconds, originalBytes]),
    );
    for (const { bytes } of packets) expect([...bytes.subarray(0, 14)]).toEqual([...FRAMES[0].bytes.subarray(0, 14)]);
  });

  test('--keep-dropped keeps it as it came', () => {
    const { packets } = readCapture(replayInMemory(captures, { format, keepDropped: true }).output);
    expect(packets).toHaveLength(FRAMES.length);
    expect(packets[DROPPED_AT].bytes).toEqual(Buffer.from(FRAMES[DROPPED_AT].bytes));
  });
});

test('a pcap keeps byte order, resolution, snaplen and link type of a pcap', () => {
  const shape = { little: false, nanosecond: true, snapLength: 777 };
  const header = (file: Uint8Array) => Buffer.from(file).subarray(0, 24).toString('hex');
  const capture = pcapFile(FRAMES, shape);
  expect(header(replayInMemory([capture], { format: 'pcap' }).output)).toBe(header(capture));
});

test('a pcapng names its interfaces, and verdict and reason with every packet', () => {
  const { output } = replayInMemory([pcapngFile(FRAMES)], { keepDropped: true });
  expect(readCapture(output).packets.map((one) => one.interface)).toEqual(FRAMES.map((one) => one.interface));
  const text = output.toString('latin1');
  expect(text.match(/dropped: syn-other-port/g)).toHaveLength(1);
  expect(text.match(/rewritten: to-itms/g)).toHaveLength(1);
});

test('inputs of two flavours end up in the first one’s', () => {
  const others = FRAMES.map((one) => ({ ...one, seconds: one.seconds + 100 }));
  const captures = [pcapFile(FRAMES), pcapFile(others, { little: false, nanosecond: true })];
  const { packets } = readCapture(replayInMemory(captures, { format: 'pcap' }).output);
  expect(packets.map((one) => one.seconds)).toEqual(
    [...KEPT, ...KEPT].map((one, i) => one.seconds + (i < KEPT.length ? 0 : 100)),
  );
});

test('two link types in one pcap are refused, and in one pcapng are not', () => {
  const raw = FRAMES.map((one) => ({ ...one, bytes: one.bytes.subarray(14), originalBytes: one.originalBytes - 14 }));
  const captures = [pcapFile(FRAMES), pcapFile(raw, { linkType: 101 })];
  expect(() => replayInMemory(captures, { format: 'pcap' })).toThrow(
    'out.pcap: pcap holds one link type, and the packets have 1 and 101; write to a name that ends in .pcapng',
  );
  expect(readCapture(replayInMemory(captures).output).packets).toHaveLength(2 * KEPT.length);
});

test.each(['pcap', 'pcapng'] as const)('a %s without packets is a whole file', (format) => {
  const { output } = replayInMemory([pcapFile([])], { format });
  expect(readCapture(output)).toEqual({ packets: [], error: undefined, untimed: 0 });
  expect(output.length).toBeGreaterThan(20);
});

describe('a capture larger than the reader’s window', () => {
  const many = Array.from({ length: 1400 }, (_, n) =>
    FRAMES.map((one) => ({ ...one, seconds: one.seconds + n })),
  ).flat();
  const built = readCapture(replayInMemory([pcapFile(many)], { transcript: false }).output).packets;

  test.each([
    ['in one file', [pcapFile(many)]],
    [
      'in two files of one flavour',
      [pcapFile(many.filter((_, i) => i % 3 > 0)), pcapFile(many.filter((_, i) => i % 3 === 0))],
    ],
  ])('%s is copied record by record as it would be built', (_what, captures) => {
    expect(captures[0].length).toBeGreaterThan(WINDOW_BYTES);
    for (const chunkBytes of [Number.POSITIVE_INFINITY, 1000]) {
      const { output } = replayInMemory(captures, { format: 'pcap', transcript: false, chunkBytes });
      const copied = readCapture(output).packets;
      expect(copied.length).toBe(1400 * KEPT.length);
      const differing = copied.filter(({ seconds, nanoseconds, bytes }, i) => {
        const other = built[i];
        return seconds !== other.seconds || nanoseconds !== other.nanoseconds || !bytes.equals(other.bytes);
      });
      expect(differing).toHaveLength(0);
    }
  });
});
