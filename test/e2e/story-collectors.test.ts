/** Several collection servers: each gets the sessions of the CPEs that it has woken itself. */
import { makeCpes, Stage } from './support/stage';

const [first, second, contended, handedOver] = makeCpes(4);
if (!first || !second || !contended || !handedOver) throw new Error('cast');
for (const cpe of [contended, handedOver]) cpe.informDelayMs = null;

describe('two collection servers', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: [first, second, contended, handedOver], secondCollector: true });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage.expectCleanWires());

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
});
