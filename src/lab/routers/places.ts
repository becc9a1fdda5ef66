/** Addresses of the world of several routers: those that move are the one splitter's of the smaller world. */
import { PLACES, type Places } from '../world';

/** The third stands by in tests of three. */
export const ROUTERS = ['a', 'b', 'c'] as const;
export type RouterName = (typeof ROUTERS)[number];
export const FAMILIES = ['ipv4', 'ipv6'] as const;

/** Links by number, as the routers' interfaces eth0 to eth3: what is behind each, its networks, and the routers' own addresses. */
export const LINKS = [
  { host: 'cpe', own4: '10.1.255.', bits4: 16, own6: '2001:db8:1::ff' },
  { host: 'itms', own4: '10.2.0.1', bits4: 24, own6: '2001:db8:2::ff' },
  { host: 'collector', own4: '10.3.0.1', bits4: 24, own6: '2001:db8:3::ff' },
  /** Between the routers alone. */
  { host: undefined, own4: '10.9.0.', bits4: 24, own6: 'fd09::' },
] as const;

/** A router's own addresses on a link, which never move. */
export function ownAddresses(link: number, router: RouterName): [ipv4: string, ipv6: string] {
  const { own4, own6 } = LINKS[link]!;
  const number = ROUTERS.indexOf(router) + 2;
  return [`${own4}${number}`, `${own6}${number}`];
}

/** Where a router's store listens. */
export function storeAddress(router: RouterName): string {
  return `${ownAddresses(3, router)[0]}:6379`;
}

/** Both families' addresses of a host, and of the routers on its link. */
export function bothOf(pick: (places: Places) => string): [ipv4: string, ipv6: string] {
  return [pick(PLACES.ipv4), pick(PLACES.ipv6)];
}
