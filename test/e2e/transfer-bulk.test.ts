/**
 * 100 MiB up and 100 MiB down through connections that were diverted and others that were not, with super-packets
 * (GSO) in the queue and without: what arrives is what was sent. Data that the kernel carries: transfer-carried.test.ts
 */
import type { Bulk } from '../../src/lab/bulk';
import type { Acs } from '../../src/lab/cast';
import { makeCpes, Stage } from './support/stage';

const BYTES = 100 << 20;
/** MTU 1500 less the headers of IPv4 and TCP. */
const MAX_SEGMENT_BYTES = 1460;
const [diverted, undiverted] = makeCpes(2, { informDelayMs: null });
if (!diverted || !undiverted) throw new Error('cast');

interface Transfer {
  up: Bulk;
  upSeen: Bulk;
  down: Bulk;
}

describe.each([
  { gso: true, packets: 'super-packets' },
  { gso: false, packets: 'single packets' },
])('bulk in $packets (queue.gso: $gso)', ({ gso, packets }) => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: [diverted, undiverted], gso, fastPath: 'off' });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectCleanWires());

  it('arrives unchanged at the ITMS and from it', async () => {
    await expectIntact(stage.cast.itms, undiverted.address, 1);
  });

  it('arrives unchanged at the collection server and from it', async () => {
    expect(await stage.cast.collector.wake(diverted)).toMatchObject({ statuses: [401, 200] });
    await expectIntact(stage.cast.collector, diverted.address, 11);
  });

  it(`crossed the engine in ${packets}`, async () => {
    const { received } = (await stage.engine.status()).packets;
    // Four transfers in packets of no more than an Ethernet segment each.
    const segments = Math.ceil((4 * BYTES) / MAX_SEGMENT_BYTES);
    if (gso) expect(received).toBeLessThan(segments);
    else expect(received).toBeGreaterThanOrEqual(segments);
  });

  /** Both directions were seen by this server, whole, and the digests of the two ends agree. */
  async function expectIntact(server: Acs, cpe: string, seed: number): Promise<void> {
    const { up, upSeen, down } = await stage.cast.cpes.actor.ask<Transfer>('transfer', { cpe, bytes: BYTES, seed });
    const [received, sent] = await server.actor.untilCount(2, (event) => event.event === 'bulk', 'both transfers');
    expect(up.bytes).toBe(BYTES);
    expect(upSeen).toEqual(up);
    expect(received).toMatchObject({ ...up, method: 'POST' });
    expect(down.bytes).toBe(BYTES);
    expect(sent).toMatchObject({ ...down, method: 'GET' });
    expect(down.sha256).not.toBe(up.sha256);
  }
});
