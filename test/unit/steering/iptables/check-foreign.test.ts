/** The check of the live rules: foreign ones, in the way or not. */
import { checkRules, type System } from '../../../../src/steering/iptables';
import { compareRules } from '../../../../src/steering/iptables/check';
import { FakeIpset } from './fake-ipset';
import { ITMS, plain } from './topologies';
import { saved, check, INTERFACES, messages, adding } from './checking';

describe('foreign rules in the way', () => {
  type Row = [claim: string, table: string, where: 'before' | 'behind', lines: string[], kind: string, words: RegExp];
  const rows: Row[] = [
    [
      'a TCPMSS clamp behind our queue never runs',
      'mangle',
      'behind',
      ['-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu'],
      'skipped',
      /never sees what 10\.2\.0\.2 sends to CPEs/,
    ],
    [
      'nor does a mark for what CPEs send',
      'mangle',
      'behind',
      ['-A PREROUTING -i eth0 -j MARK --set-xmark 0x1/0xffffffff'],
      'skipped',
      /to put ours last, run: acsplit rules install/,
    ],
    [
      'an accept of everything before our queue',
      'mangle',
      'before',
      ['-A PREROUTING -j ACCEPT'],
      'shadows',
      /comes before our "-d 10\.1\.0\.1\/32 -p tcp -j ACSPLIT-CPE"/,
    ],
    [
      'an accept in front of the guards',
      'filter',
      'before',
      ['-A FORWARD -i eth1 -j ACCEPT'],
      'shadows',
      /run: acsplit rules install/,
    ],
    [
      'an accept of the report port before the guard of INPUT',
      'filter',
      'before',
      ['-A INPUT -p tcp -m tcp --dport 7547 -j ACCEPT'],
      'shadows',
      /ports that are steered/,
    ],
    ['a drop in front of our accepts', 'filter', 'before', ['-A FORWARD -j DROP'], 'drops', /may take away/],
    [
      'a drop two chains further down',
      'filter',
      'before',
      [':a - [0:0]', ':b - [0:0]', '-A FORWARD -j a', '-A a -o eth0 -j b', '-A b -s 10.1.0.0/24 -j DROP'],
      'drops',
      /filter b: /,
    ],
    [
      'a drop of private sources on the CPEs’ interface, in raw behind ours',
      'raw',
      'behind',
      ['-A PREROUTING -s 10.0.0.0/8 -i eth0 -j DROP'],
      'drops',
      /what CPEs send/,
    ],
    [
      'a drop of what a set names',
      'raw',
      'before',
      ['-A PREROUTING -m set --match-set offenders src -j DROP'],
      'mayDrop',
      /its set, rate or mark decides whether it takes away .* iptables -t raw -D PREROUTING -m set --match-set offenders src -j DROP$/,
    ],
    [
      'a drop in a chain that a set leads to',
      'filter',
      'before',
      [':bad - [0:0]', '-A FORWARD -m set --match-set offenders src -j bad', '-A bad -j DROP'],
      'mayDrop',
      /filter bad: "-j DROP"/,
    ],
    [
      'an accept in raw before our notrack',
      'raw',
      'before',
      ['-A PREROUTING -i eth2 -j ACCEPT'],
      'shadows',
      /what 10\.3\.0\.2 sends to CPEs/,
    ],
    [
      'a zone in raw before our notrack: the first CT rule wins',
      'raw',
      'before',
      ['-A PREROUTING -i eth0 -j CT --zone 3'],
      'shadows',
      /CT --zone 3/,
    ],
    [
      'a drop behind everything, in POSTROUTING',
      'mangle',
      'behind',
      ['-A POSTROUTING -o eth0 -p tcp -j DROP'],
      'drops',
      /mangle POSTROUTING/,
    ],
    [
      'another queue that takes our traffic first',
      'mangle',
      'before',
      ['-A PREROUTING -i eth0 -p tcp -j NFQUEUE --queue-num 9'],
      'drops',
      /queue-num 9/,
    ],
    [
      'a drop of all ICMP errors before our queue',
      'mangle',
      'before',
      ['-A FORWARD -p icmp -m icmp --icmp-type 3/4 -j DROP'],
      'drops',
      /ICMP errors from the side of 10\.2\.0\.2/,
    ],
    [
      'a drop of INVALID where this host’s own errors, which are, leave it',
      'mangle',
      'before',
      ['-A POSTROUTING -m conntrack --ctstate INVALID -j DROP'],
      'drops',
      /this host's own ICMP errors/,
    ],
    [
      'a drop of what this host says itself, before our rules',
      'mangle',
      'before',
      ['-A OUTPUT -p icmp -j DROP'],
      'drops',
      /this host's own ICMP errors/,
    ],
    ['an early return to the policy', 'mangle', 'before', ['-A FORWARD -o eth0 -j RETURN'], 'shadows', /RETURN/],
  ];
  it.each(rows)('%s', (_claim, table, where, lines, kind, words) => {
    const differences = check(adding(table, where, ...lines));
    expect(differences).toEqual([expect.objectContaining({ kind, table })]);
    expect(differences[0].message).toMatch(words);
    expect(differences[0].message).not.toContain('\n');
  });

  it('a policy that drops what has left our queue', () => {
    const text = saved(plain).replace('*mangle\n:PREROUTING ACCEPT [9:81]', '*mangle\n:PREROUTING DROP [9:81]');
    expect(check(text)).toEqual([expect.objectContaining({ kind: 'drops', rule: 'policy DROP' })]);
  });
});

describe('foreign rules that are in nobody’s way are not named', () => {
  type Row = [claim: string, table: string, where: 'before' | 'behind', lines: string[]];
  const rows: Row[] = [
    [
      'a TCPMSS clamp before our queue',
      'mangle',
      'before',
      ['-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu'],
    ],
    [
      'INVALID is dropped: ours is untracked',
      'filter',
      'before',
      ['-A FORWARD -m conntrack --ctstate INVALID -j DROP'],
    ],
    [
      'ESTABLISHED is accepted: ours is untracked',
      'filter',
      'before',
      ['-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'],
    ],
    [
      'rules of other interfaces, behind ours',
      'mangle',
      'behind',
      ['-A FORWARD -o eth7 -j ACCEPT', '-A PREROUTING -i wg+ -j MARK --set-xmark 0x1/0xffffffff'],
    ],
    ['rules of other protocols', 'mangle', 'behind', ['-A PREROUTING -p udp -j DROP', '-A FORWARD ! -p tcp -j ACCEPT']],
    [
      'the host’s ssh',
      'mangle',
      'behind',
      ['-A PREROUTING -p tcp -m tcp --dport 22 -j MARK --set-xmark 0x1/0xffffffff'],
    ],
    [
      'drops of impossible flags',
      'mangle',
      'before',
      [
        '-A PREROUTING -p tcp -m tcp --tcp-flags FIN,SYN FIN,SYN -j DROP',
        '-A PREROUTING -p tcp -m tcp --tcp-flags ALL NONE -j DROP',
      ],
    ],
    ['a reverse path filter', 'raw', 'before', ['-A PREROUTING -m rpfilter --validmark --invert -j DROP']],
    [
      'chains that only return',
      'filter',
      'before',
      [':DOCKER-USER - [0:0]', '-A FORWARD -j DOCKER-USER', '-A DOCKER-USER -j RETURN', '-A DOCKER-USER -j DROP'],
    ],
    [
      'a rule that only counts or logs',
      'filter',
      'before',
      ['-A FORWARD -i eth0', '-A FORWARD -j LOG --log-prefix "-j DROP "'],
    ],
    [
      'routing headers and broadcasts are dropped',
      'raw',
      'before',
      ['-A PREROUTING -m addrtype --dst-type BROADCAST -j DROP'],
    ],
    [
      'whatever stands behind our accepts',
      'filter',
      'behind',
      ['-A FORWARD -j DROP', '-A INPUT -j REJECT --reject-with icmp-port-unreachable'],
    ],
    [
      'ping and redirects are dropped',
      'mangle',
      'before',
      [
        '-A PREROUTING -p icmp -m icmp --icmp-type 8 -j DROP',
        '-A FORWARD -p icmp -m icmp --icmp-type 5 -j DROP',
        '-A OUTPUT -p icmp -m icmp --icmp-type 0 -j DROP',
      ],
    ],
    [
      'ICMP is accepted before our accepts, or dropped behind them',
      'filter',
      'before',
      ['-A FORWARD -p icmp -j ACCEPT', '-A OUTPUT -j ACCEPT', '-A INPUT -p icmp -j DROP'],
    ],
    ['everybody but the servers is dropped', 'mangle', 'before', ['-A PREROUTING ! -s 10.0.0.0/8 -j DROP']],
  ];
  it.each(rows)('%s', (_claim, table, where, lines) => expect(messages(adding(table, where, ...lines))).toEqual([]));
});

describe('foreign rules of nat, which meet our traffic while no engine runs', () => {
  const withNat = (where: 'before' | 'behind', rule: string): string[] => {
    const edit = (name: string, own: string[]) => {
      if (name !== 'nat') return own;
      const isDeclaration = (line: string) => line.startsWith(':');
      const lines = where === 'before' ? [rule, ...own] : [...own, rule];
      return [...lines.filter(isDeclaration), ...lines.filter((line) => !isDeclaration(line))];
    };
    return compareRules(plain, ITMS, saved(plain, edit, 'ipv4', ITMS)).map(({ message }) => message);
  };
  const DNAT = '-A PREROUTING -p tcp -m tcp --dport 7547 -j DNAT --to-destination 192.0.2.7';

  it('before ours they take it away', () => {
    expect(withNat('before', DNAT)).toEqual([
      `nat PREROUTING: "${DNAT.slice(14)}" is not ours, comes before our "-d 10.1.0.1/32 -p tcp -j ACSPLIT-CPE" and shadows it for the sessions that CPEs open while no engine runs; run: acsplit rules install`,
    ]);
    expect(withNat('before', '-A POSTROUTING -j MASQUERADE')).toHaveLength(1);
    expect(withNat('before', '-A POSTROUTING -o eth3 -j MASQUERADE')).toEqual([]);
  });

  it('behind ours they never see it', () => {
    expect(withNat('behind', DNAT)).toEqual([]);
    expect(withNat('behind', '-A POSTROUTING -j MASQUERADE')).toEqual([]);
  });
});

it('before anything is installed, or after a firewall has flushed it, one line says so', () => {
  const ipset = new FakeIpset();
  const system: System = {
    interfaces: () => INTERFACES,
    hasIpv6: () => true,
    lock: () => () => {},
    run: (program, words, input) =>
      program === 'ipset'
        ? ipset.run(words, input)
        : { status: 0, stdout: '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n', stderr: '' },
  };
  const said = (instance: string) => checkRules(plain, { ...ITMS, instance }, system).map(({ message }) => message);
  expect(said('default')).toEqual(['none of our rules is installed; run: acsplit rules install']);
  ipset.having(plain, ITMS);
  expect(said('default')).toEqual(['none of our rules is installed; run: acsplit rules install']);
  expect(said('north')).toEqual(['none of our rules of instance north is installed; run: acsplit rules install']);
});
