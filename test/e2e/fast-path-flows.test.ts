/**
 * Diverted connections with the BPF program and without: whatever CPEs, servers and forgers send, every packet leaves alike,
 * and the tables are the same after it. FLOW_RUNS sets how many conversations run, FLOW_SEED repeats one.
 */
import { TestNetwork } from './support/netns';

const RUNS = Number(process.env.FLOW_RUNS ?? 40);
const SEED = Number(process.env.FLOW_SEED ?? Date.now() % 2 ** 31);

interface Played {
  carried: number;
  reasons: Record<string, number>;
  error?: string;
}

let network: TestNetwork;
beforeAll(() => (network = new TestNetwork(['client', 'server', 'collector'])));
afterAll(() => network?.remove());

it('what the kernel carries changes nothing but who carries it', async () => {
  const driver = network.startScript('router', 'flow-driver.ts', { runs: RUNS, seed: SEED });
  const { carried, reasons, error } = await driver.line<Played>();
  expect(error).toBeUndefined();
  expect(carried).toBeGreaterThan(RUNS);
  // The conversations cover what a diverted connection meets.
  for (const reason of ['carried-to-collector', 'carried-from-collector', 'ending', 'unproven', 'diverted', 'syn']) {
    expect([reason, reasons[reason] ?? 0]).not.toEqual([reason, 0]);
  }
});
