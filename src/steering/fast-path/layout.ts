/**
 * The BPF program's maps in TypeScript: what native/fast-path/layout.h says in C; a test compares the two. Pure: bytes in
 * network order, the program's own words in the machine's.
 */
import { type Address, ADDRESS_WORDS, type Family, familyOf, type Network, parseAddress } from '../../packet/address';
import { parseNetwork } from '../../packet/address';
import { families, type Topology } from '../../splitter/topology';

/** What became of a packet, by the number of its counter. */
export const CARRY_REASONS = [
  'carried-to-itms',
  'carried-from-itms',
  'carried-to-collector',
  'carried-from-collector',
  'closed',
  'not-for-us',
  'vlan-tag',
  'not-steered',
  'not-tcp',
  'options',
  'fragment',
  'ttl',
  'unreadable',
  'flags',
  'syn',
  'diverted',
  'ending',
  'unproven',
  'overtaking',
  'direct',
  'foreign',
  'watched',
  'not-a-cpe',
  'standby',
  'source',
  'route',
  'mtu',
  'dropped',
  'unheard',
] as const;
export type CarryReason = (typeof CARRY_REASONS)[number];

/** Index into the map `control`. */
export const enum Control {
  Slot,
  Open,
  AliveUntil,
  OfferedMs,
  CarriedMs,
  ForeignEpoch,
}

/** Bits of an interface's role. */
export const enum Role {
  CpeIn = 1,
  CpeOut = 2,
  Itms = 4,
  Collector = 8,
}

const enum PortClass {
  Report = 1,
  Itms = 2,
}

export type MapName = 'configurations' | 'interfaces' | 'networks4' | 'networks6' | 'ports';

export interface Entry {
  key: Uint8Array;
  value: Uint8Array;
}

/** An interface of the host that the configuration names. */
export interface Link {
  name: string;
  index: number;
}

/** A 32-bit word of the program's, such as an index or a flag. */
export function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** Words one after the other. */
function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** An address as it is in a packet. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(address.length * 4);
  const view = new DataView(bytes.buffer);
  address.forEach((part, i) => view.setInt32(i * 4, part));
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** Everything of a configuration except its interfaces, by map, for a slot (0 or 1). */
export function configurationEntries(
  topology: Topology,
  slot: number,
): Record<Exclude<MapName, 'interfaces'>, Entry[]> {
  const entries = { configurations: [configurationOf(topology, slot)], ports: portsOf(topology, slot) };
  return { ...entries, networks4: networksOf(topology, slot, 'ipv4'), networks6: networksOf(topology, slot, 'ipv6') };
}

/** struct configuration */
function configurationOf({ cpe, itms }: Topology, slot: number): Entry {
  const of = (text: string | undefined, family: Family) => {
    const address = text === undefined ? undefined : parseAddress(text);
    return address ? addressBytes(address) : new Uint8Array(ADDRESS_WORDS[family] * 4);
  };
  const value = join(
    of(cpe.address.ipv4, 'ipv4'),
    of(itms.address.ipv4, 'ipv4'),
    of(cpe.address.ipv6, 'ipv6'),
    of(itms.address.ipv6, 'ipv6'),
  );
  return { key: word(slot), value };
}

/** struct port_key. A report port that is also in itmsPorts is a report port, as in Servers. */
function portsOf({ reportPorts, itmsPorts }: Topology, slot: number): Entry[] {
  const key = (port: number) =>
    join(new Uint8Array(Uint16Array.of(slot).buffer), Uint8Array.of(port >>> 8, port & 255));
  const classes = new Map<number, PortClass>();
  for (const port of itmsPorts) classes.set(port, PortClass.Itms);
  for (const port of reportPorts) classes.set(port, PortClass.Report);
  return [...classes].map(([port, portClass]) => ({ key: key(port), value: word(portClass) }));
}

/** struct network4_key and network6_key. Servers that live among CPEs are no CPEs. */
function networksOf(topology: Topology, slot: number, family: Family): Entry[] {
  if (!families(topology).includes(family)) return [];
  const ofFamily = (network: Network) => familyOf(network.base) === family;
  const cpes = topology.cpe.networks
    .map(parseNetwork)
    .filter((network) => network !== undefined)
    .filter(ofFamily);
  const servers = serverAddresses(topology).filter((address) => familyOf(address) === family);
  const whole = ADDRESS_WORDS[family] * 32;
  const entry = (bits: number, address: Address, value: number) => ({
    key: join(words(32 + bits, slot), addressBytes(address)),
    value: word(value),
  });
  return [
    ...cpes.map(({ base, mask }) => entry(prefixLength(mask), base, 1)),
    ...servers.map((address) => entry(whole, address, 0)),
  ];
}

function serverAddresses({ itms, collectors }: Topology): Address[] {
  const addresses = [itms, ...collectors].flatMap((server) => [server.address, ...(server.requestAddresses ?? [])]);
  return addresses
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
    .map((text) => (text === undefined ? undefined : parseAddress(text)))
    .filter((address) => address !== undefined);
}

function prefixLength(mask: Int32Array): number {
  return mask.reduce((bits, part) => bits + (part === 0 ? 0 : 32 - Math.log2((~part >>> 0) + 1)), 0);
}

/** Roles of the host's interfaces; those without one are absent. */
export function rolesOf<T extends Link>({ cpe, itms, collectors }: Topology, links: readonly T[]): Map<T, number> {
  const roles = new Map<T, number>();
  for (const link of links) {
    const bits =
      (cpe.interfaces.some((side) => isNamed(link, side.in)) ? Role.CpeIn : 0) |
      (cpe.interfaces.some((side) => isNamed(link, side.out)) ? Role.CpeOut : 0) |
      (isNamed(link, itms.interface) ? Role.Itms : 0) |
      (collectors.some((collector) => isNamed(link, collector.interface)) ? Role.Collector : 0);
    if (bits !== 0) roles.set(link, bits);
  }
  return roles;
}

/** As iptables has it: a name that ends in `+` is a prefix. */
function isNamed({ name }: Link, pattern: string): boolean {
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** struct interface_key */
export function interfaceEntry(slot: number, index: number, role: number): Entry {
  return { key: words(slot, index), value: word(role) };
}

/** The slot in a key of any of these maps. */
export function slotOf(map: MapName, key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const isLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  if (map === 'ports') return view.getUint16(0, isLittle);
  return view.getUint32(map === 'interfaces' || map === 'configurations' ? 0 : 4, isLittle);
}
