/** The interfaces as `ip` shows them: present, up, with the ACS address, with one MTU, without BIG TCP. */

import { isInNetwork, parseAddress, parseNetwork } from '../packet/address';
import { type Configuration } from '../configuration/configuration';
import { localRoutes } from '../steering/iptables';
import { askIp } from './ask-ip';
import { type Check, type Fault } from './check';
import { edit } from './command-line';
import { type Host } from './host';
import { interfacesOf, isWanted, type Places, placesOf, withPrefix } from './places';
import { judgeSharedAddress, lookAtSharedAddress, type SharedAddressFacts } from './shared-address';
import { judgeVirtualMacs, lookAtVirtualMacs, type VirtualMacFacts } from './virtual-mac';

/** Output of `ip -j -d link show`; older kernels lack the last two. */
export interface Link {
  ifname: string;
  flags: string[];
  mtu: number;
  gso_max_size?: number;
  gro_max_size?: number;
  gso_ipv4_max_size?: number;
  gro_ipv4_max_size?: number;
}

/** The most a slot of the packet batch holds (src/packet/batch.ts); only BIG TCP builds larger packets. */
const MAX_PACKET_BYTES = 65_536;
const SIZES = ['gso_max_size', 'gro_max_size', 'gso_ipv4_max_size', 'gro_ipv4_max_size'] as const;

export function lookAtLinks(host: Host, { topology }: Configuration): Link[] {
  const wanted = interfacesOf(topology);
  const present = askIp<Link[]>(host, ['-d', 'link', 'show']) ?? [];
  // In text, a veth's name is followed by its peer's; not in JSON.
  return present.filter(({ ifname }) => isWanted(ifname, wanted));
}

export const interfaces: Check<{ links: Link[]; others: string[] }> = {
  name: 'interfaces',
  look: (host, wanted) => {
    const links = lookAtLinks(host, wanted);
    const all = askIp<Link[]>(host, ['link', 'show']) ?? [];
    return { links, others: all.map(({ ifname }) => ifname).filter((name) => name !== 'lo') };
  },
  judge: ({ links, others }, wanted) =>
    interfacesOf(wanted.topology).flatMap((name): Fault[] => {
      // Interfaces behind a wildcard come and go.
      if (name.endsWith('+')) return links.some(({ ifname }) => isWanted(ifname, [name])) ? [] : [noneOf(name)];
      const link = links.find(({ ifname }) => ifname === name);
      if (!link) {
        const says = `${name} does not exist on this host (it has ${others.join(', ') || 'only lo'}); name the right one`;
        return [{ level: 'failure', says, mend: edit(wanted) }];
      }
      if (!link.flags.includes('UP')) {
        return [{ level: 'failure', says: `${name} is down`, mend: `ip link set dev ${name} up` }];
      }
      if (link.flags.includes('NO-CARRIER')) {
        const says = `${name} has no carrier: check the cable and the far end`;
        return [{ level: 'failure', says, mend: null, see: `ip link show dev ${name}` }];
      }
      return [];
    }),
  fine: ({ links }) => `${links.map(({ ifname }) => ifname).join(', ')} exist and are up`,
};

function noneOf(name: string): Fault {
  const says = `no interface is called ${name} now: rules and engine wait for the first one`;
  return { level: 'warning', says, mend: null, see: 'ip link show' };
}

interface Addressed {
  ifname: string;
  addr_info: { local: string }[];
}

interface AddressFacts extends VirtualMacFacts, SharedAddressFacts {
  /** The ACS addresses that are not local now. */
  elsewhere: { acs: string; mend: string }[];
}

export const acsAddress: Check<AddressFacts> = {
  name: 'acs-address',
  needs: ['interfaces'],
  look: (host, wanted) => {
    const { topology } = wanted;
    const present = askIp<Addressed[]>(host, ['address', 'show']) ?? [];
    const isHeld = (acs: string) => present.some((one) => one.addr_info.some(({ local }) => local === acs));
    // In a cluster both routers may have a local route for it, and one of them the address. cluster/keepalived.conf
    const isElsewhere = ({ family, acs }: Places) =>
      wanted.cluster ? !isHeld(acs) : askIp<unknown[]>(host, localRoutes(family, acs))?.length === 0;
    return {
      elsewhere: placesOf(topology)
        .filter(isElsewhere)
        .map((places) => ({ acs: places.acs, mend: addition(host, places, present) })),
      holders: present.map(({ ifname, addr_info: list }) => ({
        name: ifname,
        addresses: list.map((one) => one.local),
      })),
      ...lookAtVirtualMacs(host),
      ...lookAtSharedAddress(host, wanted),
    };
  },
  judge: (facts, wanted) => [
    // Where routers share it, the other one has it, and adding it here would make two.
    ...(wanted.cluster ? [] : facts.elsewhere).map(({ acs, mend }): Fault => {
      const says = `the ACS address ${acs} is not an address of this host (normal on a standby router)`;
      return { level: 'warning', says, mend };
    }),
    ...judgeVirtualMacs(facts, wanted),
    ...judgeSharedAddress(facts),
  ],
  fine: ({ elsewhere }, { topology }) => {
    const all = placesOf(topology).map(({ acs }) => acs);
    const here = all.filter((acs) => !elsewhere.some((one) => one.acs === acs));
    if (here.length === all.length) {
      return `${all.join(' and ')} ${all.length === 1 ? 'is an address' : 'are addresses'} of this host`;
    }
    const there = elsewhere.map(({ acs }) => acs);
    return `${there.join(' and ')} ${there.length === 1 ? 'is' : 'are'} another router's now`;
  },
};

/**
 * With the prefix of the CPE network around it only where those CPEs are on the link. Behind a router it would make a route
 * that leads to nobody.
 */
function addition(host: Host, { acs, family, networks, cpeInterface }: Places, present: readonly Addressed[]): string {
  const whole = withPrefix(acs, networks);
  const around = networks.find((network) => isInNetwork(parseAddress(acs)!, parseNetwork(network)!));
  const option = family === 'ipv4' ? '-4' : '-6';
  const routes = around === undefined ? [] : askIp<{ gateway?: string }[]>(host, [option, 'route', 'show', around]);
  const hasRoute = (routes ?? []).length > 0;
  const isRouted = (routes ?? []).some(({ gateway }) => gateway !== undefined);
  const others = present.find(({ ifname }) => ifname === cpeInterface)?.addr_info ?? [];
  const hasAddress = others.some(
    ({ local }) => local.includes(':') === (family === 'ipv6') && !local.startsWith('fe80:'),
  );
  const isOnLink = !isRouted && (hasRoute || !hasAddress);
  return `ip address add ${isOnLink ? whole : `${acs}/${family === 'ipv4' ? 32 : 128}`} dev ${cpeInterface}`;
}

export const bigTcp: Check<Link[]> = {
  name: 'big-tcp',
  needs: ['interfaces'],
  look: lookAtLinks,
  judge: (links) =>
    links.flatMap((link): Fault[] => {
      const beyond = SIZES.filter((size) => (link[size] ?? 0) > MAX_PACKET_BYTES);
      if (beyond.length === 0) return [];
      const found = beyond.map((size) => `${size} ${link[size]}`).join(', ');
      const says = `${link.ifname} builds packets larger than a queue can carry (${found}); they would be dropped`;
      const mend = `ip link set dev ${link.ifname} ${beyond.map((size) => `${size} ${MAX_PACKET_BYTES}`).join(' ')}`;
      return [{ level: 'failure', says, mend }];
    }),
  fine: () => `no interface builds packets larger than ${MAX_PACKET_BYTES} bytes`,
};
