/**
 * The packets that our rules are for, as each chain on their way sees them. The check walks the host's own rules with
 * these instead of with single packets, so "may this rule touch our traffic?" has an answer.
 */

import { type Family, familyOf, parseNetwork } from '../../packet/address';
import { type OnEngineDown, type Topology } from '../../splitter/topology';
import { asText } from './family';
import { quotable } from './networks';
import { type IptablesTable } from './render';

export interface Traffic {
  /** For people. */
  what: string;
  protocol: 'tcp' | 'icmp';
  /** Interfaces as this chain sees them; `undefined` where the hook does not know one. */
  in?: string | undefined;
  out?: string | undefined;
  /** Addresses or networks; none where nobody can tell. */
  sources: string[];
  destinations: string[];
  /** Both ends included; empty for ICMP. */
  destinationPorts: [number, number][];
  hasSyn: boolean;
  /** Known to conntrack as untracked: everywhere behind raw. */
  isUntracked: boolean;
}

/**
 * What our rules do at this station. `marks`: notrack, then the host's rules go on. `decides`: queue, accept or drop,
 * and later rules of that table never see the packet. `admits`: accept, and an earlier accept is as good. `passes`: none
 * of ours, but it must get through.
 */
export type Role = 'marks' | 'decides' | 'admits' | 'passes';

export interface Station {
  table: IptablesTable;
  chain: string;
  role: Role;
  traffic: Traffic;
}

const ANY_PORT: [number, number][] = [[0, 65_535]];

/** Servers open Connection Requests from their systems' unprivileged ports; the answers come back there. */
const UNPRIVILEGED_PORTS: [number, number][] = [[1024, 65_535]];

/** The topology as one family sees it, through one of the CPEs' interfaces. */
interface Side {
  in: string;
  out: string;
  acs: string;
  networks: string[];
  ports: number[];
}

/**
 * Every chain of iptables that our traffic passes, before and after it is rewritten. nat is one while no engine runs, and
 * only with `itms`: what is not tracked never meets it.
 */
export function stations(topology: Topology, family: Family, onEngineDown: OnEngineDown): Station[] {
  const { cpe, itms, reportPorts, itmsPorts } = topology;
  const networks = cpe.networks.map((text) => parseNetwork(text)!).filter(({ base }) => familyOf(base) === family);
  const sides = cpe.interfaces.map((one): Side => ({
    ...one,
    acs: cpe.address[family]!,
    networks: quotable(networks).map(asText),
    ports: [...reportPorts, ...itmsPorts],
  }));
  const groups = serverGroups(topology, family);
  return sides.flatMap((side) => [
    ...fromCpes(side),
    ...groups.flatMap((group) => aroundServers(side, group)),
    ...errorsFromCpes(side),
    ...groups.flatMap((group) => errorsAroundServers(side, group)),
    ...ownErrors(side, groups),
    ...(onEngineDown === 'itms' ? withoutEngine(side, itms.interface, itms.address[family]!) : []),
  ]);
}

/** What nat translates while no engine runs. */
function withoutEngine(side: Side, itmsInterface: string, itms: string): Station[] {
  const sessions: Traffic = {
    what: 'the sessions that CPEs open while no engine runs',
    protocol: 'tcp',
    in: side.in,
    sources: side.networks,
    destinations: [side.acs],
    destinationPorts: side.ports.map((port): [number, number] => [port, port]),
    hasSyn: true,
    isUntracked: false,
  };
  const requests: Traffic = {
    ...sessions,
    what: "the ITMS's Connection Requests while no engine runs",
    in: undefined,
    out: side.out,
    sources: [itms],
    destinations: side.networks,
    destinationPorts: ANY_PORT,
  };
  const forwarded: Traffic = { ...sessions, in: undefined, out: itmsInterface, destinations: [itms] };
  return [
    { table: 'nat', chain: 'PREROUTING', role: 'decides', traffic: sessions },
    { table: 'nat', chain: 'POSTROUTING', role: 'decides', traffic: requests },
    { table: 'nat', chain: 'POSTROUTING', role: 'decides', traffic: forwarded },
  ];
}

function fromCpes(side: Side): Station[] {
  const ends = { in: side.in, sources: side.networks, destinations: [side.acs] };
  const common = { protocol: 'tcp' as const, ...ends };
  const reports = {
    ...common,
    what: 'what CPEs send to the ports that are steered',
    destinationPorts: side.ports.map((port): [number, number] => [port, port]),
    hasSyn: true,
  };
  const answers = {
    ...common,
    what: "the CPEs' answers to Connection Requests",
    destinationPorts: UNPRIVILEGED_PORTS,
    hasSyn: false,
  };
  return [
    ...[reports, answers].flatMap((traffic): Station[] => [
      { table: 'raw', chain: 'PREROUTING', role: 'marks', traffic: { ...traffic, isUntracked: false } },
      { table: 'mangle', chain: 'PREROUTING', role: 'decides', traffic: { ...traffic, isUntracked: true } },
    ]),
    { table: 'filter', chain: 'INPUT', role: 'decides', traffic: { ...reports, isUntracked: true } },
  ];
}

function aroundServers(side: Side, group: ServerGroup): Station[] {
  const inward: Traffic = {
    what: `what CPEs send, on its way to ${group.addresses.join(', ')}`,
    protocol: 'tcp',
    in: side.in,
    out: group.interface,
    sources: side.networks,
    destinations: group.addresses,
    destinationPorts: ANY_PORT,
    hasSyn: true,
    isUntracked: true,
  };
  const arriving: Traffic = {
    ...inward,
    what: `what ${group.addresses.join(', ')} send${group.addresses.length === 1 ? 's' : ''} to CPEs`,
    in: group.interface,
    out: undefined,
    sources: group.addresses,
    destinations: side.networks,
    isUntracked: false,
  };
  const outward: Traffic = { ...arriving, out: side.out, isUntracked: true };
  const rewritten: Traffic = { ...outward, sources: [side.acs] };
  return [
    { table: 'mangle', chain: 'FORWARD', role: 'passes', traffic: inward },
    { table: 'filter', chain: 'FORWARD', role: 'decides', traffic: inward },
    { table: 'mangle', chain: 'POSTROUTING', role: 'passes', traffic: behindRouting(inward) },
    { table: 'raw', chain: 'PREROUTING', role: 'marks', traffic: arriving },
    { table: 'mangle', chain: 'PREROUTING', role: 'passes', traffic: { ...arriving, isUntracked: true } },
    { table: 'mangle', chain: 'FORWARD', role: 'decides', traffic: outward },
    { table: 'filter', chain: 'FORWARD', role: 'decides', traffic: outward },
    { table: 'filter', chain: 'FORWARD', role: 'decides', traffic: rewritten },
    { table: 'mangle', chain: 'POSTROUTING', role: 'passes', traffic: behindRouting(rewritten) },
  ];
}

/** ICMP errors. Whichever router on the way may have sent them, so nobody knows their sources. */
function errors(what: string, more: Pick<Traffic, 'destinations'> & Partial<Traffic>): Traffic {
  return { what, protocol: 'icmp', sources: [], destinationPorts: [], hasSyn: false, isUntracked: true, ...more };
}

function errorsFromCpes(side: Side): Station[] {
  const arriving = errors("ICMP errors from the CPEs' side", { in: side.in, destinations: [side.acs] });
  return [
    { table: 'raw', chain: 'PREROUTING', role: 'marks', traffic: { ...arriving, isUntracked: false } },
    { table: 'mangle', chain: 'PREROUTING', role: 'decides', traffic: arriving },
  ];
}

function errorsAroundServers(side: Side, group: ServerGroup): Station[] {
  const servers = group.addresses.join(', ');
  const inward = errors(`ICMP errors on their way to ${servers}`, {
    in: side.in,
    out: group.interface,
    destinations: group.addresses,
  });
  const outward = errors(`ICMP errors from the side of ${servers}`, {
    in: group.interface,
    out: side.out,
    destinations: side.networks,
  });
  const arriving: Traffic = { ...outward, out: undefined };
  return [
    { table: 'mangle', chain: 'FORWARD', role: 'passes', traffic: inward },
    { table: 'filter', chain: 'FORWARD', role: 'admits', traffic: inward },
    { table: 'mangle', chain: 'POSTROUTING', role: 'passes', traffic: behindRouting(inward) },
    { table: 'raw', chain: 'PREROUTING', role: 'marks', traffic: { ...arriving, isUntracked: false } },
    { table: 'mangle', chain: 'PREROUTING', role: 'passes', traffic: arriving },
    { table: 'mangle', chain: 'FORWARD', role: 'decides', traffic: outward },
    { table: 'filter', chain: 'FORWARD', role: 'admits', traffic: outward },
    { table: 'mangle', chain: 'POSTROUTING', role: 'passes', traffic: behindRouting(outward) },
  ];
}

/** What this host's kernel itself says about our traffic: to CPEs, to servers, and to itself. */
function ownErrors(side: Side, groups: readonly ServerGroup[]): Station[] {
  const destinations = [side.acs, ...side.networks, ...groups.flatMap(({ addresses }) => addresses)];
  // To conntrack they are INVALID: the kernel has them inherit what it knows of the packet that they are about.
  const own = errors("this host's own ICMP errors", { destinations, isUntracked: false });
  return [
    { table: 'mangle', chain: 'OUTPUT', role: 'admits', traffic: own },
    { table: 'filter', chain: 'OUTPUT', role: 'admits', traffic: own },
    { table: 'mangle', chain: 'POSTROUTING', role: 'passes', traffic: own },
  ];
}

/** POSTROUTING does not know where a packet came in. */
function behindRouting(traffic: Traffic): Traffic {
  return { ...traffic, in: undefined };
}

interface ServerGroup {
  interface: string;
  addresses: string[];
}

/** ITMS and collectors by interface: they may share one. */
function serverGroups({ itms, collectors }: Topology, family: Family): ServerGroup[] {
  const groups = new Map<string, string[]>();
  for (const server of [itms, ...collectors]) {
    const more = (server.requestAddresses ?? []).flatMap((addresses) => addresses[family] ?? []);
    groups.set(server.interface, [...(groups.get(server.interface) ?? []), server.address[family]!, ...more]);
  }
  return [...groups].map(([name, addresses]) => ({ interface: name, addresses }));
}
