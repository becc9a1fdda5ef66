/**
 * Two instances on one router, both under load: either is reloaded, killed and removed, and the other never notices. A
 * minute of each, with both back ends of iptables: `npm run prove instances`.
 */
import { INSTANCES, measureInstances } from './support/instances';

jest.setTimeout(600_000);

test('nothing done to one instance affects the other', async () => {
  const all = await measureInstances({ backEnd: 'nft', seconds: 1, load: { bulkBytes: 1 << 20, restMs: 300 } });
  expect(all.map(({ by, done }) => `${by}: ${done}`)).toEqual(
    [...INSTANCES].reverse().flatMap((by) => ['reloaded', 'killed', 'removed'].map((done) => `${by}: ${done}`)),
  );
  for (const { outcome, done, by, ...noticed } of all) {
    const { failures, wrong, itms, collector, transfers } = outcome;
    const nothing = { failures: [], wrong: [], packetsLost: 0, restarts: 0, events: [] };
    expect({ done, by, failures, wrong, ...noticed }).toEqual({ done, by, ...nothing });
    // A load that did nothing has shown nothing.
    for (const count of [itms, collector, transfers]) expect(count).toBeGreaterThan(0);
  }
});
