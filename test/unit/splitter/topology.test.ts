/** How a splitter reads a topology: the hosts in each family, and impossible topologies. */
import { addressNamed, FAMILY, packetIn, topologyIn, WORDS } from '../../support/family';
import { parseAddress } from '../../../src/packet/address';
import { buildTcp } from '../../../src/packet/builder';
import { FamilyState } from '../../../src/splitter/memory/family-state';
import { PortClass, type Servers } from '../../../src/splitter/memory/servers';
import { Splitter } from '../../../src/splitter/splitter';
import { type Topology } from '../../../src/splitter/topology';
import { ACS, CPE, Rig, TOPOLOGY } from '../../support/rig';

const CAPACITY = 8;
const OTHER_FAMILY = FAMILY === 'ipv4' ? 'ipv6' : 'ipv4';
const HERE = topologyIn(TOPOLOGY);
const BOTH: Topology = {
  ...TOPOLOGY,
  cpe: {
    interfaces: [{ in: 'cpe0', out: 'cpe0' }],
    address: { ipv4: '10.1.0.1', ipv6: '2001:db8:1::1' },
    networks: ['10.1.0.0/16', '2001:db8:1::/48'],
  },
  itms: { interface: 'itms0', address: { ipv4: '10.2.0.2', ipv6: '2001:db8:2::2' } },
  collectors: [{ name: 'c1', interface: 'col0', address: { ipv4: '10.3.0.2', ipv6: '2001:db8:3::2' } }],
};

function splitterOf(topology: Topology, buffer = new ArrayBuffer(1 << 23)): Splitter {
  return new Splitter({ topology, activation: 'auto', capacityEntries: CAPACITY, seed: 7, buffer });
}

/** Of this run's family. */
function serversOf(topology: Topology): Servers {
  const state = splitterOf(topology).state[FAMILY];
  if (!state) throw new Error(`no ${FAMILY}`);
  return state.servers;
}

function at(text: string): Int32Array {
  const address = parseAddress(text);
  if (!address) throw new Error(text);
  return address;
}

describe('an impossible topology is refused', () => {
  const withItms = (address: string | undefined): Topology => ({
    ...HERE,
    itms: { interface: 'itms0', address: address === undefined ? {} : { [FAMILY]: address } },
  });

  test.each<[string, Topology, string]>([
    ['a server without an address', withItms(undefined), `not an address of ${FAMILY}: none`],
    ['a server whose address is none', withItms('10.2.0'), `not an address of ${FAMILY}: 10.2.0`],
    ['one of the other family', withItms(BOTH.itms.address[OTHER_FAMILY]), `not an address of ${FAMILY}: `],
    ['the unspecified address', withItms(FAMILY === 'ipv4' ? '0.0.0.0' : '::'), `not an address of ${FAMILY}: `],
    [
      'two servers have the same address',
      { ...HERE, itms: { interface: 'itms0', address: HERE.collectors[1].address } },
      'two servers have the same address',
    ],
    ['a network that is none', { ...HERE, cpe: { ...HERE.cpe, networks: ['10.1.0.0'] } }, 'not a network: 10.1.0.0'],
    [
      'an ACS address of no family',
      { ...HERE, cpe: { ...HERE.cpe, address: {} } },
      'the ACS address has neither an IPv4 nor an IPv6 address',
    ],
  ])('%s', (_what, topology, message) => {
    expect(() => splitterOf(topology)).toThrow(message);
  });

  test('memory that is too small, by a byte', () => {
    const bytes = Splitter.bufferBytes(CAPACITY, HERE);
    expect(() => splitterOf(HERE, new ArrayBuffer(bytes - 1))).toThrow(
      `table memory of ${bytes - 1} bytes, ${bytes} needed`,
    );
    expect(splitterOf(HERE, new ArrayBuffer(bytes)).counters.byQueue).toHaveLength(4);
  });
});

test('an address in one of the CPEs’ networks is a CPE’s; one of a family that is not carried is unknown', () => {
  const networks = ['10.1.0.0/16', '10.9.0.0/24'];
  const splitter = splitterOf(topologyIn({ ...TOPOLOGY, cpe: { ...TOPOLOGY.cpe, networks } }));
  const isCpe = (name: string) => splitter.isCpe(addressNamed(name));
  expect(['10.1.0.0', '10.1.255.255', '10.9.0.255'].map(isCpe)).toEqual([true, true, true]);
  expect(['10.0.255.255', '10.2.0.0', '10.9.1.0'].map(isCpe)).toEqual([false, false, false]);
  expect(splitter.isCpe(at(BOTH.cpe.address[OTHER_FAMILY] ?? ''))).toBe(false);
});

test('a packet of a family that is not carried is not ours', () => {
  const ends = { source: CPE, destination: ACS, sourcePort: 40001, destinationPort: 7547 };
  const packet = buildTcp(packetIn({ ...ends, flags: 2 }, OTHER_FAMILY));
  expect(new Rig().decideBytes(0, packet, 0).reason).toBe('not-ours');
});

test('a network is looked for where one begins, and nowhere between', () => {
  const networks = ['10.1.0.0/16', '2001:db8::/32', '2001:db9::/32'];
  const splitter = splitterOf({ ...BOTH, cpe: { ...BOTH.cpe, networks } });
  expect(['2001:db9::1', '3fff::2001:db9'].map((text) => splitter.isCpe(at(text)))).toEqual([true, false]);
});

test('a network may be all there is', () => {
  const splitter = splitterOf({ ...BOTH, cpe: { ...BOTH.cpe, networks: ['0.0.0.0/0', '::/0'] } });
  expect(['192.0.2.1', '3fff::1'].map((text) => splitter.isCpe(at(text)))).toEqual([true, true]);
});

test('a report port is one even where it is named among the ITMS’s ports', () => {
  const servers = serversOf({ ...HERE, reportPorts: [7547], itmsPorts: [7547, 8080, 65535] });
  expect([7547, 8080, 65535, 0, 7548].map((port) => servers.portClass(port))).toEqual([
    PortClass.Report,
    PortClass.Itms,
    PortClass.Itms,
    PortClass.Other,
    PortClass.Other,
  ]);
});

test('every server is known by its address, and an address one bit away is unknown', () => {
  const names = ['10.4.0.2', '10.3.0.2', '10.3.0.5'];
  const [itms, ...collectors] = names.map((ipv4) => ({ interface: 'x0', address: { ipv4 } }));
  const named = collectors.map((one, i) => ({ ...one, name: `c${i + 1}` }));
  const servers = serversOf(topologyIn({ ...TOPOLOGY, itms, collectors: named }));
  names
    .map((name) => addressNamed(name))
    .forEach((address, owner) => {
      expect(servers.ownerAt(address)).toBe(owner);
      expect([servers.isConfigured(owner), servers.addressOf(owner)]).toEqual([true, address]);
      for (let bit = 0; bit < 32 * address.length; bit++) {
        const other = address.slice();
        other[bit >> 5] ^= 1 << (bit & 31);
        expect(servers.ownerAt(other)).toBe(-1);
      }
    });
  expect(servers.ownerAt(new Int32Array(WORDS))).toBe(-1);
  expect([3, 1023, 1024, 65535].map((owner) => servers.isConfigured(owner))).toEqual([false, false, false, false]);
});

describe('both families side by side', () => {
  const C1 = { ipv4: at('10.1.7.1'), ipv6: at('2001:db8:1::7') };

  test('take the memory of both, in tables of their own', () => {
    const alone = (family: 'ipv4' | 'ipv6') => FamilyState.bytes(CAPACITY, family);
    const ipv4Only = Splitter.bufferBytes(CAPACITY, TOPOLOGY);
    expect(Splitter.bufferBytes(CAPACITY, BOTH)).toBe(ipv4Only + alone('ipv6'));
    const splitter = splitterOf(BOTH);
    splitter.activate(C1.ipv4, 'c1', 1000);
    splitter.activate(C1.ipv6, 'c1', 1000);
    splitter.activate(at('10.1.7.2'), 'c1', 1000);
    expect(splitter.tables.activatedCpes).toEqual({ count: 3, capacityEntries: 2 * CAPACITY, full: 0 });
    expect([splitter.state.ipv4?.activatedCpes.table.count, splitter.state.ipv6?.activatedCpes.table.count]).toEqual([
      2, 1,
    ]);
    expect([splitter.isCpe(C1.ipv4), splitter.isCpe(C1.ipv6)]).toEqual([true, true]);
  });

  test('no two of its parts share a byte, and none lies beyond its memory', () => {
    const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, BOTH));
    const { state } = splitterOf(BOTH, buffer);
    const parts: [from: number, end: number][] = [];
    const visit = (part: object, depth: number): void => {
      for (const value of Object.values(part)) {
        if (ArrayBuffer.isView(value)) {
          if (value.buffer === buffer) parts.push([value.byteOffset, value.byteOffset + value.byteLength]);
        } else if (typeof value === 'object' && value !== null && depth > 0) visit(value as object, depth - 1);
      }
    };
    for (const part of [state.owners, state.counters, state.events]) visit(part, 0);
    for (const { connectionRequests, activatedCpes, reportConnections, pins } of state.families) {
      for (const part of [connectionRequests, activatedCpes, reportConnections, pins]) visit(part, 1);
    }
    // A table's header is looked at as words and as times.
    const apart = [...new Map(parts.sort(([a], [b]) => a - b)).entries()];
    expect(apart).toHaveLength(1 + 2 + 4 + 2 * (4 * 2 + 1));
    apart.reduce((end, [from, next]) => (expect(from).toBeGreaterThanOrEqual(end), next), 0);
    expect(apart.at(-1)?.[1]).toBe(buffer.byteLength);
  });

  test('are swept both, and time passes for both', () => {
    const splitter = splitterOf(BOTH);
    for (const cpe of [C1.ipv4, C1.ipv6]) splitter.activate(cpe, 'c1', 1000);
    splitter.sweep(61_000);
    expect(splitter.tables.activatedCpes.count).toBe(2);
    splitter.sweep(61_001);
    expect(splitter.tables.activatedCpes.count).toBe(0);
  });

  test('what finds no room is counted, of both', () => {
    const splitter = splitterOf(BOTH);
    for (let n = 0; n < CAPACITY; n++) {
      expect(splitter.activate(at(`10.1.8.${n}`), 'c1', 1000)).toBe(true);
      expect(splitter.activate(at(`2001:db8:1::8:${n}`), 'c1', 1000)).toBe(true);
    }
    expect(splitter.activate(C1.ipv4, 'c1', 1000)).toBe(false);
    expect(splitter.activate(C1.ipv6, 'c1', 1000)).toBe(false);
    expect(splitter.tables.activatedCpes).toEqual({ count: 16, capacityEntries: 16, full: 2 });
  });

  test('the hand of the operator does not reach a family that is not carried', () => {
    const splitter = splitterOf(HERE);
    const cpe = C1[OTHER_FAMILY];
    expect(() => splitter.activate(cpe, 'c1', 1000)).toThrow(/^the ACS address has no address of the family of /);
    expect(splitter.deactivate(cpe, 1000)).toBe(false);
  });
});
