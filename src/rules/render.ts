/**
 * The bundle as iptables-restore text: the templates under iptables/, filled in from the topology that the engine
 * uses too, so that the two cannot disagree. Knows files and text, never the live rules.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseIpv4, parseIpv4Network } from '../packet/address';
import { type Addresses, type Topology } from '../splitter/topology';
import { RulesError } from './rules-error';
import { fillTemplate, type TemplateValues } from './template';

/** `first` is the CPEs' queue; first + 1 the ITMS's, first + 2 the collectors'. */
export interface QueueNumbers {
  first: number;
}

export type Family = 4 | 6;

export interface RenderedTable {
  name: TableName;
  /** From `*table` to `COMMIT`, comments included. */
  text: string;
}

/** In the order of installing: guards, then notrack, then queues. Removed in reverse. */
export const TABLE_NAMES = ['filter', 'raw', 'mangle'] as const;
export type TableName = (typeof TABLE_NAMES)[number];

const TEMPLATES = join(__dirname, '..', '..', 'iptables');

/** One multiport match holds fifteen ports. xt_multiport.h, XT_MULTI_PORTS */
const MULTIPORT_LIMIT = 15;

/** All tables as one text for iptables-restore. @throws RulesError for a topology that cannot be written as rules */
export function renderRules(topology: Topology, queue: QueueNumbers, family: Family = 4): string {
  return renderTables(topology, queue, family)
    .map(({ text }) => text)
    .join('\n');
}

/** The tables one by one, in the order of installing. @throws RulesError */
export function renderTables(topology: Topology, queue: QueueNumbers, family: Family = 4): RenderedTable[] {
  if (family === 6) throw new RulesError('IPv6 is not carried yet: there are no ip6tables rules to show or install');
  const values = templateValues(topology, queue);
  return TABLE_NAMES.map((name) => ({ name, text: fillTemplate(readTemplate(name), values) }));
}

function readTemplate(name: TableName): string {
  const file = join(TEMPLATES, `${name}.rules`);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new RulesError(`${file} cannot be read; install acsplit anew`, { cause: error });
  }
}

/** What the words in braces stand for; iptables/README.md explains each. */
function templateValues(topology: Topology, queue: QueueNumbers): TemplateValues {
  const { cpe, itms, collectors, reportPorts, itmsPorts } = topology;
  const servers = [itms, ...collectors].map(asWords);
  const networks = cpe.networks.map(checkedNetwork);
  return {
    single: {
      acs: asNetwork(cpe.address.ipv4 ?? ''),
      'cpe.interface': checkedInterface(cpe.interface),
      'itms.interface': servers[0].interface,
      'itms.address': servers[0].address,
      'queue.cpe': String(queue.first),
      'queue.itms': String(queue.first + 1),
      'queue.collectors': String(queue.first + 2),
    },
    several: {
      network: networks.map((text) => ({ '': text })),
      collector: servers.slice(1),
      server: servers,
      serverInterface: [...new Set(servers.map((server) => server.interface))].map((name) => ({ '': name })),
      serverAmongCpes: servers
        .filter(({ address }) => isInside(address, networks))
        .map(({ address }) => ({ '': address })),
      ports: chunks([...reportPorts, ...itmsPorts], MULTIPORT_LIMIT).map((ports) => ({ '': ports.join(',') })),
    },
  };
}

function asWords(server: { interface: string; address: Addresses }) {
  return { interface: checkedInterface(server.interface), address: asNetwork(server.address.ipv4 ?? '') };
}

/** The configuration was checked long ago; whoever else calls this must not be able to smuggle in a line of rules. */
function checkedInterface(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,15}$/.test(name)) return name;
  throw new RulesError(`"${name}" cannot be written into a rule: expected an interface name as \`ip link\` shows it`);
}

/** One address in the form that iptables-save prints. */
function asNetwork(address: string): string {
  if (parseIpv4(address) !== undefined) return `${address}/32`;
  throw new RulesError(`"${address}" cannot be written into a rule: expected an IPv4 address`);
}

function checkedNetwork(network: string): string {
  if (parseIpv4Network(network)) return network;
  throw new RulesError(`"${network}" cannot be written into a rule: expected an IPv4 network without host bits`);
}

/** @param host a single address, as `asNetwork` writes it */
function isInside(host: string, networks: readonly string[]): boolean {
  const { base } = parseIpv4Network(host)!;
  return networks.map((text) => parseIpv4Network(text)!).some(({ base: start, mask }) => (base & mask) === start);
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const all: T[][] = [];
  for (let at = 0; at < items.length; at += size) all.push(items.slice(at, at + size));
  return all;
}
