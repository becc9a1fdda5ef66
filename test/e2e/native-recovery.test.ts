/**
 * Verdicts of a dead process that the next one sends again, on real queues. The kernel refuses them where the dead one had
 * sent them: no loss. It accepts them where not: then each refusal that comes later is one.
 */
import { type LoopCounters } from '../../src/engine/shared/binding';
import { ACS, TestNetwork } from './support/netns';
import { type RecoveryOptions } from './support/native-recovery';

jest.setTimeout(120_000);

const QUEUE = 40;

let network: TestNetwork;

beforeEach(() => {
  network = new TestNetwork(['client']);
  network.queueTraffic(QUEUE);
});
afterEach(() => network.remove());

async function play(options: Omit<RecoveryOptions, 'queue'>): Promise<LoopCounters> {
  const program = network.startScript('router', 'native-recovery.ts', { queue: QUEUE, ...options });
  expect(await program.line()).toEqual({ ready: true });
  network.start('client', 'hping3', '-q', '-S', '-c', `${options.packets}`, '-i', 'u200', '-p', '7547', ACS);
  for (let death = 0; death < options.deaths; death++) expect(await program.line()).toEqual({ signal: 'SIGKILL' });
  return program.line<LoopCounters>();
}

test('five deaths between decision and verdict hide none of five packets that are flushed afterwards', async () => {
  const counters = await play({
    packets: 10,
    capacity: 1,
    deaths: 5,
    dies: 'before sending',
    flushes: true,
  });

  expect(counters).toMatchObject({ received: 10, batches: 10, verdictsLate: 5, verdictErrors: 0, lost: 0 });
});

test('verdicts that a dead process had sent already are sent again, and count as no loss', async () => {
  const counters = await play({
    packets: 5,
    capacity: 8,
    deaths: 1,
    dies: 'after sending',
    flushes: false,
  });

  expect(counters).toMatchObject({ received: 5, sendCalls: 1, verdictsLate: 0, verdictErrors: 0 });
});
