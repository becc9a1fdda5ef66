/**
 * The only place that runs iptables and ip6tables: the save and restore programs, with their errors put into useful
 * words. They are found through PATH, so either back end (nf_tables or legacy) may be behind the names.
 */

import { spawnSync } from 'node:child_process';
import { type Family } from '../../packet/address';
import { PROGRAM } from './family';
import { RulesError } from './rules-error';

export interface Outcome {
  /** Exit status; `null` when the program could not be run or was killed. */
  status: number | null;
  stdout: string;
  stderr: string;
  error?: NodeJS.ErrnoException | undefined;
}

/** Runs a program to its end. Tests substitute their own. */
export type Runner = (program: string, words: readonly string[], input?: string) => Outcome;

/** Seconds to wait for the lock that the legacy programs share; another holder keeps it for milliseconds. */
const LOCK_WAIT_SECONDS = 10;

/** A program that takes longer than this to read or write a ruleset is stuck. */
const PROGRAM_TIMEOUT_MS = 60_000;

/** A host with a hundred thousand rules saves about 10 MB. */
const MAX_OUTPUT_BYTES = 256 << 20;

/** sbin is not in everybody's PATH. */
const SYSTEM_DIRECTORIES = ['/usr/sbin', '/sbin'];

/** PATH, followed by the directories where the system keeps iptables. */
export function searchPath(): string {
  return [process.env.PATH ?? '', ...SYSTEM_DIRECTORIES].filter((directory) => directory !== '').join(':');
}

export const runProgram: Runner = (program, words, input) => {
  const { status, stdout, stderr, error } = spawnSync(program, words, {
    input: input ?? '',
    encoding: 'utf8',
    env: { ...process.env, PATH: searchPath(), LC_ALL: 'C' },
    timeout: PROGRAM_TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return { status, stdout: stdout ?? '', stderr: stderr ?? '', error };
};

/** All live rules of a family, as iptables-save prints them. @throws RulesError */
export function saveRules(run: Runner, family: Family): string {
  const program = `${PROGRAM[family]}-save`;
  const outcome = run(program, []);
  if (outcome.status !== 0) throw explain(program, outcome);
  const incompatible = /^# Table `(nat|filter|raw|mangle)' is incompatible/m.exec(outcome.stdout);
  if (incompatible) {
    const list = `nft list table ${family === 'ipv4' ? 'ip' : 'ip6'} ${incompatible[1]}`;
    throw new RulesError(
      `table ${incompatible[1]} holds rules that ${PROGRAM[family]} cannot read; see them with: ${list}`,
    );
  }
  return outcome.stdout;
}

/** Changes one table in one step, leaving alone what `text` does not name. @throws RulesError: nothing was changed */
export function restoreRules(run: Runner, family: Family, text: string): void {
  const program = `${PROGRAM[family]}-restore`;
  const outcome = run(program, ['--noflush', '-w', String(LOCK_WAIT_SECONDS)], text);
  if (outcome.status !== 0) throw explain(program, outcome, text);
}

/** What the bundle needs from the kernel, by the word that a rule uses for it. */
const KERNEL_MODULES: readonly [RegExp, string][] = [
  [/-m socket\b/, 'xt_socket'],
  [/-j NFQUEUE\b/, 'xt_NFQUEUE'],
  [/-j CT\b/, 'xt_CT'],
  [/-m addrtype\b/, 'xt_addrtype'],
  [/-m multiport\b/, 'xt_multiport'],
  [/-m conntrack\b/, 'xt_conntrack'],
  [/-m u32\b/, 'xt_u32'],
  [/-m set\b|-j SET\b/, 'xt_set'],
  [/-j [DS]NAT\b/, 'xt_nat'],
];

function explain(program: string, outcome: Outcome, text = ''): RulesError {
  const { error, stderr, status } = outcome;
  if (error?.code === 'ENOENT') {
    return new RulesError(`${program} is not installed or not in PATH; on Debian: apt-get install iptables`);
  }
  if (error) return new RulesError(`${program} could not be run: ${error.message}`, { cause: error });
  if (/permission denied|you must be root|operation not permitted|Can't open socket to ipset/i.test(stderr)) {
    return new RulesError(`${program}: permission denied; the rules need root (CAP_NET_ADMIN and CAP_NET_RAW)`);
  }
  if (/xtables lock/i.test(stderr)) {
    return new RulesError(
      `${program}: another program has held the lock on the rules for ${LOCK_WAIT_SECONDS} s (/run/xtables.lock); try again`,
    );
  }
  const extension = /Extension (\S+) revision \d+ not supported/.exec(stderr)?.[1];
  if (extension !== undefined) {
    const missing = `xt_${extension}`;
    return new RulesError(`this kernel lacks what "${extension}" rules need; try: modprobe ${missing}`, {
      module: missing,
    });
  }
  const line = lineAt(text, stderr);
  const module = KERNEL_MODULES.find(([use]) => use.test(line ?? ''))?.[1];
  if (module !== undefined && /No such file or directory|Couldn't load/.test(stderr)) {
    return new RulesError(`this kernel or iptables lacks what the rule "${line}" needs; try: modprobe ${module}`, {
      module,
    });
  }
  const said = stderr
    .split('\n')
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('Try `') && !/^[\w-]+ v[\d.]+ \(\w+\):$/.test(part))
    .join('; ');
  const modules = KERNEL_MODULES.filter(([use]) => use.test(text)).map(([, name]) => name);
  const hint = line === 'COMMIT' && modules.length > 0 ? `; perhaps the kernel lacks one of ${modules.join(', ')}` : '';
  const where = line === undefined || line === 'COMMIT' ? '' : ` at "${line}"`;
  return new RulesError(`${program} failed${where}: ${said || `exit status ${status}`}${hint}`);
}

/** The line of `text` that a complaint such as "line 12 failed" or "Error occurred at line: 3" means. */
function lineAt(text: string, stderr: string): string | undefined {
  const number = /line:? (\d+)/.exec(stderr)?.[1];
  return number === undefined ? undefined : text.split('\n')[Number(number) - 1];
}
