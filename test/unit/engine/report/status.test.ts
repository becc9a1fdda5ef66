/** `status --json`: the keys that scripts read, and where the numbers come from. */
import { parseQueueCounters } from '../../../../src/engine/shared/queue-counters';
import { composeStatus, decidedSoFar, type StatusParts } from '../../../../src/engine/report/status';
import { serverStatus } from '../../../support/server-status';
import { Event, EVENTS } from '../../../../src/splitter/memory/events';
import { Reason, REASONS } from '../../../../src/splitter/reasons';
import { QUIET } from '../../../support/quiet-status';

const table = (count: number, full = 0) => ({ count, capacityEntries: 64, full });

function parts(given: {
  byReason?: [Reason, number][];
  byQueue?: number[];
  earlier?: number[];
  proc?: string;
}): StatusParts {
  const byReason = new Float64Array(REASONS.length);
  for (const [reason, count] of given.byReason ?? []) byReason[reason] = count;
  const splitter = {
    tables: { connectionRequests: table(3), activatedCpes: table(2, 5), reportConnections: table(1) },
    counters: { byReason, byQueue: Float64Array.from(given.byQueue ?? [0, 0, 0, 0]) },
  } as unknown as StatusParts['splitter'];
  const queues = parseQueueCounters(given.proc ?? '');
  const eventCounts = new Float64Array(EVENTS.length);
  eventCounts[Event.Diverted] = 4;
  return {
    version: '1.2.3',
    name: 'north',
    pid: 70,
    isReady: true,
    paused: true,
    activation: 'off',
    uptimeMs: 12.7,
    worker: { pid: 77, restarts: 4 },
    splitter,
    eventCounts,
    earlier: given.earlier ?? [0, 0, 0, 0],
    firstQueue: 40,
    queues,
    loop: { verdictsLate: 2, unparsed: 1, givenUp: 3 },
    ...QUIET,
    servers: { itms: serverStatus() },
  };
}

test('every key of the contract, and no other', () => {
  expect(composeStatus(parts({ proc: '   41 123456 7 2 65535 11 13 100 1\n', byQueue: [0, 90, 0, 0] }))).toEqual({
    ...QUIET,
    version: '1.2.3',
    name: 'north',
    pid: 70,
    ready: true,
    paused: true,
    activation: 'off',
    uptimeMs: 13,
    workers: [{ pid: 77, restarts: 4 }],
    tables: {
      connectionRequests: { count: 3, capacity: 64, full: 0 },
      activatedCpes: { count: 2, capacity: 64, full: 5 },
      reportConnections: { count: 1, capacity: 64, full: 0 },
    },
    packets: { received: 0, rewritten: 0, accepted: 0, dropped: 0, byReason: {} },
    events: { diverted: 4 },
    queues: [
      { number: 40, side: 'cpe', received: 0, waiting: null, queueDropped: null, userDropped: null, lost: 0 },
      { number: 41, side: 'itms', received: 90, waiting: 7, queueDropped: 11, userDropped: 13, lost: 3 },
      { number: 42, side: 'collector', received: 0, waiting: null, queueDropped: null, userDropped: null, lost: 0 },
      { number: 43, side: 'host', received: 0, waiting: null, queueDropped: null, userDropped: null, lost: 0 },
    ],
    losses: { queueDropped: 11, userDropped: 13, verdictsLate: 2, unparsed: 1, givenUp: 3 },
    fastPath: {
      mode: 'off',
      loaded: false,
      carries: false,
      interfaces: [],
      reason: 'off in the configuration',
      flows: 0,
      packets: {},
    },
    history: { state: 'off' },
    cluster: { state: 'off' },
    servers: { itms: serverStatus() },
  });
});

test('a packet is received once and accepted or dropped once; rewritten ones are among the accepted', () => {
  const { packets } = composeStatus(
    parts({
      byReason: [
        [Reason.Diverted, 5],
        [Reason.NotTcp, 3],
        [Reason.MalformedIp, 2],
      ],
    }),
  );
  expect(packets).toEqual({
    received: 10,
    rewritten: 5,
    accepted: 8,
    dropped: 2,
    byReason: { diverted: 5, 'not-tcp': 3, 'malformed-ip': 2 },
  });
});

describe('lost: numbered by the kernel, not arrived, not waiting', () => {
  const rows: [string, number, number, number, number][] = [
    ['all arrived', 100, 100, 0, 0],
    ['some wait', 100, 90, 10, 0],
    ['some are gone', 100, 90, 3, 7],
    ['a packet came between the two readings', 100, 101, 0, 0],
    ['the ids have wrapped once', 5, 2 ** 32 + 3, 0, 2],
    ['the ids have wrapped, all arrived', 5, 3 * 2 ** 32 + 5, 0, 0],
  ];
  test.each(rows)('%s', (_, lastId, arrived, waiting, lost) => {
    const proc = `   40 1 ${waiting} 2 65535 0 0 ${lastId} 1\n`;
    expect(composeStatus(parts({ proc, byQueue: [arrived, 0, 0, 0] })).queues[0].lost).toBe(lost);
  });

  test('what an earlier engine decided was numbered by other queues', () => {
    const given = { proc: '   40 1 0 2 65535 0 0 100 1\n', byQueue: [5100, 0, 0, 0], earlier: [5000, 0, 0, 0] };
    expect(composeStatus(parts(given)).queues[0].lost).toBe(0);
    expect(composeStatus(parts({ ...given, byQueue: [5098, 0, 0, 0] })).queues[0].lost).toBe(2);
  });
});

describe('decided, where our own count may be damaged', () => {
  const rows: [string, number, number, number, number][] = [
    ['all of them', 100, 0, 100, 100],
    ['some wait', 90, 10, 80, 80],
    ['a worker died with verdicts that it had not sent', 100, 64, 100, 100],
    ['it cannot have been so many', 100, 65, 100, 35],
    ['some were lost', 100, 10, 70, 90],
    ['the count is gone', 100, 10, 0, 90],
    ['the count is no number', 100, 10, NaN, 90],
    ['the count is beyond all measure', 100, 10, 1e300, 90],
    ['ids have wrapped', 5, 0, 2 ** 32 + 5, 5],
  ];
  test.each(rows)('%s', (_, lastPacketId, waiting, counted, decided) => {
    const kernel = { number: 40, ownerPortId: 1, waiting, queueDropped: 0, userDropped: 0, lastPacketId };
    expect(decidedSoFar(kernel, counted)).toBe(decided);
  });
});
