/**
 * More packets than fit into the queue or the socket's receive buffer: counted, logged, and repaired by TCP itself,
 * while sessions go where they belong. ACSPLIT_FAULTS=N does each N times as often.
 */
import { join } from 'node:path';
import { execute } from '../../src/lab/namespaces';
import { FD } from '../../src/engine/shared/worker-protocol';
import { FAST_PATH } from './support/fast-path';
import { lossLogged, underLoad } from './support/faults';
import { LOAD_CPES } from './support/load';
import { Lookout, pause } from './support/lookout';
import { Stage } from './support/stage';
import { PYTHON } from '../support/tools';

const OFTEN = Number(process.env.ACSPLIT_FAULTS ?? 1);
const OVERLOAD_MS = 3000;
/** Transfers that come to an end where every other packet is lost. */
const BULK_BYTES = 2 << 20;
/** At the least; what the kernel carries meets no queue. */
const LOST = FAST_PATH === 'off' ? 100 : 10;
const QUEUE_SOCKET = join(__dirname, 'support', 'queue-socket.py');

jest.setTimeout(180_000 * OFTEN);

describe('too many packets for', () => {
  let stage: Stage;
  let lookout: Lookout;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: LOAD_CPES, onEngineDown: 'hold' });
    lookout = new Lookout(stage);
  });
  afterAll(() => stage?.close());

  /** Changes the running engine's queue socket from outside; returns the log lines about it. */
  const changeSocket = async (...words: (string | number)[]): Promise<string> =>
    execute([PYTHON, QUEUE_SOCKET, ...[await lookout.worker(), FD.queue, ...words].map(String)]);

  /** Long enough, on a busy machine as well. @param before packets that were lost by this cause earlier */
  const overloaded = (cause: 'queueDropped' | 'userDropped', before: number): Promise<unknown> =>
    Promise.all([
      pause(OVERLOAD_MS),
      lookout.until('enough packets to be lost', ({ losses }) => losses[cause] - before > LOST),
    ]);

  test('a queue of length 16: counted as queueDropped', async () => {
    const numbers = (await lookout.status()).queues.map(({ number }) => number);
    const { losses, queues } = await underLoad(stage, {
      fault: 'a queue of length 16 under far more load, for 3 s',
      times: OFTEN,
      strike: async () => {
        await changeSocket('length', 16, ...numbers);
        await overloaded('queueDropped', 0);
        await changeSocket('length', 16_384, ...numbers);
      },
    });
    expect(losses).toMatchObject({ verdictsLate: 0, unparsed: 0, givenUp: 0 });
    expect(losses.queueDropped).toBeGreaterThan(LOST);
    expect(queues.reduce((sum, queue) => sum + queue.queueDropped!, 0)).toBe(losses.queueDropped);
    await lossLogged(stage, 'queueDropped');
  });

  test('the smallest receive buffer that the kernel grants: counted as userDropped, and as lost', async () => {
    const before = await lookout.status();
    const { losses } = await underLoad(stage, {
      fault: 'the receive buffer at the kernel’s minimum, for 3 s',
      times: OFTEN,
      bulkBytes: BULK_BYTES,
      strike: async () => {
        expect(Number(await changeSocket('buffer', 1))).toBeLessThan(5000);
        await overloaded('userDropped', before.losses.userDropped);
        await changeSocket('buffer', 1 << 27);
      },
    });
    const dropped = losses.userDropped - before.losses.userDropped;
    expect(dropped).toBeGreaterThan(LOST);
    // A packet that is decided and whose verdict is on its way counts as not lost twice.
    await lookout.until(`${dropped} lost packets`, ({ queues }) => {
      const lost = queues.map(({ lost }, i) => lost - before.queues[i]!.lost);
      return lost.reduce((sum, packets) => sum + packets, 0) === dropped;
    });
    await lossLogged(stage, 'userDropped');
  });
});
