/**
 * Walks our traffic through the host's own rules: which of them keep it from our rules, drop it, or are skipped because
 * of them.
 */

import { judge } from './reach';
import { isOfAnyInstance } from './instance';
import { type Chain, jumpsTo, jumpsToAnyInstance, type Ruleset, type Table, targetOf, unquoted } from './ruleset';
import { type Station } from './traffic';

/** `mayDrop`: whether it drops depends on something that only a packet can tell, a set, a rate or a mark. */
export type Obstacle = 'shadows' | 'drops' | 'mayDrop' | 'skipped';

export interface ForeignRule {
  obstacle: Obstacle;
  table: string;
  chain: string;
  /** `-A` style text without the chain; for a policy, `policy DROP`. */
  rule: string;
  /** Which traffic, in words. */
  what: string;
  /** Our jump that the rule precedes or follows. */
  jump: string | undefined;
}

/** Each ends a connection's traversal of nat. */
const TRANSLATING = new Set(['DNAT', 'SNAT', 'REDIRECT', 'MASQUERADE', 'NETMAP']);

const DROPPING = new Set(['DROP', 'REJECT', 'TARPIT', 'SYNPROXY', 'NFQUEUE', 'QUEUE', 'TPROXY']);

/** Deepest nesting of chains. The kernel refuses loops; this limit is for text that no kernel has checked. */
const MAX_DEPTH = 32;

/** Foreign rules in the way at one station. Without our jump nothing can precede or follow it. */
export function findObstacles(station: Station, live: Ruleset, prefix: string): ForeignRule[] {
  const table = live.get(station.table);
  const builtIn = table?.get(station.chain);
  if (!table || !builtIn) return [];
  const isJump = (rule: string) => jumpsTo(rule, prefix) && judge(rule, station.traffic).reach !== 'never';
  const jump = builtIn.rules.findIndex(isJump);
  if (station.role !== 'passes' && jump === -1) return [];
  const walk = new Walk(station, table, builtIn.rules[jump]);
  const before = station.role === 'passes' ? builtIn.rules : builtIn.rules.slice(0, jump);
  walk.follow(builtIn, before, 'before', 0);
  if (station.role !== 'passes') walk.follow(builtIn, builtIn.rules.slice(jump + 1), 'behind', 0);
  if (['marks', 'passes'].includes(station.role) && builtIn.policy === 'DROP')
    walk.note('drops', builtIn.name, 'policy DROP');
  return walk.found;
}

class Walk {
  readonly found: ForeignRule[] = [];

  constructor(
    private readonly station: Station,
    private readonly table: Table,
    private readonly jump: string | undefined,
  ) {}

  note(obstacle: Obstacle, chain: string, rule: string): void {
    const { station, jump } = this;
    this.found.push({ obstacle, table: station.table, chain, rule, what: station.traffic.what, jump });
  }

  /** Follows some rules of a chain; returns whether a packet of ours can reach their end. */
  follow(
    chain: Chain,
    rules: readonly string[],
    where: 'before' | 'behind',
    depth: number,
    isCallDynamic = false,
  ): boolean {
    if (depth > MAX_DEPTH) return true;
    for (const rule of rules) {
      if (jumpsToAnyInstance(rule)) continue;
      const judged = judge(rule, this.station.traffic);
      const { reach } = judged;
      if (reach === 'never') continue;
      const isDynamic = judged.isDynamic || isCallDynamic;
      const target = targetOf(rule);
      const called = target === undefined ? undefined : this.table.get(target);
      if (this.isSkipped(where)) {
        // An accept that never runs changes nothing.
        if (target !== 'ACCEPT') this.note('skipped', chain.name, rule);
      } else if (called && !isOfAnyInstance(called.name)) {
        const comesBack = this.follow(called, called.rules, where, depth + 1, isDynamic);
        const isGoto = / ?-g \S+/.test(unquoted(rule));
        if (reach === 'always' && (!comesBack || isGoto)) return comesBack;
      } else {
        const obstacle = this.obstacleOf(rule, target, where, depth, isDynamic);
        if (obstacle) this.note(obstacle, chain.name, rule);
        if (reach === 'always' && target === 'RETURN') return depth > 0;
        if (reach === 'always' && (target === 'ACCEPT' || DROPPING.has(target ?? ''))) return false;
      }
    }
    return true;
  }

  /** A packet that comes back from a queue in mangle continues with the next table and skips all rules behind ours. */
  private isSkipped(where: 'before' | 'behind'): boolean {
    return where === 'behind' && this.station.role === 'decides' && this.station.table === 'mangle';
  }

  private obstacleOf(
    rule: string,
    target: string | undefined,
    where: 'before' | 'behind',
    depth: number,
    isDynamic: boolean,
  ): Obstacle | undefined {
    const { role, table } = this.station;
    if (where === 'behind' && (role === 'decides' || role === 'admits')) return undefined;
    if (DROPPING.has(target ?? '')) {
      if (!isDynamic || target === 'NFQUEUE') return 'drops';
      // Nobody knows which routers send ICMP errors.
      return this.station.traffic.protocol === 'tcp' ? 'mayDrop' : undefined;
    }
    if (role === 'passes' || where === 'behind') return undefined;
    // An accept is equivalent where our rules only accept; in mangle it keeps the packet from our queue.
    if (role === 'admits' && table !== 'mangle') return undefined;
    if (TRANSLATING.has(target ?? '')) return 'shadows';
    if (target === 'ACCEPT' || (target === 'RETURN' && depth === 0)) return 'shadows';
    // The first CT rule that a packet meets wins; --notrack is what we want ourselves.
    if (target === 'CT' && !unquoted(rule).includes('--notrack')) return 'shadows';
    return undefined;
  }
}
