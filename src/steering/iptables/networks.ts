/** Lists of networks without duplicates, and few enough for rules. */

import { ADDRESS_WORDS, type Family, familyOf, formatAddress, type Network, parseNetwork } from '../../packet/address';
import { asText, prefixBits, rangeOf } from './family';

/**
 * A set holds thousands of networks, but a match on the packet quoted in an ICMP error takes one, in a rule of its own.
 */
const MAX_QUOTED_NETWORKS = 64;

/** Networks of one family as entries of a hash:net set, which does not take a prefix of length 0. Sorted. */
export function setEntries(networks: readonly Network[]): string[] {
  const entries = networks.flatMap((network) => (prefixBits(network.mask) === 0 ? halves(network) : [network]));
  const [single] = entries.map(({ base }) => `/${ADDRESS_WORDS[familyOf(base)] * 32}`);
  return [...new Set(entries.map((network) => asText(network).replace(new RegExp(`${single}$`), '')))].sort();
}

function halves({ base }: Network): Network[] {
  return [0, -(2 ** 31)].map((first) => ({
    base: base.map((_, word) => (word === 0 ? first : 0)),
    mask: base.map((_, word) => (word === 0 ? -(2 ** 31) : 0)),
  }));
}

/**
 * At most 64 networks that cover these: the networks themselves, or, if there are more, the smallest networks around
 * neighbours. Covering too much costs little: an ICMP error about the host's own masqueraded traffic to the extra
 * addresses may be treated as ours.
 */
export function quotable(networks: readonly Network[]): Network[] {
  if (networks.length <= MAX_QUOTED_NETWORKS) return [...networks];
  const family = familyOf(networks[0].base);
  const sorted = networks.map(rangeOf).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const hulls: { range: [bigint, bigint]; bits: number }[] = [];
  const bits = ADDRESS_WORDS[family] * 32;
  const commonBits = (first: bigint, last: bigint) => bits - (first === last ? 0 : (first ^ last).toString(2).length);
  const around = ([first]: [bigint, bigint], [, last]: [bigint, bigint]) => commonBits(first, last);
  for (const range of sorted) {
    if (hulls.length > 0 && hulls.at(-1)!.range[1] >= range[1]) continue;
    hulls.push({ range, bits: commonBits(...range) });
  }
  /** Of each hull and the next: the bits that they have in common. */
  const common = hulls.slice(1).map((hull, at) => around(hulls[at].range, hull.range));
  while (hulls.length > MAX_QUOTED_NETWORKS) {
    let best = 0;
    for (let at = 1; at < common.length; at++) if (common[at] > common[best]) best = at;
    const longest = common[best];
    const shift = BigInt(bits - longest);
    const first = (hulls[best].range[0] >> shift) << shift;
    const hull = { range: [first, first | ((1n << shift) - 1n)] as [bigint, bigint], bits: longest };
    let end = best + 1;
    while (end < hulls.length && hulls[end].range[1] <= hull.range[1]) end++;
    let begin = best;
    while (begin > 0 && hulls[begin - 1].range[0] >= hull.range[0]) begin--;
    hulls.splice(begin, end - begin, hull);
    common.splice(begin, end - 1 - begin);
    for (const at of [begin - 1, begin]) {
      if (at >= 0 && at + 1 < hulls.length) common[at] = around(hulls[at].range, hulls[at + 1].range);
    }
  }
  return hulls.map(({ range: [first], bits: prefix }) => parseNetwork(`${textOf(first, family)}/${prefix}`)!);
}

function textOf(value: bigint, family: Family): string {
  const count = ADDRESS_WORDS[family];
  const words = Array.from({ length: count }, (_, word) =>
    Number((value >> BigInt(32 * (count - 1 - word))) & 0xffffffffn),
  );
  return formatAddress(Int32Array.from(words));
}
