/** IPv4 and IPv6 in the words of iptables, ipset and their rules: names of programs, protocols, address ranges. */

import { type Address, type Family, formatAddress, type Network, parseAddress } from '../../packet/address';

export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

/** In messages. */
export const FAMILY_NAMES: Readonly<Record<Family, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };

/** The -save and -restore programs are named after these. */
export const PROGRAM: Readonly<Record<Family, string>> = { ipv4: 'iptables', ipv6: 'ip6tables' };

/** As iptables-save prints the protocol. */
export const ICMP: Readonly<Record<Family, string>> = { ipv4: 'icmp', ipv6: 'ipv6-icmp' };

/**
 * An address or network as rules and save programs write it: `10.1.0.0/16`, `10.1.0.0/255.255.0.0`, `10.1.0.1`,
 * `2001:db8::/32`, `::1`. Host bits are cleared. `undefined` for anything else.
 */
export function readNetwork(text: string): Network | undefined {
  const [host, prefix, ...rest] = text.split('/');
  const address = parseAddress(host);
  if (address === undefined || rest.length > 0) return undefined;
  const mask = prefix === undefined ? maskOf(address, address.length * 32) : readMask(prefix, address);
  return mask && { base: address.map((word, index) => word & mask[index]), mask };
}

function readMask(text: string, address: Address): Int32Array | undefined {
  const maximum = address.length * 32;
  if (/^(0|[1-9]\d{0,2})$/.test(text)) return Number(text) <= maximum ? maskOf(address, Number(text)) : undefined;
  const mask = address.length === 1 ? parseAddress(text) : undefined;
  if (mask?.length !== 1) return undefined;
  return mask.every((word, index) => word === maskOf(address, prefixBits(mask))[index]) ? mask : undefined;
}

function maskOf(address: Address, bits: number): Int32Array {
  return address.map((_, index) => {
    const kept = Math.min(32, Math.max(0, bits - index * 32));
    return kept === 0 ? 0 : -1 << (32 - kept);
  });
}

/** Leading ones of a mask. */
export function prefixBits(mask: Int32Array): number {
  return mask.reduce((bits, word, index) => (bits === index * 32 ? bits + Math.clz32(~word) : bits), 0);
}

/** First and last address of a network as one number each. */
export function rangeOf({ base, mask }: Network): [bigint, bigint] {
  const first = base.reduce<bigint>((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
  return [first, first | ((1n << BigInt(base.length * 32 - prefixBits(mask))) - 1n)];
}

export function contains(network: Network, inner: Network): boolean {
  if (network.base.length !== inner.base.length) return false;
  const [[first, last], [from, to]] = [rangeOf(network), rangeOf(inner)];
  return first <= from && to <= last;
}

/** As iptables-save prints it: always with the prefix length. */
export function asText({ base, mask }: Network): string {
  return `${formatAddress(base)}/${prefixBits(mask)}`;
}
