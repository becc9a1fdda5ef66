/**
 * Worker, supervisor and both are killed under bulk and churn while the kernel carries: no connection is lost, none changes
 * its server. And while no engine runs, running connections go on, and the next engine proves their packets.
 * ACSPLIT_KILLS_CARRIED=N: each N times, then 30 s dead and more bytes than sequence numbers.
 */
import { killSupervisor, underLoad } from './support/faults';
import { LOAD_CPES } from './support/load';
import { Lookout, pause } from './support/lookout';
import { Stage } from './support/stage';
import { street } from './support/family';
import { hangUp, talk } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';
import { eventually } from './support/run-host';
import { isAlive } from '../../src/lab/namespaces';
import { Engine } from '../../src/lab/engine';

const KILLS = Number(process.env.ACSPLIT_KILLS_CARRIED ?? 2);
const isFull = process.env.ACSPLIT_KILLS_CARRIED !== undefined;
const DEAD_MS = isFull ? 30_000 : 1000;
/** With the engine dead, to the CPE and from it: the numbers come round. In pieces, each within a peer's patience. */
const [POURS, POURED_BYTES] = isFull ? [9, 512 << 20] : [1, 32 << 20];
const BULK_BYTES = 4 << 20;

jest.setTimeout(240_000 + KILLS * 20_000);

describe('an engine under load, whose kernel carries', () => {
  let stage: Stage;
  let lookout: Lookout;
  beforeAll(async () => {
    stage = await Stage.open({ cpes: LOAD_CPES, onEngineDown: 'hold', fastPath: 'on' });
    lookout = new Lookout(stage);
  });
  afterAll(() => stage?.close());

  const supervisor = async (worker: number): Promise<void> => {
    await killSupervisor(stage, worker);
    await stage.startAgain();
  };
  const strikes: [string, (worker: number) => Promise<unknown> | unknown][] = [
    ['the worker', (worker) => process.kill(worker, 'SIGKILL')],
    ['the supervisor', supervisor],
    [
      'both',
      (worker) => {
        process.kill(worker, 'SIGKILL');
        return supervisor(worker);
      },
    ],
  ];
  test.each(strikes)(`${KILLS} times: %s`, async (what, kill) => {
    const strike = async () => void (await kill(await lookout.worker()));
    const isUncounted = what !== 'the worker';
    const fault = `with the fast path on: ${what} killed`;
    const { fastPath } = await underLoad(stage, { fault, times: KILLS, isUncounted, strike, bulkBytes: BULK_BYTES });
    expect(fastPath).toMatchObject({ carries: true, reason: null });
  });
});

test(`an engine that is dead for ${DEAD_MS / 1000} s: running connections do not stall`, async () => {
  const [own, woken] = street(4, 2) as [string, string];
  const stage = await TcpStage.open({ cpes: [own, woken], fastPath: 'on', onEngineDown: 'hold' });
  try {
    await stage.wake('c1', woken);
    const [diverted, undiverted] = [await stage.connect(woken), await stage.connect(own)];
    const both = [diverted, undiverted];
    expect(both.map(({ server }) => server)).toEqual(['c1', 'itms']);
    for (const connection of both) await talk(connection);
    // A diverted connection becomes the kernel's with the packet that confirms it.
    await pause(200);
    for (const connection of both) await talk(connection);
    process.kill(stage.engine.pid, 'SIGKILL');
    await eventually('the engine to die', () => !isAlive(stage.engine.pid) || undefined);
    let slowestMs = 0;
    for (const end = performance.now() + DEAD_MS; performance.now() < end; await pause(100)) {
      const beganMs = performance.now();
      for (const connection of both) await talk(connection);
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    }
    for (let i = 0; i < POURS; i++) {
      await diverted.far.pourTo(diverted.cpe, POURED_BYTES);
      await diverted.cpe.pourTo(diverted.far, POURED_BYTES);
      await undiverted.far.pourTo(undiverted.cpe, POURED_BYTES);
    }
    console.log(`dead for ${DEAD_MS / 1000} s: the slowest two exchanges took ${slowestMs.toFixed(0)} ms`);
    stage.engine = await Engine.run(stage.world, stage.engine.configurationFile);
    for (const connection of both) {
      await talk(connection);
      await hangUp(connection);
    }
    // Its FINs were proven by numbers that only the kernel has followed.
    expect((await stage.entries('connections', woken)).map(({ phase }) => phase)).toEqual(['closed']);
    // The captures do not keep up with gigabytes.
    if (!isFull) await stage.expectOneServerEach();
  } finally {
    await stage.close();
  }
});
