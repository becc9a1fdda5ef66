/** Rows: any order, repetition, or loss followed by a load leads to the same table; what is written is what is read. */
import * as fc from 'fast-check';
import { decodeRow, encodeRow } from '../../../src/cluster/codec';
import { activationKey, connectionKey, parseKey, PAUSE_KEY } from '../../../src/cluster/key';
import { compare, Kind, type Row, Stage, Step } from '../../../src/cluster/row';
import { type LocalChange, Rows } from '../../../src/cluster/rows';
import { parseAddress } from '../../../src/packet/address';

const NOW = 1_700_000_000_000;
const KEYS = ['rp/10.1.0.1/4000/7547', 'rp/2001:db8::1/4000/7547', 'ac/10.1.0.1', 'ac/2001:db8::1'];
const connection = (isn: number) => ({ owner: 'c1', isn, seen: 0, scales: 0x77, head: 3 });
const activation = (phase: number) => ({
  ...{ collector: phase === 0 ? '' : 'c1', phase, grace: 0, cpePort: 0, port: 0 },
  ...{ phaseAt: NOW, armedAt: NOW, askedAt: 0, sessionAt: 0 },
});
const fieldsOf = (key: string, n: number) => (key.startsWith('ac') ? activation(n % 4) : connection(n));

const anyRow: fc.Arbitrary<Row> = fc
  .record({
    key: fc.constantFrom(...KEYS),
    generation: fc.integer({ min: 1, max: 3 }),
    step: fc.integer({ min: 1, max: 6 }),
    refresh: fc.integer({ min: 0, max: 2 }),
    router: fc.constantFrom('a', 'b', 'c'),
  })
  // A router writes one row for each generation, step and refresh.
  .map((row) => ({ ...row, deadlineMs: NOW + 1000, fields: fieldsOf(row.key, row.generation * 8 + row.step) }));

const tableOf = (rows: Rows) =>
  [...rows.all()]
    .map(({ key, generation, step, refresh, router }) => `${key} ${generation} ${step} ${refresh} ${router}`)
    .sort();

/** A peer that has no tables of its own. */
function peerOf(rows: readonly Row[]): Rows {
  const peer = new Rows('x');
  for (const row of rows) peer.merge(row, NOW);
  return peer;
}

test('any order and any repetition give the same table', () => {
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (rows, numbers) => {
      const order = [...numbers.take(60)]
        .map((n) => rows[n % Math.max(1, rows.length)])
        .filter((row) => row !== undefined);
      expect(tableOf(peerOf([...order, ...rows]))).toEqual(tableOf(peerOf(rows)));
    }),
  );
});

test('what was lost comes with a load of the rows that a store keeps', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyRow, fc.boolean()), { maxLength: 30 }), (told) => {
      const store = peerOf(told.map(([row]) => row));
      const late = peerOf(told.filter(([, isLost]) => !isLost).map(([row]) => row));
      for (const row of store.all()) late.merge(row, NOW);
      expect(tableOf(late)).toEqual(tableOf(store));
    }),
  );
});

test('compare is a total order', () => {
  fc.assert(
    fc.property(anyRow, anyRow, anyRow, (one, two, three) => {
      expect(Math.sign(compare(one, two)) + Math.sign(compare(two, one))).toBe(0);
      if (compare(one, two) >= 0 && compare(two, three) >= 0) expect(compare(one, three)).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('two routers whose tables change at the same time agree once both have heard everything', () => {
  const anyChange = fc.record({
    router: fc.nat(1),
    key: fc.constantFrom(...KEYS),
    isn: fc.nat(2),
    step: fc.integer({ min: 1, max: 6 }),
    begins: fc.boolean(),
    isHeard: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 20 }), (changes) => {
      const routers = [new Rows('a'), new Rows('b')] as const;
      const said: string[][] = [[], []];
      const applied = [0, 0];
      const hear = (to: number) => {
        const mine = said[1 - to]!.splice(0);
        for (const text of mine) {
          const [key, ...rest] = text.split(' ');
          const ours = routers[to]!.merge(decodeRow(key!, rest.join(' '), 0) as Row, NOW);
          if (ours) said[to]!.push(`${ours.key} ${encodeRow(ours, 0)}`);
        }
        routers[to]!.hand(99, () => ++applied[to]!);
      };
      changes.forEach(({ router, key, isn, step, begins, isHeard }, n) => {
        const change: LocalChange = {
          ...{ key, step, begins, isStanding: false, deadlineMs: NOW + 5000, applied: applied[router]! },
          fields: fieldsOf(key, isn),
        };
        const row = routers[router]!.change(change, NOW + n);
        if (row) said[router]!.push(`${row.key} ${encodeRow(row, 0)}`);
        if (isHeard) hear(1 - router);
      });
      for (let round = 0; said[0]!.length + said[1]!.length > 0; round++) {
        expect(round).toBeLessThan(20);
        hear(0);
        hear(1);
      }
      expect(tableOf(routers[0])).toEqual(tableOf(routers[1]));
    }),
  );
});

test('session-first and armed of one request: the activation is used up, in either order', () => {
  const row = (step: number, router: string): Row => ({
    ...{ key: KEYS[2]!, generation: 7, step, refresh: 0, router, deadlineMs: NOW + 9, fields: activation(0) },
  });
  for (const order of [
    [Stage.Armed, Stage.SessionFirst],
    [Stage.SessionFirst, Stage.Armed],
  ]) {
    const rows = peerOf(order.map((step, n) => row(step, `r${n}`)));
    expect(rows.get(KEYS[2]!)?.step).toBe(Stage.SessionFirst);
    expect(rows.tallies.overtaken).toBe(1);
  }
});

test('a new connection is newer than a row of a router that was away, though nobody remembers its generation', () => {
  const away = new Rows('a');
  const change = (isn: number): LocalChange => ({
    ...{ key: KEYS[0]!, step: Step.Opened, begins: true, isStanding: false, deadlineMs: NOW + 9e6, applied: 0 },
    fields: connection(isn),
  });
  const old = away.change(change(1), NOW)!;
  const rows = new Rows('b');
  rows.change(change(2), NOW + 60_000);
  rows.merge(old, NOW + 60_001);
  expect(rows.get(KEYS[0]!)?.fields.isn).toBe(2);
});

test('a row of a peer that has passed its deadline is ignored, and one of ours is forgotten', () => {
  const rows = peerOf([]);
  rows.merge(
    { key: KEYS[0]!, generation: 1, step: 1, refresh: 0, router: 'a', deadlineMs: NOW, fields: connection(1) },
    NOW,
  );
  expect(rows.size).toBe(0);
  rows.merge(
    { key: KEYS[0]!, generation: 1, step: 1, refresh: 0, router: 'a', deadlineMs: NOW + 5, fields: connection(1) },
    NOW,
  );
  rows.sweep(NOW + 5, 99);
  expect([rows.size, rows.waiting.size]).toEqual([0, 0]);
});

// ---- the text ----

test('what is written is read, in the clock of the store', () => {
  fc.assert(
    fc.property(anyRow, fc.integer({ min: -1e6, max: 1e6 }), (row, offsetMs) => {
      expect(decodeRow(row.key, encodeRow(row, offsetMs), offsetMs)).toEqual(row);
    }),
  );
  const row: Row = {
    key: KEYS[2]!,
    generation: 1,
    step: 2,
    refresh: 0,
    router: 'a',
    deadlineMs: NOW,
    fields: activation(1),
  };
  expect(encodeRow(row, 250)).toContain(`"d":${NOW + 250}`);
  expect((decodeRow(KEYS[2]!, encodeRow(row, 250), 0) as Row).fields.phaseAt).toBe(NOW + 250);
});

test('what the next version adds is kept and passed on, while the same connection lasts', () => {
  const next = `9 3 0 b {"d":${NOW + 5000},"owner":"c1","isn":5,"seen":0,"scales":0,"head":0,"tlsSni":{"name":"x"}}`;
  const row = decodeRow(KEYS[0]!, next, 0) as Row;
  const rows = new Rows('a');
  rows.merge(row, NOW);
  rows.hand(9, () => 1);
  const change = { key: KEYS[0]!, begins: false, isStanding: false, deadlineMs: NOW + 9000, applied: 1 };
  const ours = rows.change({ ...change, step: Step.Closing, fields: connection(5) }, NOW)!;
  expect(encodeRow(ours, 0)).toContain('"tlsSni":{"name":"x"}');
  const other = rows.change({ ...change, step: Step.Opened, begins: true, fields: connection(6) }, NOW)!;
  expect(encodeRow(other, 0)).not.toContain('tlsSni');
  // A step and a kind that only the next version knows.
  expect(decodeRow(KEYS[0]!, next.replace('9 3', '9 12'), 0)).toMatchObject({ step: 12 });
  expect(decodeRow('zz/10.1.0.1', next, 0)).toBe('its key is no entry');
});

test.each([
  ['1 1 0 a {"d":1,"owner":"c1","isn":5,"seen":0,"scales":0,"head":0', 'its fields are no JSON'],
  ['x', 'it is no row of this format'],
  ['0 1 0 a {"d":1}', 'its step is odd'],
  ['1 99 0 a {"d":1}', 'its step is odd'],
  ['1 1 0 a {}', 'it has no deadline'],
  ['1 1 0 a {"d":-4}', 'it has no deadline'],
  ['1 1 0 a {"d":1,"owner":"c 1","isn":5,"seen":0,"scales":0,"head":0}', 'its owner is no name'],
  ['1 1 0 a {"d":1,"owner":"c1","isn":5e9,"seen":0,"scales":0,"head":0}', 'its ISN is no number'],
  ['1 1 0 a {"d":1,"owner":"c1","isn":5,"seen":64,"scales":0,"head":0}', 'its marks are odd'],
  [`1 1 0 a {"d":1,"x":"${'x'.repeat(5000)}"}`, 'it is too long'],
])('a hostile row is refused in one line: %.40s', (text, why) => {
  expect(decodeRow(KEYS[0]!, text, 0)).toBe(why);
});

test.each([
  ['ac/10.1.0.1', { ...activation(1), collector: 'itms' }, 'its collector is no name'],
  ['ac/10.1.0.1', { ...activation(0), collector: 'c1' }, 'its collector is no name'],
  ['ac/10.1.0.1', { ...activation(1), phase: 4 }, 'its phase is odd'],
  ['ac/10.1.0.1', { ...activation(1), armedAt: 'now' }, 'its times are odd'],
  ['ac/10.1.0.1', { ...activation(0), overAt: -1 }, 'its times are odd'],
  ['rq/10.1.0.1/7547/40000', { ...connection(1), ownPort: 40000, tag: 1 }, 'remapped is neither true nor false'],
  ['rq/10.1.0.1/7547/40000', { ...connection(1), ownPort: 40001, tag: 1, remapped: false }, 'its ports differ'],
  [PAUSE_KEY, { paused: 1 }, 'paused is neither true nor false'],
  ['rp/10.1.0.01/1/2', connection(1), 'its key is no entry'],
  ['rp/10.1.0.1/0/2', connection(1), 'its key is no entry'],
  ['rp/2001:DB8::1/1/2', connection(1), 'its key is no entry'],
])('%s with odd fields is refused', (key, fields, why) => {
  const row: Row = { key, generation: 1, step: 1, refresh: 0, router: 'a', deadlineMs: NOW, fields };
  expect(decodeRow(key, encodeRow(row, 0), 0)).toBe(why);
});

test.each(['10.1.0.1', '2001:db8::7'])('keys of %s are read back', (text) => {
  const cpe = parseAddress(text)!;
  expect(parseKey(activationKey(cpe))).toEqual({ kind: Kind.Activation, cpe, cpePort: 0, port: 0 });
  expect(parseKey(connectionKey(Kind.Report, cpe, 4000, 7547))).toEqual({
    kind: Kind.Report,
    cpe,
    cpePort: 4000,
    port: 7547,
  });
});
