/**
 * IP addresses and networks as int32 words in network order, the form used by packets, keys and tables: one word for
 * IPv4, four for IPv6. Text appears only at the edge.
 */

/** One word, or four. */
export type Address = Int32Array;

export type Family = 'ipv4' | 'ipv6';

/** int32 words of an address. */
export const ADDRESS_WORDS: Readonly<Record<Family, number>> = { ipv4: 1, ipv6: 4 };
const IPV6_GROUPS = 8;

export function familyOf(address: Address): Family {
  return address.length === ADDRESS_WORDS.ipv4 ? 'ipv4' : 'ipv6';
}

/** Parses text of either family; `undefined` when it is not an address. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes(':')) return parseIpv6(text);
  const word = parseIpv4(text);
  return word === undefined ? undefined : Int32Array.of(word);
}

/** The canonical text: a dotted quad, or RFC 5952. */
export function formatAddress(address: Address): string {
  return familyOf(address) === 'ipv4' ? formatIpv4(address[0]) : formatIpv6(address);
}

export function isSameAddress(one: Address, other: Address): boolean {
  if (one.length !== other.length) return false;
  for (let word = 0; word < one.length; word++) if (one[word] !== other[word]) return false;
  return true;
}

/** `"10.1.0.1"` to int32; `undefined` when the text is not a dotted quad. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const octet = Number(match[i]);
    if (octet > 255 || (match[i].length > 1 && match[i].startsWith('0'))) return undefined;
    address = (address << 8) | octet;
  }
  return address;
}

/** int32 to `"10.1.0.1"`. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/**
 * RFC 4291 section 2.2, all three forms; `undefined` when the text is none of them. A zone (`%eth0`) is not allowed.
 */
export function parseIpv6(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [before, after] = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  if (before === undefined || (halves.length === 2 && after === undefined)) return undefined;
  const missing = IPV6_GROUPS - before.length - (after?.length ?? 0);
  // `::` stands for at least one group.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...before, ...new Array<number>(missing).fill(0), ...(after ?? [])];
  return Int32Array.from({ length: 4 }, (_, word) => (groups[2 * word] << 16) | groups[2 * word + 1]);
}

/** Groups between colons as 16-bit numbers. @param isLast the part may end in a dotted quad */
function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    const quad = isLast && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (quad !== undefined) groups.push(quad >>> 16, quad & 0xffff);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** RFC 5952: lower case, no leading zeros, `::` for the first of the longest runs of zeros; ::ffff:10.1.0.1. */
export function formatIpv6(address: Address): string {
  const groups = Array.from({ length: IPV6_GROUPS }, (_, i) => (address[i >> 1] >>> (i & 1 ? 0 : 16)) & 0xffff);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return `::ffff:${formatIpv4(address[3])}`;
  const { from, length } = longestZeros(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, from))}::${hex(groups.slice(from + length))}`;
}

function longestZeros(groups: number[]): { from: number; length: number } {
  let best = { from: 0, length: 0 };
  let length = 0;
  groups.forEach((group, i) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { from: i + 1 - length, length };
  });
  return best;
}

/** A network in the form used for matching: `(address & mask) === base`, word by word. */
export interface Network {
  base: Address;
  mask: Int32Array;
}

/** CIDR of either family; `undefined` when malformed or when host bits are set. */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const base = match ? parseAddress(match[1]) : undefined;
  if (!match || !base) return undefined;
  const bits = Number(match[2]);
  if (bits > base.length * 32) return undefined;
  const mask = base.map((_, word) => maskOf(Math.min(32, Math.max(0, bits - 32 * word))));
  return base.every((part, word) => (part & ~mask[word]) === 0) ? { base, mask } : undefined;
}

export function isInNetwork(address: Address, { base, mask }: Network): boolean {
  if (address.length !== base.length) return false;
  for (let word = 0; word < base.length; word++) if ((address[word] & mask[word]) !== base[word]) return false;
  return true;
}

function maskOf(bits: number): number {
  return bits === 0 ? 0 : -1 << (32 - bits);
}

/** An IPv4 network as plain int32. */
export interface Ipv4Network {
  base: number;
  mask: number;
}

/** `"10.1.0.0/16"` to base and mask; `undefined` when malformed or when host bits are set. */
export function parseIpv4Network(text: string): Ipv4Network | undefined {
  const network = parseNetwork(text);
  return network?.base.length === ADDRESS_WORDS.ipv4 ? { base: network.base[0], mask: network.mask[0] } : undefined;
}
