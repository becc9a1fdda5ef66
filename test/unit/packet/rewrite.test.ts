/** Rewriting: the named field and the checksums change, in bytes and view alike; nothing else does. */
import {
  rewriteDestination,
  rewriteDestinationPort,
  rewriteSource,
  rewriteSourcePort,
} from '../../../src/packet/rewrite';
import { buildTcp } from '../../../src/packet/builder';
import { PacketView } from '../../../src/packet/view';
import { KNOWN_PACKETS } from '../../support/known-packets';
import { checksumFields, checksumsOf, difference, withPartialChecksum } from '../../support/naive-checksum';

const COLLECTOR = Int32Array.of(0x0a030002);
const AT = 3;

/** A view over a known packet that lies amid a pattern. */
function viewOf(known: Uint8Array): PacketView {
  const bytes = new Uint8Array(AT + known.length + 7).fill(0xa5);
  bytes.set(known, AT);
  const view = new PacketView();
  view.parse(bytes, AT, known.length);
  return view;
}

/** Offsets, from the IP header, of the bytes that differ. */
function changed(view: PacketView, known: Uint8Array): number[] {
  return [...view.bytes.keys()].filter((i) => view.bytes[i] !== (known[i - AT] ?? 0xa5)).map((i) => i - AT);
}

const REWRITES = [
  ['source', (view: PacketView) => rewriteSource(view, COLLECTOR), [12, 13, 14, 15]],
  ['destination', (view: PacketView) => rewriteDestination(view, COLLECTOR), [16, 17, 18, 19]],
  ['source port', (view: PacketView) => rewriteSourcePort(view, 61000), [20, 21]],
  ['destination port', (view: PacketView) => rewriteDestinationPort(view, 61000), [22, 23]],
] as const;

describe.each(KNOWN_PACKETS.map((packet) => [packet.name, packet.bytes] as const))('%s', (_name, known) => {
  test.each(REWRITES)('%s: the field and the checksums, which are right', (field, rewrite, octets) => {
    const view = viewOf(known);
    rewrite(view);
    const packet = view.bytes.subarray(AT, AT + known.length);
    expect(checksumFields(packet)).toEqual(checksumsOf(packet));

    const sums = field.endsWith('port') ? [36, 37] : [10, 11, 36, 37];
    expect([...octets, ...sums]).toEqual(expect.arrayContaining(changed(view, known)));
    const fresh = new PacketView();
    fresh.parse(view.bytes, AT, known.length);
    expect(view).toEqual(fresh);
    expect(changed(view, known).length).toBeGreaterThan(2);
  });

  test('all four and back again: the packet is as before', () => {
    const view = viewOf(known);
    const { sourcePort, destinationPort } = view;
    const [source, destination] = [view.source.slice(), view.destination.slice()];
    for (const [, rewrite] of REWRITES) rewrite(view);
    rewriteSource(view, source);
    rewriteDestination(view, destination);
    rewriteSourcePort(view, sourcePort);
    rewriteDestinationPort(view, destinationPort);
    expect(changed(view, known)).toEqual([]);
  });

  test('to the same value: nothing changes', () => {
    const view = viewOf(known);
    rewriteSource(view, view.source);
    rewriteDestinationPort(view, view.destinationPort);
    expect(changed(view, known)).toEqual([]);
  });

  test.each([
    ['the payload', known.length - 1],
    ['the TCP checksum', 37],
    ['the sequence number', 24],
    ['the TTL', 8],
    ['the IP checksum', 10],
  ])('a bit that flipped on the wire in %s is as visible after as before', (_what, at) => {
    const view = viewOf(known);
    view.bytes[AT + at] ^= 0x04;
    const packet = view.bytes.subarray(AT, AT + known.length);
    const errors = () => {
      const [bears, ought] = [checksumFields(packet), checksumsOf(packet)];
      return [difference(bears.ip, ought.ip), difference(bears.tcp, ought.tcp)];
    };
    const before = errors();
    expect(before.filter((error) => error !== 0)).toHaveLength(1);
    view.parse(view.bytes, AT, known.length);
    for (const [, rewrite] of REWRITES) rewrite(view);
    expect(errors()).toEqual(before);
  });
});

describe('a captured packet whose checksum holds only the pseudo-header’s sum', () => {
  const IPV6 = buildTcp({
    ...{ source: '2001:db8:1::1', sourcePort: 7170, destination: '2001:db8:1::2', destinationPort: 50_001 },
    ...{ flags: 0x18, payload: 'HTTP/1.1 200 OK\r\n\r\n.' },
  });
  const COLLECTOR6 = Int32Array.of(0x20010db8, 3, 0, 2);
  const rows = [...KNOWN_PACKETS, { name: 'IPv6, an odd payload', bytes: IPV6 }].map(
    (packet) => [packet.name, packet.bytes] as const,
  );

  /** As of a capture, rewritten in source and source port. */
  function rewritten(packet: Uint8Array, marks: Partial<PacketView> = {}): Uint8Array {
    const view = viewOf(packet);
    Object.assign(view, { isCaptured: true, ...marks });
    rewriteSource(view, view.isIpv6 ? COLLECTOR6 : COLLECTOR);
    rewriteSourcePort(view, 61000);
    return view.bytes.subarray(AT, AT + packet.length);
  }

  test.each(rows)('%s: it is completed', (_name, known) => {
    const packet = rewritten(withPartialChecksum(known));
    expect(packet).toEqual(rewritten(known));
    expect(checksumFields(packet)).toEqual(checksumsOf(packet));
  });

  test('one that was wrong stays as wrong as it was', () => {
    const [, known] = rows[0]!;
    const wrong = withPartialChecksum(known);
    wrong[37] ^= 1;
    const packet = rewritten(wrong);
    expect(difference(checksumFields(packet).tcp, checksumsOf(packet).tcp)).toBe(
      difference(checksumFields(wrong).tcp, checksumsOf(wrong).tcp),
    );
  });

  test('without its tail it cannot be completed', () => {
    const [, known] = rows[0]!;
    const packet = rewritten(withPartialChecksum(known), { isUnsummed: true });
    expect(checksumFields(packet)).not.toEqual(checksumsOf(packet));
  });
});
