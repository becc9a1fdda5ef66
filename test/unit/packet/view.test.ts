/** The view: whole packets parsed, cut and inconsistent ones refused, and no byte read outside the packet. */
import { buildTcp, type TcpPacket } from '../../../src/packet/builder';
import { Parsed, PacketView } from '../../../src/packet/view';
import { annotated, KNOWN_PACKETS } from '../../support/known-packets';

const NAMES = [
  'not-ip',
  'malformed-ip',
  'not-tcp',
  'icmp',
  'jumbogram',
  'source-routed',
  'fragment',
  'malformed-tcp',
  'ok',
];

function parsed(bytes: Uint8Array, length = bytes.length, cut = false): string {
  return NAMES[new PacketView().parse(bytes, 0, length, cut)];
}

const FULL: TcpPacket = {
  source: '255.254.253.252',
  destination: '128.0.0.1',
  sourcePort: 65535,
  destinationPort: 32768,
  flags: 0xff,
  sequence: 0xfffffffe,
  acknowledgement: 0x80000000,
  payload: 'abc',
  options: new Uint8Array(40).fill(1),
  ipOptions: new Uint8Array(40).fill(1),
};
const PLAIN: TcpPacket = { ...FULL, options: new Uint8Array(0), ipOptions: new Uint8Array(0) };

describe('a whole packet is taken apart', () => {
  test.each(KNOWN_PACKETS.map((packet) => [packet.name, packet] as const))('%s', (_name, { bytes, fields, ...at }) => {
    const view = new PacketView();
    expect(view.parse(bytes, 0, bytes.length)).toBe(Parsed.Ok);
    expect(view).toMatchObject({
      source: Int32Array.of(fields.source === '10.1.2.3' ? 0x0a010203 : 0x0a010001),
      destination: Int32Array.of(fields.source === '10.1.2.3' ? 0x0a010001 : 0x0a010203),
      sourcePort: fields.sourcePort,
      destinationPort: fields.destinationPort,
      sequence: (fields.sequence ?? 0) | 0,
      flags: fields.flags,
      tcpAt: at.tcpAt,
      payloadAt: at.payloadAt,
      payloadLength: bytes.length - at.payloadAt,
    });
  });

  test('with headers of the greatest length, at an offset, numbers signed where they are int32', () => {
    const packet = buildTcp(FULL);
    const bytes = new Uint8Array(1000 + packet.length + 500).fill(0xa5);
    bytes.set(packet, 1000);
    const view = new PacketView();
    expect(view.parse(bytes, 1000, packet.length)).toBe(Parsed.Ok);
    expect(view).toMatchObject({ ipAt: 1000, tcpAt: 1060, payloadAt: 1120, payloadLength: 3 });
    expect(view).toMatchObject({
      source: Int32Array.of(-66052),
      destination: Int32Array.of(-0x7fffffff),
      sequence: -2,
      flags: 0xff,
    });
    expect(view).toMatchObject({ sourcePort: 65535, destinationPort: 32768 });
  });

  test('bytes behind the total length are padding, as on Ethernet', () => {
    const packet = buildTcp({ ...PLAIN, payload: '' });
    const view = new PacketView();
    expect(view.parse(Uint8Array.from([...packet, 1, 2, 3, 4, 5, 6]), 0, packet.length + 6)).toBe(Parsed.Ok);
    expect(view.payloadLength).toBe(0);
  });

  test('the view is reused: nothing of the packet before is left in it', () => {
    const view = new PacketView();
    const first = buildTcp(FULL);
    view.parse(first, 0, first.length);
    const { bytes } = KNOWN_PACKETS[0];
    view.parse(bytes, 0, bytes.length);
    const fresh = new PacketView();
    fresh.parse(bytes, 0, bytes.length);
    expect(view).toEqual(fresh);
  });
});

describe('cut at every length', () => {
  test.each([
    ['plain headers', PLAIN],
    ['the longest headers', FULL],
  ])('with %s, never taken for whole', (_what, fields) => {
    const packet = buildTcp(fields);
    const seen = packet.reduce<string[]>((all, _byte, length) => [...all, parsed(packet, length)], []);
    expect(seen[0]).toBe('not-ip');
    expect(new Set(seen.slice(1))).toEqual(new Set(['malformed-ip']));
    expect(parsed(packet)).toBe('ok');
  });

  test.each([
    ['plain headers', PLAIN, 20, 20],
    ['the longest headers', FULL, 60, 60],
  ])('with %s, where a capture may have cut the tail: ok once the headers are whole', (_what, fields, ip, tcp) => {
    const packet = buildTcp(fields);
    for (let length = 1; length <= packet.length; length++) {
      const expected = length < ip ? 'malformed-ip' : length < ip + tcp ? 'malformed-tcp' : 'ok';
      expect([length, parsed(packet, length, true)]).toEqual([length, expected]);
    }
    const view = new PacketView();
    view.parse(packet, 0, packet.length - 1, true);
    expect(view.payloadLength).toBe(2);
  });

  test.each([
    ['the packet', false],
    ['its capture', true],
  ])('bytes behind the cut of %s are ignored', (_what, cut) => {
    const packet = buildTcp(FULL);
    for (let length = 0; length <= packet.length; length++) {
      const [zeros, ones] = [0x00, 0xff].map((filler) => {
        const bytes = new Uint8Array(packet.length + 200).fill(filler);
        bytes.set(packet.subarray(0, length), 100);
        const view = new PacketView();
        return { found: view.parse(bytes, 100, length, cut), ...view, bytes: undefined };
      });
      expect(zeros).toEqual(ones);
    }
  });
});

describe('headers that lie', () => {
  const spoil = (fields: TcpPacket, at: number, ...octets: number[]) => {
    const packet = buildTcp(fields);
    packet.set(octets, at);
    return packet;
  };
  const udpFragment = () => {
    const packet = spoil(PLAIN, 6, 0x00, 1);
    packet[9] = 17;
    return packet;
  };
  test.each([
    ['version 6', spoil(PLAIN, 0, 0x65), 'not-tcp'],
    ['version 0', spoil(PLAIN, 0, 0x05), 'not-ip'],
    ['version 5', spoil(PLAIN, 0, 0x55), 'not-ip'],
    ['IHL 0', spoil(PLAIN, 0, 0x40), 'malformed-ip'],
    ['IHL 4', spoil(PLAIN, 0, 0x44), 'malformed-ip'],
    ['IHL beyond the packet', spoil({ ...PLAIN, payload: '' }, 0, 0x4b), 'malformed-ip'],
    ['IHL beyond the total length', spoil(PLAIN, 0, 0x46, 0, 0, 23), 'malformed-ip'],
    ['total length 0, as of large receive offload', spoil(PLAIN, 2, 0, 0), 'malformed-ip'],
    ['total length below the header', spoil(PLAIN, 2, 0, 19), 'malformed-ip'],
    ['total length beyond the packet', spoil(PLAIN, 2, 0, 44), 'malformed-ip'],
    ['total length 65535', spoil(PLAIN, 2, 0xff, 0xff), 'malformed-ip'],
    ['total length that cuts the TCP header', spoil(PLAIN, 2, 0, 39), 'malformed-tcp'],
    ['total length of the IP header alone', spoil(PLAIN, 2, 0, 20), 'malformed-tcp'],
    ['data offset 0', spoil(PLAIN, 32, 0x00), 'malformed-tcp'],
    ['data offset 4', spoil(PLAIN, 32, 0x40), 'malformed-tcp'],
    ['data offset beyond the packet', spoil(PLAIN, 32, 0x60), 'malformed-tcp'],
    ['data offset that leaves no payload', spoil({ ...PLAIN, payload: 'abcd' }, 32, 0x60), 'ok'],
    ['UDP', spoil(PLAIN, 9, 17), 'not-tcp'],
    ['ICMP, too short for TCP', spoil({ ...PLAIN, payload: '' }, 9, 1), 'icmp'],
    ['a fragment of ICMP', spoil(PLAIN, 6, 0x20, 0, 64, 1), 'not-tcp'],
    ['first fragment', spoil(PLAIN, 6, 0x20, 0), 'fragment'],
    ['later fragment', spoil(PLAIN, 6, 0x00, 1), 'fragment'],
    ['last fragment at the greatest offset', spoil(PLAIN, 6, 0x1f, 0xff), 'fragment'],
    ['a later fragment of UDP', udpFragment(), 'not-tcp'],
    ['the reserved bit', spoil(PLAIN, 6, 0xc0, 0), 'ok'],
  ])('%s', (_what, packet, expected) => {
    expect(parsed(packet)).toBe(expected);
  });

  test.each([
    ['nothing', ''],
    ['one byte of IPv4', '45'],
    ['an Ethernet frame where IP is expected', '02 00 00 00 00 01 02 00 00 00 00 02 08 00 45 00 00 28'],
  ])('%s', (_what, text) => {
    const bytes = text === '' ? new Uint8Array(0) : annotated(text);
    expect(parsed(bytes)).toBe(text.startsWith('45') ? 'malformed-ip' : 'not-ip');
  });
});
