/**
 * The instance's sets in the kernel (ipset), for each family:
 *
 *   CPES                   the CPEs' networks
 *   ALIVE                  every address while an engine gives verdicts; with `onEngineDown: itms` only
 *   OPENING, OPENING-R     SYNs of CPEs to a server's own address, for seconds; R: to a steered port
 *   DIRECT, DIRECT-R       connections of CPEs to a server's own address
 *
 * Created before the rules that name them and destroyed after them. docs/decisions/engine-down.md, direct.md
 */

import { type Family, familyOf, parseNetwork } from '../../packet/address';
import { families, type Topology } from '../../splitter/topology';
import { ownPrefix } from './instance';
import { type Outcome, type Runner } from './iptables';
import { setEntries } from './networks';
import { type Steering } from './render';
import { RulesError } from './rules-error';

/** A set as an engine needs to know it. */
export interface AliveSet {
  name: string;
  family: Family;
  /** An entry expires after so long. */
  seconds: number;
}

/** A set as the rules need it. */
export interface WantedSet {
  name: string;
  family: Family;
  /** As `ipset list` says it, without sizes: `hash:net family inet timeout 3`. */
  kind: string;
  /** Behind the kind in `ipset create`. */
  sizes: string;
  /** What it holds when it is created. */
  entries: string[];
  /** The entries come from the configuration and stay as they are. */
  isFixed: boolean;
}

/** What is live under a set's name. */
export interface LiveSet {
  /** As in `WantedSet`. */
  kind: string;
  entries: number;
}

/**
 * A SYN is sent again after 1 s and after 3 s: what was opened when the engine died is with the ITMS at its second
 * repetition, and a worker that takes a second to start again is not noticed.
 */
const ALIVE_SECONDS = 3;
/** From a CPE's SYN to the server's answer; each retransmission begins it again. */
const OPENING_SECONDS = 10;
/** An established connection may be silent for so long. RFC 5382 REQ-5 */
const DIRECT_SECONDS = 7500;
/** Of a direct connection once conntrack gives it no longer: it gives an ended one 120 s at the most. */
export const CLOSING_SECONDS = 130;

/**
 * When a set is full, `forceadd` replaces a random entry. A flood of SYNs from forged addresses fills OPENING, but an
 * honest SYN's entry is needed for one round trip only. An entry of DIRECT comes back with the CPE's next packet.
 */
const MAX_OPENING = 65_536;
const MAX_DIRECT = 262_144;
export const MAX_CPE_NETWORKS = 4096;

/** The kernel destroys deleted rules behind our back; until then they hold their set. */
const DESTROY_PATIENCE_MS = 5000;
const DESTROY_INTERVAL_MS = 50;

const INET: Readonly<Record<Family, string>> = { ipv4: 'family inet', ipv6: 'family inet6' };
const DIGIT: Readonly<Record<Family, string>> = { ipv4: '4', ipv6: '6' };
/** A set of type hash:net takes no prefix of length 0. */
const HALVES: Readonly<Record<Family, readonly string[]>> = {
  ipv4: ['0.0.0.0/1', '128.0.0.0/1'],
  ipv6: ['::/1', '8000::/1'],
};

/** The names that the rules of one family use. */
export interface SetNames {
  cpes: string;
  alive: string;
  opening: string;
  openingReport: string;
  direct: string;
  directReport: string;
}

export function setNames({ instance, first }: Pick<Steering, 'instance' | 'first'>, family: Family): SetNames {
  const name = (suffix: string) => ownPrefix(instance) + suffix + DIGIT[family];
  return {
    cpes: name('CPES'),
    // The set belongs to these queues: an engine on others must not tell these rules that somebody listens.
    alive: name('ALIVE') + (first === 0 ? '' : `.${first}`),
    opening: name('OPENING'),
    openingReport: name('OPENING-R'),
    direct: name('DIRECT'),
    directReport: name('DIRECT-R'),
  };
}

/** The first queue of the instance whose rules look at the set ALIVE of that name; `undefined` for any other set. */
export function firstQueueOfSet(name: string, instance: string): number | undefined {
  const alive = `${ownPrefix(instance)}ALIVE`;
  if (!name.startsWith(alive)) return undefined;
  const suffix = /^[46](?:\.(\d+))?$/.exec(name.slice(alive.length));
  return suffix ? Number(suffix[1] ?? 0) : undefined;
}

/** The sets that an engine renews while it gives verdicts; none with `hold`. */
export function aliveSets(topology: Topology, steering: Steering): AliveSet[] {
  if (steering.onEngineDown === 'hold') return [];
  return families(topology).map((family) => {
    return { name: setNames(steering, family).alive, family, seconds: ALIVE_SECONDS };
  });
}

/** Every set that the rules name. */
export function wantedSets(topology: Topology, steering: Steering): WantedSet[] {
  return families(topology).flatMap((family): WantedSet[] => {
    const names = setNames(steering, family);
    const networks = topology.cpe.networks.map((text) => {
      const network = parseNetwork(text);
      if (network) return network;
      throw new RulesError(`"${text}" cannot be written into a rule: expected a network without host bits`);
    });
    const own = networks.filter(({ base }) => familyOf(base) === family);
    const connections = (name: string, seconds: number, most: number): WantedSet => {
      const kind = `hash:ip,port,ip ${INET[family]} timeout ${seconds}`;
      return { name, family, kind, sizes: `hashsize 1024 maxelem ${most} forceadd`, entries: [], isFixed: false };
    };
    const cpes: WantedSet = {
      ...{
        name: names.cpes,
        family,
        kind: `hash:net ${INET[family]}`,
        sizes: `hashsize 1024 maxelem ${2 * MAX_CPE_NETWORKS}`,
      },
      ...{ entries: setEntries(own), isFixed: true },
    };
    const alive: WantedSet = {
      ...{ name: names.alive, family, kind: `hash:net ${INET[family]} timeout ${ALIVE_SECONDS}` },
      ...{ sizes: 'hashsize 64 maxelem 16', entries: [...HALVES[family]], isFixed: false },
    };
    return [
      cpes,
      ...(steering.onEngineDown === 'itms' ? [alive] : []),
      connections(names.opening, OPENING_SECONDS, MAX_OPENING),
      connections(names.openingReport, OPENING_SECONDS, MAX_OPENING),
      connections(names.direct, DIRECT_SECONDS, MAX_DIRECT),
      connections(names.directReport, DIRECT_SECONDS, MAX_DIRECT),
    ];
  });
}

/** Lines for `ipset restore`, or each behind `ipset` in a shell. */
export function createLines({ name, kind, sizes, entries, isFixed }: WantedSet): string[] {
  // A running engine refreshes its set as soon as it exists, so an entry may be there before our line.
  const mayExist = isFixed ? '' : ' -exist';
  const [type, ...options] = kind.split(' ');
  return [
    `create ${name} ${[type, ...options.slice(0, 2), sizes, ...options.slice(2)].join(' ')}`,
    ...entries.map((entry) => `add ${name} ${entry}${mayExist}`),
  ];
}

/** `undefined`: there is no such set. @throws RulesError */
export function readSet(run: Runner, name: string): LiveSet | undefined {
  const said = ask(run, ['list', '-terse', name]);
  if (said === undefined) return undefined;
  const field = (key: string) => new RegExp(`^${key}: (.*)$`, 'm').exec(said)?.[1] ?? '';
  const kind = [field('Type'), ...(field('Header').match(/family \S+|timeout \d+/g) ?? [])].join(' ');
  return { kind, entries: Number(field('Number of entries')) };
}

/** What is in a set without timeouts, sorted; `undefined` where there is no such set. @throws RulesError */
export function readEntries(run: Runner, name: string): string[] | undefined {
  const said = ask(run, ['save', name]);
  return said === undefined ? undefined : [...said.matchAll(/^add \S+ (\S+)/gm)].map(([, entry]) => entry).sort();
}

/** Names of all sets that begin so. @throws RulesError */
export function listSets(run: Runner, prefix: string): string[] {
  const said = ask(run, ['list', '-name']) ?? '';
  return said.split('\n').filter((name) => name.startsWith(prefix));
}

/** What ipset says; `undefined` where the set does not exist, or none can. @throws RulesError */
function ask(run: Runner, words: readonly string[]): string | undefined {
  const outcome = run('ipset', words);
  if (outcome.status === 0) return outcome.stdout;
  if (outcome.error?.code === 'ENOENT' || /does not exist|Cannot open session/.test(outcome.stderr)) return undefined;
  throw explain(outcome);
}

/** @throws RulesError */
function restore(run: Runner, lines: readonly string[]): void {
  const outcome = run('ipset', ['restore'], `${lines.join('\n')}\n`);
  if (outcome.status !== 0) throw explain(outcome, lines[0]);
}

/** Creates sets where there are none. @throws RulesError */
export function createSets(run: Runner, sets: readonly WantedSet[]): void {
  for (const set of sets) restore(run, createLines(set));
}

/**
 * Creates the sets that are missing, and gives the fixed ones their entries. A new ALIVE set is filled once, as an engine
 * would: if one runs already, no connection notices. Answers how to undo all that. @throws RulesError: nothing was changed
 */
export function makeSets(run: Runner, wanted: readonly WantedSet[]): () => void {
  const missing = wanted.filter(({ name, kind }) => {
    const live = readSet(run, name);
    if (live === undefined || live.kind === kind) return live === undefined;
    const found = `set ${name} is not as it must be: found "${live.kind}", expected "${kind}"`;
    throw new RulesError(`${found}; run: acsplit rules remove && acsplit rules install`);
  });
  const undo: (() => void)[] = [];
  const undoAll = () => [...undo].reverse().forEach((step) => step());
  try {
    for (const set of missing) {
      restore(run, createLines(set));
      undo.push(() => destroySet(run, set.name));
    }
    for (const set of wanted.filter(({ isFixed, name }) => isFixed && !missing.some((other) => other.name === name))) {
      const before = readEntries(run, set.name) ?? [];
      if (isSame(before, set.entries)) continue;
      replaceEntries(run, set);
      undo.push(() => replaceEntries(run, { ...set, entries: before }));
    }
  } catch (error) {
    undoAll();
    throw error;
  }
  return undoAll;
}

export function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((entry, index) => entry === other[index]);
}

/** Atomic for packet look-ups: fills another set and swaps it in under the name. */
function replaceEntries(run: Runner, set: WantedSet): void {
  const next = `${set.name}~`;
  destroySet(run, next);
  restore(run, [...createLines({ ...set, name: next }), `swap ${next} ${set.name}`, `destroy ${next}`]);
}

/** Destroys those of an instance's sets that are not wanted: all that can be. No rule may name them. @throws RulesError */
export function destroySets(run: Runner, prefix: string, wanted: readonly WantedSet[] = []): number {
  const unwanted = listSets(run, prefix).filter((name) => !wanted.some((set) => set.name === name));
  const failures: unknown[] = [];
  for (const name of unwanted) {
    try {
      destroySet(run, name);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return unwanted.length;
}

function destroySet(run: Runner, name: string): void {
  for (let waitedMs = 0; readSet(run, name) !== undefined; waitedMs += DESTROY_INTERVAL_MS) {
    const outcome = run('ipset', ['destroy', name]);
    if (outcome.status === 0) return;
    if (!/in use/.test(outcome.stderr)) throw explain(outcome);
    if (waitedMs >= DESTROY_PATIENCE_MS) {
      throw new RulesError(
        `set ${name} stays: a rule that is not ours uses it; delete that, then run: acsplit rules remove`,
      );
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DESTROY_INTERVAL_MS);
  }
}

/** A command line that creates these sets and then runs `program`, where each command has a namespace of its own. */
export function withSets(sets: readonly WantedSet[], program: string, words: readonly string[]): string[] {
  const script = 'printf "%s\\n" "$0" | ipset restore && exec "$@"';
  return ['sh', '-c', script, sets.flatMap(createLines).join('\n'), program, ...words];
}

function explain({ error, stderr, status }: Outcome, line = ''): RulesError {
  // 127: another program was to run it, and found none.
  if (error?.code === 'ENOENT' || status === 127) {
    return new RulesError('ipset is not installed or not in PATH; on Debian: apt-get install ipset');
  }
  if (error) return new RulesError(`ipset could not be run: ${error.message}`, { cause: error });
  if (/operation not permitted|permission denied/i.test(stderr)) {
    return new RulesError('ipset: permission denied; the rules need root (CAP_NET_ADMIN and CAP_NET_RAW)');
  }
  const type = line.includes('hash:ip,port,ip') ? 'ip_set_hash_ipportip' : 'ip_set_hash_net';
  const module = /Cannot open session/.test(stderr)
    ? 'ip_set'
    : /set type not supported|not supported by the kernel/i.test(stderr)
      ? type
      : undefined;
  if (module !== undefined) {
    return new RulesError(`this kernel lacks what sets need; try: modprobe ${module}`, { module });
  }
  return new RulesError(`ipset failed: ${stderr.trim().split('\n').at(-1) || `exit status ${status}`}`);
}
