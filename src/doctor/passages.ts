/** The packets that we steer, as each hook of netfilter sees them: what the host's own nftables rules are tried with. */

import { type Family } from '../packet/address';
import { covers } from '../configuration/interface';
import { type Addresses, type Topology } from '../splitter/topology';
import { placesOf } from './places';

export type Ports = readonly (readonly [first: number, last: number])[];

/** TCP between two ends, on its way through one hook. */
export interface Passage {
  /** For people. */
  what: string;
  family: Family;
  /** Lies in a CPE network, and is no CPE. */
  acs: string;
  /** Interfaces that the hook knows. */
  in?: string;
  out?: string;
  sources: readonly string[];
  destinations: readonly string[];
  sourcePorts: Ports;
  destinationPorts: Ports;
  /** Whether conntrack has seen our `notrack`. Before that a state says nothing. */
  isUntracked: boolean;
}

/** Priorities of iptables' tables. linux/netfilter_ipv4.h */
const RAW = -300;
const MANGLE = -150;

/** Source ports of clients. */
const UNPRIVILEGED: Ports = [[1024, 65_535]];

/** Where CPEs listen for Connection Requests, if `requestPorts` does not say: as web servers do, or higher. */
const CPE_PORTS: Ports = [[80, 65_535]];

/** Hooks that forwarded packets pass. Those of `netdev` are bound to a device. */
const HOOKS = ['ingress', 'prerouting', 'forward', 'postrouting', 'egress'] as const;
type Hook = (typeof HOOKS)[number];

interface Direction {
  what: string;
  in: string;
  out: string;
  isFromCpe: boolean;
  server: readonly string[];
  sourcePorts: Ports;
  destinationPorts: Ports;
}

export function isHookOfOurs(hook: string): hook is Hook {
  return (HOOKS as readonly string[]).includes(hook);
}

/** @param devices of a chain of the family `netdev`; empty: all */
export function passagesAt(topology: Topology, hook: Hook, priority: number, devices: readonly string[]): Passage[] {
  const isDevices = (name: string) => devices.length === 0 || devices.some((device) => covers(name, device));
  const passages = placesOf(topology).flatMap(({ family, acs, networks }) =>
    directions(topology, family).flatMap((direction): Passage[] => {
      const { what, sourcePorts, destinationPorts, isFromCpe, server } = direction;
      // Where the splitter has rewritten the packet: the destination in mangle PREROUTING, the source in mangle FORWARD.
      const isEarly = hook === 'ingress' || (hook === 'prerouting' && priority < MANGLE);
      const isSourceOld = isEarly || hook === 'prerouting' || (hook === 'forward' && priority < MANGLE);
      const [sources, destinations] = isFromCpe
        ? [networks, isEarly ? [acs] : server]
        : [isSourceOld ? server : [acs], networks];
      const ends = {
        ...(['ingress', 'prerouting', 'forward'].includes(hook) ? { in: direction.in } : {}),
        ...(['forward', 'postrouting', 'egress'].includes(hook) ? { out: direction.out } : {}),
      };
      const device = hook === 'egress' ? direction.out : direction.in;
      if (['ingress', 'egress'].includes(hook) && !isDevices(device)) return [];
      const isUntracked = hook !== 'ingress' && (hook !== 'prerouting' || priority > RAW);
      return [{ what, family, acs, ...ends, sources, destinations, sourcePorts, destinationPorts, isUntracked }];
    }),
  );
  return passages;
}

function directions({ cpe, itms, collectors, ...ports }: Topology, family: Family): Direction[] {
  const reports = [...ports.reportPorts, ...ports.itmsPorts].map((port) => [port, port] as const);
  const { requestPorts = 'any' } = ports;
  const requests = requestPorts === 'any' ? CPE_PORTS : requestPorts.map((port) => [port, port] as const);
  const servers = [
    { name: 'the ITMS', ...itms },
    ...collectors.map(({ name, ...collector }) => ({ ...collector, name: `collector ${name}` })),
  ];
  return cpe.interfaces.flatMap((side) =>
    servers.flatMap(({ name, interface: behind, address, requestAddresses = [] }): Direction[] => {
      const all = [address, ...requestAddresses].flatMap((one: Addresses) => one[family] ?? []);
      const inward = { in: side.in, out: behind, isFromCpe: true };
      const outward = { in: behind, out: side.out, isFromCpe: false };
      const own = all.slice(0, 1);
      return [
        {
          ...{ ...inward, what: `sessions of CPEs with ${name}`, server: own },
          ...{ sourcePorts: UNPRIVILEGED, destinationPorts: reports },
        },
        {
          ...{ ...outward, what: `answers of ${name} to CPEs`, server: own },
          ...{ sourcePorts: reports, destinationPorts: UNPRIVILEGED },
        },
        {
          ...{ ...outward, what: `Connection Requests of ${name}`, server: all },
          ...{ sourcePorts: UNPRIVILEGED, destinationPorts: requests },
        },
        {
          ...{ ...inward, what: `CPEs' answers to Connection Requests of ${name}`, server: all },
          ...{ sourcePorts: requests, destinationPorts: UNPRIVILEGED },
        },
      ];
    }),
  );
}
