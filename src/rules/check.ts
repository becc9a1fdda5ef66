/** The live rules against the rendered ones: every difference in one line, with what to do about it. */

import { type Topology } from '../splitter/topology';
import { type ChainDifference, compareChain } from './compare';
import { findObstacles, type ForeignRule, type Obstacle } from './foreign';
import { SYSTEM, type System } from './install';
import { saveRules } from './iptables';
import { type QueueNumbers, renderTables, type RenderedTable, type TableName } from './render';
import { canonical } from './rule';
import {
  isBuiltIn,
  isOwn,
  type Jump,
  jumpsToOwn,
  OWN_PREFIX,
  parseRendered,
  parseRuleset,
  type Ruleset,
  type Table,
  targetOf,
} from './ruleset';
import { stations } from './traffic';

export interface Difference {
  kind: ChainDifference['kind'] | Obstacle;
  table: TableName;
  chain: string;
  /** The rule this is about, as iptables-save prints it, without `-A CHAIN`. */
  rule: string;
  /** One line for people: where, what, and what to do. */
  message: string;
}

const MEND = 'run: acsplit rules install';

/** Nothing differs and nothing is in the way: an empty answer. @throws RulesError when the rules cannot be read */
export function checkRules(topology: Topology, queue: QueueNumbers, system: System = SYSTEM): Difference[] {
  const saved = saveRules(system.run);
  return [...compareRules(topology, queue, saved), ...ownInOtherBackEnd(saved, system)];
}

/**
 * The kernel walks the rules of both back ends, nf_tables and legacy, and a host whose default was changed may hold ours
 * in either: each packet would be queued twice.
 */
function ownInOtherBackEnd(saved: string, system: System): Difference[] {
  const other = saved.includes('(nf_tables)') ? 'iptables-legacy' : 'iptables-nft';
  const { status, stdout } = system.run(`${other}-save`, []);
  if (status !== 0) return [];
  const isOurs = ([, table]: [string, Table]) => [...table.keys()].some(isOwn);
  return [...parseRuleset(stdout)].filter(isOurs).map(([name]) => {
    const remedy = `delete them there: ${other}-save | grep -v ${OWN_PREFIX} | ${other}-restore`;
    const message = `table ${name}: rules of ours stand in ${other} as well; ${remedy}`;
    return { kind: 'duplicate', table: name as TableName, chain: '', rule: '', message };
  });
}

/** `checkRules` for rules that iptables-save has already printed. */
export function compareRules(topology: Topology, queue: QueueNumbers, saved: string): Difference[] {
  const live = parseRuleset(saved);
  const own = renderTables(topology, queue).flatMap((rendered) => compareTable(rendered, live));
  return [...own, ...foreignRules(topology, live)];
}

function compareTable({ name, text }: RenderedTable, live: Ruleset): Difference[] {
  const wanted = parseRendered(text);
  const table: Table = live.get(name) ?? new Map();
  const ownChains = [...table.keys()].filter(isOwn);
  if (ownChains.length === 0) {
    const message = `table ${name}: none of our rules is installed; ${MEND}`;
    return [{ kind: 'missing', table: name, chain: '', rule: '', message }];
  }
  const differences = wanted.jumps.flatMap((jump) => compareJump(name, jump, table));
  for (const { name: chain, rules } of wanted.chains) {
    const there = table.get(chain);
    if (!there) {
      const message = `${name} ${chain}: this chain of ours is missing; ${MEND}`;
      differences.push({ kind: 'missing', table: name, chain, rule: '', message });
    } else {
      differences.push(...compareChain(rules, there.rules).map((found) => describe(name, chain, found)));
    }
  }
  for (const chain of ownChains.filter((own) => !wanted.chains.some((c) => c.name === own))) {
    const message = `${name} ${chain}: this chain bears a name of ours, but the configuration asks for none such; ${MEND}`;
    differences.push({ kind: 'unexpected', table: name, chain, rule: '', message });
  }
  return [...differences, ...strayJumps(name, wanted.jumps, table)];
}

function compareJump(table: TableName, jump: Jump, live: Table): Difference[] {
  const jumps = (live.get(jump.chain)?.rules ?? []).filter(jumpsToOwn);
  const same = jumps.filter((rule) => targetOf(rule) === targetOf(jump.rule));
  return compareChain([jump.rule], same).map((found) => describe(table, jump.chain, found));
}

/** Jumps into our chains from where the bundle has none. In a chain that is not ours, only its owner may delete it. */
function strayJumps(table: TableName, wanted: readonly Jump[], live: Table): Difference[] {
  return [...live.values()]
    .filter(({ name }) => !isOwn(name))
    .flatMap((chain) => chain.rules.filter(jumpsToOwn).map((rule) => ({ chain, rule })))
    .filter(({ chain, rule }) => !wanted.some((j) => j.chain === chain.name && targetOf(j.rule) === targetOf(rule)))
    .map(({ chain, rule }) => {
      const remedy = isBuiltIn(chain) ? MEND : `delete it: iptables -t ${table} -D ${chain.name} ${rule}`;
      const message = `${table} ${chain.name}: "${rule}" leads into a chain of ours from where none of our rules does; ${remedy}`;
      return { kind: 'unexpected', table, chain: chain.name, rule, message };
    });
}

function describe(table: TableName, chain: string, found: ChainDifference): Difference {
  const at = `${table} ${chain}`;
  switch (found.kind) {
    case 'missing':
      return {
        kind: 'missing',
        table,
        chain,
        rule: found.wanted,
        message: `${at}: missing "${found.wanted}"; ${MEND}`,
      };
    case 'reordered': {
      const message = `${at}: "${found.wanted}" is not in its place; ${MEND}`;
      return { kind: 'reordered', table, chain, rule: found.wanted, message };
    }
    case 'changed': {
      const message = `${at}: found "${found.live}", expected "${found.wanted}"; ${MEND}`;
      return { kind: 'changed', table, chain, rule: found.live, message };
    }
    case 'duplicate': {
      const message = `${at}: "${found.live}" is there more than once; ${MEND}`;
      return { kind: 'duplicate', table, chain, rule: found.live, message };
    }
    case 'unexpected': {
      const { live, shadowed } = found;
      const effect = shadowed.length === 0 ? '' : ` and shadows ${shadowed.map((rule) => `"${rule}"`).join(', ')}`;
      const message = `${at}: "${live}" is none of our rules${effect}; ${MEND}`;
      return { kind: shadowed.length > 0 ? 'shadows' : 'unexpected', table, chain, rule: live, message };
    }
  }
}

/** One line per foreign rule, however much of our traffic it touches. */
function foreignRules(topology: Topology, live: Ruleset): Difference[] {
  const byRule = new Map<string, ForeignRule & { whats: Set<string>; table: TableName }>();
  for (const station of stations(topology)) {
    for (const found of findObstacles(station, live)) {
      const key = `${found.table} ${found.chain} ${canonical(found.rule)} ${found.obstacle}`;
      const known = byRule.get(key) ?? { ...found, table: station.table, whats: new Set<string>() };
      known.whats.add(found.what);
      byRule.set(key, known);
    }
  }
  return [...byRule.values()].map((found) => {
    const { obstacle, table, chain, rule, whats } = found;
    const message = `${table} ${chain}: ${inWords(found, [...whats].join('; '), ownJumps(live, table))}`;
    return { kind: obstacle, table, chain, rule, message };
  });
}

function ownJumps(live: Ruleset, table: string): Map<string, string> {
  const chains = [...(live.get(table)?.values() ?? [])];
  return new Map(
    chains.flatMap(({ name, rules }) => rules.filter(jumpsToOwn).map((rule): [string, string] => [name, rule])),
  );
}

function inWords({ obstacle, table, chain, rule }: ForeignRule, whats: string, jumps: Map<string, string>): string {
  const ours = jumps.has(chain) ? `our "${jumps.get(chain)}"` : 'our rules';
  if (rule.startsWith('policy')) return `${rule} drops ${whats}; change it: iptables -t ${table} -P ${chain} ACCEPT`;
  const remedy = `delete or narrow it: iptables -t ${table} -D ${chain} ${rule}`;
  switch (obstacle) {
    case 'drops':
      return `"${rule}" is not ours and may take away ${whats}; ${remedy}`;
    case 'shadows':
      return `"${rule}" is not ours, comes before ${ours} and shadows it for ${whats}; ${table === 'mangle' ? remedy : MEND}`;
    case 'skipped':
      return `"${rule}" is not ours and comes behind ${ours}, so it never sees ${whats}; to put ours last, ${MEND}`;
  }
}
