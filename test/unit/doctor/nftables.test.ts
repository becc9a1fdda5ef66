/** Rules of nftables that drop what we forward: for certain, in part, or perhaps. */

import { culprits } from '../../../src/doctor/firewalls';
import { namedSets, parseElements, parseRuleset, withoutDormant } from '../../../src/doctor/nft-listing';
import { CONFIGURATION } from './planted-host';

type Words = Record<string, unknown>;

const meta = (key: string, right: unknown, op = '==') => ({ match: { op, left: { meta: { key } }, right } });
const state = (...states: string[]) => ({ match: { op: 'in', left: { ct: { key: 'state' } }, right: states } });
const payload = (protocol: string, field: string, right: unknown, op = '==') => ({
  match: { op, left: { payload: { protocol, field } }, right },
});
const prefix = (addr: string, len: number) => ({ prefix: { addr, len } });
const jump = (target: string) => ({ jump: { target } });
const [drop, accept, reject] = [{ drop: null }, { accept: null }, { counter: {}, reject: {} }];

const chain = (rules: Words[][], more: Words = {}): Words[] => {
  const of = { family: 'inet', table: 'fw', name: 'c', hook: 'forward', prio: 0, policy: 'accept', ...more };
  const { family, table, name } = of;
  return [{ chain: of }, ...rules.map((expr, handle) => ({ rule: { family, table, chain: name, handle, expr } }))];
};
const zone = (rules: Words[][]) => chain(rules, { name: 'zone', hook: undefined, policy: undefined });
const set = (...elem: unknown[]) => ({ set: { family: 'inet', table: 'fw', name: 'bad', elem } });
const unread = (kind: 'set' | 'map') => ({ [kind]: { family: 'inet', table: 'fw', name: 'bad' } });
const at = (hook: string, prio: number, more: Words = {}) => ({ hook, prio, ...more });

/** How much each culprit takes, in the order found. */
const reaches = (objects: Words[]) =>
  culprits(parseRuleset(JSON.stringify({ nftables: [{ metainfo: {} }, ...objects] })), CONFIGURATION).map(
    ({ reach }) => reach,
  );

const rows: [string, string, Words[]][] = [
  ['no rule, policy accept', '', chain([])],
  ['no rule, policy drop', 'always', chain([], { policy: 'drop' })],
  ['a drop of everything', 'always', chain([[drop]])],
  ['a reject, counted and logged', 'always', chain([[{ counter: {} }, { log: {} }, reject]])],
  ['a queue of another program', 'always', chain([[{ queue: { num: 7 } }]])],
  ['what is invalid: ours is untracked', '', chain([[state('invalid'), drop]])],
  ['what is invalid, before notrack', 'maybe', chain([[state('invalid'), drop]], at('prerouting', -400))],
  [
    'an accept of the untracked before the policy',
    '',
    chain([[state('untracked', 'new'), accept]], { policy: 'drop' }),
  ],
  ['one interface of ours', 'always', chain([[meta('iifname', 'eth0'), drop]])],
  ['other interfaces', '', chain([[meta('iifname', 'eth7'), drop]])],
  ['all but ours', '', chain([[meta('iifname', { set: ['eth0', 'eth1', 'eth2'] }, '!='), drop]])],
  ['a wildcard', 'always', chain([[meta('oifname', 'eth*'), drop]])],
  [
    'another protocol',
    '',
    chain([
      [meta('l4proto', 'udp'), drop],
      [payload('udp', 'dport', 53), drop],
    ]),
  ],
  ['an accept of one direction only', 'always', chain([[meta('iifname', 'eth0'), accept], [drop]])],
  ['a chain that drops', 'always', [...chain([[jump('zone')]]), ...zone([[drop]])]],
  ['a chain that accepts', '', [...chain([[jump('zone')], [drop]]), ...zone([[accept]])]],
  ['a jump that returns', 'always', [...chain([[jump('zone')], [drop]]), ...zone([[{ return: null }]])]],
  ['a goto does not come back', '', [...chain([[{ goto: { target: 'zone' } }], [drop]]), ...zone([])]],
  ['a chain at another hook', '', chain([[drop]], { hook: 'output' })],
  ['a chain without a hook', '', zone([[drop]])],
  ['a loop that no kernel would take', '', chain([[jump('c')]])],
  // Ports.
  ['the report port', 'always', chain([[payload('tcp', 'dport', 7547), drop]], at('prerouting', 0))],
  ['among others, in a range', 'always', chain([[payload('th', 'dport', { range: [7000, 8000] }), drop]])],
  ['ports of ssh, before routing', '', chain([[payload('tcp', 'dport', 22), drop]], at('prerouting', -400))],
  ['some port of CPEs', 'maybe', chain([[payload('tcp', 'sport', { set: [8080] }), drop]])],
  // Addresses, as they are before and behind our rules.
  [
    'the ACS address before ours',
    'always',
    chain([[payload('ip', 'daddr', '10.1.0.1'), drop]], at('prerouting', -400)),
  ],
  ['the ACS address behind ours', '', chain([[payload('ip', 'daddr', '10.1.0.1'), drop]], at('prerouting', 0))],
  [
    'the ITMS as source before ours',
    'always',
    chain([[payload('ip', 'saddr', '10.2.0.2'), drop]], at('forward', -200)),
  ],
  ['the ITMS as source behind ours', '', chain([[payload('ip', 'saddr', '10.2.0.2'), drop]])],
  ['some CPEs', 'part', chain([[payload('ip', 'saddr', prefix('10.1.7.0', 24)), drop]])],
  [
    'all but some CPEs',
    'part',
    chain([[meta('iifname', 'eth0'), payload('ip', 'saddr', prefix('10.1.7.0', 24), '!='), drop]]),
  ],
  ['sources that no CPE has', '', chain([[payload('ip', 'saddr', { range: ['192.0.2.1', '192.0.2.9'] }), drop]])],
  ['IPv6 does not concern IPv4', '', chain([[payload('ip6', 'saddr', '2001:db8::1'), drop]])],
  // What may change, or what only a packet tells.
  ['a set with CPEs', 'part', [...chain([[payload('ip', 'saddr', '@bad'), drop]]), set(prefix('10.1.7.0', 24))]],
  ['a set without, that may get some', 'maybe', [...chain([[payload('ip', 'saddr', '@bad'), drop]]), set('192.0.2.1')]],
  [
    'its elements may expire',
    'part',
    [...chain([[payload('ip', 'saddr', '@bad'), drop]]), set({ elem: { val: '10.1.7.1' } })],
  ],
  ['an unknown set', 'maybe', chain([[payload('ip', 'saddr', '@unknown'), drop]])],
  ['a set too large to be read', 'maybe', [...chain([[payload('ip', 'saddr', '@bad'), drop]]), unread('set')]],
  [
    'all but a set too large to be read',
    'maybe',
    [...chain([[payload('ip', 'saddr', '@bad', '!='), drop]]), unread('set')],
  ],
  [
    'a verdict map too large to be read',
    'maybe',
    [...chain([[{ vmap: { key: { payload: { protocol: 'ip', field: 'saddr' } }, data: '@bad' } }]]), unread('map')],
  ],
  ['a rate', 'maybe', chain([[{ limit: { rate: 10 } }, drop]])],
  [
    'a reverse path filter',
    '',
    chain([[{ match: { op: '==', left: { fib: { result: 'oif' } }, right: false } }, drop]]),
  ],
  // Hooks of a device.
  ['ingress of the CPEs’ interface', 'always', chain([[drop]], at('ingress', 0, { family: 'netdev', dev: 'eth0' }))],
  ['ingress of another', '', chain([[drop]], at('ingress', 0, { family: 'netdev', dev: ['eth7', 'eth8'] }))],
  ['egress to a collector', 'always', chain([[drop]], at('egress', 0, { family: 'netdev', dev: 'eth2' }))],
  // Verdict maps.
  [
    'a verdict map with the report port',
    'always',
    chain([
      [
        {
          vmap: {
            key: { payload: { protocol: 'tcp', field: 'dport' } },
            data: {
              set: [
                [7547, drop],
                [22, accept],
              ],
            },
          },
        },
      ],
    ]),
  ],
  [
    'a verdict map that accepts ours',
    '',
    chain([
      [
        {
          vmap: {
            key: { meta: { key: 'oifname' } },
            data: {
              set: [
                ['eth0', accept],
                ['eth1', accept],
                ['eth2', accept],
              ],
            },
          },
        },
      ],
      [drop],
    ]),
  ],
];

test.each(rows)('%s: %s', (_, expected, objects) => {
  expect(reaches(objects).join()).toBe(expected);
});

test('base chains that iptables shows, and families that carry no packet of ours, are left out', () => {
  const listed = [
    'ip filter FORWARD',
    'ip filter theirs',
    'ip6 mangle POSTROUTING',
    'ip security theirs',
    'ip own FORWARD',
    'inet filter FORWARD',
    'bridge own FORWARD',
  ].map((name) => {
    const [family, table, chainName] = name.split(' ');
    return { chain: { family, table, name: chainName, handle: 1, hook: 'forward', policy: 'drop' } };
  });
  const { chains } = parseRuleset(JSON.stringify({ nftables: listed }));
  expect(chains.map(({ family, table, name }) => `${family} ${table} ${name}`)).toEqual([
    'ip filter theirs',
    'ip security theirs',
    'ip own FORWARD',
    'inet filter FORWARD',
  ]);
});

test('the kernel runs nothing of a dormant table', () => {
  const ruleset = parseRuleset(JSON.stringify({ nftables: chain([[drop]]) }));
  const text = (flags: string) => `table inet own { # handle 1\n${flags}\tchain c { # handle 1\n}\ntable inet fw {\n`;
  expect(withoutDormant(ruleset, `${text('')}\tflags owner, dormant\n\n`).chains).toEqual([]);
  expect(withoutDormant(ruleset, text('\tflags dormant\n')).chains).toHaveLength(1);
});

test('only sets and maps that a rule names are read, each for itself', () => {
  const other = { set: { family: 'inet', table: 'fw', name: 'other' } };
  const objects = [...chain([[payload('ip', 'saddr', '@bad'), drop]]), unread('map'), other];
  const [named, ...others] = namedSets(parseRuleset(JSON.stringify({ nftables: objects })));
  expect(others).toEqual([]);
  expect(named).toMatchObject({ kind: 'map', name: 'bad', elements: undefined });
  expect(parseElements(JSON.stringify({ nftables: [{ metainfo: {} }, set('192.0.2.1')] }))).toEqual(['192.0.2.1']);
  expect(parseElements(JSON.stringify({ nftables: [unread('set')] }))).toEqual([]);
});
