/** The checksums that are updated (RFC 1624 equation 3) against the ones computed in full by a naive twin. */
import * as fc from 'fast-check';
import { buildTcp, type Extension, ipHeaderChecksum, tcpChecksum, type TcpPacket } from '../../../src/packet/builder';
import { finish, sum, updateInt32, updateWord } from '../../../src/packet/checksum';
import {
  rewriteDestination,
  rewriteDestinationPort,
  rewriteSource,
  rewriteSourcePort,
} from '../../../src/packet/rewrite';
import { Parsed, PacketView } from '../../../src/packet/view';
import { FAMILY, WORDS } from '../../support/family';
import { carriedAt, checksumFields, checksumsOf, complement, difference, wordSum } from '../../support/naive-checksum';

const RUNS = { numRuns: 2000 };
/** The words at which one's-complement arithmetic bends are as likely as all others. */
const word = fc.oneof(
  fc.constantFrom(0x0000, 0x0001, 0x7fff, 0x8000, 0xfffe, 0xffff),
  fc.integer({ min: 0, max: 0xffff }),
);
const address = fc.tuple(word, word).map(([high, low]) => (high << 16) | low);
const bytes = (maxLength: number) =>
  fc.oneof(
    fc.uint8Array({ maxLength }),
    fc.array(fc.constantFrom(0x00, 0xff), { maxLength }).map((octets) => Uint8Array.from(octets)),
  );

/** Options of any bytes, for the hops or the destination; a routing header that is used up; a fragment that is whole. */
const extension = fc
  .tuple(fc.constantFrom(0, 60, 43, 44), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(([header, filler]): Extension => {
    if (header === 44) return { header, bytes: [0, filler[1], 0, 0, ...filler.subarray(4, 8)] };
    return { header, bytes: [0, 1, filler[2], 0, ...filler.subarray(4)] };
  });

const words = fc.array(address, { minLength: WORDS, maxLength: WORDS }).map((all) => Int32Array.from(all));

const FAMILY_FIELDS: Record<string, fc.Arbitrary<unknown>> = FAMILY === 'ipv4'
  ? { ipOptions: bytes(40) }
  : { extensions: fc.array(extension, { maxLength: 3 }) };

const packet: fc.Arbitrary<TcpPacket> = fc.record({
  source: words,
  destination: words,
  sourcePort: word,
  destinationPort: word,
  flags: fc.integer({ min: 0, max: 0xff }),
  sequence: address,
  acknowledgement: address,
  window: word,
  identification: word,
  ttl: fc.integer({ min: 0, max: 0xff }),
  payload: bytes(200),
  options: bytes(40),
  ...FAMILY_FIELDS,
});

test('the full sum, of any bytes anywhere, odd lengths included', () => {
  fc.assert(
    fc.property(bytes(3000), fc.nat({ max: 9 }), (octets, at) => {
      const amid = new Uint8Array(octets.length + 20).fill(0xa5);
      amid.set(octets, at);
      const expected = complement(wordSum(octets));
      expect(finish(sum(amid, at, octets.length))).toBe(expected);
    }),
    RUNS,
  );
});

test('a changed word, in bytes that are not all zero', () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), fc.nat(), word, (words, at, to) => {
      const index = at % words.length;
      const sumOf = (all: number[]) => complement(all.reduce((total, one) => total + BigInt(one), 0n));
      const changed = words.map((one, i) => (i === index ? to : one));
      // All zero never happens: the protocol number is in both sums.
      fc.pre(words.some((one) => one !== 0) && changed.some((one) => one !== 0));
      expect(updateWord(sumOf(words), words[index], to)).toBe(sumOf(changed));
    }),
    RUNS,
  );
});

test('a changed int32 is two changed words', () => {
  fc.assert(
    fc.property(word, address, address, (checksum, from, to) => {
      const high = updateWord(checksum, from >>> 16, to >>> 16);
      const twice = updateWord(high, from & 0xffff, to & 0xffff);
      expect(difference(updateInt32(checksum, from, to), twice)).toBe(0);
    }),
    RUNS,
  );
});

test('built packets bear the checksums they ought to', () => {
  fc.assert(
    fc.property(packet, (fields) => {
      const built = buildTcp(fields);
      expect(checksumFields(built)).toEqual(checksumsOf(built));
      const ip = FAMILY === 'ipv4' ? ipHeaderChecksum(built, 0) : 0;
      expect({ ip, tcp: tcpChecksum(built, 0) }).toEqual(checksumsOf(built));
    }),
    RUNS,
  );
});

type Rewrite = (view: PacketView) => void;
const rewrite: fc.Arbitrary<Rewrite> = fc.oneof(
  fc.tuple(fc.constantFrom(rewriteSource, rewriteDestination), words).map(
    ([act, to]): Rewrite =>
      (view) =>
        act(view, to),
  ),
  fc.tuple(fc.constantFrom(rewriteSourcePort, rewriteDestinationPort), word).map(
    ([act, to]): Rewrite =>
      (view) =>
        act(view, to),
  ),
);

test('rewritten packets, however often, bear the checksums they ought to, and the view follows the bytes', () => {
  fc.assert(
    fc.property(packet, fc.array(rewrite, { maxLength: 6 }), (fields, rewrites) => {
      const built = buildTcp(fields);
      const view = new PacketView();
      expect(view.parse(built, 0, built.length)).toBe(Parsed.Ok);
      for (const act of rewrites) act(view);
      expect(checksumFields(built)).toEqual(checksumsOf(built));
      const fresh = new PacketView();
      fresh.parse(built, 0, built.length);
      expect(view).toEqual(fresh);
    }),
    RUNS,
  );
});

test('a checksum that was wrong is wrong by as much after any rewrite: corruption stays visible', () => {
  fc.assert(
    fc.property(packet, fc.array(rewrite, { minLength: 1, maxLength: 6 }), word, word, (fields, rewrites, ip, tcp) => {
      const built = buildTcp(fields);
      const tcpAt = carriedAt(built);
      if (FAMILY === 'ipv4') built.set([ip >> 8, ip & 255], 10);
      built.set([tcp >> 8, tcp & 255], tcpAt + 16);
      const errors = () => {
        const [bears, ought] = [checksumFields(built), checksumsOf(built)];
        return [difference(bears.ip, ought.ip), difference(bears.tcp, ought.tcp)];
      };
      const before = errors();
      const view = new PacketView();
      view.parse(built, 0, built.length);
      for (const act of rewrites) act(view);
      expect(errors()).toEqual(before);
    }),
    RUNS,
  );
});
