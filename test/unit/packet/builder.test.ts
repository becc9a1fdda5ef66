/** The builder against packets that it did not build, and against the limits of the headers. */
import { PacketBatch, PacketFlag, SLOT_BYTES, Verdict } from '../../../src/packet/batch';
import { buildTcp, ipHeaderChecksum, tcpChecksum, type TcpPacket } from '../../../src/packet/builder';
import { KNOWN_PACKETS } from '../../support/known-packets';
import { checksumFields, checksumsOf } from '../../support/naive-checksum';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const BASE: TcpPacket = {
  source: '10.1.2.3',
  destination: '10.1.0.1',
  sourcePort: 1,
  destinationPort: 2,
  flags: 0x10,
};

describe('builds what Linux sent, byte for byte', () => {
  test.each(KNOWN_PACKETS.map((packet) => [packet.name, packet] as const))('%s', (_name, { bytes, fields }) => {
    expect(hex(buildTcp(fields))).toBe(hex(bytes));
  });

  test.each(KNOWN_PACKETS.map((packet) => [packet.name, packet.bytes] as const))(
    'and finds its checksums right, wherever it lies: %s',
    (_name, known) => {
      const bytes = new Uint8Array(known.length + 9).fill(0xa5);
      bytes.set(known, 5);
      const fields = checksumFields(known);
      expect([ipHeaderChecksum(bytes, 5), tcpChecksum(bytes, 5)]).toEqual([fields.ip, fields.tcp]);
      expect(checksumsOf(known)).toEqual(fields);
    },
  );
});

describe('what a header can say', () => {
  test.each<[string, Partial<TcpPacket>, number]>([
    ['nothing but headers', {}, 40],
    ['an odd payload', { payload: 'x' }, 41],
    ['options are padded to words', { options: Uint8Array.of(1), ipOptions: new Uint8Array(5) }, 52],
    ['the longest headers', { options: new Uint8Array(40), ipOptions: new Uint8Array(40) }, 120],
    ['the longest packet', { payload: new Uint8Array(65495) }, 65535],
    ['ports 0 and 65535', { sourcePort: 0, destinationPort: 65535 }, 40],
  ])('%s', (_what, fields, total) => {
    const packet = buildTcp({ ...BASE, ...fields });
    expect(packet.length).toBe(total);
    expect(checksumFields(packet)).toEqual(checksumsOf(packet));
  });

  test.each<[string, Partial<TcpPacket>, string]>([
    ['one byte more', { payload: new Uint8Array(65496) }, 'does not fit'],
    ['TCP options of 41 bytes', { options: new Uint8Array(41) }, 'does not fit'],
    ['IP options of 41 bytes', { ipOptions: new Uint8Array(41) }, 'does not fit'],
    ['port 65536', { sourcePort: 65536 }, 'not a port: 65536'],
    ['port -1', { destinationPort: -1 }, 'not a port: -1'],
    ['half a port', { destinationPort: 1.5 }, 'not a port: 1.5'],
    ['a name for an address', { source: 'acs.example' }, 'not an IP address: acs.example'],
  ])('and what not: %s', (_what, fields, message) => {
    expect(() => buildTcp({ ...BASE, ...fields })).toThrow(message);
  });
});

describe('a batch', () => {
  test('holds packets as they are, in slots that nothing else of the batch touches', () => {
    const region = new ArrayBuffer(PacketBatch.regionBytes(3));
    new Uint8Array(region).fill(0xa5);
    const batch = new PacketBatch(region, 3);
    batch.count = 0;
    KNOWN_PACKETS.slice(0, 3).forEach(({ bytes }, i) => expect(batch.push(i, bytes, PacketFlag.Gso)).toBe(i));
    KNOWN_PACKETS.slice(0, 3).forEach(({ bytes }, i) => {
      expect(hex(batch.packet(i))).toBe(hex(bytes));
      const at = batch.offset[i];
      const slot = PacketBatch.slotsOffset(3) + i * SLOT_BYTES;
      expect([at >= slot, at + bytes.length <= slot + SLOT_BYTES]).toEqual([true, true]);
      expect([...batch.bytes.subarray(at + bytes.length, slot + SLOT_BYTES)].every((byte) => byte === 0xa5)).toBe(true);
    });
    const columns = [batch.queue, batch.packetId, batch.flags, batch.verdict, batch.reason].map((column) => [
      ...column,
    ]);
    expect(columns).toEqual([
      [0, 1, 2],
      [1, 2, 3],
      [2, 2, 2],
      [Verdict.Drop, Verdict.Drop, Verdict.Drop],
      [0, 0, 0],
    ]);
    expect(() => batch.push(0, KNOWN_PACKETS[0].bytes)).toThrow('batch is full');
  });

  test('refuses what does not fit', () => {
    const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
    expect(() => batch.push(0, new Uint8Array(SLOT_BYTES + 1))).toThrow('larger than a slot');
    expect(() => new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(2) - 1), 2)).toThrow('region too small');
  });
});
