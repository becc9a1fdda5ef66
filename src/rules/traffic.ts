/**
 * The packets that our rules are for, as each chain on their way sees them. The check walks the host's own rules with
 * these instead of with single packets, so "may this rule touch our traffic?" has an answer.
 */

import { type Topology } from '../splitter/topology';
import { type TableName } from './render';

export interface Traffic {
  /** For people. */
  what: string;
  /** Interfaces as this chain sees them; `undefined` where the hook does not know one. */
  in?: string | undefined;
  out?: string | undefined;
  /** Addresses or networks. */
  sources: string[];
  destinations: string[];
  /** Both ends included. */
  destinationPorts: [number, number][];
  hasSyn: boolean;
  /** Known to conntrack as untracked: everywhere behind raw. */
  isUntracked: boolean;
}

/**
 * What our rules do at this station. `marks`: notrack, then the host's rules go on. `decides`: queue, accept or drop,
 * and later rules of that table never see the packet. `passes`: none of ours, but it must get through.
 */
export type Role = 'marks' | 'decides' | 'passes';

export interface Station {
  table: TableName;
  chain: string;
  role: Role;
  traffic: Traffic;
}

const ANY_PORT: [number, number][] = [[0, 65_535]];

/** Servers open Connection Requests from their systems' unprivileged ports; the answers come back there. */
const UNPRIVILEGED_PORTS: [number, number][] = [[1024, 65_535]];

/** Every chain of iptables that our traffic passes, before and after it is rewritten. nat is none: no conntrack. */
export function stations(topology: Topology): Station[] {
  return [...fromCpes(topology), ...serverGroups(topology).flatMap((group) => aroundServers(topology, group))];
}

function fromCpes({ cpe, reportPorts, itmsPorts }: Topology): Station[] {
  const common = { in: cpe.interface, sources: cpe.networks, destinations: [cpe.address.ipv4 ?? ''] };
  const reports = {
    ...common,
    what: 'what CPEs send to the ports that are steered',
    destinationPorts: [...reportPorts, ...itmsPorts].map((port): [number, number] => [port, port]),
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

function aroundServers({ cpe }: Topology, group: { interface: string; addresses: string[] }): Station[] {
  const inward: Traffic = {
    what: `what CPEs send, on its way to ${group.addresses.join(', ')}`,
    in: cpe.interface,
    out: group.interface,
    sources: cpe.networks,
    destinations: group.addresses,
    destinationPorts: ANY_PORT,
    hasSyn: true,
    isUntracked: true,
  };
  const arriving: Traffic = {
    what: `what ${group.addresses.join(', ')} send${group.addresses.length === 1 ? 's' : ''} to CPEs`,
    in: group.interface,
    sources: group.addresses,
    destinations: cpe.networks,
    destinationPorts: ANY_PORT,
    hasSyn: true,
    isUntracked: false,
  };
  const outward: Traffic = { ...arriving, out: cpe.interface, isUntracked: true };
  const rewritten: Traffic = { ...outward, sources: [cpe.address.ipv4 ?? ''] };
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

/** POSTROUTING does not know where a packet came in. */
function behindRouting(traffic: Traffic): Traffic {
  return { ...traffic, in: undefined };
}

/** ITMS and collectors by interface: they may share one. */
function serverGroups({ itms, collectors }: Topology): { interface: string; addresses: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const server of [itms, ...collectors]) {
    groups.set(server.interface, [...(groups.get(server.interface) ?? []), server.address.ipv4 ?? '']);
  }
  return [...groups].map(([name, addresses]) => ({ interface: name, addresses }));
}
