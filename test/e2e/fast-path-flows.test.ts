/**
 * Diverted connections with the BPF program and without: whatever CPEs, servers and forgers send, every packet leaves alike,
 * and the tables are the same after it. FLOW_RUNS sets how many conversations run, FLOW_SEED repeats one.
 */
import { textOf } from '../support/family';
import { TestNetwork } from './support/netns';

const RUNS = Number(process.env.FLOW_RUNS ?? 40);
const SEED = Number(process.env.FLOW_SEED ?? Date.now() % 2 ** 31);

interface Played {
  carried: number;
  reasons: Record<string, number>;
  error?: string;
}

let network: TestNetwork;
beforeAll(() => {
  network = new TestNetwork(['client', 'server', 'collector']);
  network.run('router', 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  const ends = [
    ['cpe0', textOf('10.1.0.1', 'ipv6')],
    ['itms0', '2001:db8:a02::1'],
    ['coll0', '2001:db8:a03::1'],
  ] as const;
  for (const [link, address] of ends) {
    network.run('router', 'ip', '-6', 'address', 'add', `${address}/48`, 'dev', link, 'nodad');
  }
});
afterAll(() => network?.remove());

it.each([
  ['IPv4', 'flow-driver.ts'],
  ['IPv6', 'flow-driver-ipv6.ts'],
])('what the kernel carries over %s changes nothing but who carries it', async (_, script) => {
  const driver = network.startScript('router', script, { runs: RUNS, seed: SEED });
  const { carried, reasons, error } = await driver.line<Played>();
  expect(error).toBeUndefined();
  expect(carried).toBeGreaterThan(RUNS);
  // The conversations cover what a diverted connection meets.
  for (const reason of ['carried-to-collector', 'carried-from-collector', 'ending', 'unproven', 'diverted', 'syn']) {
    expect([reason, reasons[reason] ?? 0]).not.toEqual([reason, 0]);
  }
});
