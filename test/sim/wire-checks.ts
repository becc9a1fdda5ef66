/** What every packet that leaves the splitter must satisfy, whatever was decided: addresses, bytes and checksums. */
import { type Ends } from '../reference/context';
import { SimFailure } from './failure';
import { decisionText } from './outcome';
import { ACS, isCpeText, serverNamed } from './parties';
import * as wire from './wire';

const IP_CHECKSUM_AT = 10;
const TCP_CHECKSUM_AT = 16;

/** @param isWhole the packet came with right checksums, as its sender made it */
export function checkRewritten(
  before: Uint8Array,
  after: Uint8Array,
  fromCpe: boolean,
  isWhole: boolean,
  seen: Ends,
  nowMs: number,
): void {
  const isIpv6 = wire.isIpv6(after);
  const isPeer = fromCpe
    ? serverNamed(seen.destination, isIpv6) >= 0
    : seen.source === wire.addressText(ACS, isIpv6) && isCpeText(seen.destination);
  if (!isPeer) throw new SimFailure('one-peer', nowMs, `a packet leaves as ${decisionText(seen)}`);
  checkBytes(before, after, fromCpe, nowMs);
  const isSpoiled = !isWhole && wire.ipDefect(before) + wire.tcpDefect(before) !== 0;
  if (!isSpoiled) {
    if (wire.ipDefect(after) !== 0) throw new SimFailure('checksum', nowMs, `IP header of ${decisionText(seen)}`);
    if (wire.tcpDefect(after) !== 0) throw new SimFailure('checksum', nowMs, `TCP of ${decisionText(seen)}`);
  } else if (wire.ipDefect(before) !== wire.ipDefect(after) || wire.tcpDefect(before) !== wire.tcpDefect(after)) {
    throw new SimFailure('checksum', nowMs, `corruption was mended or made worse: ${decisionText(seen)}`);
  }
}

/** Nothing may change but the address and port of the end that is rewritten, and the checksums. */
function checkBytes(before: Uint8Array, after: Uint8Array, fromCpe: boolean, nowMs: number): void {
  const tcpAt = wire.tcpAtOf(before);
  const hasIpChecksum = !wire.isIpv6(before);
  const addressAt = fromCpe ? wire.destinationAtOf(before) : wire.sourceAtOf(before);
  const addressEnd = addressAt + wire.addressBytesOf(before);
  const portAt = tcpAt + (fromCpe ? 2 : 0);
  for (let at = 0; at < after.length; at++) {
    if (before[at] === after[at]) continue;
    if (at >= addressAt && at < addressEnd) continue;
    const word = at & ~1;
    if (word === portAt || word === tcpAt + TCP_CHECKSUM_AT || (hasIpChecksum && word === IP_CHECKSUM_AT)) continue;
    throw new SimFailure('bytes', nowMs, `byte ${at} was changed from ${before[at]} to ${after[at]}`);
  }
}
