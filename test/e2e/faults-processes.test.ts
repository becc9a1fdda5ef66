/**
 * Supervisor and worker are killed, stopped, ended and restarted under every kind of load, diverted and not: no
 * connection is lost, and none changes its server. ACSPLIT_FAULTS=N does each N times as often.
 */
import { join } from 'node:path';
import { settle } from '../../src/lab/cast';
import { REPORT_PORT } from '../../src/lab/world';
import { Reason } from '../../src/splitter/reasons';
import { DEFAULT_LIVES } from '../../src/splitter/topology';
import { boundQueues, killSupervisor, underLoad } from './support/faults';
import { ADDRESSES } from './support/family';
import { LOAD_CPES } from './support/load';
import { Lookout, pause } from './support/lookout';
import { Stage } from './support/stage';
import { PYTHON } from '../support/tools';

const OFTEN = Number(process.env.ACSPLIT_FAULTS ?? 1);
/** Longer than the watchdog's 3 s. */
const STOPPED_MS = 10_000;
const FLOOD = join(__dirname, 'support', 'flood.py');
/** The CPEs' network without those of the load, and without its broadcast address, which no host can have. */
const FLOOD_NETWORK = '10.1.128.0/18';
const FLOOD_PACKETS = 50_000;

jest.setTimeout(180_000 * OFTEN);

describe('an engine under load', () => {
  let stage: Stage;
  let lookout: Lookout;

  beforeAll(async () => {
    // Who comes to the ITMS by the kernel's rules alone is counted by test/e2e/engine-down.
    stage = await Stage.open({ cpes: LOAD_CPES, flood: FLOOD_NETWORK, onEngineDown: 'hold' });
    lookout = new Lookout(stage);
  });
  afterAll(() => stage?.close());

  /** Neither supervisor nor worker runs meanwhile. */
  async function whileStopped(happen: () => Promise<unknown>): Promise<void> {
    const pids = [stage.engine.pid, await lookout.worker()];
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      await happen();
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
  }

  test('whose supervisor is killed: the worker goes, the queues are free, the next start takes over', async () => {
    await underLoad(stage, {
      fault: 'the supervisor is killed; another is started',
      times: OFTEN,
      isUncounted: true,
      strike: async () => {
        await killSupervisor(stage, await lookout.worker());
        await stage.startAgain();
      },
    });
  });

  test('of which supervisor and worker are killed together and started again', async () => {
    await underLoad(stage, {
      fault: 'supervisor and worker are killed together; another is started',
      times: OFTEN,
      isUncounted: true,
      strike: async () => {
        const worker = await lookout.worker();
        process.kill(worker, 'SIGKILL');
        await killSupervisor(stage, worker);
        await stage.startAgain();
      },
    });
  });

  test('that is ended with SIGTERM and started again', async () => {
    await underLoad(stage, {
      fault: 'the engine is ended with SIGTERM; another is started',
      times: OFTEN,
      calmMs: 500,
      isUncounted: true,
      strike: async () => {
        expect(await stage.engine.stop()).toBe(0);
        expect(await boundQueues(stage)).toBe('');
        await stage.startAgain();
      },
    });
  });

  test('whose worker is stopped for 10 s: the watchdog has another do its work', async () => {
    const { workers } = await lookout.status();
    const after = await underLoad(stage, {
      fault: 'the worker is stopped (SIGSTOP) for 10 s',
      times: OFTEN,
      strike: async () => {
        const worker = await lookout.worker();
        process.kill(worker, 'SIGSTOP');
        const begin = performance.now();
        await lookout.until('the watchdog to bite', (status) => status.ready && status.workers[0]!.pid !== worker);
        await pause(STOPPED_MS - (performance.now() - begin));
        expect(() => process.kill(worker, 'SIGCONT')).toThrow('ESRCH');
      },
    });
    expect(after.workers[0]!.restarts - workers[0]!.restarts).toBe(OFTEN);
    expect(stage.engine.events('worker-stuck')).toHaveLength(OFTEN);
  });

  test('of which supervisor and worker are stopped for 10 s continues unaffected', async () => {
    const before = await lookout.status();
    const after = await underLoad(stage, {
      fault: 'supervisor and worker are stopped (SIGSTOP) for 10 s',
      times: OFTEN,
      strike: () => whileStopped(() => pause(STOPPED_MS)),
    });
    expect([after.pid, after.workers]).toEqual([before.pid, before.workers]);
    const stalls = stage.engine.events('stalled').map(({ stalledMs }) => Number(stalledMs));
    expect(stalls.filter((ms) => ms > 0.9 * STOPPED_MS && ms < 1.5 * STOPPED_MS)).toHaveLength(OFTEN);
  });

  test('stopped for longer than a life, while a collector has not answered: the session is the collector’s', async () => {
    const { cast, world } = stage;
    const woken = LOAD_CPES[0]!;
    const seenBefore = cast.itms.actor.events.length;
    const answers = ['OUTPUT', '-p', 'tcp', '--tcp-flags', 'SYN,ACK', 'SYN,ACK', '-j', 'DROP'];
    await cast.collector.wake(woken);
    await world.run('collector', ['iptables', '-w', '-A', ...answers]);
    const diverted = lookout.decided(Reason.Diverted);
    const session = cast.cpes.inform(woken);
    while (lookout.decided(Reason.Diverted) === diverted) await pause(1);
    await whileStopped(async () => {
      await world.run('collector', ['iptables', '-w', '-D', ...answers]);
      await pause(DEFAULT_LIVES.reportUnanswered * 1000 + 500);
    });
    expect(await session).toMatchObject({ ok: true });
    await settle(cast);
    const strangers = cast.itms.actor.events.slice(seenBefore).filter(({ event }) => event === 'connected');
    expect(strangers).toEqual([]);
    await stage.expectCleanWires();
  });

  test('that is ended with SIGTERM in the middle of a flood has answered every packet that it has read', async () => {
    const { world } = stage;
    // Each SYN that the engine let through is counted on arrival, and not answered.
    const arrivals = ['iptables', '-w', '-t', 'raw'];
    await world.run('itms', [...arrivals, '-A', 'PREROUTING', '-p', 'tcp', '--syn', '-j', 'DROP']);
    const arrived = async (): Promise<number> =>
      Number(/(\d+) +\d+ DROP/.exec(await world.run('itms', [...arrivals, '-vxnL', 'PREROUTING']))![1]);
    const mac = (await world.run('split', ['cat', '/sys/class/net/eth0/address'])).trim();
    for (let round = 0; round < 2 * OFTEN; round++) {
      const [decided, before] = [lookout.decided(Reason.ToItms), await arrived()];
      const flood = [PYTHON, FLOOD, mac, ADDRESSES.acs, String(REPORT_PORT), String(FLOOD_PACKETS), FLOOD_NETWORK];
      const flooding = world.run('cpe', flood);
      while (lookout.decided(Reason.ToItms) < decided + FLOOD_PACKETS / 10) await pause(1);
      expect(await stage.engine.stop()).toBe(0);
      await flooding;
      const read = lookout.decided(Reason.ToItms) - decided;
      expect(read).toBeLessThan(FLOOD_PACKETS);
      expect((await arrived()) - before).toBe(read);
      await stage.startAgain();
    }
  });
});
