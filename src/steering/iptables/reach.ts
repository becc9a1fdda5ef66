/** Whether somebody else's rule matches our traffic: never, maybe or always. What cannot be determined is maybe. */

import { addressRange, type Option, parseOptions, portRanges } from './rule';
import { type Traffic } from './traffic';

export type Reach = 'never' | 'maybe' | 'always';

export interface Judgement {
  reach: Reach;
  /** Depends on something known only when a packet passes: a set, a rate, a mark. */
  isDynamic: boolean;
}

/** Options that say what to do with a match rather than what matches. */
const TARGET_OPTIONS = new Set(['-j', '-g', '-m', '--comment']);

/** As rules may name them, in either family; a rule of the other family never appears here. */
const PROTOCOL_NAMES = { tcp: ['tcp', '6'], icmp: ['icmp', '1', 'ipv6-icmp', 'icmpv6', '58'] };

/** Types of ICMP errors that report on a packet. [RFC 792, RFC 4443] */
const IPV4_ERRORS = [3, 11, 12];
const IPV6_ERRORS = [1, 2, 3, 4];

/** Every combination of flags that a correct TCP sends, apart from URG, PSH, ECE and CWR. */
const HONEST_FLAGS = ['SYN', 'ACK,SYN', 'ACK', 'ACK,FIN', 'RST', 'ACK,RST'].map((flags) => new Set(flags.split(',')));

export function judge(rule: string, traffic: Traffic): Judgement {
  const options = parseOptions(rule);
  const target = options.findIndex(({ name }) => name === '-j' || name === '-g');
  // Options behind the target belong to the target.
  const matches = (target === -1 ? options : options.slice(0, target)).filter(({ name }) => !TARGET_OPTIONS.has(name));
  let reach: Reach = 'always';
  let isDynamic = false;
  for (const option of matches) {
    const judged = judgeOption(option, traffic);
    if (judged === 'never') return { reach: 'never', isDynamic: false };
    if (judged !== 'always') reach = 'maybe';
    if (judged === undefined) isDynamic = true;
  }
  return { reach, isDynamic };
}

/** `undefined`: only a packet can tell. */
function judgeOption({ name, isNegated, values }: Option, traffic: Traffic): Reach | undefined {
  const plain = judgePlain(name, values, traffic);
  if (plain === undefined || plain === 'maybe' || !isNegated) return plain;
  return plain === 'always' ? 'never' : 'always';
}

function judgePlain(name: string, values: string[], traffic: Traffic): Reach | undefined {
  switch (name) {
    case '-i':
      return traffic.in === undefined ? 'maybe' : matchesInterface(values[0], traffic.in);
    case '-o':
      return traffic.out === undefined ? 'maybe' : matchesInterface(values[0], traffic.out);
    case '-s':
      return traffic.sources.length === 0 ? undefined : overlap(ranges(traffic.sources), ranges([values[0]]));
    case '-d':
      return overlap(ranges(traffic.destinations), ranges([values[0]]));
    case '-p':
      return ['all', '0', ...PROTOCOL_NAMES[traffic.protocol]].includes(values[0]) ? 'always' : 'never';
    case '--dst-type':
    case '--src-type':
      // Ours are from and to single hosts.
      return values[0].split(',').every((type) => /^(BROADCAST|MULTICAST|ANYCAST)$/.test(type)) ? 'never' : undefined;
    case '--rt-type':
      // No TCP of ours sends a routing header.
      return 'never';
    case '--icmp-type':
      return judgeErrorType(values[0], IPV4_ERRORS);
    case '--icmpv6-type':
      return judgeErrorType(values[0], IPV6_ERRORS);
    case '--dport':
    case '--dports':
      return overlap(traffic.destinationPorts, portRanges(values[0]));
    case '--sport':
    case '--sports':
    case '--ports':
      return 'maybe';
    case '--syn':
      return overlapFlags('FIN,SYN,RST,ACK', 'SYN', traffic);
    case '--tcp-flags':
      return overlapFlags(values[0], values[1], traffic);
    case '--ctstate':
    case '--state':
      if (!traffic.isUntracked) return 'maybe';
      return values[0].split(',').includes('UNTRACKED') ? 'always' : 'never';
    case '--invert':
      // rpfilter: our traffic arrives on the routed interface; otherwise the kernel's own rp_filter would drop it.
      return 'never';
    default:
      return undefined;
  }
}

/** Ours may be a wildcard as well. */
function matchesInterface(pattern: string, name: string): Reach {
  const isWildcard = (text: string) => text.endsWith('+');
  const [theirs, ours] = [pattern, name].map((text) => (isWildcard(text) ? text.slice(0, -1) : text));
  if (isWildcard(pattern) ? ours.startsWith(theirs) : !isWildcard(name) && ours === theirs) return 'always';
  return isWildcard(name) && theirs.startsWith(ours) ? 'maybe' : 'never';
}

type Range<T> = readonly [T, T];

/** `of` is ours, `by` is the rule's. An unreadable range gives `maybe`. */
function overlap<T extends number | bigint>(
  of: readonly (Range<T> | undefined)[],
  by: readonly (Range<T> | undefined)[],
): Reach {
  if (of.includes(undefined) || by.includes(undefined)) return 'maybe';
  const ours = of as readonly Range<T>[];
  const theirs = by as readonly Range<T>[];
  if (ours.every((a) => theirs.some((b) => b[0] <= a[0] && a[1] <= b[1]))) return 'always';
  return ours.some((a) => theirs.some((b) => a[0] <= b[1] && b[0] <= a[1])) ? 'maybe' : 'never';
}

function ranges(texts: readonly string[]): ([bigint, bigint] | undefined)[] {
  return texts.map(addressRange);
}

/** `8`, `3/4`, `any`. No single type covers all of ours. */
function judgeErrorType(text: string, ours: readonly number[]): Reach {
  if (text === 'any') return 'always';
  const type = /^\d+/.exec(text)?.[0];
  return type === undefined || ours.includes(Number(type)) ? 'maybe' : 'never';
}

/** `mask` and `set` as in --tcp-flags; rules against nonsense such as SYN+FIN touch no honest packet. */
function overlapFlags(mask: string, set: string, traffic: Traffic): Reach {
  const examined = new Set(mask === 'ALL' ? ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] : mask.split(','));
  const wanted = new Set(set === 'NONE' ? [] : set.split(','));
  const ours = HONEST_FLAGS.filter((flags) => traffic.hasSyn || !(flags.has('SYN') && flags.size === 1));
  const fitting = ours.filter((flags) =>
    [...examined].every((flag) => ['PSH', 'URG'].includes(flag) || flags.has(flag) === wanted.has(flag)),
  );
  if (fitting.length === 0) return 'never';
  return fitting.length === ours.length && !examined.has('PSH') && !examined.has('URG') ? 'always' : 'maybe';
}
