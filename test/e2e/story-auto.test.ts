/** The story of `activation: auto`, on real NFQUEUE with real HTTP: which server gets which session, and when. */
import { join } from 'node:path';
import { askEngine, controlSocketPath } from '../../src/engine/control/ask';
import { type ActivationEntry } from '../../src/splitter/entries';
import { later, makeCpes, Stage } from './support/stage';

const [woken, neighbour, refusing, throttling, keptAlive, ofItms] = makeCpes(6);
if (!woken || !neighbour || !refusing || !throttling || !keptAlive || !ofItms) throw new Error('cast');
// Another make: another port, no credentials.
Object.assign(neighbour, { requestPort: 30005, credentials: undefined });
Object.assign(throttling, { throttles: true });

const ITMS = ['ITMS: 2 PERIODIC'];

describe('activation: auto', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: [woken, neighbour, refusing, throttling, keptAlive, ofItms] });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectCleanWires());

  it('a CPE that the collector has woken is the collector’s for one session, before and after it is the ITMS’s', async () => {
    const { cpes, collector } = stage.cast;
    expect(await stage.inform(woken)).toEqual(ITMS);
    expect(await stage.inform(neighbour)).toEqual(ITMS);

    const seen = await stage.sightings(woken, async () => {
      expect(await collector.wake(woken)).toMatchObject({ statuses: [401, 200], peer: `${woken.address}:7547` });
      expect(await stage.inform(neighbour)).toEqual(ITMS);
      expect(await cpes.wokenSession(woken)).toMatchObject({ ok: true });
    });
    expect(seen).toEqual(['collection server: 6 CONNECTION REQUEST']);

    await later();
    expect(await stage.inform(woken)).toEqual(ITMS);
    expect(await stage.inform(neighbour)).toEqual(ITMS);
  });

  it('both servers saw the CPE’s own address', () => {
    const { itms, collector } = stage.cast;
    expect(new Set(itms.peers)).toEqual(new Set([woken.address, neighbour.address]));
    expect(new Set(collector.peers)).toEqual(new Set([woken.address]));
  });

  it('a 401 alone arms nothing: the next session is the ITMS’s', async () => {
    const outcome = await stage.cast.collector.wake({ ...refusing, credentials: undefined });
    expect(outcome.statuses).toEqual([401]);
    expect(await stage.inform(refusing)).toEqual(ITMS);
  });

  it('a 503 arms nothing either', async () => {
    expect(await stage.cast.collector.wake(throttling)).toMatchObject({ statuses: [503] });
    expect(await stage.inform(throttling)).toEqual(ITMS);
  });

  it('the late FIN of a kept-alive Connection Request diverts no further session', async () => {
    const { cpes, collector } = stage.cast;
    const seen = await stage.sightings(keptAlive, async () => {
      const asked = collector.wake(keptAlive, { keepAlive: true });
      await cpes.wokenSession(keptAlive);
      // 401 and 200 on one connection, closed only now, after the session.
      await collector.release();
      expect(await asked).toMatchObject({ statuses: [401, 200], ports: [expect.any(Number)] });
    });
    expect(seen).toEqual(['collection server: 6 CONNECTION REQUEST']);
    await later();
    expect(await stage.inform(keptAlive)).toEqual(ITMS);
  });

  it('a CPE that the ITMS itself has woken is the ITMS’s', async () => {
    const { cpes, itms } = stage.cast;
    const seen = await stage.sightings(ofItms, async () => {
      expect(await itms.wake(ofItms)).toMatchObject({ statuses: [401, 200] });
      await cpes.wokenSession(ofItms);
    });
    expect(seen).toEqual(['ITMS: 6 CONNECTION REQUEST']);
  });

  it('every reason is counted, and the engine ends well', async () => {
    const { packets, tables } = await stage.engine.status();
    expect(packets.byReason).toMatchObject({ diverted: 2 });
    expect(packets.dropped).toBe(0);
    // No activation is left, only that the collector has asked these four.
    expect(tables.activatedCpes.count).toBeLessThanOrEqual(4);
    const { entries } = (await askEngine(controlSocketPath(join(stage.world.directory, 'state')), {
      command: 'tables',
      table: 'activated',
    })) as { entries: ActivationEntry[] };
    const asked = [woken, refusing, throttling, keptAlive].map(({ address }) => address);
    expect(entries.filter(({ cpe, phase }) => phase !== 'asked' || !asked.includes(cpe))).toEqual([]);
    expect(await stage.engine.stop()).toBe(0);
  });
});
