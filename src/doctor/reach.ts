/**
 * Asks the network itself: who has the addresses next to us (ARP, neighbour discovery), do the servers take connections (TCP), do their
 * answers come back to the CPEs' side, and which size of packet reaches them (ICMP echo). Asked once for a diagnosis.
 */

import { parseAddress, parseNetwork, isInNetwork, type Family } from '../packet/address';
import { type Configuration } from '../configuration/configuration';
import { askIp } from './ask-ip';
import { type Attempt, type Host } from './host';
import { placesOf, sampleOf } from './places';

/** A host next to us: a server, or the router in front of servers or CPEs. */
export interface NextHop {
  family: Family;
  address: string;
  device: string;
  /** Who is behind it, for people. */
  whats: string[];
  /** MACs that answered. */
  macs: string[];
  /** Whether it, or a server behind it, gave a sign of life. */
  isAnswering: boolean;
  /** As the kernel knows it; undefined: it does not. */
  known: { mac: string | undefined; states: string[] } | undefined;
}

export interface ServerReach {
  family: Family;
  what: string;
  address: string;
  device: string;
  /** In front of it; undefined: it is next to us. */
  gateway: string | undefined;
  /** Report ports were also asked over HTTP. */
  ports: ({ port: number } & Attempt)[];
  /** The size that the way there should carry: the route's, or else the interface's. */
  mtu: number;
  /** Whether it answers a small echo; one from the ACS address, undefined if that is not here. */
  isAnswering: boolean;
  isAnsweringAcs: boolean | undefined;
  /** The largest echo that it answers, if not `mtu`; what a router said fits, or 0. */
  largest: number | undefined;
  toldMtu: number;
}

export interface Reach {
  hops: NextHop[];
  servers: ServerReach[];
  /** MACs that answer for an ACS address of this host on the CPEs' side. */
  duplicates: { family: Family; acs: string; device: string; macs: string[] }[];
  /** IPv6 addresses that the kernel's own detection found taken. */
  taken: string[];
}

interface Address {
  ifname: string;
  address?: string;
  addr_info: { local: string; prefixlen: number; dadfailed?: boolean }[];
}
interface Route {
  dev?: string;
  gateway?: string;
  metrics?: { mtu?: number }[];
}
interface Neighbour {
  dst: string;
  dev: string;
  lladdr?: string;
  state?: string[];
}

const MAC_WAIT_MS = 250;
const ECHO_WAIT_MS = 500;
/** Ports tried on each server. */
const MOST_PORTS = 4;
/** CPE networks whose next hop is asked. */
const MOST_NETWORKS = 16;
/** What every network carries. */
const SMALL_BYTES = 100;
/** Sizes tried where a full one is lost without a word: usual tunnels, and IPv6's least. */
const SIZES = [1492, 1480, 1476, 1460, 1450, 1440, 1420, 1400, 1380, 1360, 1320, 1280, 1000, 576];

const asked = new WeakMap<Host, Promise<Reach>>();

/** @param host of one diagnosis; another is asked again */
export function reachOf(host: Host, wanted: Configuration): Promise<Reach> {
  const known = asked.get(host) ?? lookAround(host, wanted);
  asked.set(host, known);
  return known;
}

async function lookAround(host: Host, { topology }: Configuration): Promise<Reach> {
  const addresses = askIp<Address[]>(host, ['address', 'show']) ?? [];
  const mtus = new Map(
    (askIp<{ ifname: string; mtu: number }[]>(host, ['-d', 'link', 'show']) ?? []).map((link) => [
      link.ifname,
      link.mtu,
    ]),
  );
  const routeTo = (family: Family, address: string): Route =>
    askIp<Route[]>(host, [family === 'ipv4' ? '-4' : '-6', 'route', 'get', 'fibmatch', address])?.[0] ?? {};
  const isLocal = (text: string) => addresses.some(({ addr_info: list }) => list.some(({ local }) => local === text));
  const hops = new Map<string, NextHop>();
  const addHop = (family: Family, address: string, device: string, what: string) => {
    const hop = hops.get(`${address} ${device}`) ?? {
      family,
      address,
      device,
      whats: [],
      macs: [],
      isAnswering: false,
      known: undefined,
    };
    if (!hop.whats.includes(what)) hop.whats.push(what);
    hops.set(`${address} ${device}`, hop);
  };
  const ports = [...topology.reportPorts, ...topology.itmsPorts];
  const servers: ServerReach[] = [];
  const connecting: Promise<void>[] = [];
  const places = placesOf(topology);
  for (const { family, acs, networks, servers: list } of places) {
    for (const { what, address } of list) {
      const { dev, gateway, metrics } = routeTo(family, address);
      if (dev === undefined) continue;
      addHop(family, gateway ?? address, dev, what);
      const mtu = metrics?.find((one) => one.mtu !== undefined)?.mtu ?? mtus.get(dev) ?? 0;
      const server: ServerReach = {
        ...{ family, what, address, device: dev, gateway, ports: [], mtu },
        ...{ isAnswering: false, isAnsweringAcs: undefined, largest: undefined, toldMtu: 0 },
      };
      servers.push(server);
      for (const port of (what === 'the ITMS' ? ports : topology.reportPorts).slice(0, MOST_PORTS)) {
        const attempt = host.connect(address, port, topology.reportPorts.includes(port));
        connecting.push(attempt.then((met) => void server.ports.push({ port, ...met })));
      }
    }
    const taken = [acs, ...list.map(({ address }) => address)];
    for (const network of networks.slice(0, MOST_NETWORKS)) {
      const { dev, gateway } = routeTo(family, sampleOf(network, taken));
      if (dev !== undefined && gateway !== undefined) addHop(family, gateway, dev, `the CPEs (${network})`);
    }
  }
  const duplicates = places
    .filter(({ acs }) => isLocal(acs))
    .flatMap(({ family, acs, cpeInterfaces }) =>
      cpeInterfaces.map((side) => ({ family, acs, device: side.in, macs: [] as string[] })),
    );
  const own = new Set(addresses.map(({ address }) => address));
  const list = [...hops.values()];
  askMacs(host, list, duplicates, own);
  await Promise.all(connecting);
  for (const server of servers) server.ports.sort((a, b) => a.port - b.port);
  echo(host, servers, list, new Map(places.filter(({ acs }) => isLocal(acs)).map(({ family, acs }) => [family, acs])));
  const neighbours = askIp<Neighbour[]>(host, ['neighbour', 'show']) ?? [];
  for (const hop of list) {
    const behind = servers.filter(
      ({ address, gateway, device }) => device === hop.device && (gateway ?? address) === hop.address,
    );
    hop.isAnswering ||= behind.some(isAlive);
    const found = neighbours.find(({ dst, dev }) => dst === hop.address && dev === hop.device);
    hop.known = found && { mac: found.lladdr, states: found.state ?? [] };
  }
  const taken = addresses.flatMap(({ addr_info: infos }) =>
    infos.filter((one) => one.dadfailed).map((one) => one.local),
  );
  return { hops: list, servers, duplicates, taken: taken.filter((text) => places.some(({ acs }) => acs === text)) };
}

function askMacs(
  host: Host,
  hops: NextHop[],
  duplicates: Reach['duplicates'],
  own: ReadonlySet<string | undefined>,
): void {
  const asks = [
    ...hops.map((hop) => ({ to: hop, address: hop.address })),
    ...duplicates.map((one) => ({ to: one, address: one.acs })),
  ];
  if (asks.length === 0) return;
  const answers = host.askMacs(
    asks.map(({ to, address }) => ({ interface: to.device, address })),
    MAC_WAIT_MS,
  );
  // Another interface of ours on the same wire may answer for all our addresses. (arp_ignore)
  for (const [i, { to }] of asks.entries()) to.macs = answers[i].filter((mac) => !own.has(mac));
}

function echo(host: Host, servers: ServerReach[], hops: readonly NextHop[], acs: ReadonlyMap<Family, string>): void {
  const small = servers.flatMap((server) => {
    const from = acs.get(server.family);
    const { address } = server;
    return [
      { server, bytes: SMALL_BYTES, address, isFull: false },
      ...(from === undefined ? [] : [{ server, bytes: SMALL_BYTES, address, from, isFull: false }]),
      ...(server.mtu > SMALL_BYTES ? [{ server, bytes: server.mtu, address, isFull: true }] : []),
    ];
  });
  // The kernel resolves a hop when it has something to send.
  const asides = hops.filter(({ address }) => !address.startsWith('fe80:'));
  if (small.length + asides.length === 0) return;
  const pings = asides.map(({ address }) => ({ address, bytes: SMALL_BYTES }));
  const answers = host.echo([...small, ...pings], ECHO_WAIT_MS);
  for (const [i, hop] of asides.entries()) hop.isAnswering = answers[small.length + i].isAnswered;
  for (const [i, ask] of small.entries()) {
    const { isAnswered, mtu } = answers[i];
    const { server } = ask;
    if (ask.isFull) {
      server.largest = isAnswered ? undefined : 0;
      server.toldMtu = isAnswered ? 0 : mtu;
    } else if ('from' in ask) server.isAnsweringAcs = isAnswered;
    else server.isAnswering = isAnswered;
  }
  const lost = servers.filter(({ isAnswering, largest, toldMtu }) => isAnswering && largest === 0 && toldMtu === 0);
  const sizes = lost.flatMap((server) =>
    SIZES.filter((bytes) => bytes < server.mtu).map((bytes) => ({ server, bytes, address: server.address })),
  );
  if (sizes.length === 0) return;
  const found = host.echo(sizes, ECHO_WAIT_MS);
  for (const [i, { server, bytes }] of sizes.entries()) {
    if (found[i].isAnswered) server.largest = Math.max(server.largest ?? 0, bytes);
  }
}

/** Whether a hop does not answer at all. */
export function isDead({ macs, known, isAnswering }: NextHop): boolean {
  const states = known?.states ?? [];
  return !isAnswering && macs.length === 0 && !states.includes('PERMANENT') && !states.includes('NOARP');
}

/** Somebody else has the address than the kernel sends to. */
export function hasWrongMac({ macs, known }: NextHop): boolean {
  return macs.length > 0 && known?.mac !== undefined && !macs.includes(known.mac);
}

const SIGNS_OF_LIFE = ['connected', 'mute', 'reset', 'ECONNREFUSED'];

/** Whether anything came back from a server. */
export function isAlive({ ports, isAnswering }: ServerReach): boolean {
  return isAnswering || ports.some(({ outcome }) => SIGNS_OF_LIFE.includes(outcome));
}

/** The prefixes of an interface's own addresses: what is on its link. */
export function isOnLink(host: Host, device: string, destination: string): boolean {
  const [text, length] = destination.split('/');
  const address = parseAddress(text)!;
  const bits = length === undefined ? address.length * 32 : Number(length);
  return (askIp<Address[]>(host, ['address', 'show']) ?? [])
    .filter(({ ifname }) => ifname === device)
    .flatMap(({ addr_info: infos }) => infos)
    .some(({ local, prefixlen }) => {
      const { mask } = parseNetwork(`${local.includes(':') ? '::' : '0.0.0.0'}/${prefixlen}`)!;
      const base = parseAddress(local)!.map((word, n) => word & mask[n]);
      return prefixlen <= bits && isInNetwork(address, { base, mask });
    });
}

/** The only host that is known on an interface: the router in front of what is not on the link, if anybody is. */
export function onlyNeighbour(host: Host, family: Family, device: string): string | undefined {
  const all = askIp<Neighbour[]>(host, [family === 'ipv4' ? '-4' : '-6', 'neighbour', 'show', 'dev', device]) ?? [];
  const alive = all.filter(
    ({ dst, lladdr, state = [] }) => lladdr !== undefined && !state.includes('FAILED') && !dst.startsWith('ff'),
  );
  const routers = alive.filter(({ dst }) => isOnLink(host, device, dst));
  return routers.length === 1 ? routers[0].dst : undefined;
}
