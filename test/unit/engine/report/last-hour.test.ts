/** The last hour: rates between two looks, no more than an hour of them. */
import { LastHour, SAMPLE_MS } from '../../../../src/engine/report/last-hour';
import { type Status } from '../../../../src/engine/report/status';

const table = (count: number) => ({ count, capacity: 100, full: 0 });

function status(packets: number, more: Partial<Status> = {}): Pick<Status, 'queues' | 'packets' | 'tables'> {
  const queue = { waiting: 2, queueDropped: 0, userDropped: 0, lost: 0 };
  return {
    queues: [
      { number: 0, side: 'cpe', received: packets, ...queue },
      { number: 1, side: 'itms', received: 0, ...queue, waiting: null },
    ],
    packets: {
      ...{ received: packets, rewritten: 0, accepted: 0, dropped: packets / 10 },
      byReason: { diverted: packets / 100, 'diverted-in-grace': packets / 100 },
    },
    tables: { connectionRequests: table(1), activatedCpes: table(2), reportConnections: table(3) },
    ...more,
  };
}

test('a sample has the means of its interval, and what stands at its end', () => {
  const hour = new LastHour();
  hour.add(status(0), 0);
  expect(hour.samples).toEqual([]);
  hour.add(status(1000), SAMPLE_MS);
  expect(hour.answer).toEqual({
    intervalMs: 10_000,
    samples: [
      {
        ...{ timeMs: 10_000, packets: { cpe: 100, itms: 0, collector: 0, host: 0 }, dropped: 10, diverted: 2 },
        ...{ waiting: 2, tables: { connectionRequests: 1, activatedCpes: 2, reportConnections: 3 } },
      },
    ],
  });
});

test('it holds an hour; counters that were reset and a clock that was set back make no rate below 0', () => {
  const hour = new LastHour();
  for (let i = 0; i <= 500; i++) hour.add(status(i * 1000), i * SAMPLE_MS);
  expect(hour.samples).toHaveLength(360);
  expect(hour.samples[0]!.timeMs).toBe(141 * SAMPLE_MS);
  hour.add(status(0), 501 * SAMPLE_MS);
  expect(hour.samples.at(-1)).toMatchObject({ packets: { cpe: 0 }, dropped: 0, diverted: 0 });
  hour.add(status(50), 400 * SAMPLE_MS);
  hour.add(status(100), 401 * SAMPLE_MS);
  expect(hour.samples.at(-1)).toMatchObject({ timeMs: 401 * SAMPLE_MS, packets: { cpe: 5 } });
  expect(hour.samples).toHaveLength(360);
});
