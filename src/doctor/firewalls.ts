/**
 * Base chains that iptables does not show: those of firewalld and of nftables in general. The kernel evaluates each base
 * chain separately, so an accept in our iptables chains does not override them. Source: nft(8), "CHAINS";
 * libnftables-json(5).
 */

import { type Configuration } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { type Host } from './host';
import { type CpeInterface, cpeInterfaceNames } from '../splitter/topology';
import { interfacesOf } from './places';

type Expression = Record<string, unknown>;

export interface NftChain {
  family: string;
  table: string;
  name: string;
  /** Only base chains have a hook and a policy. */
  hook?: string;
  policy?: string;
  rules: Expression[][];
}

interface Listing {
  nftables: {
    chain?: Omit<NftChain, 'rules'>;
    rule?: { family: string; table: string; chain: string; expr: Expression[] };
  }[];
}

/** Tables of iptables-nft; `rules check` reads these itself. */
const IPTABLES = new Set(['filter', 'nat', 'mangle', 'raw', 'security']);
const FAMILIES = new Set(['ip', 'ip6', 'inet']);
/** Hooks that forwarded packets pass, and the interfaces known at each. */
const HOOKS: Readonly<Record<string, { in: boolean; out: boolean }>> = {
  prerouting: { in: true, out: false },
  forward: { in: true, out: true },
  postrouting: { in: false, out: true },
};
/** Limit on nested jumps; the kernel refuses loops. */
const MAX_DEPTH = 16;

/** A packet of ours at a hook. */
interface Passage {
  in?: string;
  out?: string;
}

/** @throws SyntaxError if the text is not a listing */
export function parseListing(text: string): NftChain[] {
  const objects = (JSON.parse(text) as Listing).nftables;
  const chains = objects.flatMap(({ chain }) => (chain ? [{ ...chain, rules: [] as Expression[][] }] : []));
  for (const { rule } of objects) {
    if (!rule) continue;
    const owner = chains.find((c) => c.family === rule.family && c.table === rule.table && c.name === rule.chain);
    owner?.rules.push(rule.expr);
  }
  return chains.filter(({ family, table }) => FAMILIES.has(family) && !(family !== 'inet' && IPTABLES.has(table)));
}

/** What happens to a packet; `goes on` if no rule decides for certain. */
type Fate = 'dropped' | 'accepted' | 'goes on';

function fateIn(chain: NftChain, packet: Passage, chains: readonly NftChain[], depth = 0): Fate {
  for (const expressions of chain.rules) {
    const verdict = expressions.find((e) => VERDICTS.some((name) => name in e));
    if (!verdict) continue;
    if (!expressions.every((e) => e === verdict || isCertain(e, packet))) continue;
    if ('accept' in verdict) return 'accepted';
    if ('return' in verdict) return 'goes on';
    if ('drop' in verdict || 'reject' in verdict) return 'dropped';
    const { target } = (verdict.jump ?? verdict.goto) as { target: string };
    const called = chains.find((c) => c.family === chain.family && c.table === chain.table && c.name === target);
    const fate = called && depth < MAX_DEPTH ? fateIn(called, packet, chains, depth + 1) : 'goes on';
    if (fate !== 'goes on' || 'goto' in verdict) return fate;
  }
  return chain.policy === 'drop' ? 'dropped' : 'goes on';
}

const VERDICTS = ['accept', 'drop', 'reject', 'return', 'jump', 'goto'];
/** Expressions that do not match but only count, log or comment. */
const IDLE = new Set(['counter', 'log', 'comment']);

/** Whether an expression matches every packet of ours at this hook. If that is uncertain, we trust the operator's policy. */
function isCertain(expression: Expression, packet: Passage): boolean {
  if (Object.keys(expression).every((key) => IDLE.has(key))) return true;
  const match = expression.match as { op: string; left: unknown; right: unknown } | undefined;
  if (!match) return false;
  const values = listOf(match.right);
  const held = holds(match.left, values, packet);
  if (held === undefined) return false;
  return match.op === '!=' ? !held : held;
}

/** `undefined`: depends on the packet. */
function holds(left: unknown, values: unknown[], packet: Passage): boolean | undefined {
  const { meta, ct } = left as { meta?: { key: string }; ct?: { key: string } };
  const one = (own: string | undefined) =>
    own === undefined ? undefined : values.some((value) => fits(String(value), own));
  if (meta?.key === 'iifname' || meta?.key === 'iif') return one(packet.in);
  if (meta?.key === 'oifname' || meta?.key === 'oif') return one(packet.out);
  if (meta?.key === 'l4proto') return one('tcp');
  if (ct?.key === 'state') return one('untracked');
  return undefined;
}

function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

function listOf(right: unknown): unknown[] {
  const set = (right as { set?: unknown[] } | null)?.set;
  return Array.isArray(set) ? set : Array.isArray(right) ? (right as unknown[]) : [right];
}

/** Base chains that certainly drop a packet of ours. */
export function droppingChains(
  chains: readonly NftChain[],
  sides: readonly CpeInterface[],
  others: readonly string[],
): NftChain[] {
  const ways = others.flatMap((other) =>
    sides.flatMap((side) => [
      { in: side.in, out: other },
      { in: other, out: side.out },
    ]),
  );
  return chains.filter((chain) => {
    const known = HOOKS[chain.hook ?? ''];
    if (!known) return false;
    const passages = ways.map((way): Passage => ({
      ...(known.in ? { in: way.in } : {}),
      ...(known.out ? { out: way.out } : {}),
    }));
    return passages.some((packet) => fateIn(chain, packet, chains) === 'dropped');
  });
}

type Looked = { chains: NftChain[] } | { isMissing: true };

function lookAtNft(host: Host): Looked {
  const { status, stdout } = host.run('nft', ['-j', 'list', 'ruleset']);
  if (status === 0) return { chains: parseListing(stdout) };
  return { isMissing: true };
}

function mendOf({ family, table, name, hook }: NftChain, names: readonly string[]): string {
  // nft writes a wildcard with *.
  const set = `{ ${names.map((name) => name.replace(/\+$/, '*')).join(', ')} }`;
  const known = HOOKS[hook!];
  const ends = [...(known.in ? [`iifname ${set}`] : []), ...(known.out ? [`oifname ${set}`] : [])];
  return `nft 'insert rule ${family} ${table} ${name} ${ends.join(' ')} ct state untracked accept'`;
}

export const firewalls: Check<Looked> = {
  name: 'firewalls',
  needs: ['rights'],
  look: lookAtNft,
  judge: (looked, { topology }: Configuration) => {
    if ('isMissing' in looked) {
      const says =
        'nft is not available: cannot inspect chains that iptables does not show (such as those of firewalld)';
      return [{ level: 'warning', says, mend: 'apt-get install nftables' }];
    }
    const sides = topology.cpe.interfaces;
    const own = cpeInterfaceNames(topology);
    const others = interfacesOf(topology).filter((name) => !own.includes(name));
    return droppingChains(looked.chains, sides, others).map((chain): Fault => {
      const says = `nftables chain ${chain.family} ${chain.table} ${chain.name} (${chain.hook}) drops our traffic, even if iptables accepts it`;
      return { level: 'failure', says, mend: mendOf(chain, interfacesOf(topology)) };
    });
  },
  fine: () => 'no nftables chain outside iptables (firewalld, …) drops our traffic',
};
