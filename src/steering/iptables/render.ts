/**
 * The bundle as iptables-restore text: the templates under iptables/, filled in from the topology that the engine
 * uses too, so that the two cannot disagree. Knows files and text, never the live rules.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Family, familyOf, type Network, parseNetwork } from '../../packet/address';
import { type Addresses, families, type OnEngineDown, type Topology } from '../../splitter/topology';
import { addressIn, asText, contains, FAMILY_NAMES, ICMP, readNetwork } from './family';
import { errorAboutTcp, quotesDestination } from './quoted';
import { RulesError } from './rules-error';
import { aliveSetName, createLine } from './sets';
import { fillTemplate, type TemplateValues } from './template';

/** `first` is the CPEs' queue; first + 1 the ITMS's, first + 2 the collectors', first + 3 this host's own ICMP errors'. */
export interface QueueNumbers {
  first: number;
}

/** What the rules need to know besides the topology. */
export interface Steering extends QueueNumbers {
  /** The instance's name; that of a host's only one is `default`. */
  instance: string;
  onEngineDown: OnEngineDown;
}

export interface RenderedTable {
  family: Family;
  name: IptablesTable;
  /** From `*table` to `COMMIT`, comments included. */
  text: string;
}

/**
 * In the order of installing: guards, notrack, the fallback, queues. Removed in reverse. At no moment does nat take what
 * an engine is to see.
 */
export const IPTABLES_TABLES = ['filter', 'raw', 'nat', 'mangle'] as const;
export type IptablesTable = (typeof IPTABLES_TABLES)[number];

const TEMPLATES = join(__dirname, '..', '..', '..', 'iptables');

/** One multiport match holds fifteen ports. xt_multiport.h, XT_MULTI_PORTS */
const MULTIPORT_LIMIT = 15;

/** All tables of a family as one text for iptables-restore. @throws RulesError for what cannot be written as rules */
export function renderRules(topology: Topology, steering: Steering, family: Family = 'ipv4'): string {
  return renderTables(topology, steering, family)
    .map(({ text }) => text)
    .join('\n');
}

/** The tables of a family one by one, in the order of installing. @throws RulesError */
export function renderTables(topology: Topology, steering: Steering, family: Family = 'ipv4'): RenderedTable[] {
  if (!families(topology).includes(family)) {
    throw new RulesError(
      `no ${FAMILY_NAMES[family]} address is configured, so there are no ${FAMILY_NAMES[family]} rules`,
    );
  }
  const values = templateValues(topology, steering, family);
  const names = IPTABLES_TABLES.filter((name) => name !== 'nat' || steering.onEngineDown === 'itms');
  return names.map((name) => ({ family, name, text: fillTemplate(readTemplate(name), values) }));
}

function readTemplate(name: IptablesTable): string {
  const file = join(TEMPLATES, `${name}.rules`);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new RulesError(`${file} cannot be read; install acsplit anew`, { cause: error });
  }
}

/** What the words in braces stand for; iptables/README.md explains each. */
function templateValues(topology: Topology, steering: Steering, family: Family): TemplateValues {
  const { cpe, itms, collectors, reportPorts, itmsPorts } = topology;
  const servers = [itms, ...collectors].map((server) => {
    const network = asNetwork(server.address, family);
    return { interface: checkedInterface(server.interface), network, ...asWords(network) };
  });
  const networks = cpe.networks.map(checkedNetwork).filter(({ base }) => familyOf(base) === family);
  const words = servers.map(({ network: _, ...rest }) => rest);
  const isFallback = steering.onEngineDown === 'itms';
  return {
    single: {
      acs: asText(asNetwork(cpe.address, family)),
      'acs.host': withoutPrefix(asText(asNetwork(cpe.address, family))),
      'itms.host': withoutPrefix(words[0].address),
      createSet: createLine(family),
      alive: isFallback ? ` -m set --match-set ${aliveSetName(family)} src` : '',
      untracked: isFallback ? ' -m conntrack --ctstate UNTRACKED' : '',
      icmp: ICMP[family],
      errorAboutTcp: errorAboutTcp(family),
      'cpe.interface': checkedInterface(cpe.interfaces[0].in),
      'itms.interface': words[0].interface,
      'itms.address': words[0].address,
      'itms.quoted': words[0].quoted,
      'queue.cpe': String(steering.first),
      'queue.itms': String(steering.first + 1),
      'queue.collectors': String(steering.first + 2),
      'queue.host': String(steering.first + 3),
    },
    several: {
      fallback: isFallback ? [{ '': '' }] : [],
      network: networks.map((network) => ({ '': asText(network), quoted: quotesDestination(network) })),
      collector: words.slice(1),
      server: words,
      serverInterface: [...new Set(words.map((server) => server.interface))].map((name) => ({ '': name })),
      serverAmongCpes: servers
        .filter(({ network }) => networks.some((cpes) => contains(cpes, network)))
        .map(({ address }) => ({ '': address })),
      ports: chunks([...reportPorts, ...itmsPorts], MULTIPORT_LIMIT).map((ports) => ({ '': ports.join(',') })),
    },
  };
}

/** As iptables-save prints an address where no network can stand. */
function withoutPrefix(address: string): string {
  return address.slice(0, address.indexOf('/'));
}

function asWords(network: Network): { address: string; quoted: string } {
  return { address: asText(network), quoted: quotesDestination(network) };
}

/** The configuration was checked long ago; whoever else calls this must not be able to smuggle in a line of rules. */
function checkedInterface(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,15}$/.test(name)) return name;
  throw new RulesError(`"${name}" cannot be written into a rule: expected an interface name as \`ip link\` shows it`);
}

function asNetwork(addresses: Addresses, family: Family): Network {
  const text = addressIn(addresses, family) ?? '';
  const network = text.includes('/') ? undefined : readNetwork(text);
  if (network && familyOf(network.base) === family) return network;
  throw new RulesError(`"${text}" cannot be written into a rule: expected an ${FAMILY_NAMES[family]} address`);
}

function checkedNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (network) return network;
  throw new RulesError(`"${text}" cannot be written into a rule: expected an IPv4 or IPv6 network without host bits`);
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const all: T[][] = [];
  for (let at = 0; at < items.length; at += size) all.push(items.slice(at, at + size));
  return all;
}
