/** The ring of traced packets: kept only on request, never blocking, with overwritten packets counted. */
import { parseAddress } from '../../../../src/packet/address';
import { PacketBatch, Verdict } from '../../../../src/packet/batch';
import { buildTcp } from '../../../../src/packet/builder';
import { packetTrace } from '../../../../src/engine/control/packet-trace';
import { MAX_KEPT_BYTES, PacketRing, RING_SLOTS, type RingPacket } from '../../../../src/engine/shared/packet-ring';

const ONE = '10.1.7.1';
const OTHER = '10.1.7.2';
const NOW = 1000;

let ring: PacketRing;
let batch: PacketBatch;

beforeEach(() => {
  ring = new PacketRing(new ArrayBuffer(PacketRing.BYTES), 0);
  batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(8)), 8);
});

function fromCpe(source: string, payload = new Uint8Array(0)): Uint8Array {
  return buildTcp({ source, destination: '10.1.0.1', sourcePort: 40_000, destinationPort: 7547, flags: 2, payload });
}

/** A batch's way through the loop; its decision is a change of the TTL. */
function pass(packets: Uint8Array[], nowMs = NOW): void {
  batch.count = 0;
  for (const packet of packets) batch.push(0, packet);
  ring.before(batch, nowMs);
  for (let i = 0; i < batch.count; i++) {
    batch.verdict[i] = Verdict.AcceptRewritten;
    batch.reason[i] = 10 + i;
    batch.bytes[batch.offset[i] + 8] = 1;
  }
  ring.after(batch);
}

function read(since = 0, cpe?: string): { packets: RingPacket[]; next: number; missed: number } {
  const packets: RingPacket[] = [];
  const address = cpe === undefined ? undefined : parseAddress(cpe);
  return { packets, ...ring.readSince(since, address, (packet) => packets.push(packet) > 0) };
}

test('without a reader nothing is kept', () => {
  pass([fromCpe(ONE)]);
  expect(ring.written).toBe(0);
});

test('a packet as it came, as it left, its verdict and its reason', () => {
  ring.lease(undefined, NOW, NOW + 1);
  const packet = fromCpe(ONE);
  pass([fromCpe(OTHER), packet]);
  const { packets, next, missed } = read(0, ONE);
  expect({ next, missed }).toEqual({ next: 2, missed: 0 });
  expect(packets).toHaveLength(1);
  expect(packets[0]).toMatchObject({ timeMs: NOW, queue: 0, verdict: Verdict.AcceptRewritten, reason: 11 });
  expect(packets[0].bytes).toEqual(Uint8Array.from(packet));
  expect(packets[0].after[8]).toBe(1);
});

test('the CPEs of all readers are kept, and no others; a lease ends by itself', () => {
  ring.lease(parseAddress(ONE), NOW, NOW + 100);
  pass([fromCpe(OTHER), fromCpe(ONE)]);
  expect(read().packets.map(({ bytes }) => bytes[15])).toEqual([1]);
  ring.lease(parseAddress(OTHER), NOW + 50, NOW + 200);
  pass([fromCpe(OTHER), fromCpe(ONE)], NOW + 99);
  expect(ring.written).toBe(3);
  pass([fromCpe(OTHER), fromCpe(ONE)], NOW + 100);
  expect(ring.written).toBe(4);
  pass([fromCpe(OTHER), fromCpe(ONE)], NOW + 200);
  expect(ring.written).toBe(4);
});

test('the ninth reader of another CPE is refused until one of the eight has gone', () => {
  const cpe = (n: number) => parseAddress(`10.1.7.${n}`);
  for (let n = 0; n < 8; n++) expect(ring.lease(cpe(n), NOW, NOW + 10 + n)).toBe(true);
  expect(ring.lease(cpe(8), NOW, NOW + 20)).toBe(false);
  expect(ring.lease(cpe(3), NOW, NOW + 20)).toBe(true);
  expect(ring.lease(cpe(8), NOW + 10, NOW + 20)).toBe(true);
});

test('a slow reader learns how many packets were overwritten', () => {
  ring.lease(undefined, NOW, NOW + 1);
  const packet = fromCpe(ONE);
  for (let n = 0; n < RING_SLOTS + 16; n += 8) pass(Array.from({ length: 8 }, () => packet));
  const { packets, next, missed } = read(0);
  expect({ packets: packets.length, next, missed }).toEqual({ packets: RING_SLOTS, next: RING_SLOTS + 16, missed: 16 });
  expect(read(next)).toEqual({ packets: [], next, missed: 0 });
});

test('a packet that is just being written is not read: it counts as missed', () => {
  ring.lease(undefined, NOW, NOW + 1);
  for (let n = 0; n < RING_SLOTS; n += 8) pass(Array.from({ length: 8 }, () => fromCpe(ONE)));
  batch.count = 0;
  batch.push(0, fromCpe(OTHER));
  ring.before(batch, NOW);
  expect(read(0)).toMatchObject({ missed: 1, next: RING_SLOTS });
});

test('a super-packet is cut, and says how long it was', () => {
  ring.lease(undefined, NOW, NOW + 1);
  const packet = fromCpe(ONE, new Uint8Array(5000));
  pass([packet]);
  expect(read().packets[0]).toMatchObject({ originalBytes: packet.length });
  expect(read().packets[0].bytes).toEqual(Uint8Array.from(packet.subarray(0, MAX_KEPT_BYTES)));
});

test('a packet cut in the middle of its addresses matches no CPE', () => {
  ring.lease(parseAddress(ONE), NOW, NOW + 1);
  pass([fromCpe(ONE).subarray(0, 19), new Uint8Array(0), Uint8Array.of(0x60)]);
  expect(ring.written).toBe(0);
});

test('IPv6 by all its 128 bits', () => {
  const packet = new Uint8Array(60);
  packet[0] = 0x60;
  packet.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], 8);
  ring.lease(parseAddress('2001:db8::5'), NOW, NOW + 1);
  pass([packet]);
  expect(ring.written).toBe(1);
  packet[23] = 6;
  pass([packet]);
  expect(ring.written).toBe(1);
});

test('eight may trace at once, each their CPE or all; the ninth is told so, and comes in when one of them is silent', () => {
  let nowMs = NOW;
  const { packets } = packetTrace({ ring, run: 'run', clock: () => nowMs, isCpe: () => true, watch: () => undefined });
  const ask = (n: number) => packets({ command: 'packets', cpe: `10.1.7.${n}` });
  for (let n = 1; n <= 8; n++) ask(n);
  expect(() => ask(9)).toThrow('eight others trace packets already; end one of them');
  expect(() => packets({ command: 'packets' })).toThrow('eight others trace packets already; end one of them');
  nowMs += 4000;
  ask(1);
  nowMs += 4000;
  expect(ask(9)).toMatchObject({ packets: [] });
});

test('where no CPE lives is nothing to trace: said at the first question, not in the middle of a trace', () => {
  const { packets } = packetTrace({ ring, run: 'run', clock: () => NOW, isCpe: () => false, watch: () => undefined });
  expect(() => packets({ command: 'packets', cpe: '8.8.8.8' })).toThrow(/^8\.8\.8\.8 is in none of cpe\.networks$/);
  expect(packets({ command: 'packets', cpe: '8.8.8.8', since: 0 })).toMatchObject({ packets: [] });
});

test.each([
  [{ cpe: '10.1.7' }, 'cpe must be an IPv4 or IPv6 address'],
  [{ cpe: 7 }, 'cpe must be an IPv4 or IPv6 address'],
  [{ since: -1 }, 'since must be a whole number'],
  [{ since: '0' }, 'since must be a whole number'],
])('a malformed request is refused: %p', (request, expected) => {
  expect(() =>
    packetTrace({ ring, run: 'run', clock: () => NOW, isCpe: () => true, watch: () => undefined }).packets({
      command: 'packets',
      ...request,
    }),
  ).toThrow(expected);
});
