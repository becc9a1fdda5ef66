/** What every packet that leaves the splitter must satisfy, whatever was decided: addresses, bytes and checksums. */
import { SimFailure } from './failure';
import { decisionOf, decisionText, type Outcome } from './outcome';
import { ACS, isCpeAddress, serverAt } from './parties';
import { get16, invert, ipChecksumHolds, sumOf, tcpChecksumHolds } from './wire';

const IP_CHECKSUM_AT = 10;
const TCP_CHECKSUM_AT = 16;

/** @param isWhole the packet came with right checksums, as its sender made it */
export function checkRewritten(
  before: Uint8Array,
  after: Uint8Array,
  fromCpe: boolean,
  isWhole: boolean,
  seen: Outcome,
  nowMs: number,
): void {
  const peer = fromCpe ? serverAt(seen.destination) >= 0 : seen.source === ACS;
  if (!peer || (!fromCpe && !isCpeAddress(seen.destination)))
    throw new SimFailure('one-peer', nowMs, `a packet leaves as ${decisionText(decisionOf(seen))}`);
  checkBytes(before, after, fromCpe, nowMs);
  if (isWhole) {
    if (!ipChecksumHolds(after))
      throw new SimFailure('checksum', nowMs, `IP header of ${decisionText(decisionOf(seen))}`);
    if (!tcpChecksumHolds(after)) throw new SimFailure('checksum', nowMs, `TCP of ${decisionText(decisionOf(seen))}`);
  } else if (ipDefect(before) !== ipDefect(after) || tcpDefect(before) !== tcpDefect(after)) {
    throw new SimFailure('checksum', nowMs, `corruption was mended or made worse: ${decisionText(decisionOf(seen))}`);
  }
}

/** Nothing may change but the address and port of the end that is rewritten, and the two checksums. */
function checkBytes(before: Uint8Array, after: Uint8Array, fromCpe: boolean, nowMs: number): void {
  const tcpAt = (before[0]! & 15) << 2;
  const addressAt = fromCpe ? 16 : 12;
  const portAt = tcpAt + (fromCpe ? 2 : 0);
  for (let at = 0; at < after.length; at++) {
    if (before[at] === after[at]) continue;
    if (at >= addressAt && at < addressAt + 4) continue;
    const word = at & ~1;
    if (word === portAt || word === IP_CHECKSUM_AT || word === tcpAt + TCP_CHECKSUM_AT) continue;
    throw new SimFailure('bytes', nowMs, `byte ${at} was changed from ${before[at]} to ${after[at]}`);
  }
}

/** How far a checksum is off: the sum that ought to be 0xffff. */
function ipDefect(bytes: Uint8Array): number {
  return invert(sumOf(bytes, 0, (bytes[0]! & 15) << 2)) % 0xffff;
}

function tcpDefect(bytes: Uint8Array): number {
  const ipBytes = (bytes[0]! & 15) << 2;
  const length = get16(bytes, 2) - ipBytes;
  return invert(sumOf(bytes, 12, 8) + 6 + length + sumOf(bytes, ipBytes, length)) % 0xffff;
}
