/** Base chains that iptables does not show, at every hook that forwarded packets pass: firewalld's, netdev ingress, raw. */

import { type Configuration } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { type Host } from './host';
import { namedSets, type NftChain, parseElements, parseRuleset, type Ruleset, withoutDormant } from './nft-listing';
import { type Drop, dropsIn, type Reach } from './nftables';
import { isHookOfOurs, passagesAt } from './passages';
import { interfacesOf } from './places';

type Looked = { ruleset: Ruleset; lines: ReadonlyMap<string, string> } | { isMissing: true };

/** For all sets together; what is not read by then counts as "may". */
const READ_SETS_SECONDS = 3;

function lookAtNft(host: Host): Looked {
  const { status, stdout } = host.run('nft', ['-j', '-t', 'list', 'ruleset']);
  if (status !== 0) return { isMissing: true };
  const listed = parseRuleset(stdout);
  if (!listed.chains.some(({ hook }) => isHookOfOurs(hook ?? ''))) return { ruleset: listed, lines: new Map() };
  const text = host.run('nft', ['-a', '-t', 'list', 'ruleset']).stdout;
  const ruleset = withoutDormant(listed, text);
  readSets(ruleset, host);
  return { ruleset, lines: linesOf(text) };
}

function readSets(ruleset: Ruleset, host: Host): void {
  const endMs = performance.now() + READ_SETS_SECONDS * 1000;
  for (const set of namedSets(ruleset)) {
    const leftSeconds = ((endMs - performance.now()) / 1000).toFixed(2);
    if (Number(leftSeconds) <= 0) return;
    const words = ['nft', '-j', 'list', set.kind, set.family, set.table, set.name];
    const { status, stdout } = host.run('timeout', [leftSeconds, ...words]);
    if (status === 0) set.elements = parseElements(stdout);
  }
}

const keyOf = (chain: Pick<NftChain, 'family' | 'table' | 'name'>, handle: number) =>
  `${chain.family} ${chain.table} ${chain.name} ${handle}`;

/** The rules' text, by chain and handle. */
function linesOf(text: string): Map<string, string> {
  const lines = new Map<string, string>();
  let at = { family: '', table: '', name: '' };
  for (const line of text.split('\n')) {
    const [, family, table] = /^table (\S+) (\S+) \{/.exec(line) ?? [];
    const name = /^\tchain (\S+) \{/.exec(line)?.[1];
    const [, rule, handle] = /^\t\t(.*) # handle (\d+)$/.exec(line) ?? [];
    if (family !== undefined && table !== undefined) at = { family, table, name: '' };
    else if (name !== undefined) at = { ...at, name };
    else if (rule !== undefined) lines.set(keyOf(at, Number(handle)), rule);
  }
  return lines;
}

/** A rule or policy, and all of our traffic that it takes away. */
interface Culprit extends Drop {
  /** Where the packet comes from: the chain may be called from several. */
  base: NftChain;
  whats: Set<string>;
}

export function culprits(ruleset: Ruleset, { topology }: Pick<Configuration, 'topology'>): Culprit[] {
  const found = new Map<string, Culprit>();
  for (const base of ruleset.chains) {
    const { hook = '', priority, devices } = base;
    if (!isHookOfOurs(hook)) continue;
    for (const passage of passagesAt(topology, hook, priority, devices)) {
      if (!carries(base.family, passage.family)) continue;
      for (const drop of dropsIn(base, passage, ruleset)) {
        const key = keyOf(drop.chain, drop.rule?.handle ?? -1);
        const known = found.get(key) ?? { ...drop, base, whats: new Set<string>() };
        if (SEVERITY.indexOf(drop.reach) > SEVERITY.indexOf(known.reach)) known.reach = drop.reach;
        found.set(key, known);
        known.whats.add(passage.what);
      }
    }
  }
  return [...found.values()];
}

const SEVERITY: readonly Reach[] = ['maybe', 'part', 'always'];

function carries(chain: string, packet: 'ipv4' | 'ipv6'): boolean {
  return chain === 'inet' || chain === 'netdev' || chain === (packet === 'ipv4' ? 'ip' : 'ip6');
}

/** Not narrower: the operator may narrow it, having read the text. A policy, or a rule for all, gets an exception for us. */
function mendOf({ chain, rule, base }: Culprit, names: readonly string[]): string {
  const { family, table, name } = chain;
  const isForAll = !rule || !rule.expressions.some((e) => 'match' in e || 'vmap' in e);
  const isTracked = base.hook !== 'ingress' && base.hook !== 'egress' && base.priority > -300;
  if (isForAll && isTracked) {
    // nft writes a wildcard with *.
    const set = `{ ${names.map((one) => one.replace(/\+$/, '*')).join(', ')} }`;
    const ends = [
      ...(base.hook === 'postrouting' ? [] : [`iifname ${set}`]),
      ...(base.hook === 'prerouting' ? [] : [`oifname ${set}`]),
    ];
    return `nft 'insert rule ${base.family} ${base.table} ${base.name} ${ends.join(' ')} ct state untracked accept'`;
  }
  if (!rule) return `nft 'chain ${family} ${table} ${name} { policy accept ; }'`;
  return `nft delete rule ${family} ${table} ${name} handle ${rule.handle}`;
}

function asFault(culprit: Culprit, text: string | undefined, names: readonly string[]): Fault {
  const { chain, base, rule, reach, whats } = culprit;
  const where = `nftables ${chain.family} ${chain.table} ${chain.name} (${base.hook})`;
  const what = rule === undefined ? 'policy drop' : `"${text ?? `rule ${rule.handle}`}"`;
  const effect = reach === 'maybe' ? 'may drop' : reach === 'part' ? 'drops some of the' : 'drops';
  const [first, ...others] = whats;
  const more = others.length === 0 ? '' : ` and ${others.length} more kinds of our traffic`;
  const says = `${where}: ${what} ${effect} ${first}${more}, even if iptables accepts it`;
  return { level: reach === 'maybe' ? 'warning' : 'failure', says, mend: mendOf(culprit, names) };
}

export const firewalls: Check<Looked> = {
  name: 'firewalls',
  needs: ['rights'],
  look: lookAtNft,
  judge: (looked, wanted: Configuration) => {
    if ('isMissing' in looked) {
      const says =
        'nft is not available: cannot inspect chains that iptables does not show (such as those of firewalld)';
      return [{ level: 'warning', says, mend: 'apt-get install nftables' }];
    }
    const names = interfacesOf(wanted.topology);
    const faults = culprits(looked.ruleset, wanted).map((culprit) =>
      asFault(culprit, looked.lines.get(keyOf(culprit.chain, culprit.rule?.handle ?? -1)), names),
    );
    // One exception for all that falls through a chain.
    return faults.filter(({ mend }, i) => faults.findIndex((other) => other.mend === mend) === i);
  },
  fine: (looked) => {
    const count =
      'isMissing' in looked ? 0 : looked.ruleset.chains.filter(({ hook }) => isHookOfOurs(hook ?? '')).length;
    return `${count} nftables chains outside iptables see forwarded packets: none drops our TCP`;
  },
};
