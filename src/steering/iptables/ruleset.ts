/** Rules as iptables-save prints them and iptables-restore reads them: tables, chains, lines. Text only, no kernel. */

import { isOfAnyInstance } from './instance';

export interface Chain {
  name: string;
  /** ACCEPT or DROP of a built-in chain, `-` of any other. */
  policy: string;
  /** Without the leading `-A CHAIN`. */
  rules: string[];
}

export type Table = Map<string, Chain>;
export type Ruleset = Map<string, Table>;

/** Where a rendered line puts a jump of ours: before the host's own rules or behind them. */
export interface Jump {
  chain: string;
  rule: string;
  position: 'first' | 'last';
}

/** What iptables-save says. A table that does not exist has no entry. */
export function parseRuleset(saved: string): Ruleset {
  const ruleset: Ruleset = new Map();
  let table: Table = new Map();
  for (const line of linesOf(saved)) {
    if (line.startsWith('*')) {
      table = ruleset.get(line.slice(1)) ?? new Map();
      ruleset.set(line.slice(1), table);
    } else if (line.startsWith(':')) {
      const [name, policy] = line.slice(1).split(' ');
      table.set(name, { name, policy, rules: [] });
    } else if (line.startsWith('-A ')) {
      const [, name, rule] = /^-A (\S+) ?(.*)$/s.exec(line)!;
      chainOf(table, name).rules.push(rule);
    }
  }
  return ruleset;
}

/** A comment may hold ends of lines; what stands in its quotation marks is never a line of its own. */
function linesOf(saved: string): string[] {
  const lines: string[] = [];
  let isOpen = false;
  for (const line of saved.split('\n')) {
    if (isOpen) lines[lines.length - 1] += `\n${line}`;
    else lines.push(line);
    if (!line.includes('"') || (!isOpen && !line.startsWith('-A '))) continue;
    const marks = line.replaceAll(/\\./g, '').split('"').length - 1;
    isOpen = isOpen !== (marks % 2 === 1);
  }
  return lines;
}

/** The parts of one rendered table: our chains, which begin with `prefix`, and our jumps into the built-in chains. */
export function parseRendered(text: string, prefix: string): { chains: Chain[]; jumps: Jump[] } {
  const chains: Table = new Map();
  const jumps: Jump[] = [];
  for (const line of text.split('\n')) {
    const declared = /^:(\S+) - /.exec(line);
    if (declared) chains.set(declared[1], { name: declared[1], policy: '-', rules: [] });
    const added = /^-([AI]) (\S+) (.*)$/.exec(line);
    if (!added) continue;
    const [, option, name, rule] = added;
    if (name.startsWith(prefix)) chainOf(chains, name).rules.push(rule);
    else jumps.push({ chain: name, rule, position: option === 'I' ? 'first' : 'last' });
  }
  return { chains: [...chains.values()], jumps };
}

export function isBuiltIn(chain: Chain): boolean {
  return chain.policy !== '-';
}

/** The chain that a rule jumps or goes to, or its target's name; `undefined` for a rule that only counts. */
export function targetOf(rule: string): string | undefined {
  return /(?:^| )-[jg] (\S+)/.exec(unquoted(rule))?.[1];
}

/** Without what others wrote into it: a comment may hold ` -j ACCEPT`. */
export function unquoted(rule: string): string {
  return rule.includes('"') ? rule.replaceAll(/"(?:[^"\\]|\\.)*"/gs, '""') : rule;
}

/** Into a chain of the instance whose chains begin so. */
export function jumpsTo(rule: string, prefix: string): boolean {
  return targetOf(rule)?.startsWith(prefix) === true;
}

/** Into a chain of any instance of acsplit. */
export function jumpsToAnyInstance(rule: string): boolean {
  return isOfAnyInstance(targetOf(rule) ?? '');
}

function chainOf(table: Table, name: string): Chain {
  const chain = table.get(name) ?? { name, policy: '-', rules: [] };
  table.set(name, chain);
  return chain;
}
