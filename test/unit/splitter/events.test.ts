/** The ring of events: events are read back as written, a slow reader loses the oldest, and damage stays local. */
import { EVENTS, Event, EventLog, type EventRow } from '../../../src/splitter/memory/events';
import { addressNamed, WORDS } from '../../support/family';

const CPE = addressNamed('245.254.253.252');
const RING_ROWS = 4096;
const MARGIN = 16;

function logOf(): { log: EventLog; buffer: ArrayBuffer } {
  const buffer = new ArrayBuffer(EventLog.BYTES + 2 * MARGIN);
  return { log: new EventLog(buffer, MARGIN), buffer };
}

function read(log: EventLog, since = 0): { rows: EventRow[]; next: number } {
  const rows: EventRow[] = [];
  const next = log.readSince(since, (row) => rows.push(row));
  return { rows, next };
}

test('every event has its name', () => {
  expect([
    EVENTS.length,
    EVENTS[Event.ArmedByResponse],
    EVENTS[Event.SessionFirst],
    EVENTS[Event.CollectorDown],
  ]).toEqual([Event.CollectorDown + 1, 'armed-by-response', 'session-first', 'collector-down']);
});

test('an event is counted, and comes back as it was noted', () => {
  const { log } = logOf();
  log.advance(86_400_000.5);
  log.add(Event.ArmedByHand, CPE, 0, 65_535, 1023);
  log.advance(86_400_001.5);
  log.add(
    Event.Closed,
    CPE.map((word) => ~word),
    65_535,
    0,
    0,
  );
  const [first, second] = read(log).rows;
  expect(first).toEqual({
    event: Event.ArmedByHand,
    timeMs: 86_400_000.5,
    cpe: CPE,
    cpePort: 0,
    port: 65_535,
    owner: 1023,
  });
  expect(second).toEqual({
    event: Event.Closed,
    timeMs: 86_400_001.5,
    cpe: CPE.map((word) => ~word),
    cpePort: 65_535,
    port: 0,
    owner: 0,
  });
  expect([log.counts[Event.ArmedByHand], log.counts[Event.Closed], log.counts[Event.Diverted]]).toEqual([1, 1, 0]);
});

test('a reader continues where it stopped', () => {
  const { log } = logOf();
  expect(read(log)).toEqual({ rows: [], next: 0 });
  for (let n = 0; n < 3; n++) log.add(Event.Diverted, CPE, n, 7547, 1);
  expect(read(log, 1).rows.map(({ cpePort }) => cpePort)).toEqual([1, 2]);
  expect(read(log, 3)).toEqual({ rows: [], next: 3 });
});

test('a reader that comes late gets the last 4096, the oldest first', () => {
  const { log } = logOf();
  for (let n = 0; n < RING_ROWS + 10; n++) {
    log.advance(n);
    log.add(Event.Diverted, CPE, n, 7547, 1);
  }
  const { rows, next } = read(log);
  expect([rows.length, next, log.written]).toEqual([RING_ROWS, RING_ROWS + 10, RING_ROWS + 10]);
  rows.forEach(({ event, cpePort, timeMs }, i) =>
    expect([event, cpePort, timeMs]).toEqual([Event.Diverted, i + 10, i + 10]),
  );
});

test('nothing around its memory is written', () => {
  const { log, buffer } = logOf();
  const bytes = new Uint8Array(buffer);
  const around = () => [...bytes.subarray(0, MARGIN), ...bytes.subarray(-MARGIN)];
  bytes.fill(0xa5, 0, MARGIN);
  bytes.fill(0xa5, bytes.length - MARGIN);
  for (let n = 0; n < RING_ROWS; n++) log.add(n % EVENTS.length, CPE, n, 7547, 1);
  expect(around()).toEqual(new Array(2 * MARGIN).fill(0xa5));
  expect(log.written).toBe(RING_ROWS);
});

describe('damaged', () => {
  const { head, rows } = { head: MARGIN + EVENTS.length * 8, rows: MARGIN + (EVENTS.length + 1 + RING_ROWS) * 8 };

  test.each([
    ['not a number', NaN, 0],
    ['below zero', -1, 0],
    ['no whole number', 1.5, 0],
    ['2^53', 2 ** 53, 0],
    ['2^53 - 1', 2 ** 53 - 1, 2 ** 53 - 1],
  ])('a count of events that is %s: %f', (_what, count, written) => {
    const { log, buffer } = logOf();
    new Float64Array(buffer, head, 1)[0] = count;
    expect(log.written).toBe(written);
  });

  test('a row says whatever length of an address: it is one word, or four', () => {
    const { log, buffer } = logOf();
    log.add(Event.Closed, CPE, 1, 2, 3);
    const words = new Int32Array(buffer, rows, 1);
    const lengths = [0, 1, 3, 4, 5, -1].map((length) => {
      words[0] = Event.Closed | (length << 8);
      return read(log).rows[0].cpe.length;
    });
    expect(lengths).toEqual([1, 1, 1, 4, 1, 1]);
    words[0] = Event.Closed | (WORDS << 8);
    expect(read(log).rows[0].cpe).toEqual(CPE);
  });
});
