/** The servers and networks of the configuration by family, and a sample address for each network. */

import { type Family, familyOf, formatAddress, isInNetwork, parseAddress, parseNetwork } from '../packet/address';
import { covers } from '../configuration/interface';
import { type CpeInterface, cpeInterfaceNames, families, type Topology } from '../splitter/topology';

export interface Server {
  /** For people: `the ITMS`, `collector c1`. */
  what: string;
  interface: string;
  address: string;
}

/** One family's part of the topology. */
export interface Places {
  family: Family;
  acs: string;
  /** The first interface of the CPEs, or what its name stands for. */
  cpeInterface: string;
  cpeInterfaces: readonly CpeInterface[];
  networks: string[];
  servers: Server[];
}

/** The families that the ACS address has, IPv4 first. */
export function placesOf({ cpe, itms, collectors }: Topology): Places[] {
  const named = [
    { what: 'the ITMS', ...itms },
    ...collectors.map((collector) => ({ what: `collector ${collector.name}`, ...collector })),
  ];
  return families({ cpe }).map((family): Places => {
    const acs = cpe.address[family]!;
    const networks = cpe.networks.filter((network) => familyOf(parseNetwork(network)!.base) === family);
    const servers = named.flatMap(({ what, interface: name, address }): Server[] => {
      const own = address[family];
      return own === undefined ? [] : [{ what, interface: name, address: own }];
    });
    return { family, acs, cpeInterface: cpe.interfaces[0].in, cpeInterfaces: cpe.interfaces, networks, servers };
  });
}

/** Every interface of the topology once, those of the CPEs first. */
export function interfacesOf(topology: Topology): string[] {
  const { itms, collectors } = topology;
  return [...new Set([...cpeInterfaceNames(topology), ...[itms, ...collectors].map((server) => server.interface)])];
}

/** Whether a configured name, which may end in `+`, stands for this interface of the host. */
export function isWanted(name: string, wanted: readonly string[]): boolean {
  return wanted.some((pattern) => covers(pattern, name));
}

/** A host address in the middle of the network, not in `taken`, with which to look up routes. */
export function sampleOf(network: string, taken: readonly string[]): string {
  const { base, mask } = parseNetwork(network)!;
  const last = base.length - 1;
  const size = (~mask[last] >>> 0) + 1;
  const first = size < 8 ? 0 : size / 2 + 2;
  for (let at = first; at < size; at++) {
    const address = base.slice();
    address[last] += at;
    const text = formatAddress(address);
    if (!taken.includes(text)) return text;
  }
  return formatAddress(base);
}

/** `address/bits` with the prefix length of the network that contains it; a host prefix if none does. */
export function withPrefix(address: string, networks: readonly string[]): string {
  const host = parseAddress(address)!;
  const around = networks.find((text) => isInNetwork(host, parseNetwork(text)!));
  return `${address}/${around?.split('/')[1] ?? host.length * 32}`;
}
