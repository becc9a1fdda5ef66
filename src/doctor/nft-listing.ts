/**
 * nftables as `nft -j -t list ruleset` prints it, without the elements of named sets: a set of a million takes half a
 * minute to list. Source: libnftables-json(5).
 */

export type Expression = Record<string, unknown>;

export interface NftRule {
  handle: number;
  expressions: readonly Expression[];
}

export interface NftChain {
  family: string;
  table: string;
  name: string;
  /** Only base chains have a hook, a priority and a policy. */
  hook?: string;
  priority: number;
  policy?: string;
  /** Of the family `netdev`, and of `inet` at ingress. */
  devices: readonly string[];
  rules: NftRule[];
}

/** A named set or map. */
export interface NftSet {
  kind: 'set' | 'map';
  family: string;
  table: string;
  name: string;
  /** Undefined: not read. */
  elements: readonly unknown[] | undefined;
}

export interface Ruleset {
  chains: NftChain[];
  sets: NftSet[];
}

interface Listing {
  nftables: {
    chain?: { family: string; table: string; name: string } & {
      hook?: string;
      prio?: number;
      policy?: string;
      dev?: string | string[];
    };
    rule?: { family: string; table: string; chain: string; handle: number; expr: Expression[] };
    set?: { family: string; table: string; name: string; elem?: unknown[] };
    map?: { family: string; table: string; name: string; elem?: unknown[] };
  }[];
}

/** The base chains that iptables-nft shows, by table; `rules check` reads these itself. iptables(8), "TABLES" */
const IPTABLES: Readonly<Record<string, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  raw: ['PREROUTING', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};
const FAMILIES = new Set(['ip', 'ip6', 'inet', 'netdev']);

/** @throws SyntaxError if the text is not a listing */
export function parseRuleset(text: string): Ruleset {
  const objects = (JSON.parse(text) as Listing).nftables;
  const chains = objects.flatMap(({ chain }): NftChain[] => {
    if (!chain || !FAMILIES.has(chain.family)) return [];
    const { family, table, name, prio = 0, hook, policy, dev = [] } = chain;
    if (hook !== undefined && ['ip', 'ip6'].includes(family) && IPTABLES[table]?.includes(name) === true) return [];
    const base = { ...(hook === undefined ? {} : { hook }), ...(policy === undefined ? {} : { policy }) };
    return [{ family, table, name, ...base, priority: prio, devices: [dev].flat(), rules: [] }];
  });
  for (const { rule } of objects) {
    if (!rule) continue;
    const owner = chains.find((c) => c.family === rule.family && c.table === rule.table && c.name === rule.chain);
    owner?.rules.push({ handle: rule.handle, expressions: rule.expr });
  }
  const sets = objects.flatMap(({ set, map }): NftSet[] => {
    const one = set ?? map;
    if (!one) return [];
    const { family, table, name, elem } = one;
    return [{ kind: set ? 'set' : 'map', family, table, name, elements: elem }];
  });
  return { chains, sets };
}

/** Without the tables of which the kernel runs nothing. @param text of `nft list ruleset`: in nft 1.0.6 JSON has other flags */
export function withoutDormant({ chains, sets }: Ruleset, text: string): Ruleset {
  const dormant = [...text.matchAll(/^table (\S+ \S+) \{.*\n\tflags .*\bdormant\b/gm)].map(([, name]) => name);
  return { chains: chains.filter(({ family, table }) => !dormant.includes(`${family} ${table}`)), sets };
}

/** What one `nft -j list set` or `list map` prints. @throws SyntaxError */
export function parseElements(text: string): readonly unknown[] {
  return parseRuleset(text).sets[0]?.elements ?? [];
}

/** The sets and maps that rules name. */
export function namedSets({ chains, sets }: Ruleset): NftSet[] {
  const rules = chains.flatMap(({ family, table, rules }) =>
    rules.map(({ expressions }) => ({ family, table, text: JSON.stringify(expressions) })),
  );
  return sets.filter(({ family, table, name }) =>
    rules.some((rule) => rule.family === family && rule.table === table && rule.text.includes(`"@${name}"`)),
  );
}
