/**
 * The worker is killed at random instants under every kind of load: no connection is lost, none changes its server, and
 * all transferred data arrives intact. ACSPLIT_KILLS sets how often; ACSPLIT_SEED repeats a run's instants.
 */
import { recordFault } from './support/fault-rows';
import { expectNothingLost, packetsLost } from './support/faults';
import { Load, LOAD_CPES } from './support/load';
import { Lookout, pause, spread } from './support/lookout';
import { Stage } from './support/stage';

const KILLS = Number(process.env.ACSPLIT_KILLS ?? 25);
const SEED = Number(process.env.ACSPLIT_SEED ?? Date.now() % 2 ** 31);
/** A little more than a worker's start: instants before it is ready, while it recovers, and after. */
const LONGEST_LIFE_MS = 250;

let random = SEED;
/** 0 to 1; Park and Miller. */
function chance(): number {
  random = (random * 48271) % 2147483647;
  return random / 2147483647;
}

jest.setTimeout(120_000 + KILLS * 2000);

describe('the worker', () => {
  let stage: Stage;
  let lookout: Lookout;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: LOAD_CPES, onEngineDown: 'hold' });
    lookout = new Lookout(stage);
  });
  afterAll(() => stage?.close());

  it(`is killed ${KILLS} times under load, and nothing is lost`, async () => {
    const load = new Load(stage.cast);
    await lookout.untilVerdict();
    const before = packetsLost(await lookout.status());
    const untilVerdictMs: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(chance() * LONGEST_LIFE_MS);
      process.kill(await lookout.worker(), 'SIGKILL');
      untilVerdictMs.push(await lookout.untilVerdict());
    }
    const outcome = await load.end();
    const status = await lookout.status();
    const fault = 'the worker is killed at a random instant';
    recordFault({ fault, times: KILLS, outcome, packetsLost: packetsLost(status) - before });
    await expectNothingLost(stage, outcome);
    const { workers, packets, losses, queues } = await lookout.status();
    expect(workers[0]!.restarts).toBe(KILLS);
    expect(packets.byReason['owner-gone']).toBeUndefined();
    expect(losses).toEqual({ queueDropped: 0, userDropped: 0, verdictsLate: 0, unparsed: 0, givenUp: 0 });
    // A worker that dies between a packet's verdict and its count leaves one packet answered but not counted, which
    // `lost` takes for one that never came: at most one per death.
    const uncounted = queues.reduce((sum, { lost }) => sum + lost, 0);
    expect(uncounted).toBeLessThanOrEqual(KILLS);
    const { itms, collector, transfers } = outcome;
    console.log(
      `${KILLS} kills (seed ${SEED}): ${spread(untilVerdictMs)} from kill to next verdict; ` +
        `${itms} sessions of the ITMS, ${collector} of the collector, ${transfers} transfers; ` +
        `${uncounted} packets uncounted`,
    );
  });
});
