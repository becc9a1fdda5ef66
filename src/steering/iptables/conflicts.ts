/** Two instances on one host: whether their live rules would take each other's traffic or queues. */

import { type Family, parseNetwork } from '../../packet/address';
import { families, type Topology } from '../../splitter/topology';
import { contains, FAMILIES, readNetwork } from './family';
import { instanceOf, ownPrefix } from './instance';
import { type Runner } from './iptables';
import { parseOptions } from './rule';
import { type Ruleset } from './ruleset';
import { readEntries, setNames } from './sets';
import { type Steering } from './render';

/** first … first + 3, see `QueueNumbers`. */
const QUEUES = 4;

/** What an instance's live rules of one family steer. */
interface Claim {
  instance: string;
  queues: number[];
  acs: string[];
  /** Of servers, each with its interface: `10.2.0.2/32 on eth1`. */
  servers: string[];
  networks: string[];
}

/** One line with the other instance's name; `undefined` when the instances do not conflict. @throws RulesError */
export function findConflict(
  topology: Topology,
  steering: Steering,
  live: ReadonlyMap<Family, Ruleset>,
  run: Runner,
): string | undefined {
  const mine = Array.from({ length: QUEUES }, (_, index) => steering.first + index);
  for (const family of FAMILIES) {
    for (const other of claims(live.get(family), family, run)) {
      if (other.instance === steering.instance) continue;
      const queue = mine.find((number) => other.queues.includes(number));
      if (queue !== undefined) {
        return `queue ${queue} belongs to the rules of instance ${other.instance}; choose another queue.first`;
      }
      if (!families(topology).includes(family)) continue;
      const overlap = topology.cpe.networks.find((text) => other.networks.some((network) => overlaps(text, network)));
      if (overlap === undefined) continue;
      const shared = sharedWith(topology, family, other);
      if (shared === undefined) continue;
      return `instance ${other.instance} steers the same traffic already: CPEs of ${overlap} and ${shared}`;
    }
  }
  return undefined;
}

/** The first queue in an instance's live rules; `undefined` when none of them queues. */
export function firstQueueOf(ruleset: Ruleset | undefined, instance: string): number | undefined {
  const queues = queuesOf(ruleset, instance);
  return queues.length === 0 ? undefined : Math.min(...queues);
}

function queuesOf(ruleset: Ruleset | undefined, instance: string): number[] {
  const prefix = ownPrefix(instance);
  const chains = [...(ruleset?.get('mangle')?.values() ?? [])].filter(({ name }) => name.startsWith(prefix));
  return chains.flatMap(({ rules }) => rules.flatMap((rule) => valuesOf(rule, '--queue-num').map(Number)));
}

function claims(ruleset: Ruleset | undefined, family: Family, run: Runner): Claim[] {
  const mangle = ruleset?.get('mangle');
  const names = new Set([...(mangle?.keys() ?? [])].flatMap((name) => instanceOf(name) ?? []));
  return [...names].map((instance): Claim => {
    const prefix = ownPrefix(instance);
    const rules = (chain: string) => mangle?.get(chain)?.rules ?? [];
    const jumps = rules('PREROUTING').filter((rule) => rule.includes(`-j ${prefix}`));
    return {
      instance,
      queues: queuesOf(ruleset, instance),
      acs: [...new Set(jumps.flatMap((rule) => valuesOf(rule, '-d')).map(exactly))],
      servers: rules(`${prefix}TO-CPE`).flatMap((rule) => {
        const [[address], [name]] = [valuesOf(rule, '-s'), valuesOf(rule, '-i')];
        return address === undefined ? [] : [serverText(address, name ?? 'any')];
      }),
      networks: readEntries(run, setNames({ instance, first: 0 }, family).cpes) ?? [],
    };
  });
}

function sharedWith({ cpe, itms, collectors }: Topology, family: Family, other: Claim): string | undefined {
  const acs = cpe.address[family]!;
  if (other.acs.includes(exactly(acs))) return `the ACS address ${acs}`;
  const own = [itms, ...collectors].flatMap(({ address, requestAddresses = [], interface: name }) =>
    [address, ...requestAddresses].flatMap((one) => one[family] ?? []).map((text) => serverText(text, name)),
  );
  const server = own.find((text) => other.servers.includes(text));
  return server && `the server ${server.replace(/\/\d+ /, ' ')}`;
}

function serverText(address: string, interfaceName: string): string {
  return `${exactly(address)} on ${interfaceName}`;
}

/** An address with or without its full prefix length is the same address. */
function exactly(address: string): string {
  return address.replace(/\/(32|128)$/, '');
}

function overlaps(configured: string, entry: string): boolean {
  const [one, other] = [parseNetwork(configured), readNetwork(entry)];
  return one !== undefined && other !== undefined && (contains(one, other) || contains(other, one));
}

function valuesOf(rule: string, option: string): string[] {
  return parseOptions(rule).flatMap(({ name, values }) => (name === option ? values.slice(0, 1) : []));
}
