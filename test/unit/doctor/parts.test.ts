/** The text-processing parts of doctor: nftables' JSON, sample addresses, shell quoting. */

import { stop, quoted, sysctl } from '../../../src/doctor/command-line';
import { droppingChains, type NftChain, parseListing } from '../../../src/doctor/firewalls';
import { sampleOf, withPrefix } from '../../../src/doctor/places';

describe('a sample address of a network', () => {
  test.each([
    ['10.1.0.0/16', [], '10.1.128.2'],
    ['10.1.0.0/16', ['10.1.128.2'], '10.1.128.3'],
    ['0.0.0.0/0', [], '128.0.0.2'],
    ['192.0.2.0/30', ['192.0.2.0', '192.0.2.1'], '192.0.2.2'],
    ['192.0.2.9/32', [], '192.0.2.9'],
    ['2001:db8:1::/64', ['2001:db8:1::8000:2'], '2001:db8:1::8000:3'],
    ['2001:db8::/32', [], '2001:db8::8000:2'],
    ['2001:db8::1/128', [], '2001:db8::1'],
    ['192.0.2.9/32', ['192.0.2.9'], '192.0.2.9'],
  ])('%s, without %j: %s', (network, taken, expected) => {
    expect(sampleOf(network, taken)).toBe(expected);
  });

  test('an ACS address takes the length of the network that holds it', () => {
    expect(withPrefix('10.1.0.1', ['10.0.0.0/24', '10.1.0.0/16'])).toBe('10.1.0.1/16');
    expect(withPrefix('2001:db8::1', ['10.1.0.0/16', '2001:db8::/48'])).toBe('2001:db8::1/48');
    expect(withPrefix('2001:db8::1', [])).toBe('2001:db8::1/128');
    expect(withPrefix('192.0.2.1', ['10.1.0.0/16'])).toBe('192.0.2.1/32');
  });
});

describe('commands', () => {
  test('a dot in an interface’s name is a slash to sysctl', () => {
    expect(sysctl('net.ipv4.conf.IF.rp_filter', 2, 'eth0.7')).toBe('sysctl -w net.ipv4.conf.eth0/7.rp_filter=2');
  });
  test('one word, whatever is in it', () => {
    expect(quoted('/run/acsplit')).toBe('/run/acsplit');
    expect(quoted(`/my run/it's`)).toBe(`'/my run/it'\\''s'`);
  });
  test('a process is ended by its service, where it has one', () => {
    const host = (cgroup: string | undefined) => ({ read: () => cgroup });
    expect(stop(7, host('0::/system.slice/snort@eth0.service\n'))).toBe('systemctl stop snort@eth0.service');
    expect(stop(7, host('0::/user.slice/user-0.slice/session-1.scope\n'))).toBe('kill 7');
    expect(stop(7, host(undefined))).toBe('kill 7');
  });
});

describe('chains of nftables that drop what we forward', () => {
  const meta = (key: string, right: unknown, op = '==') => ({ match: { op, left: { meta: { key } }, right } });
  const state = (...states: string[]) => ({ match: { op: 'in', left: { ct: { key: 'state' } }, right: states } });
  const chain = (rules: object[][], more: Partial<NftChain> = {}): NftChain => ({
    ...{ family: 'inet', table: 'fw', name: 'forward', hook: 'forward', policy: 'accept' },
    ...{ rules: rules as NftChain['rules'], ...more },
  });
  const drop = { drop: null };
  const accept = { accept: null };
  const other = (rules: object[][]): NftChain => ({
    family: 'inet',
    table: 'fw',
    name: 'zone',
    rules: rules as NftChain['rules'],
  });
  const drops = (...chains: NftChain[]) =>
    droppingChains(chains, [{ in: 'eth0', out: 'eth0' }], ['eth1', 'eth2']).length > 0;

  const rows: [string, boolean, NftChain[]][] = [
    ['no rule, policy accept', false, [chain([])]],
    ['no rule, policy drop', true, [chain([], { policy: 'drop' })]],
    ['a drop of everything', true, [chain([[drop]])]],
    ['a reject, counted and logged', true, [chain([[{ counter: {} }, { log: {} }, { reject: {} }]])]],
    ['a drop of what is invalid: ours is untracked', false, [chain([[state('invalid'), drop]])]],
    [
      'an accept of what is untracked before the policy',
      false,
      [chain([[state('untracked', 'new'), accept]], { policy: 'drop' })],
    ],
    ['a drop of one interface of ours', true, [chain([[meta('iifname', 'eth0'), drop]])]],
    ['a drop of other interfaces', false, [chain([[meta('iifname', 'eth7'), drop]])]],
    ['a drop of all but ours', false, [chain([[meta('iifname', { set: ['eth0', 'eth1', 'eth2'] }, '!='), drop]])]],
    ['a wildcard', true, [chain([[meta('oifname', 'eth*'), drop]])]],
    ['a drop of another protocol', false, [chain([[meta('l4proto', 'udp'), drop]])]],
    [
      'a drop by an address set is the operator’s own policy',
      false,
      [chain([[{ match: { op: '==', left: { payload: {} }, right: '@bad' } }, drop]])],
    ],
    ['an accept of one direction only', true, [chain([[meta('iifname', 'eth0'), accept], [drop]])]],
    ['a jump to a chain that drops', true, [chain([[{ jump: { target: 'zone' } }]]), other([[drop]])]],
    ['a jump to a chain that accepts', false, [chain([[{ jump: { target: 'zone' } }], [drop]]), other([[accept]])]],
    ['a jump that returns', true, [chain([[{ jump: { target: 'zone' } }], [drop]]), other([[{ return: null }]])]],
    ['a goto does not come back', false, [chain([[{ goto: { target: 'zone' } }], [drop]]), other([])]],
    ['a chain at another hook', false, [chain([[drop]], { hook: 'output' })]],
    ['a chain without a hook', false, [other([[drop]])]],
    ['a loop that no kernel would take', false, [chain([[{ jump: { target: 'forward' } }]])]],
  ];
  test.each(rows)('%s: %s', (_, expected, chains) => {
    expect(drops(...chains)).toBe(expected);
  });

  test('what iptables shows itself, and families that carry no packet of ours, are left out', () => {
    const listed = ['ip filter', 'ip6 mangle', 'ip own', 'inet filter', 'bridge own'].map((name) => {
      const [family, table] = name.split(' ');
      return { chain: { family, table, name: 'c', handle: 1, hook: 'forward', policy: 'drop' } };
    });
    const rule = { rule: { family: 'ip', table: 'own', chain: 'c', expr: [accept] } };
    const chains = parseListing(JSON.stringify({ nftables: [{ metainfo: {} }, ...listed, rule] }));
    expect(chains.map(({ family, table }) => `${family} ${table}`)).toEqual(['ip own', 'inet filter']);
    expect(chains[0].rules).toEqual([[accept]]);
  });
});
