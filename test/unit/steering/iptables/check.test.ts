/** `rules check`: what it says about rules that were deleted, changed, reordered, shadowed, and about foreign ones. */

import { type Family } from '../../../../src/packet/address';
import { checkRules, renderRules, type Steering, type System } from '../../../../src/steering/iptables';
import { compareRules, type Difference } from '../../../../src/steering/iptables/check';
import { type Topology } from '../../../../src/splitter/topology';
import { FakeIpset } from './fake-ipset';
import { HOLD, ITMS, plain, TOPOLOGIES } from './topologies';

/** The rendered rules as iptables-save would print them on a host that has `foreign` rules around ours. */
function saved(
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

const check = (text: string, topology = plain, family: Family = 'ipv4'): Difference[] =>
  compareRules(topology, HOLD, text, family);
const INTERFACES = ['lo', 'eth0', 'eth1', 'eth2'];
const messages = (text: string, family: Family = 'ipv4'): string[] =>
  check(text, plain, family).map(({ message }) => message);

/** Adds lines to one table, before our rules or behind. */
const adding = (table: string, where: 'before' | 'behind', ...lines: string[]) =>
  addingTo('ipv4', table, where, ...lines);
const addingTo = (family: Family, table: string, where: 'before' | 'behind', ...lines: string[]) => {
  const edit = (name: string, own: string[]) => {
    if (name !== table) return own;
    const isDeclaration = (line: string) => line.startsWith(':');
    const all = where === 'before' ? [...lines, ...own] : [...own, ...lines];
    return [...all.filter(isDeclaration), ...all.filter((line) => !isDeclaration(line))];
  };
  return saved(plain, edit, family);
};

describe('what was rendered and is live gives no difference', () => {
  const rows = Object.entries(TOPOLOGIES).flatMap(([name, topology]) =>
    (['ipv4', 'ipv6'] as const).map((family) => [name, family, topology] as const),
  );
  it.each(rows)('%s, %s', (_name, family, topology) => {
    expect(check(saved(topology, undefined, family), topology, family)).toEqual([]);
  });

  it('nor does another spelling of the same rules by another version of iptables', () => {
    const other = saved(plain)
      .replaceAll('-m tcp --tcp-flags FIN,SYN,RST,ACK SYN ', '--syn ')
      .replaceAll('-j CT --notrack', '-j NOTRACK')
      .replaceAll('/32', '')
      .replaceAll('-p icmp', '-p 1')
      .replaceAll('-j DROP', '-m comment --comment "why: -j ACCEPT" -j DROP');
    expect(other).not.toBe(saved(plain));
    expect(check(other)).toEqual([]);
  });
});

it.each(['ipv4', 'ipv6'] as const)('each rule that is missing is named, %s', (family) => {
  const whole = saved(plain, undefined, family);
  for (const line of whole.match(/^-A .*$/gm)!) {
    const table = whole
      .split(line)[0]
      .match(/^\*(\w+)$/gm)!
      .at(-1)!
      .slice(1);
    const edit = (name: string, lines: string[]) => (name === table ? lines.filter((l) => l !== line) : lines);
    const [, chain, rule] = /^-A (\S+) (.*)$/.exec(line)!;
    expect(check(saved(plain, edit, family), plain, family)).toEqual([
      expect.objectContaining({ kind: 'missing', family, table, chain, rule }),
    ]);
  }
});

it('each two neighbours of a chain that changed places are named', () => {
  for (const table of ['filter', 'raw', 'mangle']) {
    const count = saved(plain).match(/^-A ACSPLIT.*$/gm)!.length;
    for (let at = 0; at < count; at++) {
      const swapped = saved(plain, (name, lines) => {
        if (name !== table || !lines[at + 1]) return lines;
        if (!lines[at].startsWith('-A ACSPLIT') || lines[at].split(' ')[1] !== lines[at + 1].split(' ')[1])
          return lines;
        return [...lines.slice(0, at), lines[at + 1], lines[at], ...lines.slice(at + 2)];
      });
      if (swapped === saved(plain)) continue;
      expect(check(swapped)).toEqual([expect.objectContaining({ kind: 'reordered', table })]);
    }
  }
});

it('a rule that was edited is shown with what it should be', () => {
  const edited = saved(plain).replace(
    '--dports 7547 -j NFQUEUE --queue-num 0',
    '--dports 7548 -j NFQUEUE --queue-num 0',
  );
  expect(messages(edited)).toEqual([
    'mangle ACSPLIT-FROM-CPE: found "-p tcp -m multiport --dports 7548 -j NFQUEUE --queue-num 0", ' +
      'expected "-p tcp -m multiport --dports 7547 -j NFQUEUE --queue-num 0"; run: acsplit rules install',
  ]);
});

it('rules of another configuration differ', () => {
  const kinds = check(saved(TOPOLOGIES.sharedInterface)).map(({ kind }) => kind);
  expect(kinds.length).toBeGreaterThan(3);
});

it('a rule of ours that is there twice is named', () => {
  const twice = saved(plain, (name, lines) => (name === 'raw' ? [...lines, lines.at(-1)!] : lines));
  expect(check(twice)).toEqual([expect.objectContaining({ kind: 'duplicate', chain: 'ACSPLIT-NOTRACK' })]);
});

it('a jump of ours that is there twice is named', () => {
  const jump = '-A FORWARD -p tcp -j ACSPLIT-SERVERS';
  expect(check(adding('mangle', 'behind', jump))).toEqual([
    expect.objectContaining({ kind: 'duplicate', chain: 'FORWARD' }),
  ]);
});

it('a rule put into a chain of ours is named together with those that it shadows', () => {
  const foreign = '-A ACSPLIT-TO-CPE -s 10.3.0.2/32 -j ACCEPT';
  const text = saved(plain, (name, lines) => {
    const first = lines.findIndex((line) => line.startsWith('-A'));
    return name === 'mangle' ? [...lines.slice(0, first), foreign, ...lines.slice(first)] : lines;
  });
  const [difference, ...others] = check(text);
  expect(others).toEqual([]);
  expect(difference.kind).toBe('shadows');
  expect(difference.message).toMatch(
    /is not one of our rules and shadows "-s 10.3.0.2\/32 -i eth2 -j NFQUEUE --queue-num 2";/,
  );
});

it('without any rule of ours each table says so in one line', () => {
  expect(messages('*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n')).toEqual(
    ['filter', 'raw', 'mangle'].map(
      (table) => `table ${table}: none of our rules is installed; run: acsplit rules install`,
    ),
  );
});

it('a jump into our chains out of somebody else’s chain is his to delete', () => {
  const text = adding('filter', 'behind', ':theirs - [0:0]', '-A theirs -i lo -j ACSPLIT-FORWARD');
  expect(messages(text)).toEqual([
    'filter theirs: "-i lo -j ACSPLIT-FORWARD" leads into a chain of ours from where none of our rules does; ' +
      'delete it: iptables -t filter -D theirs -i lo -j ACSPLIT-FORWARD',
  ]);
});

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
    ['a limit for a few offenders', 'raw', 'before', ['-A PREROUTING -m set --match-set offenders src -j DROP']],
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

describe('IPv6', () => {
  it('is said in front, and the remedy is ip6tables’', () => {
    const drop = '-A FORWARD -s 2001:db8:2::/64 -j DROP';
    expect(messages(addingTo('ipv6', 'filter', 'before', drop), 'ipv6')).toEqual([
      'IPv6 filter FORWARD: "-s 2001:db8:2::/64 -j DROP" is not ours and may take away what 2001:db8:2::2 sends to CPEs; ' +
        'delete or narrow it: ip6tables -t filter -D FORWARD -s 2001:db8:2::/64 -j DROP',
    ]);
  });

  const touching: [string, string][] = [
    ['the ACS address', '-A PREROUTING -d 2001:db8:1::1/128 -j DROP'],
    ['the network of the CPEs', '-A PREROUTING -s 2001:db8:1::/64 -j DROP'],
    ['everything', '-A PREROUTING -s ::/0 -j DROP'],
    ['ICMP errors', '-A PREROUTING -p ipv6-icmp -m icmp6 --icmpv6-type 2 -j DROP'],
  ];
  it.each(touching)('a drop of %s is named', (_what, line) => {
    expect(check(addingTo('ipv6', 'mangle', 'before', line), plain, 'ipv6')).toEqual([
      expect.objectContaining({ kind: 'drops', family: 'ipv6' }),
    ]);
  });

  const harmless: [string, string][] = [
    ['another network', '-A PREROUTING -s 2001:db8:7::/48 -j DROP'],
    ['neighbour discovery', '-A PREROUTING -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT'],
    ['ping', '-A PREROUTING -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j DROP'],
  ];
  it.each(harmless)('a rule about %s is not', (_what, line) => {
    expect(check(addingTo('ipv6', 'mangle', 'before', line), plain, 'ipv6')).toEqual([]);
  });

  test('what others drop in the other back end is named with that back end’s program', () => {
    const legacy = [
      '*filter',
      ':FORWARD DROP [0:0]',
      ':DOCKER-USER - [0:0]',
      '-A FORWARD -j DOCKER-USER',
      '-A DOCKER-USER -i eth0 -j DROP',
      '-A FORWARD -i docker0 -j DROP',
      'COMMIT',
    ].join('\n');
    const ipset = new FakeIpset().having(plain, HOLD);
    const system: System = {
      interfaces: () => INTERFACES,
      lock: () => () => {},
      hasIpv6: () => true,
      run: (program, words, input) => {
        if (program === 'ipset') return ipset.run(words, input);
        const own = `# Generated by iptables-save v1.8.9 (nf_tables)\n${saved(plain, undefined, program.startsWith('ip6') ? 'ipv6' : 'ipv4')}`;
        const stdout = program === 'iptables-legacy-save' ? legacy : program.endsWith('legacy-save') ? '' : own;
        return { status: 0, stderr: '', stdout };
      },
    };
    const found = checkRules(plain, HOLD, system);
    expect(found.map(({ kind, chain, rule }) => `${kind} ${chain} ${rule}`).sort()).toEqual([
      'drops DOCKER-USER -i eth0 -j DROP',
      'drops FORWARD policy DROP',
    ]);
    for (const { message } of found)
      expect(message).toMatch(/^iptables-legacy: filter .*: iptables-legacy -t filter -[DP] /);
  });

  it('rules of ours that stand though no IPv6 address is configured are named', () => {
    const ipset = new FakeIpset().having(plain, HOLD);
    const system: System = {
      interfaces: () => INTERFACES,
      lock: () => () => {},
      hasIpv6: () => true,
      run: (program, words, input) => {
        if (program === 'ipset') return ipset.run(words, input);
        const family = program.startsWith('ip6') ? 'ipv6' : 'ipv4';
        const isOther = /-(nft|legacy)-save$/.test(program);
        return { status: 0, stderr: '', stdout: isOther ? '' : saved(plain, undefined, family) };
      },
    };
    expect(checkRules(plain, HOLD, system)).toEqual([]);
    const { cpe, itms, collectors } = plain;
    const only = ({ ipv4 }: { ipv4?: string }) => ({ ipv4: ipv4! });
    const withoutIpv6: Topology = {
      ...plain,
      cpe: { ...cpe, address: only(cpe.address), networks: ['10.1.0.0/16'] },
      itms: { ...itms, address: only(itms.address) },
      collectors: collectors.map((collector) => ({ ...collector, address: only(collector.address) })),
    };
    const messages = checkRules(withoutIpv6, HOLD, system).map(({ message }) => message);
    expect(messages.filter((message) => message.startsWith('IPv6 table'))).toEqual(
      ['filter', 'raw', 'mangle'].map(
        (table) =>
          `IPv6 table ${table}: rules of ours stand here, but no IPv6 address is configured; run: acsplit rules install`,
      ),
    );
  });
});

describe('the sets that the rules look at', () => {
  /** What is said when the sets are those of this steering, as `edit` leaves them. */
  const found = (steering: Steering, edit: (ipset: FakeIpset) => unknown = () => undefined): string[] => {
    const ipset = new FakeIpset().having(plain, steering);
    edit(ipset);
    const system: System = {
      interfaces: () => INTERFACES,
      lock: () => () => {},
      hasIpv6: () => true,
      run: (program, words, input) => {
        if (program === 'ipset') return ipset.run(words, input);
        const isOther = /-(nft|legacy)-save$/.test(program);
        const own = saved(plain, undefined, program.startsWith('ip6') ? 'ipv6' : 'ipv4', steering);
        return { status: 0, stderr: '', stdout: isOther ? '' : own };
      },
    };
    return checkRules(plain, steering, system).map(({ message }) => message);
  };

  it('as they must be: nothing to say', () => {
    expect(found(ITMS)).toEqual([]);
    expect(found(HOLD)).toEqual([]);
  });

  it('one is missing', () => {
    expect(found(ITMS, ({ sets }) => sets.delete('ACSPLIT-ALIVE6'))).toEqual([
      'IPv6 set ACSPLIT-ALIVE6: this set of ours is missing; run: acsplit rules install',
    ]);
  });

  it('one is of another kind, one without a time', () => {
    const spoil = ({ sets }: FakeIpset) => {
      sets.set('ACSPLIT-DIRECT4', { created: 'hash:ip family inet timeout 7500', entries: [] });
      sets.set('ACSPLIT-ALIVE6', { created: 'hash:net family inet6', entries: [] });
    };
    expect(found(ITMS, spoil)).toEqual([
      'set ACSPLIT-DIRECT4: found "hash:ip family inet timeout 7500", expected "hash:ip,port,ip family inet timeout 7500"; run: acsplit rules remove && acsplit rules install',
      'IPv6 set ACSPLIT-ALIVE6: found "hash:net family inet6", expected "hash:net family inet6 timeout 3"; run: acsplit rules remove && acsplit rules install',
    ]);
  });

  it('one is there that `hold` does not ask for', () => {
    const extra = (ipset: FakeIpset) => ipset.run(['restore'], 'create ACSPLIT-ALIVE4 hash:net family inet timeout 3');
    expect(found(HOLD, extra)).toEqual([
      'set ACSPLIT-ALIVE4: it has a name of ours, but the configuration does not ask for it; run: acsplit rules install',
    ]);
  });

  it('the CPEs’ networks are others', () => {
    const change = ({ sets }: FakeIpset) => (sets.get('ACSPLIT-CPES4')!.entries = ['10.8.0.0/16', '10.9.0.0/16']);
    expect(found(ITMS, change)).toEqual([
      'set ACSPLIT-CPES4: lacks 10.1.0.0/16 and holds 10.8.0.0/16 and 1 more, which is not configured; run: acsplit rules install',
    ]);
  });

  it('an alive set of other queues is of no use to these rules', () => {
    const other = (ipset: FakeIpset) => ipset.having(plain, { ...ITMS, first: 4 });
    const swapped = (ipset: FakeIpset) => {
      ipset.sets.clear();
      other(ipset);
    };
    expect(found(ITMS, swapped)).toEqual(
      expect.arrayContaining(['set ACSPLIT-ALIVE4: this set of ours is missing; run: acsplit rules install']),
    );
  });
});

it('an interface that does not exist is named', () => {
  const ipset = new FakeIpset().having(plain, HOLD);
  const system: System = {
    interfaces: () => ['lo', 'eth0', 'eth2'],
    lock: () => () => {},
    hasIpv6: () => true,
    run: (program, words, input) => {
      if (program === 'ipset') return ipset.run(words, input);
      const own = saved(plain, undefined, program.startsWith('ip6') ? 'ipv6' : 'ipv4');
      return { status: 0, stderr: '', stdout: /-(nft|legacy)-save$/.test(program) ? '' : own };
    },
  };
  expect(checkRules(plain, HOLD, system).map(({ message }) => message)).toEqual([
    'interface eth1 does not exist here (there are: eth0, eth2): its rules steer nothing; name the right one in the configuration, then run: acsplit rules install',
  ]);
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
