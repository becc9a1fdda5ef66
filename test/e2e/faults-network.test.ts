/**
 * External faults on the host under every kind of load, diverted and not: tables of nftables deleted, interfaces down
 * and up, rules flushed and restored, reloads. ACSPLIT_FAULTS=N does each N times as often.
 */
import { writeFileSync } from 'node:fs';
import { cli, configurationText, type EngineOptions } from '../../src/lab/engine';
import { recordFault } from './support/fault-rows';
import { lossLogged, underLoad, whilePacketsWait } from './support/faults';
import { Load, LOAD_CPES } from './support/load';
import { Lookout, pause } from './support/lookout';
import { Stage } from './support/stage';
import { FAST_PATH } from './support/fast-path';

const OFTEN = Number(process.env.ACSPLIT_FAULTS ?? 1);
/** Less than the watchdog's patience, as the worker is stopped meanwhile. */
const DOWN_MS = 300;
/** A few retransmissions. */
const FLUSHED_MS = 500;

jest.setTimeout(180_000 * OFTEN);

describe('under load', () => {
  let stage: Stage;
  let lookout: Lookout;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: LOAD_CPES, onEngineDown: 'hold' });
    lookout = new Lookout(stage);
  });
  afterAll(() => stage?.close());

  const onSplitter = (...argv: string[]): Promise<string> => stage.world.run('split', argv);
  const rules = (what: string): Promise<string> =>
    onSplitter(...cli(stage.world, 'rules', what, '-c', stage.engine.configurationFile));

  test('a table of nftables is deleted, which flushes every queue: counted, and logged', async () => {
    const { losses } = await underLoad(stage, {
      fault: 'a foreign table of nftables is deleted, which flushes every queue',
      times: 10 * OFTEN,
      calmMs: 100,
      strike: async (round) => {
        // With a base chain: it is its hook that goes, and with a hook all packets that wait.
        await onSplitter('nft', 'add table ip foreign; add chain ip foreign c { type filter hook input priority 0; }');
        const remove = () => onSplitter('nft', 'delete', 'table', 'ip', 'foreign');
        await (round % 2 === 0 ? whilePacketsWait(lookout, remove) : remove());
      },
    });
    expect(losses).toMatchObject({ queueDropped: 0, userDropped: 0, unparsed: 0, givenUp: 0 });
    expect(losses.verdictsLate).toBeGreaterThan(0);
    await lossLogged(stage, 'verdictsLate');
  });

  test('each interface goes down and up while packets wait', async () => {
    // A router without a route refuses new connections by itself; this one stays silent.
    for (const network of ['10.1.0.0/16', '10.2.0.0/24', '10.3.0.0/24']) {
      await onSplitter('ip', 'route', 'add', 'blackhole', network, 'metric', '4096');
    }
    const before = (await lookout.status()).losses.verdictsLate;
    const { losses } = await underLoad(stage, {
      fault: 'an interface goes down and up while packets wait',
      times: 3 * OFTEN,
      strike: (round) =>
        whilePacketsWait(lookout, async () => {
          const device = `eth${round % 3}`;
          await onSplitter('ip', 'link', 'set', device, 'down');
          await pause(DOWN_MS);
          await onSplitter('ip', 'link', 'set', device, 'up');
        }),
    });
    expect(losses.verdictsLate).toBeGreaterThan(before);
  });

  test('the mangle table is flushed, with our rules: the guards hold until they are installed again', async () => {
    await underLoad(stage, {
      fault: 'the mangle table is flushed by another program; `acsplit rules install` restores it',
      times: 2 * OFTEN,
      // TCP waits longer from loss to loss, so constant flushing would starve it.
      calmMs: 3000,
      isUncounted: true,
      strike: async () => {
        await onSplitter('iptables', '-w', '-t', 'mangle', '-F');
        await pause(FLUSHED_MS);
        await rules('install');
      },
    });
  });

  const reloads = OFTEN > 1 ? 50 * OFTEN : 20;
  test(`the configuration is reloaded ${reloads} times, with a collector more and one less`, async () => {
    const { world, engine } = stage;
    const write = (options: EngineOptions): void =>
      writeFileSync(
        engine.configurationFile,
        configurationText(world.directory, {
          family: world.family,
          onEngineDown: 'hold',
          fastPath: FAST_PATH,
          ...options,
        }),
      );
    const before = engine.events('reload').length;
    const { workers } = await underLoad(stage, {
      fault: 'the configuration is reloaded (SIGHUP), with a collector added, then removed',
      times: reloads,
      calmMs: 10,
      strike: async (round) => {
        write({ secondCollector: round % 2 === 0 });
        process.kill(engine.pid, 'SIGHUP');
        while (engine.events('reload').length === before + round) await pause(2);
      },
    });
    expect(engine.events('reload-refused')).toEqual([]);
    expect(workers[0]!.restarts).toBe(0);
  });

  // Comes last. The host's own stack answers what nobody steers, with resets, and wakes pass it unseen.
  test('the rules are removed and installed: what came meanwhile is refused or the ITMS’s; then all is as before', async () => {
    const load = new Load(stage.cast, { endures: true });
    await lookout.untilVerdict();
    for (let round = 0; round < OFTEN; round++) {
      await pause(Math.random() * 500);
      await rules('remove');
      await rules('install');
      await lookout.untilVerdict();
    }
    const outcome = await load.end();
    recordFault({ fault: '`acsplit rules remove`, then `acsplit rules install`', times: OFTEN, outcome });
    for (const connection of outcome.wrong) expect(connection).toMatch(/at the itms$/);
    await stage.wires.catchUp();
    expect(stage.wires.shared()).toEqual([]);
    const afterwards = new Load(stage.cast);
    await pause(500);
    expect(await afterwards.end()).toMatchObject({ failures: [], wrong: [] });
  });
});
