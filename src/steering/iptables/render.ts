/**
 * Renders the bundle as iptables-restore text: the templates under iptables/, filled in from the same topology that the
 * engine uses, so the two cannot disagree. Works on files and text, never on the live rules.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Family, familyOf, type Network, parseNetwork } from '../../packet/address';
import { type Addresses, families, type OnEngineDown, type Topology } from '../../splitter/topology';
import { asText, contains, FAMILY_NAMES, ICMP, readNetwork } from './family';
import { ownPrefix } from './instance';
import { quotable } from './networks';
import { errorAboutTcp, quotesDestination, SEQUENCE } from './quoted';
import { RulesError } from './rules-error';
import { CLOSING_SECONDS, createLines, setNames, wantedSets } from './sets';
import { fillTemplate, type TemplateValues } from './template';

/** `first` is the CPEs' queue; first + 1 the ITMS's, first + 2 the collectors', first + 3 this host's own ICMP errors'. */
export interface QueueNumbers {
  first: number;
}

/** What the rules need besides the topology. */
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
  const prefix = ownPrefix(steering.instance);
  const render = (name: IptablesTable) => fillTemplate(readTemplate(name), values).replaceAll('ACSPLIT-', prefix);
  return names.map((name) => ({ family, name, text: render(name) }));
}

function readTemplate(name: IptablesTable): string {
  const file = join(TEMPLATES, `${name}.rules`);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new RulesError(`${file} cannot be read; reinstall acsplit`, { cause: error });
  }
}

/** What the words in braces stand for; iptables/README.md explains each. */
function templateValues(topology: Topology, steering: Steering, family: Family): TemplateValues {
  const { cpe, itms, collectors, reportPorts, itmsPorts } = topology;
  const itmsOwn = asServers(itms, family);
  const others = collectors.flatMap((collector) => asServers(collector, family));
  const servers = [...itmsOwn, ...others];
  const networks = cpe.networks.map(checkedNetwork).filter(({ base }) => familyOf(base) === family);
  const isFallback = steering.onEngineDown === 'itms';
  const requestPorts = typeof topology.requestPorts === 'object' ? topology.requestPorts : [];
  const acs = asText(asNetwork(cpe.address, family));
  const { alive, ...sets } = setNames(steering, family);
  return {
    single: {
      acs,
      ...{ 'acs.host': withoutPrefix(acs), 'itms.host': itmsOwn[0].host },
      ...{ 'itms.interface': itmsOwn[0].interface, 'itms.address': itmsOwn[0].address },
      ...sets,
      alive: isFallback ? ` -m set --match-set ${alive} src` : '',
      closingSeconds: String(CLOSING_SECONDS),
      icmp: ICMP[family],
      errorAboutTcp: errorAboutTcp(family),
      sequence: SEQUENCE[family],
      'queue.cpe': String(steering.first),
      'queue.itms': String(steering.first + 1),
      'queue.collectors': String(steering.first + 2),
      'queue.host': String(steering.first + 3),
    },
    several: {
      fallback: isFallback ? [{ '': '' }] : [],
      narrow: requestPorts.length > 0 ? [{ '': '' }] : [],
      requestMatch: portMatches(' -m multiport --dports', requestPorts),
      requestOnly: portMatches(' -p tcp -m multiport --dports', requestPorts),
      answerMatch: portMatches(' -p tcp -m multiport --sports', requestPorts),
      set: wantedSets(topology, steering)
        .filter((set) => set.family === family)
        .flatMap((set) => createLines(set).map((line) => ({ '': '', command: `ipset ${line}` }))),
      cpeIn: each(cpe.interfaces.map((one) => checkedCpeInterface(one.in))),
      cpeOut: each(cpe.interfaces.map((one) => checkedCpeInterface(one.out))),
      network: quotable(networks).map((network) => ({ quoted: quotesDestination(network) })),
      itmsOwn,
      collector: others,
      server: servers,
      serverInterface: each(servers.map((server) => server.interface)),
      serverAmongCpes: each(
        servers
          .filter(({ address }) => networks.some((cpes) => contains(cpes, readNetwork(address)!)))
          .map(({ address }) => address),
      ),
      ports: each(chunks([...reportPorts, ...itmsPorts], MULTIPORT_LIMIT).map((ports) => ports.join(','))),
    },
  };
}

/** A match for each fifteen ports; an empty one, which matches everything, where no ports are named. */
function portMatches(match: string, ports: readonly number[]): Record<string, string>[] {
  if (ports.length === 0) return [{ '': '' }];
  return each(chunks(ports, MULTIPORT_LIMIT).map((some) => `${match} ${some.join(',')}`));
}

/** Values of a word without parts, each once. */
function each(values: readonly string[]): Record<string, string>[] {
  return [...new Set(values)].map((value) => ({ '': value }));
}

type Server = Pick<Topology['itms'], 'interface' | 'address' | 'requestAddresses'>;

interface ServerWords extends Record<string, string> {
  interface: string;
  address: string;
  host: string;
  quoted: string;
}

/** A server's address, then those from which it sends Connection Requests. */
function asServers(server: Server, family: Family): [ServerWords, ...ServerWords[]] {
  const more = (server.requestAddresses ?? []).filter((one) => one[family] !== undefined);
  const [own, ...others] = [server.address, ...more].map((addresses): ServerWords => {
    const network = asNetwork(addresses, family);
    const address = asText(network);
    return {
      ...{ interface: checkedInterface(server.interface), address, host: withoutPrefix(address) },
      quoted: quotesDestination(network),
    };
  });
  return [own!, ...others];
}

/** As iptables-save prints an address where no network can stand. */
function withoutPrefix(address: string): string {
  return address.slice(0, address.indexOf('/'));
}

/** The configuration has been checked, but other callers must not be able to smuggle in a line of rules. */
function checkedInterface(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,15}$/.test(name)) return name;
  throw new RulesError(`"${name}" cannot be written into a rule: expected an interface name as \`ip link\` shows it`);
}

/** One that ends in `+` stands for all that begin alike. */
function checkedCpeInterface(name: string): string {
  return name.length <= 15 && name.length > 1 && name.endsWith('+')
    ? `${checkedInterface(name.slice(0, -1))}+`
    : checkedInterface(name);
}

function asNetwork(addresses: Addresses, family: Family): Network {
  const text = addresses[family] ?? '';
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
