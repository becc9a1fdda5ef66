/**
 * The rules and policies of nftables that drop a packet of ours. The kernel
 * evaluates each base chain separately, so an accept in one does not override a drop in another. What cannot be
 * determined counts as "may". Sources: nft(8), "CHAINS", "VERDICT STATEMENTS".
 */

import { formatAddress, parseAddress, parseNetwork } from '../packet/address';
import { type Expression, type NftChain, type NftRule, type NftSet, type Ruleset } from './nft-listing';
import { type Passage, type Ports } from './passages';

/** How much of a passage: `part`, some CPEs, servers or ports for certain; `maybe`, what only a packet can tell. */
export type Reach = 'never' | 'maybe' | 'part' | 'always';
const RANKS: readonly Reach[] = ['never', 'maybe', 'part', 'always'];
const least = (...all: Reach[]): Reach => RANKS[Math.min(...all.map((one) => RANKS.indexOf(one)))];
const most = (...all: Reach[]): Reach => RANKS[Math.max(...all.map((one) => RANKS.indexOf(one)))];
/** What is left of `all` after `taken` of it has gone. */
const without = (all: Reach, taken: Reach): Reach =>
  taken === 'always' ? 'never' : taken === 'never' ? all : least(all, taken);

/** A rule, or the policy of a base chain, that takes packets of ours away. */
export interface Drop {
  chain: NftChain;
  /** Undefined: the policy. */
  rule: NftRule | undefined;
  reach: Exclude<Reach, 'never'>;
}

/** Limit on nested jumps; the kernel refuses loops. */
const MAX_DEPTH = 16;
/** Verdicts and statements after which the packet is gone, or another program's. */
const TAKING = ['drop', 'reject', 'queue', 'tproxy', 'synproxy', 'fwd'];
const VERDICTS = ['accept', 'return', 'jump', 'goto', ...TAKING];
/** Expressions that do not match but only count, log or comment. */
const IDLE = new Set(['counter', 'log', 'comment', 'notrack', 'mangle']);

export function dropsIn(base: NftChain, packet: Passage, ruleset: Ruleset): Drop[] {
  const drops: Drop[] = [];
  const rest = follow(base, 'always', 0);
  if (base.policy === 'drop' && rest !== 'never') drops.push({ chain: base, rule: undefined, reach: rest });
  return drops;

  /** @returns how much goes on behind the chain, of the `entering` that went in */
  function follow(chain: NftChain, entering: Reach, depth: number): Reach {
    let here = entering;
    let returned: Reach = 'never';
    for (const rule of chain.rules) {
      for (const { verdict, reach } of branches(rule, chain, packet, ruleset)) {
        const taken = least(reach, here);
        if (taken === 'never') continue;
        const target = targetOf(verdict);
        const called = ruleset.chains.find(
          (c) => c.family === chain.family && c.table === chain.table && c.name === target,
        );
        if (TAKING.some((word) => word in verdict)) drops.push({ chain, rule, reach: taken });
        else if ('return' in verdict) returned = most(returned, taken);
        else if (called && depth < MAX_DEPTH) {
          const back = follow(called, taken, depth + 1);
          if ('goto' in verdict) returned = most(returned, back);
          else if (reach === 'always') here = back;
          if ('jump' in verdict && back !== 'never') continue;
        } else if (target !== undefined) continue;
        here = without(here, reach);
      }
      if (here === 'never') break;
    }
    return most(returned, here);
  }
}

function targetOf(verdict: Expression): string | undefined {
  return ((verdict.jump ?? verdict.goto) as { target: string } | undefined)?.target;
}

/** A rule's verdicts, several with a verdict map, and what of the passage each is for. */
function branches({ expressions }: NftRule, chain: NftChain, packet: Passage, { sets }: Ruleset) {
  const find = (name: string) =>
    sets.find((set) => set.family === chain.family && set.table === chain.table && `@${set.name}` === name);
  const verdict = expressions.find((e) => VERDICTS.some((word) => word in e));
  const map = expressions.find((e) => 'vmap' in e)?.vmap as { key: unknown; data: unknown } | undefined;
  if (!verdict && !map) return [];
  const conditions = expressions.filter((e) => e !== verdict && !('vmap' in e));
  const reach = least('always', ...conditions.map((e) => reachOf(e, packet, find)));
  if (verdict) return [{ verdict, reach }];
  const pairs = typeof map!.data === 'string' ? find(map!.data)?.elements : (map!.data as { set: unknown[] }).set;
  if (pairs === undefined) return [{ verdict: { drop: null }, reach: least(reach, 'maybe') }];
  return (pairs as [unknown, Expression][]).map(([key, data]) => ({
    verdict: data,
    reach: least(reach, key === '*' ? 'maybe' : matches(map!.key, [key], packet)),
  }));
}

function reachOf(expression: Expression, packet: Passage, find: (name: string) => NftSet | undefined): Reach {
  if (Object.keys(expression).every((key) => IDLE.has(key))) return 'always';
  const match = expression.match as { op: string; left: unknown; right: unknown } | undefined;
  if (!match) return 'maybe';
  const { op, left, right } = match;
  if (!['==', 'in', '!='].includes(op)) return 'maybe';
  const isNamed = typeof right === 'string' && right.startsWith('@');
  const set = isNamed ? find(right)?.elements : undefined;
  if (isNamed && !set) return 'maybe';
  const reach = matches(left, set ?? listOf(right), packet);
  if (op === '!=') return reach === 'always' ? 'never' : reach === 'never' ? 'always' : reach;
  // A set may change at any time.
  return set && reach === 'never' && matches(left, [], packet) === 'never' ? 'maybe' : reach;
}

function listOf(right: unknown): unknown[] {
  const set = (right as { set?: unknown[] } | null)?.set;
  return Array.isArray(set) ? set : Array.isArray(right) ? (right as unknown[]) : [right];
}

interface Left {
  meta?: { key: string };
  ct?: { key: string };
  payload?: { protocol: string; field: string };
  fib?: { result: string };
}

function matches(left: unknown, values: readonly unknown[], packet: Passage): Reach {
  const { meta, ct, payload, fib } = left as Left;
  const isOne = (...own: string[]): Reach => (values.some((value) => own.includes(String(value))) ? 'always' : 'never');
  switch (meta?.key) {
    case 'iifname':
    case 'iif':
      return matchesName(values, packet.in);
    case 'oifname':
    case 'oif':
      return matchesName(values, packet.out);
    case 'l4proto':
      return isOne('tcp', '6');
    case 'nfproto':
      return isOne(packet.family);
    case 'protocol':
      return isOne(packet.family === 'ipv4' ? 'ip' : 'ip6');
  }
  if (ct?.key === 'state') return packet.isUntracked ? isOne('untracked') : 'maybe';
  // Our packets come in where the way back to their source leads; otherwise the check `routes` says so.
  if (fib?.result === 'oif') return values.includes(false) || values.includes('missing') ? 'never' : 'maybe';
  return payload ? matchesPayload(payload, values, packet) : 'maybe';
}

function matchesPayload(
  { protocol, field }: NonNullable<Left['payload']>,
  values: readonly unknown[],
  packet: Passage,
) {
  const [own, other] = packet.family === 'ipv4' ? ['ip', 'ip6'] : ['ip6', 'ip'];
  if ([other, 'udp', 'icmp', 'icmpv6', 'arp', 'sctp', 'dccp', 'esp', 'ah'].includes(protocol)) return 'never';
  if (protocol === own && field === 'saddr') return overlap(packet.sources, values, packet.acs);
  if (protocol === own && field === 'daddr') return overlap(packet.destinations, values, packet.acs);
  if (protocol === own && (field === 'protocol' || field === 'nexthdr')) {
    return values.some((value) => value === 'tcp' || value === 6) ? 'always' : 'never';
  }
  if (protocol === 'ether' && field === 'type') {
    return values.some((value) => value === own) ? 'always' : 'never';
  }
  if (!['tcp', 'th'].includes(protocol)) return 'maybe';
  if (field === 'sport') return overlapPorts(packet.sourcePorts, values);
  if (field === 'dport') return overlapPorts(packet.destinationPorts, values);
  return 'maybe';
}

/** Both may be wildcards: ours ends in `+`, theirs in `*`. */
function matchesName(values: readonly unknown[], own: string | undefined): Reach {
  if (own === undefined) return 'maybe';
  const ours = own.replace(/\+$/, '');
  const isWild = ours !== own;
  const one = (value: unknown): Reach => {
    const text = String(value);
    const theirs = text.replace(/\*$/, '');
    if (theirs !== text)
      return ours.startsWith(theirs) ? 'always' : isWild && theirs.startsWith(ours) ? 'maybe' : 'never';
    if (!isWild) return text === own ? 'always' : 'never';
    return text.startsWith(ours) ? 'maybe' : 'never';
  };
  return most('never', ...values.map(one));
}

type Range = readonly [bigint, bigint];

/** An address, a network, a range or an element with its time-out. Undefined: none of these. */
function rangeOf(value: unknown): Range | undefined {
  if (typeof value === 'string') {
    const network = parseNetwork(value) ?? parseNetwork(`${value}/${value.includes(':') ? 128 : 32}`);
    if (!network) return undefined;
    const last = network.base.map((word, i) => word | ~network.mask[i]);
    return [asNumber(formatAddress(network.base)), asNumber(formatAddress(last))];
  }
  const { prefix, range, elem } = (value ?? {}) as {
    prefix?: { addr: string; len: number };
    range?: [string, string];
    elem?: { val: unknown };
  };
  if (elem) return rangeOf(elem.val);
  if (prefix) return rangeOf(`${prefix.addr}/${prefix.len}`);
  const ends = range?.map(rangeOf);
  return ends?.[0] && ends[1] ? [ends[0][0], ends[1][1]] : undefined;
}

/** Of a set, which every passage asks for. */
const known = new WeakMap<readonly unknown[], (Range | undefined)[]>();

function rangesOf(values: readonly unknown[]): (Range | undefined)[] {
  const ranges = known.get(values) ?? values.map(rangeOf);
  known.set(values, ranges);
  return ranges;
}

function asNumber(address: string): bigint {
  return parseAddress(address)!.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
}

function overlap(own: readonly string[], values: readonly unknown[], acs: string): Reach {
  const theirs = rangesOf(values).filter((_, i) => values[i] !== acs || own.includes(acs));
  if (theirs.includes(undefined)) return 'maybe';
  const ours = own.map((text) => rangeOf(text)!);
  const covered = ours.filter((a) => theirs.some((b) => b![0] <= a[0] && a[1] <= b![1])).length;
  if (covered === ours.length) return 'always';
  return ours.some((a) => theirs.some((b) => a[0] <= b![1] && b![0] <= a[1])) ? 'part' : 'never';
}

function overlapPorts(own: Ports, values: readonly unknown[]): Reach {
  const theirs = values.map((value): readonly [number, number] | undefined => {
    if (typeof value === 'number') return [value, value];
    const range = (value as { range?: [number, number] } | null)?.range;
    return range && range.every((end) => typeof end === 'number') ? range : undefined;
  });
  if (theirs.includes(undefined)) return 'maybe';
  const isIn = ([first, last]: readonly [number, number]) => theirs.some((b) => b![0] <= first && last <= b![1]);
  if (own.every(isIn)) return 'always';
  // One of many ports is perhaps never used; a configured one is.
  if (own.some((port) => port[0] === port[1] && isIn(port))) return 'part';
  return own.some(([first, last]) => theirs.some((b) => first <= b![1] && b![0] <= last)) ? 'maybe' : 'never';
}
