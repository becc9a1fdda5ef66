/**
 * Walks one packet through rules as the kernel would, so that a test can claim "this packet is queued, that one is
 * delivered". It parses rules independently on purpose: code shared with src/steering/iptables could not contradict it.
 * A match that it does not know is a mistake in the test, and throws.
 */

export interface TracedPacket {
  /** None: the router's own kernel sends it. */
  in?: string;
  source: string;
  destination: string;
  protocol?: 'tcp' | 'udp' | 'icmp';
  destinationPort?: number;
  sourcePort?: number;
  /** As tcpdump prints them: S, S., ., F., R */
  flags?: string;
  /** Of an ICMP error: its type, and the packet it is about. */
  error?: { type: number; source: string; destination: string; protocol: 'tcp' | 'udp' };
  /** A socket of the router knows this connection, or listens for it. */
  hasSocket?: boolean;
  /** conntrack's state for it without notrack. */
  state?: string;
  /** conntrack has seen both ends of its connection answer. */
  isAssured?: boolean;
  /** The connection's new conntrack timeout; 5 days unless given. */
  expiresSeconds?: number;
  /** For TCP; not 0 unless given. */
  sequence?: number;
  /** The connection that conntrack knows it, or what it quotes, to be of. None: NEW begins one, INVALID is of none. */
  connection?: Connection;
}

/** As conntrack has it: where each direction's packets come from and go to, before they are translated. */
export interface Connection {
  originalSource: string;
  originalDestination: string;
  replySource: string;
  replyDestination: string;
}

export interface Router {
  /** The router's own addresses. */
  addresses: string[];
  /** By /24 or /16 prefix such as '10.2.0.': the interface. The first that fits. */
  routes: [string, string][];
}

/**
 * What became of the packet, in order: `untracked`, `queue 0`, `DNAT`, `out eth1`, `delivered`, `dropped by filter INPUT`.
 */
export type Trace = string[];

type Rewrite = Partial<Pick<TracedPacket, 'source' | 'destination'>>;

interface Walk extends TracedPacket {
  out?: string | undefined;
  isUntracked: boolean;
  /** An engine keeps the ALIVE sets full. */
  hasEngine: boolean;
  sets: KernelSets;
  /** Of a connection that is known: which way it goes. */
  isReply?: boolean;
}

/**
 * @param rulesets iptables-restore texts, applied in this order
 * @param sets what earlier packets have left in the sets
 * @param engine what the engine makes of a queued packet; 'dead' when none runs, and sets are empty
 */
export function trace(
  rulesets: string | string[],
  router: Router,
  packet: TracedPacket,
  engine: ((queue: number, packet: TracedPacket) => Rewrite) | 'dead',
  sets: KernelSets = new KernelSets(),
): Trace {
  sets.load([rulesets].flat().join('\n'));
  const tables = load([rulesets].flat().join('\n'));
  const walk: Walk = { ...packet, isUntracked: false, hasEngine: engine !== 'dead', sets };
  const said: Trace = [];
  const end = (what: string): false => {
    said.push(what);
    return false;
  };
  /** Answers whether the packet is still on its way. */
  const pass = (hooks: string[], chain: string): boolean =>
    hooks.every((table) => {
      const verdict = follow(tables.get(table), chain, walk);
      if (verdict.startsWith('queue')) {
        said.push(verdict);
        if (engine === 'dead') return end('held');
        Object.assign(walk, engine(Number(verdict.slice(6)), walk));
        return true;
      }
      if (verdict === 'DROP') return end(`dropped by ${table} ${chain}`);
      if (table === 'raw' && walk.isUntracked) said.push('untracked');
      return true;
    });

  const translate = (chain: 'PREROUTING' | 'POSTROUTING'): void => {
    const what = translateIn(tables.get('nat'), chain, walk);
    if (what !== undefined) said.push(what);
  };

  if (walk.in === undefined) {
    const lo = router.addresses.includes(walk.destination) ? 'lo' : undefined;
    walk.out = lo ?? routeTo(router, walk.destination);
    if (!pass(['raw', 'mangle', 'filter'], 'OUTPUT')) return said;
    // What was rewritten is routed again.
    const out = router.addresses.includes(walk.destination) ? 'lo' : routeTo(router, walk.destination);
    return [...said, `out ${out} as ${walk.source} > ${walk.destination}`];
  }
  if (!pass(['raw', 'mangle'], 'PREROUTING')) return said;
  translate('PREROUTING');
  if (router.addresses.includes(walk.source)) return [...said, 'martian'];
  if (router.addresses.includes(walk.destination)) {
    if (pass(['mangle', 'filter'], 'INPUT')) said.push('delivered');
    return said;
  }
  walk.out = routeTo(router, walk.destination);
  if (walk.out === undefined) return [...said, 'no route'];
  if (!pass(['mangle', 'filter'], 'FORWARD')) return said;
  translate('POSTROUTING');
  return [...said, `out ${walk.out} as ${walk.source} > ${walk.destination}`];
}

/** Network address translation: rules for what is NEW, and what they have come to for the rest. Answers what it did. */
function translateIn(nat: Table | undefined, chain: 'PREROUTING' | 'POSTROUTING', walk: Walk): string | undefined {
  const isFirst = (walk.state ?? 'NEW') === 'NEW';
  if (walk.isUntracked || (!isFirst && walk.connection === undefined)) return undefined;
  const { source, destination } = walk;
  walk.connection ??= {
    ...{ originalSource: source, originalDestination: destination },
    ...{ replySource: destination, replyDestination: source },
  };
  const known = walk.connection;
  if (!isFirst) {
    walk.isReply ??= destination === known.replyDestination;
    const hasNewSource = known.originalSource !== known.replyDestination;
    const hasNewDestination = known.originalDestination !== known.replySource;
    if (chain === 'PREROUTING' && walk.isReply && hasNewSource) walk.destination = known.originalSource;
    if (chain === 'PREROUTING' && !walk.isReply && hasNewDestination) walk.destination = known.replySource;
    if (chain === 'POSTROUTING' && walk.isReply && hasNewDestination) walk.source = known.originalDestination;
    if (chain === 'POSTROUTING' && !walk.isReply && hasNewSource) walk.source = known.replyDestination;
    return undefined;
  }
  const [target, address] = follow(nat, chain, walk).split(' ');
  if (target === 'DNAT') walk.destination = known.replySource = address;
  else if (target === 'SNAT') walk.source = known.replyDestination = address;
  else return target === 'MASQUERADE' ? target : undefined;
  return target;
}

function routeTo(router: Router, destination: string): string | undefined {
  return router.routes.find(([prefix]) => destination.startsWith(prefix))?.[1];
}

type Table = Map<string, { policy: string; rules: string[][] }>;
type Tables = Map<string, Table>;

function load(text: string): Tables {
  const tables: Tables = new Map();
  let table: Table = new Map();
  const chain = (name: string) => {
    const known = table.get(name) ?? { policy: 'ACCEPT', rules: [] };
    table.set(name, known);
    return known;
  };
  for (const line of text.split('\n')) {
    const words = line.split(' ');
    if (line.startsWith('*')) {
      table = tables.get(line.slice(1)) ?? new Map();
      tables.set(line.slice(1), table);
    } else if (line.startsWith(':')) chain(words[0].slice(1)).policy = words[1];
    else if (words[0] === '-A') chain(words[1]).rules.push(words.slice(2));
    else if (words[0] === '-I') chain(words[1]).rules.unshift(words.slice(2));
    else if (line !== '' && line !== 'COMMIT' && !line.startsWith('#')) throw new Error(`tracer: what is "${line}"?`);
  }
  return tables;
}

/** `continue` from a chain's end; otherwise ACCEPT, DROP or `queue N`. */
function follow(table: Table | undefined, name: string, walk: Walk): string {
  const chain = table?.get(name);
  if (!table || !chain) return 'ACCEPT';
  for (const rule of chain.rules) {
    const target = matches(rule, walk);
    if (target === undefined) continue;
    const [kind, word, ...rest] = target;
    if (word === 'CT') {
      if (rest[0] === '--notrack') walk.isUntracked = true;
    } else if (word === 'SET') {
      change(walk, rest);
    } else if (word === 'NFQUEUE') {
      return `queue ${rest[1]}`;
    } else if (word === 'RETURN') {
      return chain.policy === '-' ? 'continue' : chain.policy;
    } else if (table.has(word)) {
      const verdict = follow(table, word, walk);
      if (verdict !== 'continue' || kind === '-g') return verdict;
    } else {
      if (word === 'DNAT' || word === 'SNAT') return `${word} ${rest[1]}`;
      return word === 'REJECT' ? 'DROP' : word;
    }
  }
  return chain.policy === '-' ? 'continue' : chain.policy;
}

/** The target with its options when every match holds. */
function matches(rule: string[], walk: Walk): string[] | undefined {
  for (let at = 0; at < rule.length; at++) {
    const isNegated = rule[at] === '!';
    if (isNegated) at++;
    const word = rule[at];
    if (word === '-j' || word === '-g') return rule.slice(at);
    const holds = test(word, rule, at, walk);
    at += word === '--tcp-flags' || word === '--match-set' ? 2 : word === '--nowildcard' || word === '--syn' ? 0 : 1;
    if (holds === isNegated) return undefined;
  }
  return undefined;
}

function test(word: string, rule: string[], at: number, walk: Walk): boolean {
  const value = rule[at + 1];
  const [syn, ack, fin, rst] = ['S', '.', 'F', 'R'].map((flag) => (walk.flags ?? '.').includes(flag));
  switch (word) {
    case '-s':
      return isWithin(walk.source, value);
    case '-d':
      return isWithin(walk.destination, value);
    case '-i':
      return walk.in === value;
    case '-o':
      return walk.out === value;
    case '-p':
      return (walk.protocol ?? 'tcp') === value.replace('ipv6-icmp', 'icmp');
    case '-m':
      return value !== 'socket' || walk.hasSocket === true;
    case '--nowildcard':
      return true;
    case '--sports':
      if (value.split(',').length > 15) throw new Error('multiport holds fifteen ports');
      return value
        .split(',')
        .map(Number)
        .includes(walk.sourcePort ?? -1);
    case '--ctdir':
      return knownTo(walk) !== undefined && (value === 'REPLY') === isReplyOf(walk);
    case '--ctstatus':
      return walk.isAssured === true && knownTo(walk) !== undefined;
    case '--ctexpire':
      return knownTo(walk) !== undefined && (walk.expiresSeconds ?? 432_000) <= Number(value.split(':')[1]);
    case '--dports':
    case '--dport':
      if (value.split(',').length > 15) throw new Error('multiport holds fifteen ports');
      return value
        .split(',')
        .map(Number)
        .includes(walk.destinationPort ?? -1);
    case '--dst-type':
      // Our tests' routers have two kinds of addresses: their own, and others.
      return value === 'LOCAL' && /\.0\.1$|::1$/.test(walk.destination);
    case '--ctstate':
      return value.split(',').includes(walk.isUntracked ? 'UNTRACKED' : (walk.state ?? 'NEW'));
    case '--match-set':
      if (/ALIVE[46]/.test(value)) return rule[at + 2] === 'src' && walk.hasEngine;
      return walk.sets.holds(value, keyOf(rule[at + 2], walk));
    case '--ctorigsrc':
      return knownTo(walk)?.originalSource === value;
    case '--ctorigdst':
      return knownTo(walk)?.originalDestination === value;
    case '--ctreplsrc':
      return knownTo(walk)?.replySource === value;
    case '--ctrepldst':
      return knownTo(walk)?.replyDestination === value;
    case '--tcp-flags':
      return holdsFlags(rule[at + 1], rule[at + 2], { SYN: syn, ACK: ack, FIN: fin, RST: rst });
    case '--syn':
      return syn && !ack && !fin && !rst;
    case '--u32':
      return holdsU32(value.replaceAll('"', ''), bytesOf(walk));
  }
  throw new Error(`tracer: what is "${word}"?`);
}

function holdsFlags(mask: string, wanted: string, has: Record<string, boolean>): boolean {
  return mask.split(',').every((flag) => has[flag] === wanted.split(',').includes(flag));
}

/** Whether a packet of a known connection goes the way of its answers. */
function isReplyOf(walk: Walk): boolean {
  return walk.isReply ?? walk.source !== walk.connection!.originalSource;
}

/** `src,src,dst` and so on as the entry of a set. */
function keyOf(dimensions: string, walk: Walk): string {
  const parts = dimensions.split(',').map((side, index) => {
    if (index === 1) return String((side === 'src' ? walk.sourcePort : walk.destinationPort) ?? 0);
    return side === 'src' ? walk.source : walk.destination;
  });
  return parts.join(',');
}

function change(walk: Walk, [verb, name, dimensions]: string[]): void {
  if (verb === '--add-set') walk.sets.add(name, keyOf(dimensions, walk));
  else if (verb === '--del-set') walk.sets.remove(name, keyOf(dimensions, walk));
  else throw new Error(`tracer: what is "SET ${verb}"?`);
}

/** The kernel's sets, which persist from packet to packet. Sets of networks define their own contents. */
export class KernelSets {
  private readonly entries = new Map<string, Set<string>>();

  /** From the comments that say how the sets are created. */
  load(rules: string): void {
    for (const [, name, entry] of rules.matchAll(/^# +ipset add (\S+) (\S+)$/gm)) {
      if (!/ALIVE[46]/.test(name)) this.add(name, entry);
    }
  }

  add(name: string, key: string): void {
    this.entries.set(name, (this.entries.get(name) ?? new Set()).add(key));
  }

  remove(name: string, key: string): void {
    this.entries.get(name)?.delete(key);
  }

  /** Of the names, without the prefix and the family. */
  holding(): string[] {
    return [...this.entries].flatMap(([name, { size }]) => (size > 0 && !/CPES/.test(name) ? [name] : []));
  }

  holds(name: string, key: string): boolean {
    const entries = this.entries.get(name) ?? new Set<string>();
    return key.includes(',')
      ? entries.has(key)
      : [...entries].some((network) => isAlike(key, network) && isWithin(key, network));
  }
}

function isAlike(address: string, network: string): boolean {
  return address.includes(':') === network.includes(':');
}

/** xt_conntrack answers no to every other question about untracked or INVALID packets. */
function knownTo(walk: Walk): Connection | undefined {
  return walk.isUntracked || walk.state === 'INVALID' ? undefined : walk.connection;
}

/** xt_u32 as iptables-extensions(8) describes it: every test reads 32-bit words, masks, shifts, and moves on with @. */
function holdsU32(tests: string, bytes: number[]): boolean {
  return tests.split('&&').every((text) => {
    const [location, ranges] = text.split('=');
    const [first, ...steps] = location.match(/(^|&|<<|>>|@)0x[0-9a-f]+/g)!;
    let start = 0;
    let value: number | undefined;
    const read = (at: number) => {
      const word = bytes.slice(start + at, start + at + 4);
      value = word.length < 4 ? undefined : word.reduce((sum, byte) => sum * 256 + byte, 0);
    };
    read(Number(first));
    for (const step of steps) {
      if (value === undefined) return false;
      const [, operator, operand] = /^(&|<<|>>|@)(.*)$/.exec(step)!;
      if (operator === '&') value = (value & Number(operand)) >>> 0;
      else if (operator === '<<') value = (value << Number(operand)) >>> 0;
      else if (operator === '>>') value = value >>> Number(operand);
      else {
        start += value;
        read(Number(operand));
      }
    }
    const found = value;
    if (found === undefined) return false;
    return ranges.split(',').some((range) => {
      const [from, to = from] = range.split(':').map(Number);
      return found >= from && found <= to;
    });
  });
}

/** The packet as far as u32 looks: an IP header, and an ICMP error with what it quotes. IPv4's has an option. */
function bytesOf({ source, destination, protocol, error, sequence = 1 }: Walk): number[] {
  const numbers = { tcp: 6, udp: 17, icmp: source.includes(':') ? 58 : 1 };
  const header = (from: string, to: string, number: number, hasOption: boolean): number[] =>
    from.includes(':')
      ? [0x60, 0, 0, 0, 0, 20, number, 64, ...octets(from), ...octets(to)]
      : [
          hasOption ? 0x46 : 0x45,
          ...[0, 0, 80, 0, 0, 0, 0, 64, number, 0, 0, ...octets(from), ...octets(to)],
          ...(hasOption ? [1, 1, 1, 0] : []),
        ];
  const outer = header(source, destination, numbers[protocol ?? 'tcp'], true);
  if (!error) return [...outer, 0, 0, 0, 0, ...[24, 16, 8, 0].map((bits) => (sequence >>> bits) & 255)];
  const quoted = header(error.source, error.destination, numbers[error.protocol], false);
  return [...outer, error.type, 0, 0, 0, 0, 0, 0, 0, ...quoted, ...new Array<number>(8).fill(0)];
}

/** Four or sixteen bytes of an address in text. */
function octets(address: string): number[] {
  if (!address.includes(':')) return address.split('.').map(Number);
  const [head, tail = ''] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...head, ...new Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
}

function isWithin(address: string, network: string): boolean {
  const [base, bits = String(octets(network).length * 8)] = network.split('/');
  const binary = (text: string) =>
    octets(text)
      .map((octet) => octet.toString(2).padStart(8, '0'))
      .join('');
  return binary(address).slice(0, Number(bits)) === binary(base).slice(0, Number(bits));
}
