/** Compares one of our chains with what it should be: rules missing, changed, reordered, extra. */

import { canonicalOptions } from './rule';

export type ChainDifference =
  | { kind: 'missing'; wanted: string }
  | { kind: 'changed'; wanted: string; live: string }
  | { kind: 'reordered'; wanted: string }
  | { kind: 'duplicate'; live: string }
  /** `shadowed`: our rules behind it that can no longer match. */
  | { kind: 'unexpected'; live: string; shadowed: string[] };

interface Line {
  text: string;
  options: string[];
  /** The options as one text, equal for rules with the same meaning. */
  key: string;
}

/** Both lists are rules without `-A CHAIN`. The result is empty when meaning and order are equal. */
export function compareChain(wantedRules: readonly string[], liveRules: readonly string[]): ChainDifference[] {
  const wanted = wantedRules.map(toLine);
  const live = liveRules.map(toLine);
  const inOrder = commonSubsequence(wanted, live);
  const keptWanted = new Set(inOrder.map(([i]) => i));
  const keptLive = new Set(inOrder.map(([, j]) => j));
  const differences: ChainDifference[] = [];
  const extra = live.map((_, j) => j).filter((j) => !keptLive.has(j));

  for (const [i, line] of wanted.entries()) {
    if (keptWanted.has(i)) continue;
    const elsewhere = extra.findIndex((j) => live[j].key === line.key);
    if (elsewhere !== -1) {
      extra.splice(elsewhere, 1);
      differences.push({ kind: 'reordered', wanted: line.text });
      continue;
    }
    const similar = extra.findIndex((j) => isAlike(live[j], line));
    if (similar === -1) {
      differences.push({ kind: 'missing', wanted: line.text });
    } else {
      const [j] = extra.splice(similar, 1);
      differences.push({ kind: 'changed', wanted: line.text, live: live[j].text });
    }
  }
  for (const j of extra) {
    const isOurs = wanted.some(({ key }) => key === live[j].key);
    if (isOurs) differences.push({ kind: 'duplicate', live: live[j].text });
    else differences.push({ kind: 'unexpected', live: live[j].text, shadowed: shadowedBy(live, j) });
  }
  return differences;
}

function toLine(text: string): Line {
  const options = canonicalOptions(text);
  return { text, options, key: options.join(' ') };
}

/** Pairs of positions of the longest common subsequence. Chains of ours have at most some hundred rules. */
function commonSubsequence(a: readonly Line[], b: readonly Line[]): [number, number][] {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i].key === b[j].key
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i].key === b[j].key) pairs.push([i++, j++]);
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return pairs;
}

/** Probably one rule that somebody edited: at least half of its options are the same. */
function isAlike(a: Line, b: Line): boolean {
  const common = a.options.filter((option) => b.options.includes(option)).length;
  return common > 0 && common * 2 >= Math.max(a.options.length, b.options.length);
}

/** Targets after which a packet continues with the next rule. */
const CONTINUING =
  /^-j (CT|LOG|NFLOG|MARK|CONNMARK|TCPMSS|TOS|DSCP|TTL|TRACE|AUDIT|CLASSIFY|SET|CHECKSUM|ACSPLIT-\S+)$/;

/** Rules behind position `at` that are at least as narrow as that rule, when that rule is terminating. */
function shadowedBy(live: readonly Line[], at: number): string[] {
  const { options } = live[at];
  const target = options.find((option) => /^-[jg] /.test(option));
  if (target === undefined || CONTINUING.test(target)) return [];
  // The protocol narrows nothing here: the packets in a chain of ours are all of one.
  const conditions = options.filter((o) => o !== target && !/^(-p |--reject-with)/.test(o));
  return live
    .slice(at + 1)
    .filter((line) => conditions.every((condition) => line.options.includes(condition)))
    .map(({ text }) => text);
}
