/** `activation: fin`, the patent to the letter: the first FIN of a collector's connection is its success. [P9] */
import { later, makeCpes, Stage } from './support/stage';

const [woken, neighbour, refusing] = makeCpes(3, { informDelayMs: null });
if (!woken || !neighbour || !refusing) throw new Error('cast');

const ITMS = ['ITMS: 2 PERIODIC'];
const COLLECTOR = ['collection server: 2 PERIODIC'];

describe('activation: fin', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: [woken, neighbour, refusing], activation: 'fin' });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectCleanWires());

  it('the collector’s FIN makes the CPE’s next session the collector’s, and only that one', async () => {
    expect(await stage.inform(woken)).toEqual(ITMS);
    expect(await stage.cast.collector.wake(woken)).toMatchObject({ statuses: [401, 200] });
    await stage.engine.untilStatus(({ tables }) => tables.activatedCpes.count === 1, 'the FIN to arm');
    expect(await stage.inform(neighbour)).toEqual(ITMS);
    expect(await stage.inform(woken)).toEqual(COLLECTOR);
    await later();
    expect(await stage.inform(woken)).toEqual(ITMS);
    expect(await stage.inform(neighbour)).toEqual(ITMS);
  });

  it('before the FIN nothing is armed, whatever the CPE answered', async () => {
    const { collector, cpes } = stage.cast;
    // The connection stays open for as long as the session takes.
    const asked = collector.wake(neighbour, { keepAlive: true });
    await cpes.actor.until(
      (event) => event.event === 'woken' && event.cpe === neighbour.address && event.status === 200,
      'the CPE’s 200',
    );
    expect(await stage.inform(neighbour)).toEqual(ITMS);
    await collector.release();
    expect(await asked).toMatchObject({ statuses: [401, 200] });
    expect(await stage.inform(neighbour)).toEqual(COLLECTOR);
  });

  it('a 401 ends with a FIN too, and so diverts: what `auto` is for', async () => {
    const { collector } = stage.cast;
    expect(await collector.wake({ ...refusing, credentials: undefined })).toMatchObject({ statuses: [401] });
    await stage.engine.untilStatus(({ packets }) => (packets.byReason['request-finished'] ?? 0) > 0, 'the FIN');
    expect(await stage.inform(refusing)).toEqual(COLLECTOR);
  });
});
