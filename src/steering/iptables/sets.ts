/**
 * The sets in the kernel behind `onEngineDown: itms`, one for each family. Every address is in them while an engine gives
 * verdicts, which puts both halves of all addresses in anew, each time for a few seconds; when nobody does, the sets
 * empty themselves, and the rules that look at them do otherwise. Made before the rules that name them and destroyed
 * after them. docs/decisions/engine-down.md
 */

import { type Family } from '../../packet/address';
import { families, type OnEngineDown, type Topology } from '../../splitter/topology';
import { FAMILIES } from './family';
import { type Outcome, type Runner } from './iptables';
import { RulesError } from './rules-error';

/** A set as an engine needs to know it. */
export interface AliveSet {
  name: string;
  family: Family;
  /** What is put in is out again after so long. */
  seconds: number;
}

/**
 * A SYN is sent again after 1 s and after 3 s: what was opened when the engine died is with the ITMS at its second
 * repetition, and a worker that takes a second to start again is not noticed.
 */
const ALIVE_SECONDS = 3;

/** The kernel destroys deleted rules behind our back; until then they hold their set. */
const DESTROY_PATIENCE_MS = 5000;
const DESTROY_INTERVAL_MS = 50;

const TYPES: Readonly<Record<Family, string>> = {
  ipv4: 'hash:net family inet',
  ipv6: 'hash:net family inet6',
};
/** A set of this type takes no prefix of length 0. */
const HALVES: Readonly<Record<Family, readonly string[]>> = {
  ipv4: ['0.0.0.0/1', '128.0.0.0/1'],
  ipv6: ['::/1', '8000::/1'],
};

export function aliveSetName(family: Family): string {
  return `ACSPLIT-ALIVE${family === 'ipv4' ? 4 : 6}`;
}

/** The sets that a topology's rules look at; none with `hold`. */
export function aliveSets(topology: Topology, onEngineDown: OnEngineDown): AliveSet[] {
  if (onEngineDown === 'hold') return [];
  return families(topology).map((family) => ({ name: aliveSetName(family), family, seconds: ALIVE_SECONDS }));
}

/** A line for `ipset restore`, or behind `ipset` in a shell. */
export function createLine(family: Family): string {
  return `create ${aliveSetName(family)} ${TYPES[family]} hashsize 64 maxelem 16 timeout ${ALIVE_SECONDS}`;
}

/** What is live under the name of a set of ours. */
export interface LiveSet {
  /** As in `createLine`, without the sizes: `hash:net family inet timeout 3`. */
  kind: string;
  isWrong: boolean;
  entries: number;
}

/** `undefined`: there is no such set. @throws RulesError */
export function readSet(run: Runner, family: Family): LiveSet | undefined {
  const outcome = run('ipset', ['list', '-terse', aliveSetName(family)]);
  if (outcome.status !== 0) {
    // Where nobody can make a set, there is none.
    if (outcome.error?.code === 'ENOENT' || /does not exist|Cannot open session/.test(outcome.stderr)) return undefined;
    throw explain(outcome);
  }
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(outcome.stdout)?.[1] ?? '';
  const words = /family \S+|timeout \d+/g;
  const kind = [field('Type'), ...(field('Header').match(words) ?? [])].join(' ');
  return { kind, isWrong: kind !== wantedKind(family), entries: Number(field('Number of entries')) };
}

export function wantedKind(family: Family): string {
  return `${TYPES[family]} timeout ${ALIVE_SECONDS}`;
}

/**
 * Makes the sets of these families that are not there, and has them as an engine would for once: where one runs already,
 * no connection notices. Answers those that were made. @throws RulesError, and none was made
 */
export function makeSets(run: Runner, families: readonly Family[]): Family[] {
  const missing = families.filter((family) => {
    const live = readSet(run, family);
    if (live?.isWrong !== true) return live === undefined;
    const name = aliveSetName(family);
    const found = `set ${name} is not as it must be: found "${live.kind}", expected "${wantedKind(family)}"`;
    throw new RulesError(`${found}; run: acsplit rules remove && acsplit rules install`);
  });
  const made: Family[] = [];
  try {
    for (const family of missing) {
      makeSet(run, family);
      made.push(family);
    }
  } catch (error) {
    destroySets(run, made);
    throw error;
  }
  return made;
}

/** @throws RulesError */
export function makeSet(run: Runner, family: Family): void {
  const entries = HALVES[family].map((half) => `add ${aliveSetName(family)} ${half}`);
  const outcome = run('ipset', ['restore'], `${[createLine(family), ...entries].join('\n')}\n`);
  if (outcome.status !== 0) throw explain(outcome);
}

/** Destroys what is there of these. No rule may name them any more. @throws RulesError */
export function destroySets(run: Runner, families: readonly Family[] = FAMILIES): void {
  for (const family of families) {
    const name = aliveSetName(family);
    for (let waitedMs = 0; readSet(run, family) !== undefined; waitedMs += DESTROY_INTERVAL_MS) {
      const outcome = run('ipset', ['destroy', name]);
      if (outcome.status === 0) break;
      if (!/in use/.test(outcome.stderr)) throw explain(outcome);
      if (waitedMs >= DESTROY_PATIENCE_MS) {
        throw new RulesError(
          `set ${name} stays: a rule that is not ours uses it; delete that, then run: acsplit rules remove`,
        );
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DESTROY_INTERVAL_MS);
    }
  }
}

function explain({ error, stderr, status }: Outcome): RulesError {
  // 127: another program was to run it, and found none.
  if (error?.code === 'ENOENT' || status === 127) {
    const instead = 'or configure onEngineDown: hold';
    return new RulesError(`ipset is not installed or not in PATH; on Debian: apt-get install ipset (${instead})`);
  }
  if (error) return new RulesError(`ipset could not be run: ${error.message}`, { cause: error });
  if (/operation not permitted|permission denied/i.test(stderr)) {
    return new RulesError('ipset: permission denied; the rules need root (CAP_NET_ADMIN and CAP_NET_RAW)');
  }
  const module = /Cannot open session/.test(stderr)
    ? 'ip_set'
    : /set type not supported|not supported by the kernel/i.test(stderr)
      ? 'ip_set_hash_net'
      : undefined;
  if (module !== undefined) {
    return new RulesError(`this kernel lacks what sets need; try: modprobe ${module}`, { module });
  }
  return new RulesError(`ipset failed: ${stderr.trim().split('\n').at(-1) || `exit status ${status}`}`);
}
