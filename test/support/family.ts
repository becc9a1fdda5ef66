/**
 * One set of tests for both address families. Tests name hosts by IPv4 addresses; in the jest project `pure, IPv6` each
 * of these names means an IPv6 address. The CPEs' and servers' addresses then differ only in their second word, so that
 * code which compares only the last word fails.
 */
import {
  type Address,
  ADDRESS_WORDS,
  type Family,
  formatAddress,
  parseAddress,
  parseIpv4,
  parseIpv4Network,
} from '../../src/packet/address';
import { type TcpPacket } from '../../src/packet/builder';
import { type Addresses, type Topology } from '../../src/splitter/topology';

/** Of this run; set by jest.config.js. */
export const FAMILY: Family = (globalThis as { ACSPLIT_FAMILY?: Family }).ACSPLIT_FAMILY ?? 'ipv4';

const PREFIX = 0x20010db8;
const INTERFACE = [0x02a5ffff, 0xfe5aa5ff | 0];

/** int32 words of an address of this run. */
export const WORDS = ADDRESS_WORDS[FAMILY];

/** A CPE by number: different ones differ in one word only, which is each of them in turn. */
export function cpeNumbered(n: number): Address {
  const address = new Int32Array(WORDS);
  const word = ((n % WORDS) + WORDS) % WORDS;
  address[word] = Math.floor(n / WORDS) ^ 0x5a5a5a5a;
  return address;
}

/** Addresses that differ from this one in a single bit: one for each end of each word. */
export function neighbours(address: Address): Address[] {
  return [...address].flatMap((_, word) =>
    [1, -0x80000000].map((bit) => address.map((value, i) => (i === word ? value ^ bit : value))),
  );
}

/** Tests name the same few hosts in each of a million packets. */
const NAMED: Record<Family, Map<string, Address>> = { ipv4: new Map(), ipv6: new Map() };

/** The address that an IPv4 name means; any other text means itself. */
export function addressNamed(name: string, family = FAMILY): Address {
  let address = NAMED[family].get(name);
  if (address === undefined) NAMED[family].set(name, (address = readNamed(name, family)));
  return address.slice();
}

function readNamed(name: string, family: Family): Address {
  const word = parseIpv4(name);
  const address =
    word !== undefined && family === 'ipv6' ? Int32Array.of(PREFIX, word, ...INTERFACE) : parseAddress(name);
  if (!address) throw new Error(`not an address: ${name}`);
  return address;
}

export function textOf(name: string, family = FAMILY): string {
  return formatAddress(addressNamed(name, family));
}

/** The IPv4 name of an address, if it has one. */
export function nameOfAddress(address: Address): string {
  if (address.length === 1) return formatAddress(address);
  const key = address.join();
  let name = NAMES.get(key);
  if (name === undefined) NAMES.set(key, (name = findName(address)));
  return name;
}

const NAMES = new Map<string, string>();

function findName(address: Address): string {
  const name = formatAddress(address.slice(1, 2));
  return formatAddress(addressNamed(name, 'ipv6')) === formatAddress(address) ? name : formatAddress(address);
}

/** A topology of IPv4 names, in a family. */
export function topologyIn(topology: Topology, family = FAMILY): Topology {
  const { cpe, itms, collectors } = topology;
  const named = ({ ipv4 }: Addresses): Addresses => ({ [family]: textOf(ipv4 ?? '', family) });
  return {
    ...topology,
    cpe: { ...cpe, address: named(cpe.address), networks: cpe.networks.map((text) => networkIn(text, family)) },
    itms: { ...itms, address: named(itms.address) },
    collectors: collectors.map((one) => ({ ...one, address: named(one.address) })),
  };
}

function networkIn(text: string, family: Family): string {
  const network = parseIpv4Network(text);
  if (!network || family === 'ipv4') return text;
  return `${formatAddress(Int32Array.of(PREFIX, network.base, 0, 0))}/${32 + Number(text.split('/')[1])}`;
}

/** A packet between IPv4 names, in a family. */
export function packetIn(packet: TcpPacket, family = FAMILY): TcpPacket {
  const named = (end: TcpPacket['source']) => (typeof end === 'string' ? addressNamed(end, family) : end);
  return { ...packet, source: named(packet.source), destination: named(packet.destination) };
}
