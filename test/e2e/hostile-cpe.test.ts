/** A misbehaving woken CPE costs other CPEs nothing: its entries are bounded, and the others are diverted as before. */
import { TcpFlag } from '../../src/packet/tcp';
import { REPORT_PORT } from '../../src/lab/world';
import { buildTcp } from '../../src/packet/builder';
import { fire } from './support/forgers';
import { ADDRESSES, street } from './support/family';
import { answerText, TcpStage } from './support/tcp-stage';

/** Most entries of one CPE in a table. docs/architecture.md, "Bounds" */
const BOUND = 16;
const PORTS = 6000;
const cpes = street(4, 21);
const [hostile, ...others] = cpes as [string, ...string[]];

let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes });
});
afterAll(() => stage?.close());

test('its 200 again and again, further on each time, and a SYN from each of 6000 ports', async () => {
  const request = await stage.request('c1', hostile);
  await request.far.sendTo(request.cpe, 'GET /wake HTTP/1.1\r\nHost: cpe\r\n\r\n');
  for (let n = 0; n < 50; n++) {
    await request.cpe.send(`x${answerText(200)}`);
    const syns = Array.from({ length: PORTS / 50 }, (_, index) =>
      buildTcp({
        source: hostile,
        sourcePort: 20_000 + n * (PORTS / 50) + index,
        destination: ADDRESSES.acs,
        destinationPort: REPORT_PORT,
        flags: TcpFlag.Syn,
        sequence: n,
      }),
    );
    await fire(stage, syns);
    await request.cpe.send(answerText(200));
  }
  const own = await stage.entries('connections', hostile);
  expect(own.length).toBeLessThanOrEqual(BOUND);
  for (const cpe of others) {
    await stage.wake('c1', cpe);
    expect(await stage.session(cpe)).toBe('c1');
  }
  const { tables } = await stage.status();
  expect(tables.reportConnections.count).toBeLessThanOrEqual(BOUND + others.length);
});
