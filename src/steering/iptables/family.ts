/** IPv4 and IPv6 as the rules see them: programs, names of ICMP, and addresses and networks as 32-bit words. */

import { formatAddress, parseAddress, parseIpv4 } from '../../packet/address';
import { type Addresses, families, type Topology } from '../../splitter/topology';

export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];

/** In front of -save and -restore. */
export const PROGRAM: Readonly<Record<Family, string>> = { 4: 'iptables', 6: 'ip6tables' };

/** As iptables-save prints the protocol. */
export const ICMP: Readonly<Record<Family, string>> = { 4: 'icmp', 6: 'ipv6-icmp' };

/** The families that the topology carries. */
export function familiesOf(topology: Topology): Family[] {
  return families(topology).map((name) => (name === 'ipv4' ? 4 : 6));
}

export function addressIn(addresses: Addresses, family: Family): string | undefined {
  return family === 4 ? addresses.ipv4 : addresses.ipv6;
}

/** An address, or all addresses that begin alike. */
export interface Network {
  family: Family;
  /** Unsigned 32-bit words, one or four, with zeros behind the prefix. */
  words: number[];
  prefixBits: number;
  /** Nothing but zeros stood behind the prefix in the text. */
  isExact: boolean;
}

/** `10.1.0.0/16`, `10.1.0.0/255.255.0.0`, `10.1.0.1`, `2001:db8::/32`, `::1`; `undefined` for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [address, prefix, ...rest] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed === undefined || rest.length > 0) return undefined;
  const words = Array.from(parsed, (word) => word >>> 0);
  const family: Family = words.length === 1 ? 4 : 6;
  const prefixBits = prefix === undefined ? words.length * 32 : parsePrefix(prefix, family);
  if (prefixBits === undefined) return undefined;
  const kept = words.map((word, index) => (word & maskOf(prefixBits - index * 32)) >>> 0);
  return { family, words: kept, prefixBits, isExact: kept.every((word, index) => word === words[index]) };
}

/** First and last address of a network as one number each. */
export function rangeOf({ words, prefixBits }: Network): [bigint, bigint] {
  const first = words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
  return [first, first | ((1n << BigInt(words.length * 32 - prefixBits)) - 1n)];
}

export function contains(network: Network, inner: Network): boolean {
  if (network.family !== inner.family) return false;
  const [[first, last], [from, to]] = [rangeOf(network), rangeOf(inner)];
  return first <= from && to <= last;
}

function parsePrefix(text: string, family: Family): number | undefined {
  if (/^(0|[1-9]\d{0,2})$/.test(text)) return Number(text) <= (family === 4 ? 32 : 128) ? Number(text) : undefined;
  const mask = family === 4 ? parseIpv4(text) : undefined;
  if (mask === undefined) return undefined;
  const bits = Math.clz32(~mask);
  return mask === (maskOf(bits) | 0) ? bits : undefined;
}

function maskOf(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (-1 << (32 - bits)) >>> 0;
}

/** As iptables-save prints it: always with the prefix length. */
export function asText({ words, prefixBits }: Network): string {
  return `${formatAddress(Int32Array.from(words))}/${prefixBits}`;
}
