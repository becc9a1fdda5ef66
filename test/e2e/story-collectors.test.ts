/** Several collection servers: each gets the sessions of the CPEs that it has woken itself. */
import { makeCpes, Stage } from './support/stage';

const [first, second, contended, handedOver, continuing] = makeCpes(5);
if (!first || !second || !contended || !handedOver || !continuing) throw new Error('cast');
for (const cpe of [contended, handedOver, continuing]) cpe.informDelayMs = null;

/**
 * A grace so long that no slow machine ends it: sessions here continue, or another takes over, but none comes later.
 */
const LONG = { grace: 60 };

describe('two collection servers', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({
      cpes: [first, second, contended, handedOver, continuing],
      secondCollector: true,
      ttl: LONG,
    });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectCleanWires());

  it('each gets the session of the CPE that it has woken, both at the same time', async () => {
    const { cpes, collector, secondCollector } = stage.cast;
    const seenOfSecond = stage.sightings(second, async () => {
      await secondCollector?.wake(second);
      await cpes.wokenSession(second);
    });
    const seenOfFirst = stage.sightings(first, async () => {
      await collector.wake(first);
      await cpes.wokenSession(first);
    });
    expect(await seenOfFirst).toEqual(['collection server: 6 CONNECTION REQUEST']);
    expect(await seenOfSecond).toEqual(['second collection server: 6 CONNECTION REQUEST']);
  });

  it('two that want one CPE: the session is the first one’s', async () => {
    const { collector, secondCollector } = stage.cast;
    expect(await collector.wake(contended)).toMatchObject({ statuses: [401, 200] });
    expect(await secondCollector?.wake(contended)).toMatchObject({ statuses: [401, 200] });
    expect(await stage.inform(contended)).toEqual(['collection server: 2 PERIODIC']);
  });

  it('after the first one’s session the second may wake the CPE for itself at once', async () => {
    const { collector, secondCollector } = stage.cast;
    await collector.wake(handedOver);
    expect(await stage.inform(handedOver)).toEqual(['collection server: 2 PERIODIC']);
    await secondCollector?.wake(handedOver);
    expect(await stage.inform(handedOver)).toEqual(['second collection server: 2 PERIODIC']);
  });

  it('a session that continues on a second connection stays with its collector', async () => {
    const { secondCollector } = stage.cast;
    expect(await secondCollector?.wake(continuing)).toMatchObject({ statuses: [401, 200] });
    expect(await stage.inform(continuing, 2)).toEqual(['second collection server: 2 PERIODIC']);
    expect(secondCollector?.ended.at(-1)).toMatchObject({ peer: continuing.address, connections: 2 });
    expect((await stage.engine.status()).packets.byReason).toMatchObject({ 'diverted-in-grace': 1 });
  });
});
