/** `activation: off`, the safe first day: everything goes to the ITMS, and would-be diversions are counted. */
import { Narrator } from '../../src/lab/narrator';
import { CPE, NEIGHBOUR, playStory } from '../../src/lab/story';
import { makeCpes, Stage } from './support/stage';

const [woken, neighbour] = makeCpes(2);
if (!woken || !neighbour) throw new Error('cast');

describe('activation: off', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: [woken, neighbour, CPE, NEIGHBOUR], activation: 'off' });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectCleanWires());

  it('diverts nothing, while Connection Requests pass as ever', async () => {
    const { cpes, collector } = stage.cast;
    expect(await stage.inform(neighbour)).toEqual(['ITMS: 2 PERIODIC']);
    for (let round = 0; round < 2; round++) {
      const seen = await stage.sightings(woken, async () => {
        expect(await collector.wake(woken)).toMatchObject({ statuses: [401, 200] });
        expect(await cpes.wokenSession(woken, round)).toMatchObject({ ok: true });
      });
      expect(seen).toEqual(['ITMS: 6 CONNECTION REQUEST']);
    }
    expect(collector.peers).toEqual([]);
  });

  it('counts the two sessions that it would have diverted', async () => {
    const { packets, tables } = await stage.engine.status();
    expect(packets.byReason).toMatchObject({ 'would-divert': 2 });
    expect(packets.byReason.diverted ?? 0).toBe(0);
    expect(packets.byReason['to-itms']).toBe(1);
    expect(tables.reportConnections.count).toBe(0);
  });

  it('so the story of the lab does not come true, and the lab would say so', async () => {
    const { cast, engine } = stage;
    const claims = await playStory(cast, engine, new Narrator(undefined));
    const failed = claims.filter((claim) => !claim.true).map(({ claim }) => claim);
    expect(failed).toEqual([
      'only the collection server saw this session, from the CPE’s own address',
      'of 10.1.0.17’s sessions, ITMS and collection server saw 2 and 1',
    ]);
  });
});
