/**
 * Does the kernel forward, and where to? We ask the kernel's own routing with incoming interface, source and ports, so
 * the answer includes policy routing and reverse path filters.
 */

import { findForwardingFaults, type HostFault } from '../engine';
import { FAMILY_NAMES } from '../configuration/address';
import { type Configuration } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { sysctl } from './command-line';
import { type Host } from './host';
import { askIp } from './ask-ip';
import { isOnLink, onlyNeighbour } from './reach';
import { type Family } from '../packet/address';
import { covers } from '../configuration/interface';
import { type CpeInterface } from '../splitter/topology';
import { isWanted, placesOf, sampleOf, withPrefix } from './places';

export const forwarding: Check<HostFault[]> = {
  name: 'forwarding',
  look: (host, { topology }) => findForwardingFaults(topology, (path) => host.read(`/proc/sys/net/${path}`)),
  judge: (faults) => faults.map(({ says, mend }): Fault => ({ level: 'failure', says, mend })),
  fine: (_, { topology }) =>
    `on, for ${placesOf(topology)
      .map(({ family }) => FAMILY_NAMES[family])
      .join(' and ')}`,
};

/** Options of ip(8). */
const OPTION: Readonly<Record<Family, string>> = { ipv4: '-4', ipv6: '-6' };

/** One direction between a CPE and a server. */
export interface Way {
  family: Family;
  /** The destination, for people. */
  what: string;
  /** The route's destination: a server's address or a CPE network. */
  destination: string;
  /** The interface packets come in by, and the one they must leave by. */
  from: string;
  expected: string;
  /** The interface they leave by; `undefined` if there is no route. */
  found: string | undefined;
  /** The reverse path filter of the incoming interface drops them. */
  isFiltered: boolean;
  /** Whether an address of the expected interface has the destination on its link. */
  isOnLink: boolean;
  /** A gateway that other routes of the expected interface use, or the only host there. */
  gateway: string | undefined;
}

/** A route that sends part of a CPE network elsewhere. */
export interface Detour {
  part: string;
  network: string;
  dev: string;
  expected: string;
  family: Family;
  /** The reverse path filter of the expected interface drops packets from CPEs there. */
  isFiltered: boolean;
}

interface Route {
  dst?: string;
  dev?: string;
  gateway?: string;
}

/** An ephemeral port, in case policy routing looks at ports. */
const ANY_PORT = '40000';

interface Leg {
  family: Family;
  source: string;
  target: string;
  in: string;
  ports: [source: string, destination: string];
}

/**
 * A source refused by rp_filter is EXDEV in older kernels and EINVAL in newer ones. A blackhole route is EINVAL too, but
 * for any source. net/ipv4/route.c, ip_route_input_slow
 */
function follow(host: Host, { family, source, target, in: iif, ports }: Leg): Pick<Way, 'found' | 'isFiltered'> {
  const ask = (words: string[]) => host.run('ip', ['-j', OPTION[family], 'route', 'get', target, ...words]);
  const packet = ['from', source, 'iif', iif, 'ipproto', 'tcp', 'sport', ports[0], 'dport', ports[1]];
  const { status, stdout, stderr } = ask(packet);
  if (status === 0) return { found: (JSON.parse(stdout) as Route[])[0]?.dev, isFiltered: false };
  const isRefused = /cross-device|Invalid argument/.test(stderr);
  return { found: undefined, isFiltered: isRefused && ask([]).status === 0 };
}

function remedyOf(host: Host, family: Family, destination: string, device: string): Pick<Way, 'isOnLink' | 'gateway'> {
  const onDevice = askIp<Route[]>(host, [OPTION[family], 'route', 'show', 'dev', device]) ?? [];
  const known = onDevice.find(({ gateway }) => gateway)?.gateway;
  return {
    isOnLink: isOnLink(host, device, destination),
    gateway: known ?? onlyNeighbour(host, family, device),
  };
}

/** The CPEs' interfaces that this host has: wildcards stand for those that are there. */
function presentSides(host: Host, sides: readonly CpeInterface[]): CpeInterface[] {
  const names = (askIp<{ ifname: string }[]>(host, ['link', 'show']) ?? []).map(({ ifname }) => ifname);
  return sides.flatMap((side) => {
    if (!side.in.endsWith('+')) return [side];
    return names.filter((name) => covers(side.in, name)).map((name) => ({ in: name, out: name }));
  });
}

/** Networks asked for; of thousands the first stand for all. */
const MOST_NETWORKS = 64;

/** Every server towards every network and back. */
function lookAtWays(host: Host, { topology }: Configuration): Way[] {
  const port = String(topology.reportPorts[0]);
  return placesOf(topology).flatMap(({ family, acs, cpeInterfaces, networks, servers }) => {
    const taken = [acs, ...servers.map(({ address }) => address)];
    const sides = presentSides(host, cpeInterfaces);
    return networks.slice(0, MOST_NETWORKS).flatMap((network) =>
      servers.flatMap((server): Way[] => {
        const cpe = sampleOf(network, taken);
        const back: Leg = {
          ...{ family, source: server.address, target: cpe, in: server.interface },
          ports: [port, ANY_PORT],
        };
        const returned = follow(host, back);
        // A network behind several interfaces: the one by which the kernel reaches it is the one it comes in by.
        const side = sides.find(({ out }) => out === returned.found) ?? sides[0];
        if (side === undefined) return [];
        const forth: Leg = { family, source: cpe, target: server.address, in: side.in, ports: [ANY_PORT, port] };
        return [
          {
            ...{ family, what: server.what, destination: server.address, from: side.in, expected: server.interface },
            ...remedyOf(host, family, server.address, server.interface),
            ...follow(host, forth),
          },
          {
            ...{ family, what: 'the CPEs', destination: network, from: server.interface, expected: side.out },
            ...remedyOf(host, family, network, side.out),
            ...returned,
          },
        ];
      }),
    );
  });
}

function lookAtDetours(host: Host, { topology }: Configuration): Detour[] {
  const port = String(topology.reportPorts[0]);
  return placesOf(topology).flatMap(({ family, acs, cpeInterfaces, networks, servers }) => {
    const outs = cpeInterfaces.map((side) => side.out);
    const [side] = presentSides(host, cpeInterfaces);
    if (side === undefined) return [];
    return networks.slice(0, MOST_NETWORKS).flatMap((network) => {
      const inside = askIp<Route[]>(host, [OPTION[family], 'route', 'show', 'root', network]) ?? [];
      return inside
        .filter(({ dst, dev }) => dst !== undefined && dst !== network && dev !== undefined && !isWanted(dev, outs))
        .map(({ dst, dev }) => {
          const source = sampleOf(dst!.includes('/') ? dst! : withPrefix(dst!, []), [acs]);
          const leg: Leg = { family, source, target: servers[0].address, in: side.in, ports: [ANY_PORT, port] };
          const { isFiltered } = follow(host, leg);
          return { family, part: dst!, network, dev: dev!, expected: side.out, isFiltered };
        });
    });
  });
}

const ip = (family: Family) => (family === 'ipv4' ? 'ip' : 'ip -6');

/** `ways` are for whole networks, `detours` for parts of them. */
interface Routing {
  ways: Way[];
  detours: Detour[];
}

export const routes: Check<Routing> = {
  name: 'routes',
  needs: ['configuration', 'interfaces', 'forwarding'],
  look: (host, wanted) => ({ ways: lookAtWays(host, wanted), detours: lookAtDetours(host, wanted) }),
  judge: (routing) => {
    const wrong = onceEach([...astray(routing), ...parts(routing)]);
    // A strict filter follows the routes: if a route is wrong, fix that first.
    return wrong.length > 0 ? wrong : onceEach(filtered(routing));
  },
  fine: ({ ways }) => `${ways.length} routes between CPEs and servers use the right interface and pass rp_filter`,
};

function astray({ ways, detours }: Routing): Fault[] {
  // A detour may include the sample address of its network: report it once, as a detour.
  const isDetour = (way: Way) => detours.some(({ network, dev }) => network === way.destination && dev === way.found);
  return ways
    .filter((way) => !way.isFiltered && way.found !== way.expected && !isDetour(way))
    .map(({ family, what, destination, expected, found, gateway, isOnLink: isNext }): Fault => {
      const where = found === undefined ? 'have no route' : `leave through ${found}`;
      const says = `packets for ${what} (${destination}) ${where}, expected ${expected}`;
      const via = isNext ? '' : ` via ${gateway}`;
      const mend = `${ip(family)} route replace ${destination}${via} dev ${expected}`;
      if (isNext || gateway !== undefined) return { level: 'failure', says, mend };
      const route = `${ip(family)} route add ${destination} via ROUTER dev ${expected}`;
      return {
        level: 'failure',
        says: `${says}; it is not on that link: name the router in front, ${route}`,
        mend: null,
      };
    });
}

function parts({ detours }: Routing): Fault[] {
  return detours.map(({ family, part, network, dev, expected, isFiltered }): Fault => {
    const also = isFiltered ? `; and the rp_filter of ${expected} drops packets from these CPEs` : '';
    const says = `${part}, part of the CPE network ${network}, is routed through ${dev}, expected ${expected}${also}`;
    return { level: 'failure', says, mend: `${ip(family)} route delete ${part} dev ${dev}` };
  });
}

/** Routes are right but rp_filter disagrees: kernels differ in how it treats policy routing by port or mark. */
function filtered({ ways }: Routing): Fault[] {
  return ways
    .filter(({ isFiltered }) => isFiltered)
    .map(({ from, what, destination }): Fault => {
      const says = `the rp_filter of ${from} drops packets for ${what} (${destination}), although the return route is right`;
      return { level: 'failure', says, mend: sysctl('net.ipv4.conf.IF.rp_filter', 2, from) };
    });
}

/** Several faults may have one cause: print each remedy once. */
function onceEach(faults: Fault[]): Fault[] {
  const isSame = (one: Fault, other: Fault) =>
    one.mend === other.mend && (one.mend !== null || one.says === other.says);
  return faults.filter((fault, i) => faults.findIndex((other) => isSame(other, fault)) === i);
}
