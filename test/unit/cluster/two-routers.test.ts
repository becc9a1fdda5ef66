/** What a CPE and its servers see when their packets move from one router to another. */
import { ClusterRings, Tally } from '../../../src/engine/shared/cluster-rings';
import { ClusterLink } from '../../../src/engine/worker/cluster-link';
import { Word } from '../../../src/tables/connection-row';
import { Routers } from '../../support/routers';
import { GET, OK, REPORT_PORT } from '../../support/rig';

const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';
const BODY = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

/** From the wake-up to the ITMS's next session, packet by packet. */
const STORY: ((routers: Routers) => string)[] = [
  ({ rig }) => rig.from('c1', 'SYN', { port: 50001, sequence: 500 }),
  ({ rig }) => rig.cpe('SYN+ACK', { port: 50001, sequence: 7000 }),
  ({ rig }) => rig.from('c1', 'ACK', { port: 50001 }),
  ({ rig }) => rig.from('c1', 'DATA', { port: 50001, payload: GET }),
  ({ rig }) => rig.cpe('DATA', { port: 50001, payload: OK }),
  ({ rig }) => rig.cpe('SYN', { sequence: 1000 }),
  ({ rig }) => rig.from('c1', 'SYN+ACK', { sequence: 5000 }),
  ({ rig }) => rig.cpe('ACK'),
  ({ rig }) => rig.cpe('DATA', { payload: GET }),
  ({ rig }) => rig.from('c1', 'DATA', { payload: BODY }),
  ({ rig }) => rig.cpe('DATA', { payload: GET }),
  ({ rig }) => rig.from('c1', 'DATA', { payload: NO_CONTENT }),
  ({ rig }) => rig.cpe('FIN'),
  ({ rig }) => rig.from('c1', 'FIN'),
  ({ rig }) => rig.cpe('ACK'),
  ({ rig }) => rig.cpe('SYN', { cpePort: 40002, sequence: 9000 }),
];

/** Where a packet went, whatever the reason. */
const place = (text: string) => text.split(':')[0];

/** What one router does. */
function alone(): string[] {
  const routers = new Routers();
  return STORY.map((step) => place(step(routers)));
}

test.each(STORY.map((_, at) => at))('a switch before packet %i changes the way of none', (at) => {
  const routers = new Routers();
  const went = STORY.map((step, n) => {
    if (n === at) routers.switchTo('b');
    routers.rig.wait(7);
    return place(step(routers));
  });
  // Without the numbers the answer to a request that came by the other router cannot be proven, so it arms nobody.
  const isUnread = at === 4;
  expect(went.slice(0, isUnread ? 5 : undefined)).toEqual(alone().slice(0, isUnread ? 5 : undefined));
  if (isUnread) expect(went[5]).toBe('to itms');
});

test('an activation is used up on both routers, whichever has the session', () => {
  const routers = new Routers();
  routers.rig.wake('c1');
  routers.switchTo('b');
  expect(routers.rig.activation()).toBe('armed c1');
  routers.rig.divert('c1');
  routers.switchTo('a');
  expect(routers.rig.activation()).toBe('consumed c1');
  expect(routers.rig.report()).toBe('established c1');
  expect(routers.rig.cpe('SYN', { cpePort: 40002 })).toMatch(/^to itms/);
});

test('a RST of the CPE changes nothing on a router that has not heard the collector; after it, it does', () => {
  const routers = new Routers();
  routers.rig.wake('c1').divert('c1');
  routers.switchTo('b');
  expect(routers.rig.cpe('RST')).toMatch(/^to c1: report-unproven/);
  expect(routers.rig.report()).toBe('established c1');
  expect(routers.rig.from('c1', 'ACK')).toBe('as acs: report-answered');
  expect(routers.rig.cpe('RST')).toMatch(/^to c1: report-to-owner/);
  expect(routers.rig.report()).toBe('reset c1');
  routers.switchTo('a');
  expect(routers.rig.report()).toBe('reset c1');
});

test('the report SYN of a CPE that is being woken overtakes its 2xx: the activation is used up', () => {
  const routers = new Routers();
  routers.rig.ask('c1');
  routers.switchTo('b');
  expect(routers.rig.cpe('SYN', { sequence: 1 })).toMatch(/^to itms/);
  routers.use('a');
  routers.rig.cpe('DATA', { port: 50001, payload: OK });
  expect(routers.rig.activation()).toBe('armed c1');
  routers.settle();
  expect(routers.rig.activation()).toBe('none');
  expect(routers.use('b').rig.activation()).toBe('none');
  expect(routers.a.rows.tallies.overtaken + routers.b.rows.tallies.overtaken).toBeGreaterThan(0);
});

test('both routers open a connection on the same ports at once: both keep the one that is newer', () => {
  const routers = new Routers();
  routers.rig.activate('c1');
  routers.switchTo('b').use('a');
  routers.rig.cpe('SYN', { sequence: 1000 });
  routers.rig.wait(1);
  routers.use('b');
  routers.rig.cpe('SYN', { sequence: 2000 });
  routers.settle();
  const at = [routers.a, routers.b].map(({ splitter }) => splitter.state.families[0]!.reportConnections);
  expect(at.map((reports) => reports.table.count)).toEqual([1, 1]);
  const isns = at.map((reports) => {
    for (let slot = 0; slot < reports.table.slotCount; slot++) if (reports.table.isLive(slot)) return reports.isn(slot);
    return 0;
  });
  expect(isns).toEqual([2000, 2000]);
});

test('expiry is not published: each router expires by itself, and a refresh prolongs a life on the other', () => {
  const routers = new Routers();
  routers.rig.wake('c1').divert('c1');
  routers.settle();
  routers.rig.wait(3_600_000).from('c1', 'ACK');
  routers.rig.wait(1);
  routers.a.link.hear(routers.rig.nowMs, routers.rig.nowMs);
  for (let step = 0; step < 20; step++) routers.a.link.walk();
  routers.switchTo('b');
  routers.rig.wait(7_000_000);
  expect(routers.rig.report()).toBe('established c1');
  routers.rig.wait(600_000);
  expect(routers.rig.report()).toBe('none');
});

test('a row on its way to the tables brings back nothing that has ended meanwhile', () => {
  const routers = new Routers();
  const { a, rig } = routers;
  rig.activate('c1');
  a.publish(rig.nowMs);
  // As after a loss of power: the tables are empty, and our own rows come back from a store.
  a.link.feed!.isSilent = true;
  rig.deactivate();
  a.link.feed!.isSilent = false;
  a.rows.handAll();
  a.send();
  rig.activate('c1').deactivate();
  a.publish(rig.nowMs);
  a.hear(rig.nowMs);
  a.hand(rig.nowMs);
  expect(rig.activation()).toBe('none');
});

test('what the kernel may have sent to the ITMS diverts no session on the other router; what that one armed stays', () => {
  const routers = new Routers();
  routers.rig.activate('c1');
  routers.settle();
  routers.b.splitter.endActivations(routers.rig.nowMs);
  routers.settle();
  expect(routers.use('b').rig.activation()).toBe('none');
  expect(routers.use('a').rig.activation()).toBe('armed c1');
  routers.a.splitter.endActivations(routers.rig.nowMs);
  routers.settle();
  expect(routers.use('a').rig.activation()).toBe('none');

  routers.rig.wait(1000);
  routers.use('a').rig.activate('c1');
  routers.settle();
  expect(routers.use('b').rig.activation()).toBe('armed c1');
  routers.a.splitter.endActivations(routers.rig.nowMs);
  routers.settle();
  expect(routers.use('b').rig.activation()).toBe('none');
});

test('sessions that were closed on the other router give way to new ones', () => {
  const routers = new Routers();
  const session = (n: number) => {
    const { rig } = routers;
    const cpePort = 40001 + n;
    const port = 50001 + n;
    rig.wake('c1', port);
    rig.from('c1', 'FIN', { port });
    rig.cpe('FIN', { port });
    rig.divert('c1', cpePort);
    rig.cpe('FIN', { cpePort });
    rig.from('c1', 'FIN', { cpePort });
    rig.cpe('ACK', { cpePort });
    rig.wait(1000);
  };
  for (let n = 0; n < 20; n++) session(n);
  routers.switchTo('b');
  for (let n = 20; n < 24; n++) session(n);
  expect(routers.rig.counts().reports).toBe(16);
});

test('an engine that starts again over its tables takes rows of the other router', () => {
  const routers = new Routers();
  routers.rig.wake('c1').divert('c1');
  routers.settle();
  const { state } = routers.a.splitter;
  const { activatedCpes, reportConnections } = state.families[0]!;
  const told = () =>
    [activatedCpes.table, reportConnections.table].flatMap((table, of) =>
      Array.from({ length: table.slotCount }, (_, slot) => slot)
        .filter((slot) => table.isLive(slot))
        .map((slot) => (of === 0 ? activatedCpes.toldAt(slot) : reportConnections.word(slot, Word.Told))),
    );
  expect(told().every((number) => number > 0)).toBe(true);
  new ClusterLink(routers.a.rings).follow(state, () => undefined);
  expect(told().every((number) => number > 0)).toBe(true);
  new ClusterLink(new ClusterRings(new ArrayBuffer(ClusterRings.BYTES))).follow(state, () => undefined);
  expect(told()).toEqual([0, 0]);
});

test('an act for this router alone is not told', () => {
  const routers = new Routers();
  routers.a.link.feed!.isSilent = true;
  routers.rig.activate('c1');
  routers.a.link.feed!.isSilent = false;
  routers.switchTo('b');
  expect(routers.rig.activation()).toBe('none');
});

test('a port that both routers gave away stays with the older connection', () => {
  const routers = new Routers();
  routers.rig.from('c1', 'SYN', { port: 50001, sequence: 500 });
  routers.a.publish(routers.rig.nowMs);
  routers.rig.wait(5);
  routers.use('b').rig.from('c2', 'SYN', { port: 50001, sequence: 900 });
  routers.settle();
  expect(routers.use('a').rig.request()).toBe('unanswered c1');
  expect(routers.use('b').rig.request()).toBe('unanswered c1');
  expect(routers.a.rows.tallies.conflicts).toBe(1);
});

test('the report port is checked: a row for another one is refused', () => {
  const routers = new Routers();
  const text = '5 1 0 a {"d":99999999999,"owner":"c1","isn":5,"seen":0,"scales":0,"head":0}';
  routers.b.take('rp/10.1.7.1/40001/81', text, routers.rig.nowMs);
  routers.b.take(`rp/10.9.7.1/40001/${REPORT_PORT}`, text, routers.rig.nowMs);
  routers.b.hand(routers.rig.nowMs);
  expect(routers.b.tally(Tally.Refused)).toBe(2);
});
