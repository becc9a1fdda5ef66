/** The bundle as text: word for word for several topologies, and what can never get into it. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderRules } from '../../../src/rules';
import { fillTemplate } from '../../../src/rules/template';
import { type Topology } from '../../../src/splitter/topology';
import { plain, TOPOLOGIES } from './topologies';

/** UPDATE_GOLDENS=1 writes them anew; whoever does so reads the difference line by line before it is committed. */
const isUpdating = process.env.UPDATE_GOLDENS === '1';

describe('the rendered rules are, word for word, those stored under goldens/', () => {
  it.each(Object.entries(TOPOLOGIES))('%s', (name, topology) => {
    const golden = join(__dirname, 'goldens', `${name}.rules`);
    const rendered = renderRules(topology, { first: 4 });
    if (isUpdating) writeFileSync(golden, rendered);
    expect(existsSync(golden)).toBe(true);
    expect(rendered).toBe(readFileSync(golden, 'utf8'));
  });
});

it('no rule lets a packet pass unrewritten while no engine runs', () => {
  for (const topology of Object.values(TOPOLOGIES)) {
    expect(renderRules(topology, { first: 0 })).not.toMatch(/--queue-bypass|--queue-balance/);
  }
});

it('every rule outside a chain of ours is a jump into one', () => {
  const rules = renderRules(plain, { first: 0 }).match(/^-[AI] .*$/gm) ?? [];
  const outside = rules.filter((rule) => !/^-A ACSPLIT-/.test(rule));
  expect(outside).toHaveLength(5);
  for (const rule of outside) expect(rule).toMatch(/ -j ACSPLIT-[A-Z-]+$/);
});

it('every rule and every chain of a template is explained by a comment, or stands in a group that is', () => {
  for (const table of ['filter', 'raw', 'mangle']) {
    const template = readFileSync(join(__dirname, '../../../iptables', `${table}.rules`), 'utf8');
    for (const paragraph of template.trim().split('\n\n')) {
      expect(paragraph).toMatch(/^(#|\*|-A ACSPLIT-NOTRACK)/);
    }
  }
});

it('IPv6 is refused in one line', () => {
  expect(() => renderRules(plain, { first: 0 }, 6)).toThrow(/^IPv6 is not carried yet: .+$/);
});

describe('what no rule can hold is refused, not written', () => {
  const rows: [string, Topology][] = [
    ['a wildcard of iptables as interface', { ...plain, itms: { ...plain.itms, interface: 'eth+' } }],
    ['a line break in an interface', { ...plain, itms: { ...plain.itms, interface: 'a\n-F' } }],
    ['a longer name than the kernel has', { ...plain, cpe: { ...plain.cpe, interface: 'abcdefghijklmnop' } }],
    ['an address that is a name', { ...plain, itms: { ...plain.itms, address: { ipv4: 'itms.example' } } }],
    ['a network with host bits', { ...plain, cpe: { ...plain.cpe, networks: ['10.1.0.1/16'] } }],
  ];
  it.each(rows)('%s', (_what, topology) => {
    expect(() => renderRules(topology, { first: 0 })).toThrow(/cannot be written into a rule/);
  });
});

describe('the templates’ language', () => {
  const values = {
    single: { acs: 'A' },
    several: {
      network: [{ '': 'N1' }, { '': 'N2' }],
      server: [
        { name: 'S1', port: '1' },
        { name: 'S2', port: '2' },
      ],
      none: [],
    },
  };
  const rows: [string, string, string][] = [
    ['a line without words stays', '-j X', '-j X'],
    ['a word becomes its value', '-d {acs}', '-d A'],
    ['a line is repeated for each of several', '-s {network} -d {acs}', '-s N1 -d A\n-s N2 -d A'],
    ['both words of one element go together', '{server.name}:{server.port}', 'S1:1\nS2:2'],
    ['two lists give every pair', '{network} {server.name}', 'N1 S1\nN1 S2\nN2 S1\nN2 S2'],
    ['nothing to repeat for gives no line', 'x\n{none}\ny', 'x\ny'],
    ['a comment stays as it is', '# {acs}', '# {acs}'],
  ];
  it.each(rows)('%s', (_what, template, text) => expect(fillTemplate(template, values)).toBe(text));

  it('a word that nobody knows is a mistake in the template', () => {
    expect(() => fillTemplate('{nobody}', values)).toThrow('no template value is called {nobody}');
    expect(() => fillTemplate('{server.nothing}', values)).toThrow('{server.nothing}');
  });
});
