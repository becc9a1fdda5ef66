/** Super-packets whose IP length field is 0 are as long as their frames, and leave with the field unchanged. */
import { buildTcp } from '../../../src/packet/builder';
import { TcpFlag } from '../../../src/packet/tcp';
import { clearLength, fillLength } from '../../../src/replay/missing-length';
import { frame, type Frame, pcapFile } from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { connectionRequest, report, Wire } from '../../support/conversation';
import { replayInMemory } from '../../support/replay-run';

const IP_AT = 14;
const TOTAL_LENGTH_AT = IP_AT + 2;

function story(): Frame[] {
  const wire = new Wire();
  const wake = connectionRequest(wire, 'c1', 50001, '10.1.7.1').open();
  wake.say('opener', 'GET / HTTP/1.1\r\n\r\n').say('acceptor', 'HTTP/1.1 200 OK\r\n\r\n').close('opener');
  wire.wait(100);
  report(wire, '10.1.7.1', 40001, 'c1').open().say('opener', 'Inform').close('acceptor');
  return wire.packets.map((packet) => frame(packet));
}

function withoutLength(one: Frame): Frame {
  const bytes = Uint8Array.from(one.bytes);
  bytes.fill(0, TOTAL_LENGTH_AT, TOTAL_LENGTH_AT + 2);
  return { ...one, bytes };
}

const WHOLE = story();
const ZERO = WHOLE.map(withoutLength);

test('a capture of them tells the same story', () => {
  expect(replayInMemory([pcapFile(ZERO)]).transcript).toBe(replayInMemory([pcapFile(WHOLE)]).transcript);
});

test.each([true, false])('they leave unchanged except for the addresses; transcript %s', (transcript) => {
  const packets = (frames: Frame[]) =>
    readCapture(replayInMemory([pcapFile(frames)], { transcript, format: 'pcap' }).output).packets;
  const zero = packets(ZERO);
  expect(zero.map(({ bytes }) => bytes.readUInt16BE(TOTAL_LENGTH_AT))).toEqual(ZERO.map(() => 0));
  const expected = packets(WHOLE).map(({ bytes }) => bytes.fill(0, TOTAL_LENGTH_AT, TOTAL_LENGTH_AT + 2));
  expect(zero.map(({ bytes }) => bytes)).toEqual(expected);
});

test('a cut one has the length that it had on the wire', () => {
  const cut = (one: Frame): Frame => ({ ...one, bytes: one.bytes.subarray(0, IP_AT + 20 + 32) });
  const { transcript, summary } = replayInMemory([pcapFile(ZERO.map(cut))]);
  expect(summary.packets.byReason['malformed-ip']).toBeUndefined();
  expect(transcript).toBe(replayInMemory([pcapFile(WHOLE.map(cut))]).transcript);
});

test('one that is longer than the field can express is told with its whole payload', () => {
  const payload = 'x'.repeat(65_000);
  const ends = { source: '10.1.7.1', destination: '10.1.0.1', sourcePort: 40001, destinationPort: 7547 };
  const ip = buildTcp({ ...ends, flags: TcpFlag.Ack, payload });
  const long = Buffer.concat([ip, new Uint8Array(35_000)]);
  long.fill(0, 2, 4);
  const bytes = Buffer.concat([WHOLE[0].bytes.subarray(0, IP_AT), long]);
  const { transcript, output } = replayInMemory([pcapFile([{ ...WHOLE[0], bytes, originalBytes: bytes.length }])]);
  expect(transcript).toMatch(/ 100000 rewritten report-to-itms\n$/);
  expect(readCapture(output).packets[0].bytes.readUInt16BE(TOTAL_LENGTH_AT)).toBe(0);
});

/** IPv6 header with payload length 0 and what follows it. */
function ipv6(nextHeader: number, ...rest: number[]): Uint8Array {
  const bytes = new Uint8Array(40 + rest.length);
  bytes.set([0x60, 0, 0, 0, 0, 0, nextHeader, 64]);
  bytes.set(rest, 40);
  return bytes;
}
const TCP = new Array<number>(20).fill(1);
const [HOP_BY_HOP, NO_NEXT] = [0, 59];

// prettier-ignore
test.each([
  ['TCP', ipv6(6, ...TCP), 20],
  ['a hop-by-hop header without the jumbo option', ipv6(HOP_BY_HOP, 6, 0, 1, 4, 0, 0, 0, 0, ...TCP), 28],
  ['a hop-by-hop header of Pad1', ipv6(HOP_BY_HOP, 6, 0, 0, 0, 0, 0, 0, 0, ...TCP), 28],
  ['the jumbo option', ipv6(HOP_BY_HOP, 6, 0, 0xc2, 4, 0, 1, 0, 0, ...TCP), undefined],
  ['the jumbo option after Pad1', ipv6(HOP_BY_HOP, 6, 1, 0, 0xc2, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...TCP), undefined],
  ['a hop-by-hop header that is cut', ipv6(HOP_BY_HOP, 6, 9, 1, 4), undefined],
  ['a hop-by-hop header that is cut at once', ipv6(HOP_BY_HOP, 6), undefined],
  ['no next header, and padding', ipv6(NO_NEXT, 0, 0, 0), undefined],
  ['nothing behind the header', ipv6(6), undefined],
  ['half a header', ipv6(6).subarray(0, 30), undefined],
])('IPv6, payload length 0, %s', (_what, packet, expected) => {
  const bytes = Buffer.concat([new Uint8Array(3), packet, new Uint8Array(9).fill(0xc2)]);
  const before = Buffer.from(bytes);
  const beyond = fillLength(bytes, 3, packet.length, packet.length);
  expect(beyond).toBe(expected === undefined ? -1 : 0);
  if (expected === undefined) {
    expect(bytes).toEqual(before);
    return;
  }
  expect(bytes.readUInt16BE(3 + 4)).toBe(expected);
  clearLength(bytes, 3);
  expect(bytes).toEqual(before);
});

test.each([
  ['IPv4 with a length', Uint8Array.of(0x45, 0, 0, 20, ...new Array<number>(16).fill(0))],
  ['half an IPv4 header', Uint8Array.of(0x45, 0, 0, 0)],
  ['neither', new Uint8Array(60).fill(0x20)],
])('%s is left alone', (_what, packet) => {
  const before = Uint8Array.from(packet);
  expect(fillLength(packet, 0, packet.length, packet.length)).toBe(-1);
  expect(packet).toEqual(before);
});

test('a wire length beyond reason is bounded', () => {
  const packet = Uint8Array.of(0x45, ...new Array<number>(19).fill(0));
  expect(fillLength(packet, 0, packet.length, 0xffffffff)).toBe(0x7fffffff);
});
