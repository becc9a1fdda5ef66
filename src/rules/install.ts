/**
 * Puts the bundle in and takes it out. One iptables-restore per table, each atomic; filter's guards first and last,
 * so that at no moment a packet that escapes the queues reaches anybody. A table that fails takes the others back.
 * Whatever is not in a chain of ours and does not jump to one is never named, so it cannot be changed.
 */

import { readFileSync } from 'node:fs';
import { type Topology } from '../splitter/topology';
import { restoreRules, runProgram, type Runner, saveRules } from './iptables';
import { type QueueNumbers, renderTables, TABLE_NAMES } from './render';
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

/** What stands between these functions and the system, for tests. */
export interface System {
  run: Runner;
  /** Names of this network namespace's interfaces. */
  interfaces: () => string[];
}

export const SYSTEM: System = { run: runProgram, interfaces: listInterfaces };

/** Our part of one table: chains with their rules, and the lines that put jumps into built-in chains. */
interface OwnPart {
  chains: Chain[];
  jumpLines: string[];
}

const NOTHING: OwnPart = { chains: [], jumpLines: [] };

/**
 * Installs the bundle, or brings an older one up to date; a second time changes nothing but counters.
 * @throws RulesError: one line, and the rules are as they were before
 */
export function installRules(topology: Topology, queue: QueueNumbers, system: System = SYSTEM): void {
  const rendered = renderTables(topology, queue);
  requireInterfaces(topology, system);
  const wanted = rendered.map(({ name, text }) => ({ name, part: wantedPart(text) }));
  change(wanted, system);
}

/** Takes out everything of ours, whatever configuration it was made from. @throws RulesError */
export function removeRules(system: System = SYSTEM): void {
  const wanted = [...TABLE_NAMES].reverse().map((name) => ({ name, part: NOTHING }));
  change(wanted, system);
}

/** Table by table in the given order; on a failure the tables already changed get their former part back. */
function change(wanted: readonly { name: string; part: OwnPart }[], system: System): void {
  const before = parseRuleset(saveRules(system.run));
  // All texts first: what is refused is refused before anything was touched.
  const steps = wanted.flatMap(({ name, part }) => {
    const text = transition(name, before, part);
    return text === undefined ? [] : [{ name, text }];
  });
  const done: string[] = [];
  try {
    for (const { name, text } of steps) {
      restoreRules(system.run, text);
      done.push(name);
    }
  } catch (error) {
    takeBack(done, before, system, error as Error);
    throw error;
  }
}

function takeBack(tables: readonly string[], before: Ruleset, system: System, cause: Error): void {
  if (tables.length === 0) return;
  try {
    const now = parseRuleset(saveRules(system.run));
    for (const name of [...tables].reverse()) {
      const text = transition(name, now, formerPart(before.get(name)));
      if (text !== undefined) restoreRules(system.run, text);
    }
  } catch (error) {
    throw new RulesError(
      `${cause.message}; and taking back table ${tables.join(', ')} failed: ${(error as Error).message}; run: acsplit rules remove`,
      { cause },
    );
  }
}

/** The text that takes one table from what is live to `part`; `undefined` when there is nothing to do. */
function transition(name: string, live: Ruleset, part: OwnPart): string | undefined {
  const table: Table = live.get(name) ?? new Map();
  const stale = [...table.keys()].filter((chain) => isOwn(chain) && !part.chains.some((c) => c.name === chain));
  const liveJumps = [...table.values()].filter(isBuiltIn).flatMap(jumpsIn);
  if (stale.length + liveJumps.length + part.chains.length === 0) return undefined;
  refuseForeignJumps(name, table, stale);
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
function refuseForeignJumps(tableName: string, table: Table, stale: readonly string[]): void {
  for (const chain of table.values()) {
    if (isBuiltIn(chain) || isOwn(chain.name)) continue;
    const jump = chain.rules.find((rule) => stale.some((name) => new RegExp(`-[jg] ${name}( |$)`).test(rule)));
    if (jump === undefined) continue;
    throw new RulesError(
      `chain ${chain.name} is not ours but jumps to ours; delete that rule first: iptables -t ${tableName} -D ${chain.name} ${jump}`,
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
  const missing = [cpe, itms, ...collectors].map((side) => side.interface).find((name) => !existing.includes(name));
  if (missing === undefined) return;
  const others = existing.filter((name) => name !== 'lo').join(', ') || 'none but lo';
  throw new RulesError(`interface ${missing} does not exist here (there are: ${others}); nothing was installed`);
}

/** /proc/net belongs to the network namespace of whoever reads it; /sys/class/net to that of whoever mounted it. */
function listInterfaces(): string[] {
  const lines = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2);
  return lines.filter((line) => line.includes(':')).map((line) => line.slice(0, line.indexOf(':')).trim());
}
