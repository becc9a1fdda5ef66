/** The status as text. */
import { formatDuration, formatStatus } from '../../../src/cli/status-text';
import { serverStatus } from '../../support/server-status';
import { type Status } from '../../../src/engine/report/status';
import { QUIET } from '../../support/quiet-status';

const STATUS: Status = {
  version: '1.2.3',
  name: 'default',
  pid: 70,
  ready: true,
  paused: false,
  activation: 'auto',
  uptimeMs: 3_700_000,
  workers: [{ pid: 77, restarts: 0 }],
  tables: {
    connectionRequests: { count: 12, capacity: 1048576, full: 0 },
    activatedCpes: { count: 3, capacity: 1048576, full: 0 },
    reportConnections: { count: 1, capacity: 1048576, full: 4 },
  },
  packets: { received: 10, rewritten: 8, accepted: 9, dropped: 1, byReason: { diverted: 2, 'to-itms': 8 } },
  events: {},
  queues: [
    { number: 0, side: 'cpe', received: 6, waiting: 7, queueDropped: 0, userDropped: 0, lost: 0 },
    { number: 1, side: 'itms', received: 4, waiting: null, queueDropped: null, userDropped: null, lost: 0 },
  ],
  losses: { queueDropped: 0, userDropped: 0, verdictsLate: 0, unparsed: 0, givenUp: 0 },
  ...QUIET,
  history: { state: 'off' },
  cluster: { state: 'off' },
  servers: {},
};

test('headline, tables, packets by reason, queues', () => {
  expect(formatStatus(STATUS)).toBe(`acsplit 1.2.3: ready, activation auto, up 1h 1m, pid 70, worker 77, 0 restarts

TABLE               ENTRIES  CAPACITY  FULL
connectionRequests       12   1048576     0
activatedCpes             3   1048576     0
reportConnections         1   1048576     4

packets: 10 received, 9 accepted (8 rewritten), 1 dropped
REASON    PACKETS
to-itms         8
diverted        2

QUEUE     WAITING  QUEUE FULL  BUFFER FULL  LOST
cpe (0)         7           0            0     0
itms (1)        ?           ?            ?     0
`);
});

test('each server: its state, what its CPEs met, and the sessions of collectors', () => {
  const counts = { opened: 9, answered: 4, refused: 5, slow: 1, resets: 2 };
  const itms = serverStatus({
    ...counts,
    state: 'down',
    sinceMs: 35_000,
    why: '5 CPEs in a row were refused',
    answerMs: 3,
  });
  const c1 = serverStatus({ armed: 7, opened: 6, finished: 3, unfinished: 2, loginsRefused: 1 });
  const [headline, , ...lines] = formatStatus({ ...STATUS, servers: { itms, c1 } }).split('\n');
  expect(headline).toMatch(/^acsplit 1.2.3: ready, but itms is down, activation auto,/);
  expect(lines.slice(0, 7)).toEqual([
    'SERVER  STATE  SINCE  OPENED  ANSWERED  REFUSED  UNANSWERED  SLOW  RESETS  ANSWERS IN',
    'itms     down    35s       9         4        5           0     1       2        3 ms',
    'c1         up  1m 0s       6         0        0           0     0       0           -',
    'itms is down: 5 CPEs in a row were refused',
    '',
    'COLLECTOR  ARMED  DIVERTED  FINISHED  UNFINISHED  LOGINS REFUSED',
    'c1             7         6         3           2               1',
  ]);
});

test('the history follows, with what it lacks', () => {
  const lost = { changes: 0, connections: 0, sessions: 0, events: 0 };
  const history = {
    directory: '/h',
    pid: 8,
    restarts: 0,
    sessions: 12,
    open: 1,
    waiting: 0,
    events: 3,
    bytes: 3 << 19,
    lost,
  };
  expect(formatStatus({ ...STATUS, history: { ...history, state: 'on' } })).toMatch(
    /\nhistory: 12 sessions, 1 open, 3 events, 1\.5 MiB, nothing lost\n$/,
  );
  const failing = { ...history, state: 'failing', lost: { ...lost, connections: 4, events: 2 } } as const;
  expect(formatStatus({ ...STATUS, history: failing })).toMatch(
    /\nhistory: CANNOT BE WRITTEN, see the log: 12 sessions, .*, lost: 4 connections, 2 events\n$/,
  );
});

test('losses that belong to no queue follow, by cause', () => {
  const losses = { queueDropped: 5, userDropped: 6, verdictsLate: 7, unparsed: 0, givenUp: 2 };
  const text = formatStatus({ ...STATUS, losses });
  expect(text.slice(formatStatus(STATUS).length)).toBe(
    '\nalso lost: 7 flushed by the kernel, 2 that crashed two workers\n',
  );
});

test('what the kernel carries, or why it does not', () => {
  const packets = { 'carried-to-itms': 5, 'carried-from-itms': 4, syn: 1 };
  const fastPath: Status['fastPath'] = {
    mode: 'on',
    loaded: true,
    carries: true,
    interfaces: ['eth0', 'eth1'],
    reason: null,
    flows: 2,
    packets,
  };
  expect(formatStatus({ ...STATUS, fastPath })).toContain(
    '\nfast path: 9 packets carried by the kernel, 2 diverted connections now, on eth0, eth1\n',
  );
  const idle: Status['fastPath'] = { ...fastPath, mode: 'auto', carries: false, reason: 'no BPF here' };
  expect(formatStatus({ ...STATUS, fastPath: idle })).toContain(
    '9 packets carried by the kernel; not now: no BPF here\n',
  );
});

test.each([
  [0, '0s'],
  [999, '0s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h 0m'],
  [273_600_000, '3d 4h'],
])('%d ms are %s', (ms, expected) => {
  expect(formatDuration(ms)).toBe(expected);
});
