/** The bundle as text: word for word for several topologies, and what can never appear in it. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderRules, type Steering } from '../../../../src/steering/iptables';
import { asText, readNetwork } from '../../../../src/steering/iptables/family';
import { fillTemplate } from '../../../../src/steering/iptables/template';
import { type Topology } from '../../../../src/splitter/topology';
import { HOLD, ITMS, plain, TOPOLOGIES } from './topologies';

/** UPDATE_GOLDENS=1 rewrites them; read the diff line by line before you commit it. */
const isUpdating = process.env.UPDATE_GOLDENS === '1';

describe('the rendered rules are, word for word, those stored under goldens/', () => {
  const rows = Object.entries(TOPOLOGIES).flatMap(([name, topology]) =>
    (['ipv4', 'ipv6'] as const).flatMap((family) =>
      (['hold', 'itms'] as const).map((onEngineDown) => [name, family, onEngineDown, topology] as const),
    ),
  );
  it.each(rows)('%s, %s, %s', (name, family, onEngineDown, topology) => {
    const file = [name, ...(onEngineDown === 'itms' ? ['itms'] : []), ...(family === 'ipv6' ? ['ipv6'] : []), 'rules'];
    const golden = join(__dirname, 'goldens', file.join('.'));
    const rendered = renderRules(topology, { instance: 'default', first: 4, onEngineDown }, family);
    if (isUpdating) writeFileSync(golden, rendered);
    expect(existsSync(golden)).toBe(true);
    expect(rendered).toBe(readFileSync(golden, 'utf8'));
  });
});

it.each([HOLD, ITMS])('what a server sends from its request addresses has the rules of its address', (steering) => {
  const more = { itms: '10.9.0.1', c1: '10.9.0.2' };
  const [collector, ...others] = plain.collectors;
  const topology: Topology = {
    ...plain,
    itms: { ...plain.itms, requestAddresses: [{ ipv4: more.itms }] },
    collectors: [{ ...collector!, requestAddresses: [{ ipv4: more.c1 }] }, ...others],
  };
  const rulesOf = (text: string, address: string): string[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith('-') && line.includes(` -s ${address}/32 `))
      .map((line) => line.replaceAll(address, 'SERVER'));
  const text = renderRules(topology, steering);
  for (const [own, request] of [
    [plain.itms.address.ipv4!, more.itms],
    [collector!.address.ipv4!, more.c1],
  ] as const) {
    expect(rulesOf(text, request).length).toBeGreaterThan(3);
    expect(rulesOf(text, request)).toEqual(rulesOf(text, own).map((line) => line.replaceAll(own, 'SERVER')));
  }
});

it('no rule lets a packet pass unrewritten while no engine runs', () => {
  for (const topology of Object.values(TOPOLOGIES)) {
    for (const steering of [HOLD, ITMS]) {
      expect(renderRules(topology, steering)).not.toMatch(/--queue-bypass|--queue-balance/);
    }
  }
});

it('every rule outside a chain of ours is a jump into one', () => {
  const rules = (steering: Steering) => renderRules(plain, steering).match(/^-[AI] .*$/gm) ?? [];
  const isOutside = (rule: string) => !/^-A ACSPLIT-/.test(rule);
  const outside = rules(ITMS).filter(isOutside);
  expect(outside).toHaveLength(14);
  expect(rules(HOLD).filter(isOutside)).toHaveLength(11);
  for (const rule of outside) expect(rule).toMatch(/ -j ACSPLIT-[A-Z-]+$/);
});

it('every name of a chain is one that iptables takes: at most 28 characters', () => {
  for (const [, name] of renderRules(plain, ITMS).matchAll(/^:(\S+) /gm)) {
    expect(name.length).toBeLessThanOrEqual(28);
  }
});

it('every rule and every chain of a template is explained by a comment, or stands in a group that is', () => {
  for (const table of ['filter', 'raw', 'nat', 'mangle']) {
    const template = readFileSync(join(__dirname, '../../../../iptables', `${table}.rules`), 'utf8');
    for (const paragraph of template.trim().split('\n\n')) {
      expect(paragraph).toMatch(/^(#|\*|\{fallback\}#)/);
    }
  }
});

it('a family without addresses has no rules, and says so in one line', () => {
  const ipv4 = { ...plain, cpe: { ...plain.cpe, address: { ipv4: '10.1.0.1' } } };
  expect(() => renderRules(ipv4, HOLD, 'ipv6')).toThrow(/^no IPv6 address is configured, so there are no IPv6 rules$/);
});

describe('addresses as iptables-save prints them, which is how inet_ntop(3) writes them [RFC 5952]', () => {
  const rows: [string, string][] = [
    ['10.1.0.1', '10.1.0.1/32'],
    ['10.1.0.0/255.255.0.0', '10.1.0.0/16'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1/128'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['2001:0db8:0000:0001::/64', '2001:db8:0:1::/64'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3/128'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4/128'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7/128'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203/128'],
    ['::/0', '::/0'],
    ['::1', '::1/128'],
    ['fe80::', 'fe80::/128'],
  ];
  it.each(rows)('%s is %s', (text, printed) => expect(asText(readNetwork(text)!)).toBe(printed));

  const wrong = [
    '',
    '10.1.0',
    '10.1.0.256',
    '10.1.0.0/33',
    '10.1.0.0/255.0.255.0',
    '::/129',
    '1::2::3',
    'fe80::1%eth0',
  ];
  it.each([...wrong, '::1/ffff::', '10.0.0.0/8/8', '::/01', 'localhost'])('"%s" is none', (text) =>
    expect(readNetwork(text)).toBeUndefined(),
  );
});

describe('what no rule can hold is refused, not written', () => {
  const rows: [string, Topology][] = [
    ['a wildcard of iptables as interface', { ...plain, itms: { ...plain.itms, interface: 'eth+' } }],
    ['a line break in an interface', { ...plain, itms: { ...plain.itms, interface: 'a\n-F' } }],
    [
      'a longer name than the kernel has',
      { ...plain, cpe: { ...plain.cpe, interfaces: [{ in: 'abcdefghijklmnop', out: 'eth0' }] } },
    ],
    ['an address that is a name', { ...plain, itms: { ...plain.itms, address: { ipv4: 'itms.example' } } }],
    ['a network with host bits', { ...plain, cpe: { ...plain.cpe, networks: ['10.1.0.1/16'] } }],
  ];
  it.each(rows)('%s', (_what, topology) => {
    expect(() => renderRules(topology, HOLD)).toThrow(/cannot be written into a rule/);
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

  it('an unknown word is a mistake in the template', () => {
    expect(() => fillTemplate('{nobody}', values)).toThrow('no template value is called {nobody}');
    expect(() => fillTemplate('{server.nothing}', values)).toThrow('{server.nothing}');
  });
});
