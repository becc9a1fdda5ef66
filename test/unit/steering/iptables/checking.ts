/** Live rules as `iptables-save` prints them, and what the check says of them. */
import { type Family } from '../../../../src/packet/address';
import { renderRules } from '../../../../src/steering/iptables';
import { compareRules, type Difference } from '../../../../src/steering/iptables/check';
import { type Topology } from '../../../../src/splitter/topology';
import { HOLD, plain } from './topologies';

/** The rendered rules as iptables-save would print them on a host that has `foreign` rules around ours. */
export function saved(
  topology: Topology,
  edit: (table: string, lines: string[]) => string[] = (_table, lines) => lines,
  family: Family = 'ipv4',
  steering = HOLD,
): string {
  return renderRules(topology, steering, family)
    .split(/^(?=\*)/m)
    .filter((text) => text.startsWith('*'))
    .map((text) => {
      const [table, ...lines] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      const builtIn = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].map(
        (chain) => `:${chain} ACCEPT [9:81]`,
      );
      const printed = lines.slice(0, -1).map((line) => line.replace(/^-I/, '-A').replace(' - [0:0]', ' - [12:720]'));
      return [table, ...edit(table.slice(1), [...builtIn, ...printed]), 'COMMIT'].join('\n');
    })
    .join('\n');
}

export const check = (text: string, topology = plain, family: Family = 'ipv4'): Difference[] =>
  compareRules(topology, HOLD, text, family);
export const INTERFACES = ['lo', 'eth0', 'eth1', 'eth2'];
export const messages = (text: string, family: Family = 'ipv4'): string[] =>
  check(text, plain, family).map(({ message }) => message);

/** Adds lines to one table, before our rules or behind. */
export const adding = (table: string, where: 'before' | 'behind', ...lines: string[]) =>
  addingTo('ipv4', table, where, ...lines);
export const addingTo = (family: Family, table: string, where: 'before' | 'behind', ...lines: string[]) => {
  const edit = (name: string, own: string[]) => {
    if (name !== table) return own;
    const isDeclaration = (line: string) => line.startsWith(':');
    const all = where === 'before' ? [...lines, ...own] : [...own, ...lines];
    return [...all.filter(isDeclaration), ...all.filter((line) => !isDeclaration(line))];
  };
  return saved(plain, edit, family);
};
