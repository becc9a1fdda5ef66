/** An IPv4 TCP packet of the tests as the same packet over IPv6: another IP header, the same segment. */
import { buildTcp, type Extension } from '../../src/packet/builder';
import { addressNamed } from './family';
import { packetEnds } from './packet-ends';

/** @param bytes may be cut behind the TCP header; the translation then is cut at the same place */
export function toIpv6(bytes: Uint8Array, extensions: Extension[] = []): Uint8Array {
  const { source, destination, sourcePort, destinationPort, tcpAt } = packetEnds(bytes);
  // Captures of super-packets may hold 0, which means the captured length.
  const length = (bytes[2] << 8) | bytes[3] || bytes.length;
  const whole = buildTcp({
    source: addressNamed(source, 'ipv6'),
    destination: addressNamed(destination, 'ipv6'),
    sourcePort,
    destinationPort,
    flags: bytes[tcpAt + 13],
    extensions,
    // Room for what lies behind the 20 bytes of header that are built.
    payload: new Uint8Array(length - tcpAt - 20),
  });
  const segmentAt = whole.length - (length - tcpAt);
  const isWhole = bytes.length === length;
  whole.set(bytes.subarray(tcpAt), segmentAt);
  whole.set(checksum(bytes, whole, tcpAt, segmentAt), segmentAt + 16);
  return isWhole ? whole : whole.slice(0, segmentAt + bytes.length - tcpAt);
}

/** The segment's checksum, less the pseudo-header that it had, plus the one that it has now. */
function checksum(bytes: Uint8Array, whole: Uint8Array, tcpAt: number, segmentAt: number): number[] {
  const sum = (part: Uint8Array) => part.reduce((total, byte, i) => total + (i % 2 === 0 ? byte * 256 : byte), 0);
  const had = sum(bytes.subarray(12, 20));
  const has = sum(whole.subarray(8, 40));
  let total = 0xffff - ((bytes[tcpAt + 16] << 8) | bytes[tcpAt + 17]) - had + has;
  total = ((total % 0xffff) + 0xffff) % 0xffff;
  const field = 0xffff - total;
  return segmentAt > 0 ? [field >> 8, field & 255] : [];
}
