/** One row a session, written at its end: from the packets of a session to its row. */
import { formatAddress } from '../../../../src/packet/address';
import { Outcome, OUTCOMES, type SessionRow, WOKEN, HEADS } from '../../../../src/engine/recorder/session';
import { Assembled } from '../../../support/assembled';
import { CPE, GET, OK, Rig, UNAUTHORIZED } from '../../../support/rig';

const EMPTY = 'HTTP/1.1 204 No Content\r\n\r\n';
const BODY = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nenvelope!';

function setUp(): { rig: Rig; kept: Assembled } {
  const rig = new Rig();
  return { rig, kept: new Assembled(rig) };
}

/** Waits, and lets the sweep come round. */
function wait(rig: Rig, kept: Assembled, ms: number): void {
  rig.wait(ms);
  kept.tick();
  for (let step = 0; step < 4; step++) rig.splitter.sweep(rig.nowMs);
}

function session(rig: Rig, cpePort = 40001): void {
  rig.cpe('SYN', { cpePort });
  rig.from('c1', 'SYN+ACK', { cpePort });
  rig.cpe('ACK', { cpePort });
}

function exchange(rig: Rig, answer: string, cpePort = 40001): void {
  rig.cpe('DATA', { payload: GET, cpePort });
  rig.from('c1', 'DATA', { payload: answer, cpePort });
}

function close(rig: Rig, cpePort = 40001): void {
  rig.from('c1', 'FIN', { cpePort });
  rig.cpe('FIN', { cpePort });
  rig.from('c1', 'ACK', { cpePort });
}

function text(row: SessionRow): string {
  const heads = Object.entries(HEADS).filter(([head]) => row.heads & (1 << Number(head)));
  const words = [
    ...[formatAddress(row.cpe), row.collector, `woken ${WOKEN[row.woken]}`],
    `${row.connections} connection${row.connections === 1 ? '' : 's'}${row.isConfirmed ? '' : ', unconfirmed'}`,
    `heads ${heads.map(([, name]) => name).join('+') || 'none'}, last ${HEADS[row.lastHead]}`,
    OUTCOMES[row.outcome],
  ];
  return words.join('; ');
}

/** The rows so far, each once. */
function rows(kept: Assembled): string[] {
  return kept
    .read()
    .rows.splice(0)
    .map((row) => text(row).replace(/^\S+(?=;)/, (cpe) => (cpe.includes(':') ? CPE : cpe)));
}

test('a session that ends with a 204 has its row as soon as both ends have closed', () => {
  const { rig, kept } = setUp();
  rig.wake();
  rig.wait(400);
  kept.tick();
  session(rig);
  exchange(rig, BODY);
  exchange(rig, EMPTY);
  expect(rows(kept)).toEqual([]);
  rig.wait(600);
  kept.tick();
  close(rig);
  kept.read();
  const [row] = kept.rows;
  expect([row.endedMs - row.armedMs!, row.endedMs - row.openedMs!]).toEqual([1000, 600]);
  expect([row.cpePort, row.port, row.endedMs]).toEqual([40001, 7547, kept.wallMs]);
  expect(rows(kept)).toEqual([`${CPE}; c1; woken response; 1 connection; heads empty+body, last empty; closed`]);
  wait(rig, kept, 8_000_000);
  expect(rows(kept)).toEqual([]);
  expect([kept.sessions.count, kept.sessions.pendingConnections]).toEqual([0, 0]);
});

test('a session over two connections is one row, written when the grace of the second is over', () => {
  const { rig, kept } = setUp();
  rig.wake();
  session(rig);
  exchange(rig, UNAUTHORIZED);
  close(rig);
  expect(rows(kept)).toEqual([]);
  session(rig, 40002);
  exchange(rig, BODY, 40002);
  close(rig, 40002);
  const endedMs = kept.wallMs;
  wait(rig, kept, 100_000);
  kept.read();
  expect(kept.rows.map((row) => row.endedMs)).toEqual([endedMs]);
  expect(rows(kept)).toEqual([`${CPE}; c1; woken response; 2 connections; heads body+retry, last body; closed`]);
});

test.each<[string, (rig: Rig, kept: Assembled) => void, string]>([
  [
    'a CPE that does not come',
    (rig, kept) => wait(rig.wake(), kept, 200_000),
    `woken response; 0 connections, unconfirmed; heads none, last none; no-session`,
  ],
  [
    'an activation by hand, ended by hand',
    (rig) => {
      rig.activate('c1');
      rig.splitter.deactivate(kept(rig), rig.nowMs);
    },
    `woken hand; 0 connections, unconfirmed; heads none, last none; ended-by-hand`,
  ],
  [
    'a collector that refuses',
    (rig) => {
      rig.wake().cpe('SYN');
      rig.from('c1', 'RST');
    },
    `woken response; 1 connection, unconfirmed; heads none, last none; refused`,
  ],
  [
    'a collector that is silent',
    (rig, assembled) => {
      rig.wake().cpe('SYN');
      wait(rig, assembled, 90_000);
    },
    `woken response; 1 connection, unconfirmed; heads none, last none; silent`,
  ],
  [
    'a collector that resets, its last request unanswered',
    (rig, assembled) => {
      session(rig.wake());
      rig.cpe('DATA', { payload: GET });
      rig.from('c1', 'RST');
      wait(rig, assembled, 100_000);
    },
    `woken response; 1 connection; heads unanswered, last unanswered; reset-by-collector`,
  ],
  [
    'a CPE that resets',
    (rig, assembled) => {
      session(rig.wake());
      exchange(rig, BODY);
      rig.cpe('RST');
      wait(rig, assembled, 100_000);
    },
    `woken response; 1 connection; heads body, last body; reset-by-cpe`,
  ],
  [
    'a connection that falls silent',
    (rig, assembled) => {
      session(rig.wake());
      wait(rig, assembled, 8_000_000);
    },
    `woken response; 1 connection; heads none, last none; idle`,
  ],
  [
    'a pause while the CPE was armed',
    (rig) => {
      rig.wake().splitter.paused = true;
      rig.cpe('SYN');
    },
    `woken response; 0 connections, unconfirmed; heads none, last none; not-diverting`,
  ],
  [
    'a takeover by the kernel while the CPE was armed',
    (rig) => rig.wake().splitter.endActivations(rig.nowMs),
    `woken response; 0 connections, unconfirmed; heads none, last none; takeover`,
  ],
  [
    'the ITMS wakes the CPE, too',
    (rig) => {
      rig.wake();
      rig.ask('itms', 50009);
      rig.cpe('DATA', { port: 50009, payload: OK });
    },
    `woken response; 0 connections, unconfirmed; heads none, last none; ended-by-itms`,
  ],
  [
    'the tables are emptied by a step of the clock',
    (rig, assembled) => {
      session(rig.wake());
      wait(rig, assembled, 2 ** 30 + 1);
    },
    `woken response; 1 connection; heads none, last none; tables-reset`,
  ],
])('%s: one row', (_name, act, expected) => {
  const { rig, kept } = setUp();
  act(rig, kept);
  expect(rows(kept)).toEqual([`${CPE}; c1; ${expected}`]);
  expect(kept.sessions.count).toBe(0);
});

/** The usual CPE's address. */
function kept(rig: Rig): Int32Array {
  const { activatedCpes } = rig.splitter.state.families[0];
  for (let slot = 0; slot < activatedCpes.table.slotCount; slot++) {
    if (activatedCpes.table.state(slot) !== 0) return activatedCpes.cpe(slot).slice();
  }
  throw new Error('no CPE is activated');
}

test('a CPE woken twice before its session has one row; woken by another collector, a second one', () => {
  const { rig, kept } = setUp();
  rig.wake();
  rig.wake('c1', 50002);
  session(rig);
  rig.wake('c2', 50003);
  exchange(rig, EMPTY);
  close(rig);
  wait(rig, kept, 200_000);
  expect(rows(kept)).toEqual([
    `${CPE}; c1; woken response; 1 connection; heads empty, last empty; closed`,
    `${CPE}; c2; woken response; 0 connections, unconfirmed; heads none, last none; no-session`,
  ]);
});

test('a worker that is killed in a session changes nothing: the next one tells how it goes on', () => {
  const { rig, kept } = setUp();
  rig.wake();
  session(rig);
  rig.restart({});
  kept.listen();
  exchange(rig, EMPTY);
  close(rig);
  expect(rows(kept)).toEqual([`${CPE}; c1; woken response; 1 connection; heads empty, last empty; closed`]);
});

test('a recorder that starts in a session writes what it has heard', () => {
  const rig = new Rig();
  rig.wake();
  session(rig);
  const kept = new Assembled(rig);
  exchange(rig, EMPTY);
  close(rig);
  expect(rows(kept)).toEqual([`${CPE}; c1; woken unknown; 0 connections; heads empty, last empty; closed`]);
  wait(rig, kept, 8_000_000);
  expect(rows(kept)).toEqual([]);
});

test('a recorder that stops writes the sessions that are open', () => {
  const { rig, kept } = setUp();
  rig.wake();
  session(rig);
  exchange(rig, BODY);
  kept.read().sessions.endAll(Outcome.Unfinished, kept.wallMs);
  expect(rows(kept)).toEqual([`${CPE}; c1; woken response; 1 connection; heads body, last body; unfinished`]);
  expect(kept.sessions.standing()).toEqual({ connections: [], activations: [] });
});

test('a session whose end was lost has its row after a day', () => {
  const { rig, kept } = setUp();
  rig.wake();
  session(rig);
  const toldMs = kept.wallMs;
  kept.read().sessions.expire(toldMs + 23 * 3600_000);
  expect(kept.rows).toEqual([]);
  kept.sessions.expire(toldMs + 25 * 3600_000);
  expect(kept.rows.map(({ endedMs }) => endedMs)).toEqual([toldMs]);
  expect(rows(kept)).toEqual([`${CPE}; c1; woken response; 1 connection; heads none, last none; unknown`]);
});
