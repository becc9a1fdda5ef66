/**
 * Two routers with real keepalived and redis-server, both families, under load: each switch once. What must hold in any case holds for
 * each; how long a switch interrupts is measured by `npm run prove routers`.
 */
import { SWITCHES } from '../../src/lab/routers/switches';
import { FAST_PATH } from './support/fast-path';
import { Routers } from './support/routers';
import { HARD_TIMES } from './support/routers-stores';

jest.setTimeout(120_000);

let routers: Routers;
beforeAll(async () => {
  routers = await Routers.open({ cluster: true, more: [`fastPath: ${FAST_PATH}`] });
});
afterAll(() => routers?.close());

test.each(SWITCHES)('%s', async (kind) => {
  const turn = await routers.turn(kind);
  expect(turn).toMatchObject({ twoServers: [], wrongCollector: [], ownBroken: [], divertedBroken: [] });
  expect(turn.probes).toBeGreaterThan(100);
});

/** Packets wait for no store: every probe of the load comes to its end, and nothing diverted breaks. */
test(HARD_TIMES.name, async () => {
  const { during, after } = await routers.suffer(HARD_TIMES);
  for (const turn of [during, after]) {
    expect(turn).toMatchObject({ twoServers: [], wrongCollector: [], ownBroken: [], divertedBroken: [] });
  }
  expect([during.probesFailed, during.probes > 100]).toEqual([0, true]);
});

test('both kernels carry, diverted connections too, where they are asked to', async () => {
  const carried = await Promise.all(
    routers.routers.map(async (router) => {
      const { carries, packets } = (await router.status()).fastPath;
      return [carries, (packets['carried-from-collector'] ?? 0) > 0 && (packets['carried-from-itms'] ?? 0) > 0];
    }),
  );
  const isCarried = FAST_PATH !== 'off';
  expect(carried).toEqual([
    [isCarried, isCarried],
    [isCarried, isCarried],
  ]);
});
