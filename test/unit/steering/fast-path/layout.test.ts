/** The maps' layout: that of native/fast-path/layout.h, and what a topology becomes in it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CARRY_REASONS,
  configurationEntries,
  Control,
  interfaceEntry,
  Role,
  rolesOf,
  slotOf,
} from '../../../../src/steering/fast-path/layout';
import { type Topology } from '../../../../src/splitter/topology';

const HEADER = readFileSync(join(__dirname, '../../../../native/fast-path/layout.h'), 'utf8');
const TOPOLOGY: Topology = {
  cpe: {
    interfaces: [
      { in: 'vrrp.51', out: 'eth0' },
      { in: 'ppp+', out: 'ppp+' },
    ],
    address: { ipv4: '10.1.0.1', ipv6: '2001:db8:1::1' },
    networks: ['10.1.0.0/16', '0.0.0.0/0', '2001:db8:1::/64'],
  },
  itms: { interface: 'eth1', address: { ipv4: '10.2.0.2', ipv6: '2001:db8:2::2' } },
  collectors: [{ name: 'c1', interface: 'eth2', address: { ipv4: '10.1.9.9', ipv6: '2001:db8:3::2' } }],
  reportPorts: [7547],
  itmsPorts: [443],
};
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('the reasons are those of the C header, in its order', () => {
  const names = /enum reason \{(.*?)\};/s
    .exec(HEADER)![1]!
    .replaceAll(/\/\*.*?\*\//gs, '')
    .match(/\b[A-Z_]+\b/g)!;
  expect(names).toEqual([...CARRY_REASONS.map((name) => name.toUpperCase().replaceAll('-', '_')), 'REASONS']);
});

test('roles are those of the C header', () => {
  const [cpeIn, cpeOut, itms, collector] =
    /ROLE_CPE_IN = (\d), ROLE_CPE_OUT = (\d), ROLE_ITMS = (\d), ROLE_COLLECTOR = (\d)/.exec(HEADER)!.slice(1);
  expect([Role.CpeIn, Role.CpeOut, Role.Itms, Role.Collector].map(String)).toEqual([cpeIn, cpeOut, itms, collector]);
});

test('cells of the control map are those of the C header', () => {
  const names = /enum control \{(.*?)\};/s
    .exec(HEADER)![1]!
    .replaceAll(/\/\*.*?\*\//gs, '')
    .match(/\bCONTROL_\w+/g)!;
  expect(names).toEqual([
    'CONTROL_SLOT',
    'CONTROL_OPEN',
    'CONTROL_ALIVE_UNTIL',
    'CONTROL_OFFERED_MS',
    'CONTROL_CARRIED_MS',
    'CONTROL_FOREIGN_EPOCH',
  ]);
  const lives = [Control.OfferedMs, Control.CarriedMs];
  expect([Control.Slot, Control.Open, Control.AliveUntil, ...lives, Control.ForeignEpoch]).toEqual([0, 1, 2, 3, 4, 5]);
});

test('an interface has every role that the configuration gives it', () => {
  const links = ['eth0', 'eth1', 'eth2', 'vrrp.51', 'ppp7', 'lo'].map((name, index) => ({ name, index }));
  const roles = [...rolesOf(TOPOLOGY, links)].map(([{ name }, role]) => [name, role]);
  expect(roles).toEqual([
    ['eth0', Role.CpeOut],
    ['eth1', Role.Itms],
    ['eth2', Role.Collector],
    ['vrrp.51', Role.CpeIn],
    ['ppp7', Role.CpeIn | Role.CpeOut],
  ]);
});

test('addresses and ports are in network order, slots in the key, prefixes count the slot', () => {
  const { configurations, ports, networks4, networks6 } = configurationEntries(TOPOLOGY, 1);
  expect(configurations.map(({ key, value }) => [hex(key), hex(value)])).toEqual([
    ['01000000', '0a0100010a02000220010db800010000000000000000000120010db8000200000000000000000002'],
  ]);
  expect(ports.map(({ key, value }) => [hex(key), hex(value)])).toEqual([
    ['010001bb', '02000000'],
    ['01001d7b', '01000000'],
  ]);
  expect(networks4.map(({ key, value }) => [hex(key), hex(value)])).toEqual([
    ['30000000010000000a010000', '01000000'],
    ['200000000100000000000000', '01000000'],
    ['40000000010000000a020002', '00000000'],
    ['40000000010000000a010909', '00000000'],
  ]);
  expect(networks6.map(({ key, value }) => [hex(key), hex(value)])).toEqual([
    ['600000000100000020010db8000100000000000000000000', '01000000'],
    ['a00000000100000020010db8000200000000000000000002', '00000000'],
    ['a00000000100000020010db8000300000000000000000002', '00000000'],
  ]);
});

test('a family that is not configured has zeros, and no networks', () => {
  const only: Topology = {
    ...TOPOLOGY,
    cpe: { ...TOPOLOGY.cpe, address: { ipv4: '10.1.0.1' }, networks: ['10.1.0.0/16'] },
    itms: { interface: 'eth1', address: { ipv4: '10.2.0.2' } },
    collectors: [],
  };
  const { configurations, networks6 } = configurationEntries(only, 0);
  expect(hex(configurations[0]!.value)).toBe(`0a0100010a020002${'00'.repeat(32)}`);
  expect(networks6).toEqual([]);
});

test('the slot of a key is read as it was written', () => {
  for (const slot of [0, 1]) {
    const entries = configurationEntries(TOPOLOGY, slot);
    for (const name of ['configurations', 'ports', 'networks4', 'networks6'] as const) {
      expect(entries[name].map(({ key }) => slotOf(name, key))).toEqual(entries[name].map(() => slot));
    }
    expect(slotOf('interfaces', interfaceEntry(slot, 7, Role.Itms).key)).toBe(slot);
  }
});
