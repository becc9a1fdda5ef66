/** Installing and removing on a simulated system: order, roll-back, and error messages. */

import { type Family } from '../../../../src/packet/address';
import { installRules, removeRules, renderRules, type Steering, type System } from '../../../../src/steering/iptables';
import { type Outcome } from '../../../../src/steering/iptables/iptables';
import { wantedSets } from '../../../../src/steering/iptables/sets';
import { type Topology } from '../../../../src/splitter/topology';
import { FakeIpset } from './fake-ipset';
import { HOLD, ITMS, plain } from './topologies';

/** Messages of real programs, iptables 1.8.9, both back ends; {N} is the line of the rule in question. */
const SAID = {
  nftExtension: `Warning: Extension socket revision 0 not supported, missing kernel module?
iptables-restore v1.8.9 (nf_tables):
line {N}: RULE_APPEND failed (No such file or directory): rule in chain ACSPLIT-FROM-CPE`,
  nftRule: `iptables-restore v1.8.9 (nf_tables):
line {N}: RULE_APPEND failed (No such file or directory): rule in chain ACSPLIT-FROM-CPE`,
  legacyCommit: 'iptables-restore: line {N} failed',
  library: `iptables-restore v1.8.9 (legacy): Couldn't load match \`socket':No such file or directory

Error occurred at line: {N}
Try \`iptables-restore -h' or 'iptables-restore --help' for more information.`,
  nftRights:
    'iptables-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)',
  legacyRights: 'Failed to list table names in /proc/net/ip_tables_names: Permission denied',
  lock: 'Another app is currently holding the xtables lock; still 9s 0us time ahead to have a chance to grab the lock...',
};

interface Fake extends System {
  /** Texts that were restored, in order. */
  restored: string[];
  /** The program that restored each. */
  programs: string[];
  ipset: FakeIpset;
  /** Everything that changed something, in order: `create ACSPLIT-ALIVE4`, `iptables-restore raw`. */
  changes: string[];
}

/** A host that has `live` rules, and `liveIpv6`; `refuse` answers what a restore says when it fails. */
function host(
  live = '',
  refuse: (text: string, index: number) => Partial<Outcome> | undefined = () => undefined,
  liveIpv6 = '',
): Fake {
  const restored: string[] = [];
  const programs: string[] = [];
  const ok: Outcome = { status: 0, stdout: '', stderr: '' };
  const changes: string[] = [];
  const ipset = new FakeIpset(changes);
  return {
    restored,
    programs,
    ipset,
    changes,
    lock: () => () => {},
    interfaces: () => ['lo', 'eth0', 'eth1', 'eth2'],
    hasIpv6: () => true,
    run: (program, words, input = '') => {
      if (program === 'ipset') return ipset.run(words, input);
      if (program.endsWith('-save')) return { ...ok, stdout: program === 'ip6tables-save' ? liveIpv6 : live };
      restored.push(input);
      programs.push(program);
      changes.push(`${program} ${tableOf(input)}`);
      return { ...ok, ...refuse(input, restored.length - 1) };
    },
  };
}

const TABLE_BY_TABLE = ['filter', 'raw', 'mangle'].flatMap(() => ['iptables-restore', 'ip6tables-restore']);

const tableOf = (text: string) => /^\*(\w+)/.exec(text)?.[1];

/** Our rules as live ones, as iptables-save prints them. */
const live = (family: Family, steering = HOLD) =>
  renderRules(plain, steering, family)
    .replace(/^-I/gm, '-A')
    .replace(
      /^\*(\w+)$/gm,
      '*$1\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]',
    );
const INSTALLED = live('ipv4');
const INSTALLED_IPV6 = live('ipv6');

/** The topology without IPv6. */
const ONLY_IPV4: Topology = {
  ...plain,
  cpe: { ...plain.cpe, address: { ipv4: '10.1.0.1' }, networks: ['10.1.0.0/16'] },
  itms: { ...plain.itms, address: { ipv4: '10.2.0.2' } },
  collectors: [{ name: 'c1', interface: 'eth2', address: { ipv4: '10.3.0.2' } }],
};

it('guards go in first, then notrack, then the queues', () => {
  const system = host();
  installRules(plain, HOLD, system);
  expect(system.restored.map(tableOf)).toEqual(['filter', 'filter', 'raw', 'raw', 'mangle', 'mangle']);
  expect(system.programs).toEqual(TABLE_BY_TABLE);
});

it('and come out in reverse', () => {
  const system = host(INSTALLED, undefined, INSTALLED_IPV6);
  removeRules(system);
  expect(system.restored.map(tableOf)).toEqual(['mangle', 'mangle', 'raw', 'raw', 'filter', 'filter']);
  expect(system.programs).toEqual([...TABLE_BY_TABLE].reverse());
});

it('a family that is no longer configured loses its rules', () => {
  const system = host(INSTALLED, undefined, INSTALLED_IPV6);
  installRules(ONLY_IPV4, HOLD, system);
  expect(system.programs).toEqual(TABLE_BY_TABLE);
  for (const [at, program] of system.programs.entries()) {
    expect(system.restored[at].includes('\n-A ACSPLIT-')).toBe(program === 'iptables-restore');
  }
});

it('where the kernel has no IPv6, ip6tables is not asked, unless IPv6 is configured', () => {
  const asked = (topology: Topology) => {
    const programs: string[] = [];
    const system: System = { ...host(), hasIpv6: () => false };
    const run: System['run'] = (program, words, input) => {
      programs.push(program);
      return system.run(program, words, input);
    };
    installRules(topology, HOLD, { ...system, run });
    removeRules({ ...system, run });
    return programs.filter((program) => program.startsWith('ip6tables'));
  };
  expect(asked(ONLY_IPV4)).toEqual([]);
  expect(asked(plain)).toContain('ip6tables-save');
});

it('where nothing is installed there is nothing to remove', () => {
  const system = host('*filter\n:INPUT ACCEPT [0:0]\n:theirs - [0:0]\n-A INPUT -j theirs\nCOMMIT\n');
  removeRules(system);
  expect(system.restored).toEqual([]);
});

it('removing names nothing but our chains and the jumps into them', () => {
  const system = host(
    INSTALLED.replace(/^:FORWARD.*$/gm, '$&\n:theirs - [0:0]\n-A FORWARD -j theirs\n-A theirs -j DROP'),
  );
  removeRules(system);
  const lines = system.restored.join('').split('\n');
  for (const line of lines.filter((l) => l !== '' && l !== 'COMMIT' && !l.startsWith('*'))) {
    expect(line).toMatch(/^(:ACSPLIT-[A-Z-]+ - \[0:0\]|-X ACSPLIT-[A-Z-]+|-D [A-Z]+ .*-j ACSPLIT-[A-Z-]+)$/);
  }
});

it('installing over an older configuration takes out the chains that it no longer has', () => {
  const system = host(
    '*mangle\n:FORWARD ACCEPT [0:0]\n:ACSPLIT-OLD - [0:0]\n-A FORWARD -i eth9 -j ACSPLIT-OLD\nCOMMIT\n',
  );
  installRules(plain, HOLD, system);
  const mangle = system.restored.find((text) => tableOf(text) === 'mangle');
  expect(mangle).toMatch(/^:ACSPLIT-OLD - \[0:0\]$/m);
  expect(mangle).toMatch(/^-D FORWARD -i eth9 -j ACSPLIT-OLD$/m);
  expect(mangle).toMatch(/^-X ACSPLIT-OLD$/m);
});

it.each([1, 2, 3, 4, 5])('when the table at place %s fails, those before it are taken back', (failing) => {
  const [was, wasIpv6] = [INSTALLED, INSTALLED_IPV6].map((text) => text.replaceAll('7547', '9090'));
  const system = host(was, (_text, index) => (index === failing ? { status: 1, stderr: 'no' } : undefined), wasIpv6);
  expect(() => installRules(plain, HOLD, system)).toThrow();
  const places = system.restored.map((text, at) => `${system.programs[at]} ${tableOf(text)}`);
  expect(new Set(places.slice(0, failing + 1)).size).toBe(failing + 1);
  const back = system.restored.slice(failing + 1);
  expect(places.slice(failing + 1)).toEqual(places.slice(0, failing).reverse());
  for (const text of back) expect(text).not.toContain('7547');
  expect(back.join('')).toContain('--dports 9090');
  expect(back.join('')).toMatch(/^-I FORWARD 1 -p tcp -j ACSPLIT-FORWARD$/m);
});

it('a failure names the program', () => {
  const refuse = (_text: string, index: number) => (index === 1 ? { status: 1, stderr: 'no' } : undefined);
  expect(() => installRules(plain, HOLD, host('', refuse))).toThrow(/^ip6tables-restore failed: no$/);
});

it('when even that fails, the line says both and how to clean up', () => {
  const system = host('', (_text, index) => (index > 0 ? { status: 1, stderr: 'no' } : undefined));
  // The fake's save never shows our chains, so that taking back would have nothing to do: it must see them.
  const run = system.run;
  let saves = 0;
  system.run = (program, words, input) =>
    program === 'iptables-save' && saves++ > 0
      ? { status: 0, stdout: INSTALLED, stderr: '' }
      : run(program, words, input);
  expect(() => installRules(plain, HOLD, system)).toThrow(
    /no; and taking back table filter failed: .*; run: acsplit rules remove$/,
  );
});

it('an interface that does not exist: one line, and nothing was touched', () => {
  const system = { ...host(), interfaces: () => ['lo', 'eth0', 'eth1', 'enp3s0'] };
  expect(() => installRules(plain, HOLD, system)).toThrow(
    'interface eth2 does not exist here (there are: eth0, eth1, enp3s0); nothing was installed',
  );
  expect(system.restored).toEqual([]);
});

it('a foreign chain that jumps to ours stops the removal before it begins', () => {
  const live = INSTALLED.replace('*mangle', '*mangle\n:theirs - [0:0]\n-A theirs -j ACSPLIT-CPE');
  const system = host(live);
  expect(() => removeRules(system)).toThrow(
    'chain theirs is not ours but jumps to ours; delete that rule first: iptables -t mangle -D theirs -j ACSPLIT-CPE',
  );
  expect(system.restored).toEqual([]);
});

describe('with `itms`', () => {
  const order = ['filter', 'raw', 'nat', 'mangle'].flatMap((table) => [
    `iptables-restore ${table}`,
    `ip6tables-restore ${table}`,
  ]);
  const names = wantedSets(plain, ITMS).map(({ name }) => name);
  const made = names.map((name) => `create ${name}`);
  const gone = names.map((name) => `destroy ${name}`);
  const withSets = (system: Fake, topology: Topology, steering: Steering): Fake => {
    system.ipset.having(topology, steering);
    return system;
  };
  const installed = () => withSets(host(live('ipv4', ITMS), undefined, live('ipv6', ITMS)), plain, ITMS);

  it('sets come before the rules that name them, nat before the queues', () => {
    const system = host();
    installRules(plain, ITMS, system);
    expect(system.changes).toEqual([...made, ...order]);
  });

  it('a second time creates no set and fills none: translated connections stay so', () => {
    const system = installed();
    installRules(plain, ITMS, system);
    expect(system.changes).toEqual(order);
  });

  it('and all go in reverse', () => {
    const system = installed();
    removeRules(system);
    expect(system.changes).toEqual([...[...order].reverse(), ...gone]);
  });

  it('other networks of the CPEs take the place of the old ones in one step', () => {
    const system = installed();
    const moved = { ...plain, cpe: { ...plain.cpe, networks: ['10.9.0.0/16', '2001:db8:1::/48'] } };
    installRules(moved, ITMS, system);
    const steps = ['create ACSPLIT-CPES4~', 'swap ACSPLIT-CPES4~ ACSPLIT-CPES4', 'destroy ACSPLIT-CPES4~'];
    expect(system.changes).toEqual([...steps, ...order]);
    expect(system.ipset.sets.get('ACSPLIT-CPES4')!.entries).toEqual(['10.9.0.0/16']);
  });

  it('and the old ones return when a table fails', () => {
    const system = withSets(
      host('', (_text, index) => (index === 5 ? { status: 1, stderr: 'no' } : undefined)),
      plain,
      ITMS,
    );
    const moved = { ...plain, cpe: { ...plain.cpe, networks: ['10.9.0.0/16', '2001:db8:1::/48'] } };
    expect(() => installRules(moved, ITMS, system)).toThrow('failed: no');
    expect(system.ipset.sets.get('ACSPLIT-CPES4')!.entries).toEqual(['10.1.0.0/16']);
  });

  it('`hold` afterwards takes out nat and sets', () => {
    const system = installed();
    installRules(plain, HOLD, system);
    expect(system.changes).toEqual([...order, 'destroy ACSPLIT-ALIVE4', 'destroy ACSPLIT-ALIVE6']);
    for (const text of system.restored.filter((restored) => tableOf(restored) === 'nat')) {
      expect(text).not.toMatch(/^-A/m);
    }
  });

  it('a family that is no longer configured loses its set', () => {
    const system = installed();
    installRules(ONLY_IPV4, ITMS, system);
    expect(system.ipset.names.filter((name) => name.endsWith('6'))).toEqual([]);
  });

  it('a table that fails takes back the sets that were made for it, and no other', () => {
    const refuse = (_text: string, index: number) => (index === 5 ? { status: 1, stderr: 'no' } : undefined);
    const system = host('', refuse);
    system.ipset.run(['restore'], 'create ACSPLIT-ALIVE6 hash:net family inet6 hashsize 64 maxelem 16 timeout 3\n');
    expect(() => installRules(plain, ITMS, system)).toThrow(/^ip6tables-restore failed: no$/);
    expect(system.ipset.names).toEqual(['ACSPLIT-ALIVE6']);
  });

  /** `ipset VERB …` answers so, `times` times. */
  const refusing = (system: Fake, verb: string, outcome: Partial<Outcome>, times = Infinity): Fake => {
    const { run } = system;
    let count = 0;
    system.run = (program, words, input) =>
      program === 'ipset' && words[0] === verb && count++ < times
        ? { status: 1, stdout: '', stderr: '', ...outcome }
        : run(program, words, input);
    return system;
  };

  it('a set that rules hold for a moment longer is destroyed all the same', () => {
    const busy = 'ipset v7.17: Set cannot be destroyed: it is in use by a kernel component';
    const system = refusing(installed(), 'destroy', { stderr: busy }, 3);
    removeRules(system);
    expect(system.ipset.names).toEqual([]);
  });

  const nothing = { stdout: 'Type: hash:ip\nHeader: family inet hashsize 1024\nNumber of entries: 7\n', status: 0 };
  const noProgram = Object.assign(new Error('spawn'), { code: 'ENOENT' });
  const rows: [what: string, verb: string, outcome: Partial<Outcome>, words: RegExp][] = [
    [
      'somebody else’s set under our name',
      'list',
      nothing,
      /^set ACSPLIT-CPES4 is not as it must be: found "hash:ip family inet", expected "hash:net family inet"; run: acsplit rules remove && acsplit rules install$/,
    ],
    ['no ipset', 'restore', { error: noProgram, status: null }, /^ipset is not installed .*: apt-get install ipset$/],
    [
      'an ipset that cannot be started',
      'restore',
      { error: Object.assign(new Error('spawnSync ipset EACCES'), { code: 'EACCES' }), status: null },
      /^ipset could not be run: spawnSync ipset EACCES$/,
    ],
    [
      'no rights',
      'list',
      { stderr: 'ipset v7.17: Kernel error received: Operation not permitted' },
      /permission denied/,
    ],
    [
      'no sets in this kernel',
      'restore',
      { stderr: 'ipset v7.17: Cannot open session to kernel.' },
      /modprobe ip_set$/,
    ],
    [
      'no sets of this type',
      'restore',
      { stderr: 'ipset v7.17: Error in line 1: Kernel error received: set type not supported' },
      /modprobe ip_set_hash_net$/,
    ],
    ['anything else', 'restore', { stderr: 'ipset v7.17: nobody knows' }, /^ipset failed: ipset v7.17: nobody knows$/],
  ];
  it('`hold` needs ipset as well', () => {
    const system = refusing(host(), 'restore', { error: noProgram, status: null });
    expect(() => installRules(plain, HOLD, system)).toThrow(/^ipset is not installed/);
    expect(system.restored).toEqual([]);
  });

  it.each(rows)('%s: one line, and nothing was touched', (_what, verb, outcome, words) => {
    const system = refusing(host(), verb, outcome);
    expect(() => installRules(plain, ITMS, system)).toThrow(words);
    expect(system.restored).toEqual([]);
  });

  it('without ipset, or sets in the kernel, there is nothing to remove', () => {
    for (const outcome of [
      { error: noProgram, status: null },
      { stderr: 'ipset v7.17: Cannot open session to kernel.' },
    ]) {
      removeRules(refusing(host(), 'list', outcome));
    }
  });
});

describe('what iptables says, in words that help', () => {
  const lineOf = (text: string, part: RegExp) => String(text.split('\n').findIndex((line) => part.test(line)) + 1);
  const rows: [what: string, outcome: Partial<Outcome>, at: RegExp, words: RegExp][] = [
    [
      'no socket match (nf_tables)',
      { stderr: SAID.nftExtension },
      /-m socket/,
      /^this kernel lacks what "socket" rules need; try: modprobe xt_socket$/,
    ],
    ['no NFQUEUE (nf_tables)', { stderr: SAID.nftRule }, /NFQUEUE/, /needs; try: modprobe xt_NFQUEUE$/],
    [
      'something (legacy names only the last line)',
      { stderr: SAID.legacyCommit },
      /^COMMIT/,
      /line \d+ failed; perhaps the kernel lacks one of xt_socket, xt_NFQUEUE, xt_multiport, xt_conntrack, xt_u32, xt_set$/,
    ],
    [
      'no library for a match',
      { stderr: SAID.library },
      /-m socket/,
      /lacks what the rule ".*-m socket.*" needs; try: modprobe xt_socket$/,
    ],
    ['no rights (nf_tables)', { stderr: SAID.nftRights }, /x/, /permission denied; the rules need root/],
    ['no rights (legacy)', { stderr: SAID.legacyRights }, /x/, /permission denied; the rules need root/],
    [
      'no raw socket to look into sets with',
      { stderr: "Can't open socket to ipset." },
      /x/,
      /permission denied; the rules need root \(CAP_NET_ADMIN and CAP_NET_RAW\)/,
    ],
    ['the lock is held', { stderr: SAID.lock, status: 4 }, /x/, /held the lock on the rules for 10 s/],
    [
      'no iptables',
      { error: Object.assign(new Error('spawn'), { code: 'ENOENT' }), status: null },
      /x/,
      /^iptables-restore is not installed or not in PATH; on Debian: apt-get install iptables$/,
    ],
    [
      'an iptables that cannot be started',
      { error: Object.assign(new Error('spawnSync iptables-restore EACCES'), { code: 'EACCES' }), status: null },
      /x/,
      /^iptables-restore could not be run: spawnSync iptables-restore EACCES$/,
    ],
    [
      'anything else',
      { stderr: 'iptables-restore v1.8.9 (nf_tables):\nnobody knows', status: 3 },
      /x/,
      /^iptables-restore failed: nobody knows$/,
    ],
    ['nothing at all', { stderr: '', status: 3 }, /x/, /^iptables-restore failed: exit status 3$/],
  ];
  it.each(rows)('%s', (_what, outcome, at, words) => {
    const system = host('', (text) => {
      if (tableOf(text) !== 'mangle') return undefined;
      return { status: 1, ...outcome, stderr: outcome.stderr?.replace('{N}', lineOf(text, at)) ?? '' };
    });
    expect(() => installRules(plain, HOLD, system)).toThrow(words);
  });

  it('a table that only nft can read', () => {
    const system = host("# Table `filter' is incompatible, use 'nft' tool.\n");
    expect(() => installRules(plain, HOLD, system)).toThrow(/^table filter holds rules that iptables cannot read/);
  });
});
