/** The tables' entries for people: every word of an entry, searches by CPE, and pages that join without a gap. */
import { ITMS, NOBODY } from '../../../src/splitter/memory/owners';
import { addressNamed, textOf } from '../../support/family';
import { parseAddress } from '../../../src/packet/address';
import { activationEntries, reportEntries, requestEntries, type Search } from '../../../src/splitter/entries';
import { Splitter } from '../../../src/splitter/splitter';
import { CPE, CPE_PORT, REPORT_PORT, Rig, SERVERS, TOPOLOGY } from '../../support/rig';

const OTHER = '10.1.7.2';

test('every word of an entry', () => {
  const rig = new Rig().wake('c1').divert('c1').wait(1500);
  const { state } = rig.splitter;
  rig.splitter.sweep(rig.nowMs);
  expect(requestEntries(state, { limit: 9 }).entries).toEqual([
    {
      ...{ cpe: textOf(CPE), cpePort: CPE_PORT, port: 50001, ownPort: 50001, owner: 'c1' },
      ...{ phase: 'established', idleMs: 1500, remainingMs: 7_498_500 },
    },
  ]);
  expect(reportEntries(state, { limit: 9 }).entries).toEqual([
    {
      ...{ cpe: textOf(CPE), cpePort: 40001, port: REPORT_PORT, ownPort: REPORT_PORT, owner: 'c1' },
      ...{ phase: 'established', idleMs: 1500, remainingMs: 7_498_500 },
    },
  ]);
  expect(activationEntries(state, { limit: 9 }).entries).toEqual([
    { cpe: textOf(CPE), collector: 'c1', phase: 'consumed', idleMs: 1500, remainingMs: 298_500 },
  ]);
});

test('a remapped request has the port that the CPE sees, and the server’s own', () => {
  const rig = new Rig().ask('c1').ask('c2', 50001);
  const found = requestEntries(rig.splitter.state, { limit: 9 }).entries;
  expect(found.map(({ owner, port, ownPort }) => [owner, port, ownPort]).sort()).toEqual([
    ['c1', 50001, 50001],
    ['c2', 61000, 50001],
  ]);
});

test('only those of one server; an activation that is over is nobody’s', () => {
  const rig = new Rig().ask('c1').ask('c2', 50002);
  const { state } = rig.splitter;
  const [c1, c2] = [state.owners.find('c1'), state.owners.find('c2')];
  expect(requestEntries(state, { limit: 9, owner: c2 }).entries.map(({ owner }) => owner)).toEqual(['c2']);
  rig.activate('c1');
  const armed = (owner: number) =>
    activationEntries(state, { limit: 9, owner }).entries.map(({ collector }) => collector);
  expect([armed(c1), armed(c2), armed(ITMS)]).toEqual([['c1'], [], []]);
  rig.wait(61_000);
  state.advance(rig.nowMs);
  expect([armed(c1), activationEntries(state, { limit: 9 }).entries[0]?.phase]).toEqual([[], 'asked']);
  expect([state.owners.find('itms'), state.owners.find('nobody')]).toEqual([ITMS, NOBODY]);
});

test('the phases of a connection, the strongest sign first', () => {
  const rig = new Rig().activate('c1');
  const phase = () => reportEntries(rig.splitter.state, { limit: 1 }).entries[0].phase;
  rig.cpe('SYN');
  expect(phase()).toBe('unanswered');
  rig.from('c1', 'SYN+ACK');
  expect(phase()).toBe('unanswered');
  rig.cpe('ACK');
  expect(phase()).toBe('established');
  rig.from('c1', 'FIN');
  expect(phase()).toBe('fin');
  rig.cpe('FIN');
  expect(phase()).toBe('closed');
  rig.cpe('RST');
  expect(phase()).toBe('reset');
});

test('the phases of an activation', () => {
  const rig = new Rig().activate('c1');
  const phase = () => activationEntries(rig.splitter.state, { limit: 1 }).entries[0].phase;
  expect(phase()).toBe('armed');
  rig.divert();
  expect(phase()).toBe('consumed');
  rig.cpe('FIN');
  expect(phase()).toBe('grace');
});

test('what has expired is not shown, though it has not been swept', () => {
  const rig = new Rig().activate('c1').activate('c1', OTHER).wait(60_001);
  rig.splitter.state.advance(rig.nowMs);
  expect(activationEntries(rig.splitter.state, { limit: 9 })).toEqual({ entries: [], next: undefined });
  expect(rig.splitter.tables.activatedCpes.count).toBe(2);
});

test('one CPE’s, or everybody’s', () => {
  const rig = new Rig().activate('c1').activate('c2', OTHER);
  const of = (cpe?: string) =>
    activationEntries(rig.splitter.state, { limit: 9, cpe: cpe === undefined ? cpe : addressNamed(cpe) })
      .entries.map(({ collector }) => collector)
      .sort();
  expect([of(), of(CPE), of(OTHER), of('10.1.7.3')]).toEqual([['c1', 'c2'], ['c1'], ['c2'], []]);
});

describe('pages', () => {
  const CPES = 20;
  const topology = {
    ...TOPOLOGY,
    cpe: { ...TOPOLOGY.cpe, address: { ipv4: '10.1.0.1', ipv6: '2001:db8:1::1' } },
    itms: { ...TOPOLOGY.itms, address: { ipv4: SERVERS.itms, ipv6: '2001:db8:2::2' } },
    collectors: [{ name: 'c1', interface: 'col0', address: { ipv4: SERVERS.c1, ipv6: '2001:db8:3::2' } }],
  };
  const splitter = () => {
    const made = new Splitter({ topology, activation: 'auto', capacityEntries: 30, seed: 7 });
    for (let n = 1; n <= CPES; n++) {
      for (const text of [`10.1.7.${n}`, `2001:db8:1::${n}`]) made.activate(parseAddress(text)!, 'c1', 1000);
    }
    return made;
  };

  test.each<[string, Omit<Search, 'from'>]>([
    ['of one entry', { limit: 1 }],
    ['of 7 entries', { limit: 7 }],
    ['of one slot', { limit: 99, slots: 1 }],
    ['of 13 slots', { limit: 99, slots: 13 }],
    ['of 13 slots or 3 entries', { limit: 3, slots: 13 }],
    ['as many as there are', { limit: 2 * CPES }],
  ])('%s join without a gap, IPv4 before IPv6', (_what, search) => {
    const { state } = splitter();
    const whole = activationEntries(state, { limit: 99 });
    expect([whole.entries.length, whole.next]).toEqual([2 * CPES, undefined]);
    expect(whole.entries.map(({ cpe }) => cpe.includes(':'))).toEqual(
      Array.from({ length: 2 * CPES }, (_, n) => n >= CPES),
    );
    const { table: ofIpv4 } = state.ipv4!.activatedCpes;
    const pages = Math.max(Math.ceil((2 * CPES) / search.limit), (2 * ofIpv4.slotCount) / (search.slots ?? Infinity));
    const joined: unknown[] = [];
    let read = 0;
    for (let from: number | undefined = 0; from !== undefined;) {
      const page: ReturnType<typeof activationEntries> = activationEntries(state, { ...search, from });
      expect(page.entries.length).toBeLessThanOrEqual(search.limit);
      if (page.next !== undefined) expect(page.next - from).toBeLessThanOrEqual(search.slots ?? Infinity);
      expect(page.next ?? Infinity).toBeGreaterThan(from);
      joined.push(...page.entries);
      read++;
      from = page.next;
    }
    expect(joined).toEqual(whole.entries);
    expect(read).toBeGreaterThanOrEqual(pages);
  });

  test('a limit of none is a page of none', () => {
    expect(activationEntries(splitter().state, { limit: 0 })).toEqual({ entries: [], next: 0 });
  });
});
