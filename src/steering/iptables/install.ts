/**
 * Puts the bundle in and takes it out. One iptables-restore per table and family, each atomic; the guards of both
 * families first and last, so that at no moment a packet that escapes the queues reaches anybody, and the sets around the
 * rules that name them. A table that fails takes the others back.
 * Whatever is not in a chain of ours and does not jump to one is never named, so it cannot be changed.
 */

import { existsSync, readFileSync } from 'node:fs';
import { type Family } from '../../packet/address';
import { cpeInterfaceNames, families as familiesOf, type Topology } from '../../splitter/topology';
import { findConflict } from './conflicts';
import { FAMILIES, FAMILY_NAMES, PROGRAM } from './family';
import { DEFAULT_INSTANCE, instanceOf, ownPrefix } from './instance';
import { lockRules } from './lock';
import { restoreRules, runProgram, type Runner, saveRules } from './iptables';
import { renderTables, type Steering, IPTABLES_TABLES, type IptablesTable } from './render';
import {
  type Chain,
  isBuiltIn,
  jumpsTo,
  parseRendered,
  parseRuleset,
  type Ruleset,
  type Table,
  targetOf,
} from './ruleset';
import { RulesError } from './rules-error';
import { destroySets, listSets, makeSets, wantedSets } from './sets';

/** What stands between these functions and the system, for tests. */
export interface System {
  run: Runner;
  /** Names of this network namespace's interfaces. */
  interfaces: () => string[];
  /** Whether this kernel speaks IPv6; without, ip6tables has nothing to say. */
  hasIpv6: () => boolean;
  /** Waits for its turn; the answer ends the turn. */
  lock: () => () => void;
}

export const SYSTEM: System = {
  run: runProgram,
  interfaces: listInterfaces,
  hasIpv6: () => existsSync('/proc/net/if_inet6'),
  lock: lockRules,
};

/** Our part of one table: chains with their rules, and the lines that put jumps into built-in chains. */
interface OwnPart {
  chains: Chain[];
  jumpLines: string[];
}

const NOTHING: OwnPart = { chains: [], jumpLines: [] };

/** One table of one family, as it shall be or was. */
interface Place {
  family: Family;
  name: IptablesTable;
}

type Wanted = Place & { part: OwnPart };
type Live = ReadonlyMap<Family, Ruleset>;

/** What stands after an installation, or stood before a removal. */
export interface Done {
  instance: string;
  families: Family[];
  rules: number;
  sets: number;
}

/**
 * Installs the bundle for every family that is configured, or brings an older one up to date; a second time changes
 * nothing but counters. A family that is configured no more loses its rules.
 * @throws RulesError: one line, and the rules are as they were before
 */
export function installRules(topology: Topology, steering: Steering, system: System = SYSTEM): Done {
  const configured = familiesOf(topology);
  const rendered = configured.flatMap((family) => renderTables(topology, steering, family));
  const sets = wantedSets(topology, steering);
  const missing = findMissingInterface(topology, system);
  if (missing !== undefined) throw new RulesError(`${missing}; nothing was installed`);
  const prefix = ownPrefix(steering.instance);
  const wanted = places().map(({ family, name }): Wanted => {
    const table = rendered.find((one) => one.family === family && one.name === name);
    return { family, name, part: table ? wantedPart(table.text, prefix) : NOTHING };
  });
  return inTurn(system, () => {
    const live = readLive(system, configured);
    const conflict = findConflict(topology, steering, live, system.run);
    if (conflict !== undefined) throw new RulesError(`${conflict}; nothing was installed`);
    const undoSets = makeSets(system.run, sets);
    try {
      change(wanted, live, system, prefix);
    } catch (error) {
      undoSets();
      throw error;
    }
    destroySets(system.run, prefix, sets);
    const parts = wanted.map(({ part }) => part);
    return { instance: steering.instance, families: configured, rules: countRules(parts), sets: sets.length };
  });
}

/** Takes out everything of an instance, whatever configuration it was made from. @throws RulesError */
export function removeRules(system: System = SYSTEM, instance: string = DEFAULT_INSTANCE): Done {
  const prefix = ownPrefix(instance);
  const wanted = places()
    .reverse()
    .map((place): Wanted => ({ ...place, part: NOTHING }));
  return inTurn(system, () => {
    const live = readLive(system, ['ipv4']);
    const before = places().map(({ family, name }) => ({
      family,
      part: formerPart(live.get(family)?.get(name), prefix),
    }));
    change(wanted, live, system, prefix);
    const sets = destroySets(system.run, prefix);
    const families = FAMILIES.filter((family) =>
      before.some((one) => one.family === family && one.part.chains.length > 0),
    );
    return { instance, families, rules: countRules(before.map(({ part }) => part)), sets };
  });
}

/** The instances that have chains or sets here, sorted. @throws RulesError */
export function installedInstances(system: System = SYSTEM): string[] {
  return inTurn(system, () => {
    const chains = [...readLive(system, ['ipv4']).values()].flatMap((ruleset) =>
      [...ruleset.values()].flatMap((table) => [...table.keys()]),
    );
    const names = [...chains, ...listSets(system.run, '')].flatMap((name) => instanceOf(name) ?? []);
    return [...new Set(names)].sort();
  });
}

/** In words: `92 rules of IPv4 and IPv6 and 12 sets`. */
export function describeDone({ families, rules, sets, instance }: Done): string {
  const whose = instance === DEFAULT_INSTANCE ? '' : ` of instance ${instance}`;
  const names = families.map((family) => FAMILY_NAMES[family]).join(' and ');
  return `${rules === 0 ? '' : `${rules} ${names} rules and `}${sets} sets${whose}`;
}

function countRules(parts: readonly OwnPart[]): number {
  return parts.reduce(
    (sum, { chains, jumpLines }) =>
      sum + jumpLines.length + chains.reduce((rules, chain) => rules + chain.rules.length, 0),
    0,
  );
}

export function inTurn<T>(system: System, act: () => T): T {
  const unlock = system.lock();
  try {
    return act();
  } finally {
    unlock();
  }
}

/** In the order of installing. */
function places(): Place[] {
  return IPTABLES_TABLES.flatMap((name) => FAMILIES.map((family) => ({ family, name })));
}

/** What is live in both families. Where the kernel has no IPv6, and nobody asks for it, nothing can be. */
export function readLive(system: System, required: readonly Family[]): Live {
  const readable = FAMILIES.filter((family) => family === 'ipv4' || required.includes(family) || system.hasIpv6());
  return new Map(readable.map((family) => [family, parseRuleset(saveRules(system.run, family))]));
}

/** Table by table in the given order; on a failure the tables already changed get their former part back. */
function change(wanted: readonly Wanted[], before: Live, system: System, prefix: string): void {
  // All texts first: what is refused is refused before anything was touched.
  const steps = wanted.flatMap(({ part, ...place }) => {
    const text = transition(place, before, part, prefix);
    return text === undefined ? [] : [{ place, text }];
  });
  const done: Place[] = [];
  try {
    for (const { place, text } of steps) {
      restoreRules(system.run, place.family, text);
      done.push(place);
    }
  } catch (error) {
    takeBack(done, before, system, prefix, error as Error);
    throw error;
  }
}

function takeBack(tables: readonly Place[], before: Live, system: System, prefix: string, cause: Error): void {
  if (tables.length === 0) return;
  try {
    const now = readLive(system, [...before.keys()]);
    for (const place of [...tables].reverse()) {
      const text = transition(place, now, formerPart(before.get(place.family)?.get(place.name), prefix), prefix);
      if (text !== undefined) restoreRules(system.run, place.family, text);
    }
  } catch (error) {
    const names = tables.map(({ family, name }) => (family === 'ipv4' ? name : `${name} of IPv6`)).join(', ');
    throw new RulesError(
      `${cause.message}; and taking back table ${names} failed: ${(error as Error).message}; run: acsplit rules remove`,
      { cause },
    );
  }
}

/** The text that takes one table from what is live to `part`; `undefined` when there is nothing to do. */
function transition({ family, name }: Place, live: Live, part: OwnPart, prefix: string): string | undefined {
  const table: Table = live.get(family)?.get(name) ?? new Map();
  const own = [...table.keys()].filter((chain) => chain.startsWith(prefix));
  const stale = own.filter((chain) => !part.chains.some((c) => c.name === chain));
  const liveJumps = [...table.values()]
    .filter(isBuiltIn)
    .flatMap(({ name: chain, rules }) =>
      rules.filter((rule) => jumpsTo(rule, prefix)).map((rule) => ({ chain, rule })),
    );
  if (stale.length + liveJumps.length + part.chains.length === 0) return undefined;
  refuseForeignJumps(`${PROGRAM[family]} -t ${name}`, table, stale, prefix);
  return [
    `*${name}`,
    // Declaring a chain empties it when it exists.
    ...[...stale, ...part.chains.map((chain) => chain.name)].map((chain) => `:${chain} - [0:0]`),
    ...liveJumps.map(({ chain, rule }) => `-D ${chain} ${rule}`),
    ...part.chains.flatMap((chain) => chain.rules.map((rule) => `-A ${chain.name} ${rule}`)),
    ...part.jumpLines,
    ...stale.map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** A chain that somebody else's chain jumps to cannot be deleted, and that jump is not ours to delete. */
function refuseForeignJumps(command: string, table: Table, stale: readonly string[], prefix: string): void {
  for (const chain of table.values()) {
    if (isBuiltIn(chain) || chain.name.startsWith(prefix)) continue;
    const jump = chain.rules.find((rule) => stale.includes(targetOf(rule) ?? ''));
    if (jump === undefined) continue;
    throw new RulesError(
      `chain ${chain.name} is not ours but jumps to ours; delete that rule first: ${command} -D ${chain.name} ${jump}`,
    );
  }
}

function wantedPart(text: string, prefix: string): OwnPart {
  const { chains, jumps } = parseRendered(text, prefix);
  return {
    chains,
    jumpLines: jumps.map(({ chain, rule, position }) => `${position === 'first' ? '-I' : '-A'} ${chain} ${rule}`),
  };
}

/** Our part as it was, each jump at its former place among rules that nobody has touched. */
function formerPart(table: Table | undefined, prefix: string): OwnPart {
  const chains = [...(table?.values() ?? [])];
  return {
    chains: chains.filter(({ name }) => name.startsWith(prefix)),
    jumpLines: chains
      .filter(isBuiltIn)
      .flatMap(({ name, rules }) =>
        rules.flatMap((rule, index) => (jumpsTo(rule, prefix) ? [`-I ${name} ${index + 1} ${rule}`] : [])),
      ),
  };
}

/** iptables accepts any name, but rules for an interface that never comes steer nothing. A wildcard may match later. */
export function findMissingInterface(topology: Topology, system: Pick<System, 'interfaces'>): string | undefined {
  const existing = system.interfaces();
  const names = [
    ...cpeInterfaceNames(topology),
    ...[topology.itms, ...topology.collectors].map((one) => one.interface),
  ];
  const missing = names.find((name) => !name.endsWith('+') && !existing.includes(name));
  if (missing === undefined) return undefined;
  const others = existing.filter((name) => name !== 'lo').join(', ') || 'none but lo';
  return `interface ${missing} does not exist here (there are: ${others})`;
}

/** /proc/net shows the network namespace of the reader, /sys/class/net the one it was mounted in. */
function listInterfaces(): string[] {
  const lines = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2);
  return lines.filter((line) => line.includes(':')).map((line) => line.slice(0, line.indexOf(':')).trim());
}
