/** Checks of addresses and networks, IPv4 and IPv6, as written in the configuration file. */

import * as v from 'valibot';
import {
  type Address,
  ADDRESS_WORDS,
  type Family,
  familyOf,
  formatAddress,
  parseAddress,
  parseNetwork,
} from '../packet/address';
import { type Addresses } from '../splitter/topology';
import { inJson } from './described';

export const FAMILY_NAMES: Readonly<Record<Family, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };

const ANY_ADDRESS = 'an IPv4 or IPv6 address such as 10.1.0.1 or 2001:db8::1';
const ANY_NETWORK = 'an IPv4 or IPv6 network such as 10.1.0.0/16 or 2001:db8:1::/48';

/** One address, or a list with one of each family. */
export const addresses = v.pipe(
  v.unknown(),
  v.rawTransform(({ dataset: { value }, addIssue, NEVER }): Addresses => {
    const candidates: unknown[] = Array.isArray(value) ? value : [value];
    const refuse = (message: string, key: number) => {
      const item = { type: 'array', origin: 'value', input: candidates, key, value: candidates[key] } as const;
      addIssue(Array.isArray(value) && candidates.length > 0 ? { message, path: [item] } : { message });
      return NEVER;
    };
    if (candidates.length === 0) return refuse('an address, or one of each family', 0);
    const found: Addresses = {};
    for (const [index, candidate] of candidates.entries()) {
      const address = typeof candidate === 'string' ? parseAddress(candidate) : undefined;
      if (address === undefined) return refuse(ANY_ADDRESS, index);
      const family = familyOf(address);
      if (!isUnicast(address)) return refuse(`a host's unicast ${FAMILY_NAMES[family]} address`, index);
      if (found[family] !== undefined) return refuse(`one ${FAMILY_NAMES[family]} address`, index);
      found[family] = formatAddress(address);
    }
    return found;
  }),
  inJson({ anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 2 }] }),
);

/** One address of either family. */
export const address = v.pipe(
  v.string(ANY_ADDRESS),
  v.rawTransform(({ dataset: { value }, addIssue, NEVER }): string => {
    const parsed = parseAddress(value);
    if (parsed !== undefined && isUnicast(parsed)) return formatAddress(parsed);
    addIssue({
      message: parsed === undefined ? ANY_ADDRESS : `a host's unicast ${FAMILY_NAMES[familyOf(parsed)]} address`,
    });
    return NEVER;
  }),
  inJson({ type: 'string' }),
);

/** A network in CIDR notation, as canonical text. */
export const network = v.pipe(
  v.string(ANY_NETWORK),
  v.rawTransform(({ dataset: { value }, addIssue, NEVER }): string => {
    const [text, bits, ...rest] = value.split('/');
    const address = rest.length === 0 ? parseAddress(text) : undefined;
    const maximum = address === undefined ? 0 : ADDRESS_WORDS[familyOf(address)] * 32;
    if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(bits ?? '') || Number(bits) > maximum) {
      addIssue({ message: ANY_NETWORK });
      return NEVER;
    }
    const base = `${formatAddress(baseOf(address, Number(bits)))}/${bits}`;
    if (parseNetwork(value)) return base;
    addIssue({ message: `a network without host bits: ${base}` });
    return NEVER;
  }),
  inJson({ type: 'string' }),
);

/** The family of an address or network, from its text. */
export function familyOfText(text: string): Family {
  return text.includes(':') ? 'ipv6' : 'ipv4';
}

/**
 * Whether a host reached through routers can have this address: not 0/8, loopback, multicast or above; not ::,
 * IPv6 loopback, multicast, link-local or IPv4-mapped.
 */
function isUnicast(address: Address): boolean {
  const [first, second, third, fourth] = address.map((word) => word >>> 0);
  const head = address[0] >>> 24;
  if (familyOf(address) === 'ipv4') return head !== 0 && head !== 127 && head < 224;
  if (head === 0xff || address[0] >>> 22 === 0xfe80 >>> 6) return false;
  const isBeginningEmpty = first === 0 && second === 0;
  return !(isBeginningEmpty && (third === 0xffff || (third === 0 && fourth <= 1)));
}

/** The address with all bits after the first `bits` set to zero. */
function baseOf(address: Address, bits: number): Address {
  return address.map((word, index) => {
    const kept = Math.min(32, Math.max(0, bits - index * 32));
    return kept === 0 ? 0 : word & (-1 << (32 - kept));
  });
}
