/** The interfaces as `ip` shows them: present, up, with the ACS address, with one MTU, without BIG TCP. */

import { type Configuration } from '../configuration/configuration';
import { Failure } from '../configuration/errors';
import { type Check, type Fault } from './check';
import { covers } from '../configuration/interface';
import { type CpeInterface } from '../splitter/topology';
import { edit } from './command-line';
import { type Host } from './host';
import { interfacesOf, isWanted, placesOf, withPrefix } from './places';

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

/** Runs `ip -j WORDS`. @throws Failure if `ip` is not installed */
export function askIp<Answer>(host: Host, words: readonly string[]): Answer | undefined {
  const { status, stdout, stderr, error } = host.run('ip', ['-j', ...words]);
  if (error) throw new Failure(`doctor: ip cannot be run (${error.message}); on Debian: apt-get install iproute2`);
  if (status !== 0) return undefined;
  try {
    return JSON.parse(stdout === '' ? '[]' : stdout) as Answer;
  } catch (cause) {
    throw new Failure(`doctor: ip ${words.join(' ')} printed no JSON (${stderr.trim()}); is iproute2 too old?`, {
      cause,
    });
  }
}

function lookAtLinks(host: Host, { topology }: Configuration): Link[] {
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
        const says = `${name} has no carrier: check the cable and the far end; to watch it`;
        return [{ level: 'failure', says, mend: `ip link show dev ${name}` }];
      }
      return [];
    }),
  fine: ({ links }) => `${links.map(({ ifname }) => ifname).join(', ')} exist and are up`,
};

function noneOf(name: string): Fault {
  const says = `no interface is called ${name} now: rules and engine wait for the first one`;
  return { level: 'warning', says, mend: 'ip link show' };
}

interface Addressed {
  ifname: string;
  addr_info: { local: string }[];
}

/** An interface that receives for another, as keepalived makes one for a virtual MAC (use_vmac). */
interface Macvlan {
  ifname: string;
  /** The parent's name. */
  link?: string;
  linkinfo?: { info_kind?: string };
}

interface AddressFacts {
  present: Addressed[];
  macvlans: Macvlan[];
}

/** Packets to a virtual MAC come in by its macvlan, whatever the parent is called in the rules. */
function virtualMac({ present, macvlans }: AddressFacts, acs: string, sides: readonly CpeInterface[]): Fault[] {
  const holders = present.filter(({ addr_info: list }) => list.some(({ local }) => local === acs));
  return macvlans
    .filter(({ ifname, link }) => {
      const isHolder = holders.some((holder) => holder.ifname === ifname);
      return (
        isHolder && sides.some((side) => covers(side.in, link ?? '')) && !sides.some((side) => covers(side.in, ifname))
      );
    })
    .map(({ ifname, link }): Fault => {
      const remedy = `cpe.interface: { in: ${ifname}, out: ${link} }`;
      const says = `the ACS address ${acs} is on ${ifname}, a virtual MAC on ${link}: packets from CPEs come in by ${ifname}, past our rules; configure ${remedy}, restart the engine and install the rules`;
      return { level: 'failure', says, mend: '' };
    });
}

export const acsAddress: Check<AddressFacts> = {
  name: 'acs-address',
  needs: ['interfaces'],
  look: (host) => ({
    present: askIp<Addressed[]>(host, ['address', 'show']) ?? [],
    macvlans: (askIp<Macvlan[]>(host, ['-d', 'link', 'show']) ?? []).filter(
      ({ linkinfo }) => linkinfo?.info_kind === 'macvlan',
    ),
  }),
  judge: (facts, wanted) =>
    placesOf(wanted.topology).flatMap(({ acs, networks, cpeInterface, cpeInterfaces }): Fault[] => {
      const own = facts.present.flatMap(({ addr_info: list }) => list.map(({ local }) => local));
      if (own.includes(acs)) {
        return virtualMac(facts, acs, cpeInterfaces).map((fault) => ({ ...fault, mend: edit(wanted) }));
      }
      const says = `the ACS address ${acs} is not an address of this host (normal on a standby router)`;
      return [{ level: 'warning', says, mend: `ip address add ${withPrefix(acs, networks)} dev ${cpeInterface}` }];
    }),
  fine: (_, { topology }) =>
    `${placesOf(topology)
      .map(({ acs }) => acs)
      .join(' and ')} is an address of this host`,
};

export const mtu: Check<Link[]> = {
  name: 'mtu',
  needs: ['interfaces'],
  look: lookAtLinks,
  judge: (links) => {
    const largest = Math.max(...links.map((link) => link.mtu));
    return links
      .filter((link) => link.mtu < largest)
      .map(({ ifname, mtu: own }): Fault => {
        const says = `${ifname} has MTU ${own}, but another side has ${largest}: full-sized packets depend on ICMP errors`;
        return { level: 'warning', says, mend: `ip link set dev ${ifname} mtu ${largest}` };
      });
  },
  fine: (links) => `${links[0].mtu} bytes on every side`,
};

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
