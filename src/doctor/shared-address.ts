/**
 * An ACS address that both routers of a cluster take as their own by a local route (cluster/keepalived.conf), so that a switch
 * loses nothing. Then ARP on the CPEs' side must keep quiet about it on the router that does not have the address. IPv6 needs
 * nothing: only the interface that has an address answers for it.
 */

import { type Configuration } from '../configuration/configuration';
import { localRoutes } from '../steering/iptables';
import { type Arp, inForce, readArp } from './arp';
import { askIp } from './ask-ip';
import { type Fault } from './check';
import { sysctl } from './command-line';
import { type Host } from './host';
import { placesOf } from './places';

export interface SharedAddressFacts {
  /** The ACS address, where such a route exists, and the CPEs' interfaces. */
  shared: { acs: string; interfaces: string[] } | undefined;
  sharedArp: Arp;
}

export function lookAtSharedAddress(host: Host, { topology, cluster }: Configuration): SharedAddressFacts {
  const places = cluster && placesOf(topology).find(({ family }) => family === 'ipv4');
  const routes = places ? (askIp<{ dev?: string }[]>(host, localRoutes('ipv4', places.acs)) ?? []) : [];
  if (!places || !routes.some(({ dev }) => dev === 'lo')) return { shared: undefined, sharedArp: {} };
  const interfaces = places.cpeInterfaces.map(({ out }) => out).filter((name) => !name.endsWith('+'));
  return { shared: { acs: places.acs, interfaces }, sharedArp: readArp(host, interfaces) };
}

export function judgeSharedAddress({ shared, sharedArp }: SharedAddressFacts): Fault[] {
  if (!shared) return [];
  const { acs, interfaces } = shared;
  return interfaces.flatMap((name): Fault[] => {
    const mends = [
      ...(inForce(sharedArp, 'arp_ignore', name) === 0 ? [sysctl('net.ipv4.conf.IF.arp_ignore', 1, 'all')] : []),
      ...(inForce(sharedArp, 'arp_announce', name) < 2 ? [sysctl('net.ipv4.conf.IF.arp_announce', 2, 'all')] : []),
    ];
    if (mends.length === 0) return [];
    const says = `both routers have a route for the ACS address ${acs}, and ARP on ${name} gives it away: CPEs send to the standby router`;
    return [{ level: 'failure', says, mend: mends.join(' && ') }];
  });
}
