/** The ring between worker and recorder: bounded, nothing lost uncounted, positions that wrap. */
import { Head } from '../../../../src/splitter/decide/http-head';
import { Cause, Change } from '../../../../src/tables/flow-port';
import {
  Count,
  type FlowChange,
  type FlowCleared,
  FlowRing,
  marksOf,
  SLOTS,
} from '../../../../src/engine/shared/flow-ring';

const REPORTS = 2;

function put(ring: FlowRing, n: number, change = Change.Opened): void {
  const marks = marksOf(3, Head.Body, 0xffc3);
  ring.put(
    1e12 + n,
    REPORTS,
    change,
    Cause.Packet,
    marks,
    (n << 16) | 7547,
    Int32Array.of(n),
    change === Change.Opened,
  );
}

function read(ring: FlowRing, limit?: number): FlowChange[] {
  const changes: FlowChange[] = [];
  ring.release(
    ring.take(
      (change) => changes.push(change),
      () => undefined,
      limit,
    ),
  );
  return changes;
}

const ports = (changes: FlowChange[]) => changes.map(({ cpePort }) => cpePort);

test('a change is read as it was put', () => {
  const ring = new FlowRing(new ArrayBuffer(FlowRing.BYTES));
  ring.setName(3, 'collector-ä');
  put(ring, 40001, Change.Closed);
  expect(read(ring)).toEqual([
    {
      ...{ timeMs: 1e12 + 40001, table: 'reportConnections', change: Change.Closed, cause: Cause.Packet },
      ...{ cpe: Int32Array.of(40001), cpePort: 40001, port: 7547, owner: 'collector-ä', seen: 3, head: Head.Body },
    },
  ]);
  expect(read(ring)).toEqual([]);
});

test('an IPv6 address has four words, and a cleared table tells its family', () => {
  const ring = new FlowRing(new ArrayBuffer(FlowRing.BYTES));
  const cleared: FlowCleared[] = [];
  const changes: FlowChange[] = [];
  ring.put(1, 1, Change.Armed, Cause.Hand, marksOf(1023, 0, 0), 0, Int32Array.of(-1, 2, 3, 4), false);
  ring.putCleared(2, 1, new Int32Array(4));
  ring.take(
    (change) => changes.push(change),
    (table) => cleared.push(table),
  );
  expect(changes.map(({ cpe, table }) => [table, [...cpe]])).toEqual([['activatedCpes', [-1, 2, 3, 4]]]);
  expect(cleared).toEqual([{ timeMs: 2, table: 'activatedCpes', words: 4 }]);
});

test('a full ring loses what comes, counts it, and takes more once it has been read', () => {
  const ring = new FlowRing(new ArrayBuffer(FlowRing.BYTES));
  for (let n = 0; n < SLOTS + 9; n++) put(ring, n & 0xffff, n % 2 === 0 ? Change.Opened : Change.Closed);
  const { counts } = ring;
  expect([counts[Count.Told], counts[Count.Lost]]).toEqual([SLOTS + 9, 10]);
  expect([counts[Count.Opened], counts[Count.OpenedLost]]).toEqual([SLOTS / 2 + 5, 5]);
  expect(ports(read(ring, 3))).toEqual([0, 1, 2]);
  put(ring, 7);
  expect(ports(read(ring)).slice(-2)).toEqual([SLOTS - 2, 7]);
  expect(ring.openedTaken).toBe(counts[Count.Opened] - counts[Count.OpenedLost]);
});

test('another worker and another recorder go on where the last ones were; what was not released is read again', () => {
  const memory = new ArrayBuffer(FlowRing.BYTES);
  const first = new FlowRing(memory);
  put(first, 1);
  put(first, 2);
  expect(ports(read(new FlowRing(memory), 1))).toEqual([1]);
  put(new FlowRing(memory), 3);
  new FlowRing(memory).take(
    () => undefined,
    () => undefined,
  );
  const last = new FlowRing(memory);
  expect([last.waiting, last.openedTaken]).toEqual([2, 1]);
  expect(ports(read(last))).toEqual([2, 3]);
  expect(last.openedTaken).toBe(3);
});

test('positions wrap at 2^32', () => {
  const memory = new ArrayBuffer(FlowRing.BYTES);
  const positions = new Int32Array(memory);
  positions[0] = positions[16] = -2;
  const ring = new FlowRing(memory);
  for (const n of [1, 2, 3, 4]) put(ring, n);
  expect(ports(read(ring))).toEqual([1, 2, 3, 4]);
  expect(positions[16]).toBe(2);
});

test('a position that cannot be, from a damaged recorder, costs the rows that were waiting and no more', () => {
  const memory = new ArrayBuffer(FlowRing.BYTES);
  const ring = new FlowRing(memory);
  put(ring, 1);
  new Int32Array(memory)[16] = 5;
  put(ring, 2);
  expect(ring.counts[Count.Lost]).toBe(1);
  expect(read(ring)).toEqual([]);
  put(ring, 3);
  expect(ports(read(ring))).toEqual([3]);
});
