/** The three interfaces as `ip` shows them: there, up, with the ACS address, of one MTU, without BIG TCP. */

import { type Configuration } from '../configuration/configuration';
import { Failure } from '../configuration/errors';
import { type Check, type Fault } from './check';
import { edit } from './command-line';
import { type Host } from './host';
import { interfacesOf, placesOf, withPrefix } from './places';

/** What `ip -j -d link show` says; the last two only where the kernel has them. */
export interface Link {
  ifname: string;
  flags: string[];
  mtu: number;
  gso_max_size?: number;
  gro_max_size?: number;
  gso_ipv4_max_size?: number;
  gro_ipv4_max_size?: number;
}

/** A slot of the packet batch holds no more (src/packet/batch.ts); the kernel goes beyond it by "BIG TCP" alone. */
const MAX_PACKET_BYTES = 65_536;
const SIZES = ['gso_max_size', 'gro_max_size', 'gso_ipv4_max_size', 'gro_ipv4_max_size'] as const;

/** Runs `ip -j WORDS`. @throws Failure when there is no `ip` here */
export function askIp<Answer>(host: Host, words: readonly string[]): Answer | undefined {
  const { status, stdout, stderr, error } = host.run('ip', ['-j', ...words]);
  if (error) throw new Failure(`doctor: ip cannot be run (${error.message}); on Debian: apt-get install iproute2`);
  if (status !== 0) return undefined;
  try {
    return JSON.parse(stdout === '' ? '[]' : stdout) as Answer;
  } catch (cause) {
    throw new Failure(`doctor: ip ${words.join(' ')} answered no JSON (${stderr.trim()}); is iproute2 too old?`, {
      cause,
    });
  }
}

function lookAtLinks(host: Host, { topology }: Configuration): Link[] {
  const wanted = interfacesOf(topology);
  const present = askIp<Link[]>(host, ['-d', 'link', 'show']) ?? [];
  // A veth's name is followed by its peer's in text, never in JSON.
  return present.filter(({ ifname }) => wanted.includes(ifname));
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
      const link = links.find(({ ifname }) => ifname === name);
      if (!link) {
        const says = `${name} does not exist on this host (it has ${others.join(', ') || 'only lo'}); name the right one`;
        return [{ level: 'failure', says, mend: edit(wanted) }];
      }
      if (!link.flags.includes('UP')) {
        return [{ level: 'failure', says: `${name} is down`, mend: `ip link set dev ${name} up` }];
      }
      if (link.flags.includes('NO-CARRIER')) {
        const says = `${name} has no carrier: mend the cable or the far end, and look at it with`;
        return [{ level: 'failure', says, mend: `ip link show dev ${name}` }];
      }
      return [];
    }),
  fine: ({ links }) => `${links.map(({ ifname }) => ifname).join(', ')} are there and up`,
};

interface Addressed {
  addr_info: { local: string }[];
}

export const acsAddress: Check<string[]> = {
  name: 'acs-address',
  needs: ['interfaces'],
  look: (host) =>
    (askIp<Addressed[]>(host, ['address', 'show']) ?? []).flatMap(({ addr_info: list }) => list.map((a) => a.local)),
  judge: (present, { topology }) =>
    placesOf(topology)
      .filter(({ acs }) => !present.includes(acs))
      .map(({ acs, networks, cpeInterface }): Fault => {
        const says = `${acs}, which CPEs take for the ACS, is no address of this host (on a standby router: as it should be)`;
        return { level: 'warning', says, mend: `ip address add ${withPrefix(acs, networks)} dev ${cpeInterface}` };
      }),
  fine: (_, { topology }) =>
    `${placesOf(topology)
      .map(({ acs }) => acs)
      .join(' and ')} is this host's own`,
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
        const says = `${ifname} has MTU ${own}, another side ${largest}: full-sized packets need ICMP errors to get through`;
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
      const says = `${link.ifname} builds packets larger than a queue can carry (${found}): they would be lost`;
      const mend = `ip link set dev ${link.ifname} ${beyond.map((size) => `${size} ${MAX_PACKET_BYTES}`).join(' ')}`;
      return [{ level: 'failure', says, mend }];
    }),
  fine: () => `no packet larger than ${MAX_PACKET_BYTES} bytes is built`,
};
