/** One rule's text taken apart into options, and the one spelling in which two rules can be compared. */

import { rangeOf, readNetwork } from './family';

export interface Option {
  /** With its dashes, in the short form where iptables-save prints that: `-s`, `--dports`. */
  name: string;
  isNegated: boolean;
  values: string[];
}

/** The options in the order they stand; `! --syn` and `--syn` differ in `isNegated` alone. */
export function parseOptions(rule: string): Option[] {
  const options: Option[] = [];
  let isNegated = false;
  for (const { word, isQuoted } of words(rule)) {
    if (word === '!' && !isQuoted) {
      isNegated = true;
    } else if (!isQuoted && /^-{1,2}[a-z]/i.test(word)) {
      options.push({ name: word, isNegated, values: [] });
      isNegated = false;
    } else {
      options.at(-1)?.values.push(word);
    }
  }
  return options;
}

export function words(rule: string): { word: string; isQuoted: boolean }[] {
  return [...rule.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/gs)].map(([, quoted, plain]) =>
    quoted === undefined ? { word: plain, isQuoted: false } : { word: quoted.replace(/\\(.)/gs, '$1'), isQuoted: true },
  );
}

/**
 * The same text for rules that mean the same: versions of iptables differ in how they print a SYN match, a single
 * address, NOTRACK, or the order of options. Comments mean nothing.
 */
export function canonical(rule: string): string {
  return canonicalOptions(rule).join(' ');
}

/** `canonical`, one text for each option with its values. */
export function canonicalOptions(rule: string): string[] {
  return parseOptions(rule)
    .filter(({ name, values }) => name !== '--comment' && !(name === '-m' && ['comment', 'tcp'].includes(values[0])))
    .flatMap(spellOut)
    .sort();
}

/** What versions call one protocol. */
const PROTOCOLS: Readonly<Record<string, string>> = { '6': 'tcp', '1': 'icmp', '58': 'ipv6-icmp', icmpv6: 'ipv6-icmp' };
/** The prefix length of a single address may be left out. */
const SINGLE = /^([\d.]+)\/32$|^([0-9a-f:.]*:[0-9a-f:.]*)\/128$/;

function spellOut(option: Option): string[] {
  const { name, isNegated, values } = option;
  const not = isNegated ? '! ' : '';
  if (name === '--syn') return [`${not}--tcp-flags ACK,FIN,RST,SYN SYN`];
  if (name === '--tcp-flags') return [`${not}--tcp-flags ${values.map(sortedList).join(' ')}`];
  if (name === '--dports' || name === '--ctstate') return [`${not}${name} ${sortedList(values[0] ?? '')}`];
  if ((name === '-s' || name === '-d') && /^(0\.0\.0\.0|::)\/0$/.test(values[0] ?? '') && !isNegated) return [];
  if (name === '-p') return [`${not}-p ${PROTOCOLS[values[0] ?? ''] ?? values[0]}`];
  if (name === '-j' && values[0] === 'NOTRACK') return ['-j CT', '--notrack'];
  if (name === '-s' || name === '-d') return [`${not}${name} ${values[0]?.replace(SINGLE, '$1$2')}`];
  return [[not + name, ...values].join(' ')];
}

function sortedList(text: string): string {
  return text.split(',').sort().join(',');
}

/** An address range as numbers, both ends included. `undefined` for what is no address or network of either family. */
export function addressRange(text: string): [bigint, bigint] | undefined {
  const network = readNetwork(text);
  return network && rangeOf(network);
}

/** `1024:65535`, `7547`, `:80` and lists of these (multiport) as ranges. */
export function portRanges(text: string): [number, number][] {
  return text.split(',').map((part) => {
    const [first, last] = part.split(':');
    const from = first === '' ? 0 : Number(first);
    return [from, last === undefined ? from : last === '' ? 65_535 : Number(last)];
  });
}
