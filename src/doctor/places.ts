/** The configuration's servers and networks family by family, and an address that stands for a whole network. */

import { type Family, familyOf, formatAddress, isInNetwork, parseAddress, parseNetwork } from '../packet/address';
import { cpeInterfaceNames, families, type Topology } from '../splitter/topology';

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
  cpeInterface: string;
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
    return { family, acs, cpeInterface: cpe.interfaces[0].in, networks, servers };
  });
}

/** Every interface of the topology, each once, the CPEs' first. */
export function interfacesOf(topology: Topology): string[] {
  const { itms, collectors } = topology;
  return [...new Set([...cpeInterfaceNames(topology), ...[itms, ...collectors].map((server) => server.interface)])];
}

/** A host's address in the middle of the network, none of `taken`: routes are asked for this one. */
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

/** `address/bits` with the bits of the network that holds it; alone where none does. */
export function withPrefix(address: string, networks: readonly string[]): string {
  const host = parseAddress(address)!;
  const around = networks.find((text) => isInNetwork(host, parseNetwork(text)!));
  return `${address}/${around?.split('/')[1] ?? host.length * 32}`;
}
