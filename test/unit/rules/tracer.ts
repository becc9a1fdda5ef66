/**
 * Walks one packet through rules as the kernel would, so that a test can say "this packet is queued, that one is
 * delivered". Has its own reading of rules on purpose: what it shares with src/rules it could not contradict.
 * A match that it does not know is a mistake in the test: thrown.
 */

export interface TracedPacket {
  in: string;
  source: string;
  destination: string;
  protocol?: 'tcp' | 'udp' | 'icmp';
  destinationPort?: number;
  sourcePort?: number;
  /** As tcpdump prints them: S, S., ., F., R */
  flags?: string;
  /** A socket of the router knows this connection, or listens for it. */
  hasSocket?: boolean;
  /** What conntrack would call it if nothing said notrack. */
  state?: string;
}

export interface Router {
  /** The router's own addresses. */
  addresses: string[];
  /** By /24 or /16 prefix such as '10.2.0.': the interface. The first that fits. */
  routes: [string, string][];
}

/** What became of the packet, in order: `untracked`, `queue 0`, `out eth1`, `delivered`, `dropped by filter INPUT`. */
export type Trace = string[];

type Rewrite = Partial<Pick<TracedPacket, 'source' | 'destination'>>;

interface Walk extends TracedPacket {
  out?: string;
  isUntracked: boolean;
}

/**
 * @param rulesets iptables-restore texts, applied in this order
 * @param engine what the engine makes of a queued packet; 'hold' when no engine runs
 */
export function trace(
  rulesets: string | string[],
  router: Router,
  packet: TracedPacket,
  engine: ((queue: number, packet: TracedPacket) => Rewrite) | 'hold',
): Trace {
  const tables = load([rulesets].flat().join('\n'));
  const walk: Walk = { ...packet, isUntracked: false };
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
        if (engine === 'hold') return end('held');
        Object.assign(walk, engine(Number(verdict.slice(6)), walk));
        return true;
      }
      if (verdict === 'DROP') return end(`dropped by ${table} ${chain}`);
      if (table === 'raw' && walk.isUntracked) said.push('untracked');
      return true;
    });

  if (!pass(['raw', 'mangle'], 'PREROUTING')) return said;
  if (router.addresses.includes(walk.source)) return [...said, 'martian'];
  if (router.addresses.includes(walk.destination)) {
    if (pass(['mangle', 'filter'], 'INPUT')) said.push('delivered');
    return said;
  }
  const route = router.routes.find(([prefix]) => walk.destination.startsWith(prefix));
  if (!route) return [...said, 'no route'];
  walk.out = route[1];
  if (!pass(['mangle', 'filter'], 'FORWARD')) return said;
  return [...said, `out ${walk.out} as ${walk.source} > ${walk.destination}`];
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
    } else if (word === 'NFQUEUE') {
      return `queue ${rest[1]}`;
    } else if (word === 'RETURN') {
      return chain.policy === '-' ? 'continue' : chain.policy;
    } else if (table.has(word)) {
      const verdict = follow(table, word, walk);
      if (verdict !== 'continue' || kind === '-g') return verdict;
    } else {
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
    at += word === '--tcp-flags' ? 2 : word === '--nowildcard' || word === '--syn' ? 0 : 1;
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
      return (walk.protocol ?? 'tcp') === value;
    case '-m':
      return value !== 'socket' || walk.hasSocket === true;
    case '--nowildcard':
      return true;
    case '--dports':
    case '--dport':
      if (value.split(',').length > 15) throw new Error('multiport holds fifteen ports');
      return value
        .split(',')
        .map(Number)
        .includes(walk.destinationPort ?? -1);
    case '--dst-type':
      // Our tests' routers have two kinds of addresses: their own, and others.
      return value === 'LOCAL' && walk.destination.endsWith('.0.1');
    case '--ctstate':
      return value.split(',').includes(walk.isUntracked ? 'UNTRACKED' : (walk.state ?? 'NEW'));
    case '--tcp-flags':
      if (rule.slice(at + 1, at + 3).join(' ') !== 'FIN,SYN,RST,ACK SYN') throw new Error('tracer: which flags?');
      return syn && !ack && !fin && !rst;
    case '--syn':
      return syn && !ack && !fin && !rst;
  }
  throw new Error(`tracer: what is "${word}"?`);
}

function isWithin(address: string, network: string): boolean {
  const [base, bits = '32'] = network.split('/');
  const binary = (dotted: string) =>
    dotted
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('');
  return binary(address).slice(0, Number(bits)) === binary(base).slice(0, Number(bits));
}
