/** Compares the live rules with the rendered ones: one line per difference, with what to do about it. */

import { type Family } from '../../packet/address';
import { families, type Topology } from '../../splitter/topology';
import { type ChainDifference, compareChain } from './compare';
import { FAMILIES, FAMILY_NAMES, PROGRAM } from './family';
import { findObstacles, type ForeignRule, type Obstacle } from './foreign';
import { findMissingInterface, inTurn, SYSTEM, type System } from './install';
import { DEFAULT_INSTANCE, ownPrefix } from './instance';
import { saveRules } from './iptables';
import { renderTables, type RenderedTable, type Steering, type IptablesTable } from './render';
import { canonical } from './rule';
import {
  isBuiltIn,
  type Jump,
  jumpsTo,
  parseRendered,
  parseRuleset,
  type Ruleset,
  type Table,
  targetOf,
} from './ruleset';
import { quoted, typed } from './typed';
import { isSame, listSets, readEntries, readSet, wantedSets } from './sets';
import { type Station, stations } from './traffic';

export interface Difference {
  family: Family;
  kind: ChainDifference['kind'] | Obstacle;
  table: IptablesTable;
  chain: string;
  /** The rule in question, as iptables-save prints it, without `-A CHAIN`. */
  rule: string;
  /** For people: where, what, and what to do. */
  message: string;
  /** The command at the end of the message, where the rule's own text could be taken for one. */
  remedy?: string;
}

const MEND = 'run: acsplit rules install';

/**
 * An empty answer means that nothing differs and nothing is in the way. @throws RulesError when the rules cannot be
 * read
 */
export function checkRules(topology: Topology, steering: Steering, system: System = SYSTEM): Difference[] {
  return inTurn(system, () => {
    const configured = families(topology);
    const prefix = ownPrefix(steering.instance);
    const saved = new Map(configured.map((family) => [family, saveRules(system.run, family)]));
    const hasRules = [...saved.values()].some((text) => ownTables(text, prefix).length > 0);
    const rules = FAMILIES.flatMap((family) => {
      const text = saved.get(family);
      if (text === undefined) return family === 'ipv4' || system.hasIpv6() ? leftovers(system, family, prefix) : [];
      const other = inOtherBackEnd(topology, steering, text, system, family);
      if (hasRules) return [...compareRules(topology, steering, text, family), ...other];
      // Before they are installed, one line says so; what they would meet is told afterwards.
      return other.filter(({ kind }) => kind === 'duplicate');
    });
    const interfaces = checkInterfaces(topology, system);
    if (!hasRules) return [...interfaces, notInstalled(topology, steering), ...rules];
    return [...interfaces, ...rules, ...checkSets(topology, steering, system)];
  });
}

function notInstalled(topology: Topology, { instance }: Steering): Difference {
  const whose = instance === DEFAULT_INSTANCE ? '' : ` of instance ${instance}`;
  const message = `none of our rules${whose} is installed; ${MEND}`;
  return { kind: 'missing', family: families(topology)[0], table: 'raw', chain: '', rule: '', message };
}

function checkInterfaces(topology: Topology, system: System): Difference[] {
  const missing = findMissingInterface(topology, system);
  if (missing === undefined) return [];
  const message = `${missing}: its rules steer nothing; name the right one in the configuration, then ${MEND}`;
  return [{ kind: 'missing', family: families(topology)[0], table: 'mangle', chain: '', rule: '', message }];
}

/**
 * The sets that the rules use. The kernel keeps a set while a rule names it, but it may never have been created, or by
 * others.
 */
function checkSets(topology: Topology, steering: Steering, system: System): Difference[] {
  const wanted = wantedSets(topology, steering);
  const differ = (family: Family, name: string, kind: Difference['kind'], what: string, mend = MEND): Difference => ({
    ...{ kind, family, table: 'raw', chain: '', rule: '' },
    message: `${inFamily(family)}set ${name}: ${what}; ${mend}`,
  });
  const unwanted = listSets(system.run, ownPrefix(steering.instance))
    .filter((name) => !wanted.some((set) => set.name === name))
    .map((name) => {
      const family = name.includes('6') ? 'ipv6' : 'ipv4';
      return differ(family, name, 'unexpected', 'it has a name of ours, but the configuration does not ask for it');
    });
  const others = wanted.flatMap(({ name, family, kind, entries, isFixed }): Difference[] => {
    const live = readSet(system.run, name);
    if (live === undefined) return [differ(family, name, 'missing', 'this set of ours is missing')];
    if (live.kind !== kind) {
      const again = 'run: acsplit rules remove && acsplit rules install';
      return [differ(family, name, 'changed', `found "${live.kind}", expected "${kind}"`, again)];
    }
    const found = isFixed ? (readEntries(system.run, name) ?? []) : entries;
    if (isSame(found, entries)) return [];
    const lacking = entries.filter((entry) => !found.includes(entry));
    const extra = found.filter((entry) => !entries.includes(entry));
    const what = [
      ...(lacking.length > 0 ? [`lacks ${lacking[0]}${andMore(lacking)}`] : []),
      ...(extra.length > 0 ? [`holds ${extra[0]}${andMore(extra)}, which is not configured`] : []),
    ];
    return [differ(family, name, 'changed', what.join(' and '))];
  });
  return [...unwanted, ...others];
}

function andMore(list: readonly string[]): string {
  return list.length > 1 ? ` and ${list.length - 1} more` : '';
}

/** Tables of an iptables-save text that contain something of ours. */
function ownTables(saved: string, prefix: string): IptablesTable[] {
  const isOurs = ([, table]: [string, Table]) => [...table.keys()].some((name) => name.startsWith(prefix));
  return [...parseRuleset(saved)].filter(isOurs).map(([name]) => name as IptablesTable);
}

/** Rules of ours in a family that is no longer configured. */
function leftovers(system: System, family: Family, prefix: string): Difference[] {
  return ownTables(saveRules(system.run, family), prefix).map((table) => {
    const what = `rules of ours stand here, but no ${FAMILY_NAMES[family]} address is configured`;
    const message = `${inFamily(family)}table ${table}: ${what}; ${MEND}`;
    return { kind: 'unexpected', family, table, chain: '', rule: '', message };
  });
}

/**
 * The kernel runs the rules of both back ends, nf_tables and legacy, and a host whose default was changed may have
 * rules in either. Duplicates of ours would queue each packet twice, and our accepts do not override the other back
 * end's drops.
 */
function inOtherBackEnd(
  topology: Topology,
  { onEngineDown, instance }: Steering,
  saved: string,
  system: System,
  family: Family,
): Difference[] {
  const other = `${PROGRAM[family]}-${saved.includes('(nf_tables)') ? 'legacy' : 'nft'}`;
  const { status, stdout } = system.run(`${other}-save`, []);
  if (status !== 0) return [];
  const prefix = ownPrefix(instance);
  const own = ownTables(stdout, prefix).map((table): Difference => {
    const remedy = `delete them there: ${other}-save | grep -v ${prefix} | ${other}-restore`;
    const message = `${inFamily(family)}table ${table}: rules of ours stand in ${other} as well; ${remedy}`;
    return { kind: 'duplicate', family, table, chain: '', rule: '', message };
  });
  // In the other back end our packets only pass; they are queued and accepted elsewhere.
  const passing = stations(topology, family, onEngineDown).map((station): Station => ({ ...station, role: 'passes' }));
  const foreign = foreignRules(passing, parseRuleset(stdout), other, prefix);
  return [...own, ...foreign.map((found) => ({ family, ...found, message: `${other}: ${found.message}` }))];
}

/** `checkRules` for one family's rules, already printed by iptables-save. */
export function compareRules(
  topology: Topology,
  steering: Steering,
  saved: string,
  family: Family = 'ipv4',
): Difference[] {
  const live = parseRuleset(saved);
  const prefix = ownPrefix(steering.instance);
  const own = renderTables(topology, steering, family).flatMap((rendered) => compareTable(rendered, live, prefix));
  const passed = stations(topology, family, steering.onEngineDown);
  const all = [...own, ...foreignRules(passed, live, PROGRAM[family], prefix)];
  return all.map((found) => ({ family, ...found, message: inFamily(family) + found.message }));
}

/** Prefix of messages about IPv6; messages about IPv4 have none. */
function inFamily(family: Family): string {
  return family === 'ipv6' ? 'IPv6 ' : '';
}

/** A difference within one family. */
type Found = Omit<Difference, 'family'>;

function compareTable({ family, name, text }: RenderedTable, live: Ruleset, prefix: string): Found[] {
  const wanted = parseRendered(text, prefix);
  const table: Table = live.get(name) ?? new Map();
  const ownChains = [...table.keys()].filter((chain) => chain.startsWith(prefix));
  if (ownChains.length === 0) {
    const message = `table ${name}: none of our rules is installed; ${MEND}`;
    return [{ kind: 'missing', table: name, chain: '', rule: '', message }];
  }
  const differences = wanted.jumps.flatMap((jump) => compareJump(name, jump, table, prefix));
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
    const message = `${name} ${chain}: this chain has a name of ours, but the configuration does not ask for it; ${MEND}`;
    differences.push({ kind: 'unexpected', table: name, chain, rule: '', message });
  }
  return [...differences, ...strayJumps({ family, name }, wanted.jumps, table, prefix)];
}

function compareJump(table: IptablesTable, jump: Jump, live: Table, prefix: string): Found[] {
  const jumps = (live.get(jump.chain)?.rules ?? []).filter((rule) => jumpsTo(rule, prefix));
  const same = jumps.filter((rule) => targetOf(rule) === targetOf(jump.rule));
  return compareChain([jump.rule], same).map((found) => describe(table, jump.chain, found));
}

/**
 * Jumps into our chains from places where the bundle has none. In a foreign chain, only its owner may delete the jump.
 */
function strayJumps(
  { family, name: table }: Pick<RenderedTable, 'family' | 'name'>,
  wanted: readonly Jump[],
  live: Table,
  prefix: string,
): Found[] {
  return [...live.values()]
    .filter(({ name }) => !name.startsWith(prefix))
    .flatMap((chain) => chain.rules.filter((rule) => jumpsTo(rule, prefix)).map((rule) => ({ chain, rule })))
    .filter(({ chain, rule }) => !wanted.some((j) => j.chain === chain.name && targetOf(j.rule) === targetOf(rule)))
    .map(({ chain, rule }) => {
      const remedy = deleting(PROGRAM[family], table, chain.name, rule);
      const message = `${table} ${chain.name}: "${rule}" leads into a chain of ours from where none of our rules does; `;
      const found = { kind: 'unexpected', table, chain: chain.name, rule } as const;
      if (isBuiltIn(chain)) return { ...found, message: message + MEND };
      return { ...found, message: `${message}delete it: ${remedy}`, remedy };
    });
}

function describe(table: IptablesTable, chain: string, found: ChainDifference): Found {
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
      const message = `${at}: "${live}" is not one of our rules${effect}; ${MEND}`;
      return { kind: shadowed.length > 0 ? 'shadows' : 'unexpected', table, chain, rule: live, message };
    }
  }
}

/** One line per foreign rule, however much of our traffic it affects. */
function foreignRules(passed: readonly Station[], live: Ruleset, program: string, prefix: string): Found[] {
  const byRule = new Map<string, ForeignRule & { whats: Set<string>; table: IptablesTable }>();
  for (const station of passed) {
    for (const found of findObstacles(station, live, prefix)) {
      const key = `${found.table} ${found.chain} ${canonical(found.rule)} ${found.obstacle}`;
      const known = byRule.get(key) ?? { ...found, table: station.table, whats: new Set<string>() };
      known.whats.add(found.what);
      byRule.set(key, known);
    }
  }
  return [...byRule.values()].map((found) => {
    const { obstacle, table, chain, rule, whats } = found;
    const message = `${table} ${chain}: ${inWords(found, [...whats].join('; '), program)}`;
    const remedy = deleting(program, table, chain, rule);
    return { kind: obstacle, table, chain, rule, message, ...(message.endsWith(remedy) ? { remedy } : {}) };
  });
}

function deleting(program: string, table: string, chain: string, rule: string): string {
  return `${program} -t ${table} -D ${quoted(chain)} ${typed(rule)}`;
}

function inWords({ obstacle, table, chain, rule, jump }: ForeignRule, whats: string, program: string): string {
  const ours = jump === undefined ? 'our rules' : `our "${jump}"`;
  if (rule.startsWith('policy')) return `${rule} drops ${whats}; change it: ${program} -t ${table} -P ${chain} ACCEPT`;
  const remedy = `delete or narrow it: ${deleting(program, table, chain, rule)}`;
  switch (obstacle) {
    case 'drops':
      return `"${rule}" is not ours and may take away ${whats}; ${remedy}`;
    case 'mayDrop':
      return `"${rule}" is not ours, and its set, rate or mark decides whether it takes away ${whats}; ${remedy}`;
    case 'shadows':
      return `"${rule}" is not ours, comes before ${ours} and shadows it for ${whats}; ${table === 'mangle' ? remedy : MEND}`;
    case 'skipped':
      return `"${rule}" is not ours and comes behind ${ours}, so it never sees ${whats}; to put ours last, ${MEND}`;
  }
}
