/**
 * The family that this run's worlds speak: IPv4, or IPv6 with ACSPLIT_FAMILY=6 in the environment. The tests are the
 * same; the project "e2e, IPv6" of jest.config.js asks for IPv6 for those that every `npm test` runs in both.
 */
import { PLACES } from '../../../src/lab/world';
import type { Family } from '../../../src/packet/address';

const asked = process.env.ACSPLIT_FAMILY ?? '4';
if (asked !== '4' && asked !== '6') throw new Error(`ACSPLIT_FAMILY is "${asked}", expected 4 or 6`);
const ofProject = (globalThis as { ACSPLIT_FAMILY?: Family }).ACSPLIT_FAMILY;

export const FAMILY: Family = ofProject ?? (asked === '6' ? 'ipv6' : 'ipv4');
export const ADDRESSES = PLACES[FAMILY];
/** What a socket binds to that takes connections to any address. */
export const ANY_ADDRESS = FAMILY === 'ipv6' ? '::' : '0.0.0.0';
export const IPTABLES = FAMILY === 'ipv6' ? 'ip6tables' : 'iptables';

/** CPE number `host` of street `street`: 10.1.STREET.HOST, or the same two numbers at the end of an IPv6 address. */
export function cpeAddress(street: number, host: number): string {
  return FAMILY === 'ipv6' ? `2001:db8:1::${street.toString(16)}:${host.toString(16)}` : `10.1.${street}.${host}`;
}

/** `count` CPEs of one street, from 1 on. */
export function street(number: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => cpeAddress(number, index + 1));
}
