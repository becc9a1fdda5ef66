/** A collection server wakes twenty CPEs at once, while their neighbours inform as ever. */
import { later, makeCpes, Stage } from './support/stage';

const cpes = makeCpes(30);
const [woken, others] = [cpes.slice(0, 20), cpes.slice(20)];

describe('twenty CPEs woken at once', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({ cpes });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectCleanWires());

  it('each opens one session with the collector; ten neighbours stay with the ITMS meanwhile', async () => {
    const { collector, itms, cpes: actors } = stage.cast;
    const asked = Promise.all(woken.map((cpe) => collector.wake(cpe)));
    const informed = Promise.all(others.map((cpe) => actors.inform(cpe)));
    for (const { statuses } of await asked) expect(statuses).toEqual([401, 200]);
    const sessions = await Promise.all(woken.map((cpe) => actors.wokenSession(cpe)));
    for (const session of [...sessions, ...(await informed)]) expect(session).toMatchObject({ ok: true });
    await stage.expectCleanWires();
    expect(collector.informs.map(({ peer }) => peer).sort()).toEqual(woken.map(({ address }) => address).sort());
    expect(itms.informs.map(({ peer }) => peer).sort()).toEqual(others.map(({ address }) => address).sort());
  });

  it('later all thirty are the ITMS’s', async () => {
    await later();
    const { itms, collector, cpes: actors } = stage.cast;
    const before = itms.informs.length;
    await Promise.all(cpes.map((cpe) => actors.inform(cpe)));
    await stage.expectCleanWires();
    const peers = itms.informs.slice(before).map(({ peer }) => peer);
    expect(peers.sort()).toEqual(cpes.map(({ address }) => address).sort());
    expect(collector.informs).toHaveLength(woken.length);
  });
});
