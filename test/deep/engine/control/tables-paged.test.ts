/** `tables` on the control socket: a table of any size is sent in answers of bounded size. */
import { MAX_ENTRIES, operations, type TableAnswer } from '../../../../src/engine/control/operations';
import { Splitter } from '../../../../src/splitter/splitter';
import { DEFAULT_LIVES, type Topology } from '../../../../src/splitter/topology';

const NOW_MS = 1_000_000;
const BOTH: Topology = {
  cpe: {
    interfaces: [{ in: 'eth0', out: 'eth0' }],
    address: { ipv4: '10.1.0.1', ipv6: '2001:db8:1::1' },
    networks: ['10.0.0.0/8', '2001:db8:1::/48'],
  },
  itms: { interface: 'eth1', address: { ipv4: '10.2.0.2', ipv6: '2001:db8:2::2' } },
  collectors: [{ name: 'c1', interface: 'eth2', address: { ipv4: '10.3.0.2', ipv6: '2001:db8:3::2' } }],
  reportPorts: [7547],
  itmsPorts: [],
};

/** An engine with so many activated CPEs of each family, in tables of 64 Ki entries. */
function activated(ipv4: number, ipv6: number) {
  const splitter = new Splitter({
    ...{ topology: BOTH, activation: 'auto', lives: DEFAULT_LIVES, capacityEntries: 65_536, seed: 1 },
  });
  splitter.state.advance(NOW_MS);
  const activate = (words: number[]) => splitter.activate(Int32Array.from(words), 'c1', NOW_MS);
  for (let i = 0; i < ipv4; i++) expect(activate([0x0a010000 + i])).toBe(true);
  for (let i = 0; i < ipv6; i++) expect(activate([0x20010db8, 0x00010000, 0, i])).toBe(true);
  const hands = Float64Array.of(NOW_MS, 0);
  const { tables } = operations({
    look: () => splitter,
    header: () => ({ id: 'memory', hands }),
    clock: () => NOW_MS,
    run: 'one',
    restarts: () => 0,
  });
  return (request: object) => tables({ command: 'tables', table: 'activated', ...request }) as TableAnswer;
}

test('page by page every entry of both families comes once, none larger than a page', () => {
  const ask = activated(12_000, 3000);
  const seen: string[] = [];
  const sizes: number[] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const page = ask({ from });
    seen.push(...page.entries.map(({ cpe }) => cpe));
    sizes.push(page.entries.length);
    expect(page.count).toBe(15_000);
    expect(JSON.stringify(page).length).toBeLessThan(1024 * 1024);
    from = page.next;
  }
  expect([seen.length, new Set(seen).size]).toEqual([15_000, 15_000]);
  expect(Math.max(...sizes)).toBe(MAX_ENTRIES);
});

test('a page is as small as is asked for, and never larger than a page', () => {
  const ask = activated(6000, 0);
  expect(ask({ limit: 3 }).entries).toHaveLength(3);
  expect(ask({ limit: 1e9 }).entries).toHaveLength(MAX_ENTRIES);
  const { next } = ask({ limit: 3 });
  expect(ask({ limit: 1, from: next }).entries).not.toEqual(ask({ limit: 1 }).entries);
});

test('of one CPE, and at the end, there is no next page', () => {
  const ask = activated(100, 1);
  expect(ask({ cpe: '10.1.0.7' })).toMatchObject({ entries: [{ cpe: '10.1.0.7' }], next: undefined, count: 101 });
  expect(ask({ cpe: '2001:db8:1::' })).toMatchObject({ entries: [{ cpe: '2001:db8:1::' }], next: undefined });
  expect(ask({ from: 2 ** 40 })).toMatchObject({ entries: [], next: undefined });
});

test.each([
  [{ from: -1 }, 'from must be a whole number from 0'],
  [{ from: '5' }, 'from must be a whole number from 0'],
  [{ from: 0.5 }, 'from must be a whole number from 0'],
  [{ limit: 0 }, 'limit must be a whole number from 1'],
  [{ limit: 1e300 }, 'limit must be a whole number from 1'],
  [{ table: 'pins' }, 'a table is one of requests, activated, connections'],
  [{ cpe: '192.0.2.1' }, '192.0.2.1 is in none of cpe.networks'],
  [{ cpe: 7 }, 'cpe must be an IPv4 or IPv6 address'],
])('%p is refused', (request, expected) => {
  expect(() => activated(1, 0)(request)).toThrow(expected);
});
