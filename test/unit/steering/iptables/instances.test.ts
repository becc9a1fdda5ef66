/** Two instances on one host: separate names, conflicts refused by name, and each sees only its own rules. */

import { installRules, removeRules, renderRules, type System } from '../../../../src/steering/iptables';
import { compareRules } from '../../../../src/steering/iptables/check';
import { installedQueue } from '../../../../src/steering/iptables/installed-queue';
import { type Reader } from '../../../../src/steering/iptables/read-program';
import { type Topology } from '../../../../src/splitter/topology';
import { FakeIpset } from './fake-ipset';
import { HOLD, ITMS, plain } from './topologies';

const NORTH = { ...ITMS, instance: 'north', first: 8 };

/** Another instance's router: its own ACS address, ITMS and collector, and the same CPEs. */
const elsewhere: Topology = {
  ...plain,
  cpe: { ...plain.cpe, address: { ipv4: '10.1.0.9', ipv6: '2001:db8:1::9' } },
  itms: { ...plain.itms, address: { ipv4: '10.2.0.9', ipv6: '2001:db8:2::9' } },
  collectors: [{ name: 'c9', interface: 'eth2', address: { ipv4: '10.3.0.9', ipv6: '2001:db8:3::9' } }],
};

const BUILT_IN = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].map((chain) => `:${chain} ACCEPT [0:0]`);
const live = (topology: Topology, steering: typeof ITMS, family: 'ipv4' | 'ipv6') =>
  renderRules(topology, steering, family)
    .replace(/^-I/gm, '-A')
    .replace(/^\*\w+$/gm, (table) => [table, ...BUILT_IN].join('\n'));

function host(topology: Topology, steering: typeof ITMS): System & { restored: string[] } {
  const ipset = new FakeIpset().having(topology, steering);
  const restored: string[] = [];
  return {
    restored,
    interfaces: () => ['lo', 'eth0', 'eth1', 'eth2'],
    hasIpv6: () => true,
    lock: () => () => {},
    run: (program, words, input) => {
      if (program === 'ipset') return ipset.run(words, input);
      if (input !== undefined) restored.push(input);
      const family = program.startsWith('ip6') ? 'ipv6' : 'ipv4';
      return { status: 0, stderr: '', stdout: program.endsWith('-save') ? live(topology, steering, family) : '' };
    },
  };
}

it('a second instance with addresses and queues of its own is installed, and names nothing of the first', () => {
  const system = host(plain, ITMS);
  const done = installRules(elsewhere, NORTH, system);
  expect(done.instance).toBe('north');
  for (const line of system.restored
    .join('')
    .split('\n')
    .filter((text) => /^(-[ADIX]|:)/.test(text))) {
    expect(line).not.toMatch(/ACSPLIT-/);
    expect(line).toMatch(/ACSPLIT@north:/);
  }
});

const refused: [what: string, topology: Topology, steering: typeof ITMS, words: RegExp][] = [
  ['a queue', elsewhere, { ...NORTH, first: 3 }, /^queue 3 belongs to the rules of instance default; choose another/],
  [
    'the ACS address',
    { ...elsewhere, cpe: plain.cpe },
    NORTH,
    /^instance default steers the same .* 10\.1\.0\.1; nothing/,
  ],
  [
    'a server',
    { ...elsewhere, itms: plain.itms },
    NORTH,
    /^instance default steers the same .*the server 10\.2\.0\.2 on eth1; /,
  ],
  [
    'an address from which a server wakes CPEs',
    { ...elsewhere, itms: { ...elsewhere.itms, requestAddresses: [{ ipv4: '10.2.0.2' }] } },
    NORTH,
    /^instance default steers the same .*the server 10\.2\.0\.2 on eth1; /,
  ],
];
it.each(refused)(
  'one that shares %s is refused by name, and nothing was touched',
  (_what, topology, steering, words) => {
    const system = host(plain, ITMS);
    expect(() => installRules(topology, steering, system)).toThrow(words);
    expect(system.restored).toEqual([]);
  },
);

it('the same servers for CPEs of other networks are no conflict', () => {
  const far = { ...plain, cpe: { ...plain.cpe, networks: ['10.77.0.0/16', '2001:db8:77::/48'] } };
  expect(() => installRules(far, NORTH, host(plain, ITMS))).not.toThrow();
});

it('the first instance’s check says nothing of the second, whose rules stand before and behind', () => {
  const [mine, theirs] = [live(plain, HOLD, 'ipv4'), live(elsewhere, { ...NORTH, onEngineDown: 'hold' }, 'ipv4')];
  const tables = (text: string) => new Map(text.split(/^(?=\*)/m).map((part) => [part.split('\n')[0], part]));
  const other = tables(theirs);
  const both = [...tables(mine)].map(([name, part]) => {
    const rules = (other.get(name) ?? '').split('\n').filter((line) => /^(-A|:ACSPLIT)/.test(line));
    return part.replace(/\nCOMMIT/, `\n${rules.join('\n')}\nCOMMIT`);
  });
  expect(compareRules(plain, HOLD, both.join(''), 'ipv4')).toEqual([]);
});

it('removing one leaves the other alone', () => {
  const system = host(plain, ITMS);
  expect(removeRules(system, 'north')).toMatchObject({ rules: 0, sets: 0 });
  expect(system.restored).toEqual([]);
});

describe('the queues that installed rules steer to', () => {
  const reader =
    (system: System): Reader =>
    (program, words) =>
      Promise.resolve(system.run(program, words).stdout);

  it('are told of each instance', async () => {
    expect(await installedQueue('default', reader(host(plain, { ...ITMS, first: 4 })))).toBe(4);
    expect(await installedQueue('north', reader(host(plain, NORTH)))).toBe(8);
    expect(await installedQueue('north', reader(host(plain, ITMS)))).toBeUndefined();
  });

  it('are told by the name of a set to a service that may not read the rules', async () => {
    const sets =
      (...names: string[]): Reader =>
      (program) =>
        program === 'ipset' ? Promise.resolve(names.join('\n')) : Promise.reject(new Error('exit status 1'));
    const names = ['ACSPLIT-CPES4', 'ACSPLIT@north:ALIVE4.8', 'ACSPLIT-ALIVE4.12', 'ACSPLIT-ALIVE6.12', ''];
    expect(await installedQueue('default', sets(...names))).toBe(12);
    expect(await installedQueue('north', sets(...names))).toBe(8);
    expect(await installedQueue('south', sets(...names))).toBeUndefined();
    expect(await installedQueue('default', sets('ACSPLIT-ALIVE4'))).toBe(0);
    expect(await installedQueue('default', () => Promise.reject(new Error('nothing runs')))).toBeUndefined();
  });

  it('decide which set an engine refreshes', () => {
    expect(renderRules(plain, { ...ITMS, first: 4 })).toContain('--match-set ACSPLIT-ALIVE4.4 src');
    expect(renderRules(plain, ITMS)).toContain('--match-set ACSPLIT-ALIVE4 src');
  });
});

it('a name that is too long for a chain is refused', () => {
  expect(() => renderRules(plain, { ...ITMS, instance: 'north-east1' })).toThrow(/cannot be part of a chain's name/);
  for (const [, name] of renderRules(plain, { ...ITMS, instance: 'north-east' }).matchAll(/^:(\S+) /gm)) {
    expect(name.length).toBeLessThanOrEqual(28);
  }
});
