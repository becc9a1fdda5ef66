/** Configurations as text: the one in force, and one to begin with. Both in the order of the schema. */

import { type NetworkInterfaceInfo } from 'node:os';
import { Document, stringify } from 'yaml';
import { type CpeInterface } from '../splitter/topology';
import { described, type Described } from './described';
import { type ConfigurationShape, configurationSchema } from './schema';

const WIDTH = 118;

/** Every key, the unset ones left out, as a file would have it. */
export function inForce(shape: ConfigurationShape): string {
  const sides = shape.cpe.interface.map(sideInFile);
  const cpe = { ...shape.cpe, interface: sides.length === 1 ? sides[0] : sides };
  return stringify(asInFile({ ...shape, cpe }), { lineWidth: WIDTH });
}

function sideInFile({ in: incoming, out: outgoing }: CpeInterface): string | CpeInterface {
  return incoming === outgoing ? incoming : { in: incoming, out: outgoing };
}

/** Addresses by family become one address, or a list of two. */
function asInFile(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asInFile);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (entries.every(([name]) => name === 'ipv4' || name === 'ipv6')) {
    const addresses = entries.map(([, address]) => address as string);
    return addresses.length === 1 ? addresses[0] : addresses;
  }
  return Object.fromEntries(entries.map(([name, part]) => [name, asInFile(part)]));
}

/** Nothing would accept it: `config check` names each line that still has it. */
const TO_CHANGE = 'CHANGE ME';

/** A host's interfaces, as os.networkInterfaces() has them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * A file to begin with: this host's first three interfaces, nothing diverted, every other key with its default in a
 * comment. @param schemaFile path of the JSON Schema, for editors
 */
export function startFile(interfaces: Interfaces, schemaFile: string): string {
  const own = Object.entries(interfaces).filter(([, infos]) => infos?.some(({ internal }) => !internal));
  const [first, second, third] = own.map(([name]) => name);
  const address = own[0]?.[1]?.find(({ family }) => family === 'IPv4') ?? own[0]?.[1]?.[0];
  const wanted = {
    cpe: {
      interface: first ?? TO_CHANGE,
      address: address?.address ?? TO_CHANGE,
      networks: [networkOf(address) ?? TO_CHANGE],
    },
    itms: { interface: second ?? TO_CHANGE, address: TO_CHANGE },
    collectors: [{ name: 'c1', interface: third ?? second ?? TO_CHANGE, address: TO_CHANGE }],
    reportPorts: [7547],
    activation: 'off',
  };
  const seen = own.map(([name, infos]) => `# - ${name}: ${infos!.map(({ cidr }) => cidr).join(', ')}`);
  return [
    `# yaml-language-server: $schema=${schemaFile}`,
    '# The configuration of acsplit. Put in what stands here as CHANGE ME, and look at the rest; acsplit config check says',
    '# what is missing. This host has these interfaces:',
    ...(seen.length > 0 ? seen : ['# - none with an address']),
    '',
    ...linesOf(described(configurationSchema), wanted, ''),
    '',
  ].join('\n');
}

/** The same for a router that has three interfaces: an example, of which the servers' addresses are still to be put in. */
export function exampleFile(schemaFile: string): string {
  const [cpe, itms, collector] = ['10.1.0.1', '10.2.0.1', '10.3.0.1'].map((address) => [exampleOf(address)]);
  return startFile({ eth0: cpe, eth1: itms, eth2: collector }, schemaFile);
}

function exampleOf(address: string): NetworkInterfaceInfo {
  const mac = '02:00:00:00:00:01';
  return { address, netmask: '255.255.0.0', family: 'IPv4', mac, internal: false, cidr: `${address}/16` };
}

/** The network of an address, without host bits. */
function networkOf(info: NetworkInterfaceInfo | undefined): string | undefined {
  if (info?.family !== 'IPv4' || info.cidr === null) return undefined;
  const mask = info.netmask.split('.').map(Number);
  const base = info.address.split('.').map((byte, i) => Number(byte) & mask[i]);
  return `${base.join('.')}/${info.cidr.split('/')[1]}`;
}

function linesOf({ entries = {} }: Described, wanted: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(entries).flatMap(([name, entry]) => {
    const value = wanted[name];
    const comment = entry.means === '' ? [] : [`${indent}# ${entry.means}`];
    if (value === undefined) return [...comment, ...usualLines(name, entry, indent)];
    if (entry.entries) return [`${indent}${name}:`, ...linesOf(entry, value as Record<string, unknown>, `${indent}  `)];
    if (entry.item?.entries) return [`${indent}${name}:`, ...itemLines(entry.item, (value as [object])[0], indent)];
    return [...comment, ...flow({ [name]: value }, indent)];
  });
}

/** A list's only mapping. */
function itemLines(item: Described, value: object, indent: string): string[] {
  const [comment, first, ...others] = linesOf(item, value as Record<string, unknown>, `${indent}    `);
  return [`${indent}  ${comment.trim()}`, `${indent}  - ${first.trim()}`, ...others];
}

/** What holds without the key, as a comment. */
function usualLines(name: string, { entries, default: usual }: Described, indent: string): string[] {
  if (entries) {
    const parts = Object.entries(entries).flatMap(([inner, entry]) => [
      ...(entry.means === '' ? [] : [`${indent}#   # ${entry.means}`]),
      ...usualLines(inner, entry, '').map((line) => `${indent}#   ${line.slice(1)}`),
    ]);
    return [`${indent}#${name}:`, ...parts];
  }
  return flow({ [name]: usual ?? null }, indent).map((line) => line.replace(/^( *)(.*)/, '$1#$2').replace(' null', ''));
}

/** One line for each key: a list or mapping inside stands in brackets. */
function flow(values: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(values).map(([name, value]) => {
    const document = new Document(value);
    const text = document.toString({ collectionStyle: 'flow', lineWidth: 0 }).trim();
    return `${indent}${name}: ${text}`;
  });
}
