/** The check of the live rules: what is ours. */
import { plain, TOPOLOGIES } from '../../../unit/steering/iptables/topologies';
import { saved, check, messages, adding } from '../../../unit/steering/iptables/checking';

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
