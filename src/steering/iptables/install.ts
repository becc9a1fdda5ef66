/**
 * Puts the bundle in and takes it out. One iptables-restore per table and family, each atomic; the guards of both
 * families first and last, so that at no moment a packet that escapes the queues reaches anybody, and the sets around the
 * rules that name them. A table that fails takes the others back.
 * Whatever is not in a chain of ours and does not jump to one is never named, so it cannot be changed.
 */

import { existsSync, readFileSync } from 'node:fs';
import { type Family } from '../../packet/address';
import { cpeInterfaceNames, families as familiesOf, type Topology } from '../../splitter/topology';
import { FAMILIES, PROGRAM } from './family';
import { restoreRules, runProgram, type Runner, saveRules } from './iptables';
import { renderTables, type Steering, IPTABLES_TABLES, type IptablesTable } from './render';
import {
  type Chain,
  isBuiltIn,
  isOwn,
  jumpsToOwn,
  parseRendered,
  parseRuleset,
  type Ruleset,
  type Table,
} from './ruleset';
import { RulesError } from './rules-error';
import { aliveSets, destroySets, makeSets } from './sets';

/** What stands between these functions and the system, for tests. */
export interface System {
  run: Runner;
  /** Names of this network namespace's interfaces. */
  interfaces: () => string[];
  /** Whether this kernel speaks IPv6; without, ip6tables has nothing to say. */
  hasIpv6: () => boolean;
}

export const SYSTEM: System = {
  run: runProgram,
  interfaces: listInterfaces,
  hasIpv6: () => existsSync('/proc/net/if_inet6'),
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

/**
 * Installs the bundle for every family that is configured, or brings an older one up to date; a second time changes
 * nothing but counters. A family that is configured no more loses its rules.
 * @throws RulesError: one line, and the rules are as they were before
 */
export function installRules(topology: Topology, steering: Steering, system: System = SYSTEM): void {
  const configured = familiesOf(topology);
  const rendered = configured.flatMap((family) => renderTables(topology, steering, family));
  requireInterfaces(topology, system);
  const wanted = places().map(({ family, name }): Wanted => {
    const table = rendered.find((one) => one.family === family && one.name === name);
    return { family, name, part: table ? wantedPart(table.text) : NOTHING };
  });
  const live = readLive(system, configured);
  const families = aliveSets(topology, steering.onEngineDown).map(({ family }) => family);
  const made = makeSets(system.run, families);
  try {
    change(wanted, live, system);
  } catch (error) {
    destroySets(system.run, made);
    throw error;
  }
  destroySets(system.run, without(families));
}

/** Takes out everything of ours, whatever configuration it was made from. @throws RulesError */
export function removeRules(system: System = SYSTEM): void {
  const wanted = places()
    .reverse()
    .map((place): Wanted => ({ ...place, part: NOTHING }));
  change(wanted, readLive(system, ['ipv4']), system);
  destroySets(system.run);
}

function without(families: readonly Family[]): Family[] {
  return FAMILIES.filter((family) => !families.includes(family));
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
function change(wanted: readonly Wanted[], before: Live, system: System): void {
  // All texts first: what is refused is refused before anything was touched.
  const steps = wanted.flatMap(({ part, ...place }) => {
    const text = transition(place, before, part);
    return text === undefined ? [] : [{ place, text }];
  });
  const done: Place[] = [];
  try {
    for (const { place, text } of steps) {
      restoreRules(system.run, place.family, text);
      done.push(place);
    }
  } catch (error) {
    takeBack(done, before, system, error as Error);
    throw error;
  }
}

function takeBack(tables: readonly Place[], before: Live, system: System, cause: Error): void {
  if (tables.length === 0) return;
  try {
    const now = readLive(system, [...before.keys()]);
    for (const place of [...tables].reverse()) {
      const text = transition(place, now, formerPart(before.get(place.family)?.get(place.name)));
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
function transition({ family, name }: Place, live: Live, part: OwnPart): string | undefined {
  const table: Table = live.get(family)?.get(name) ?? new Map();
  const stale = [...table.keys()].filter((chain) => isOwn(chain) && !part.chains.some((c) => c.name === chain));
  const liveJumps = [...table.values()].filter(isBuiltIn).flatMap(jumpsIn);
  if (stale.length + liveJumps.length + part.chains.length === 0) return undefined;
  refuseForeignJumps(`${PROGRAM[family]} -t ${name}`, table, stale);
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

function jumpsIn({ name, rules }: Chain): { chain: string; rule: string }[] {
  return rules.filter(jumpsToOwn).map((rule) => ({ chain: name, rule }));
}

/** A chain that somebody else's chain jumps to cannot be deleted, and that jump is not ours to delete. */
function refuseForeignJumps(command: string, table: Table, stale: readonly string[]): void {
  for (const chain of table.values()) {
    if (isBuiltIn(chain) || isOwn(chain.name)) continue;
    const jump = chain.rules.find((rule) => stale.some((name) => new RegExp(`-[jg] ${name}( |$)`).test(rule)));
    if (jump === undefined) continue;
    throw new RulesError(
      `chain ${chain.name} is not ours but jumps to ours; delete that rule first: ${command} -D ${chain.name} ${jump}`,
    );
  }
}

function wantedPart(text: string): OwnPart {
  const { chains, jumps } = parseRendered(text);
  return {
    chains,
    jumpLines: jumps.map(({ chain, rule, position }) => `${position === 'first' ? '-I' : '-A'} ${chain} ${rule}`),
  };
}

/** Our part as it was, each jump at its former place among rules that nobody has touched. */
function formerPart(table: Table | undefined): OwnPart {
  const chains = [...(table?.values() ?? [])];
  return {
    chains: chains.filter(({ name }) => isOwn(name)),
    jumpLines: chains
      .filter(isBuiltIn)
      .flatMap(({ name, rules }) =>
        rules.flatMap((rule, index) => (jumpsToOwn(rule) ? [`-I ${name} ${index + 1} ${rule}`] : [])),
      ),
  };
}

/** iptables accepts any name, and rules for an interface that never comes would steer nothing without a word. */
function requireInterfaces({ cpe, itms, collectors }: Topology, system: System): void {
  const existing = system.interfaces();
  const missing = [...cpeInterfaceNames({ cpe }), ...[itms, ...collectors].map((server) => server.interface)].find(
    (name) => !existing.includes(name),
  );
  if (missing === undefined) return;
  const others = existing.filter((name) => name !== 'lo').join(', ') || 'none but lo';
  throw new RulesError(`interface ${missing} does not exist here (there are: ${others}); nothing was installed`);
}

/** /proc/net belongs to the network namespace of whoever reads it; /sys/class/net to that of whoever mounted it. */
function listInterfaces(): string[] {
  const lines = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2);
  return lines.filter((line) => line.includes(':')).map((line) => line.slice(0, line.indexOf(':')).trim());
}
