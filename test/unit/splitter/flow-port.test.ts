/** What a listener of the flow port is told about one session, and what it may answer. */
import { Word } from '../../../src/tables/connection-row';
import { type FlowTable } from '../../../src/tables/flow-port';
import { held, Mirror } from '../../support/mirror';
import { CPE_PORT, Rig } from '../../support/rig';

const GET = 'GET / HTTP/1.1\r\n\r\n';

/** A session of a woken CPE up to its collector's first answer. */
function woken(rig: Rig): void {
  rig.from('c1', 'SYN', { port: 50001, cpePort: CPE_PORT });
  rig.cpe('SYN+ACK', { port: 50001 });
  rig.from('c1', 'DATA', { port: 50001, cpePort: CPE_PORT, payload: GET });
  rig.cpe('DATA', { port: 50001, payload: 'HTTP/1.1 200 OK\r\n\r\n' });
  rig.cpe('SYN');
  rig.from('c1', 'SYN+ACK');
  rig.cpe('DATA', { payload: GET });
  rig.from('c1', 'DATA', { payload: 'HTTP/1.1 204 No Content\r\n\r\n' });
}

function heardBy(rig: Rig): Mirror {
  const mirror = new Mirror(() => rig.splitter);
  rig.splitter.listen(mirror);
  return mirror;
}

test('a session is told from the request to its end, each change once', () => {
  const rig = new Rig();
  const mirror = heardBy(rig);
  woken(rig);
  rig.from('c1', 'FIN');
  rig.cpe('FIN');
  expect(mirror.heard).toEqual([
    // The Connection Request
    'opened packet',
    'confirmed packet',
    'asked packet',
    'head packet',
    'armed response',
    'head packet',
    // The session
    'opened packet',
    'accepted packet',
    'consumed packet',
    'confirmed packet',
    'head packet',
    'head packet',
    // A 204: no grace
    'disarming over',
    'disarmed over',
    'closing packet',
    'closed packet',
  ]);
  expect(mirror.lines).toEqual(held(rig.splitter));
});

test('a late listener is told the existing entries; one that leaves is told nothing more', () => {
  const rig = new Rig();
  woken(rig);
  const mirror = heardBy(rig);
  expect(new Set(mirror.heard.map((line) => line.split(' ')[1]))).toEqual(new Set(['standing', 'packet']));
  expect(mirror.lines).toEqual(held(rig.splitter));
  const { length } = mirror.heard;
  rig.splitter.listen(undefined);
  rig.from('c1', 'FIN');
  expect(mirror.heard).toHaveLength(length);
});

test('swept entries, and expired ones that a new entry replaces, are reported as expired', () => {
  const rig = new Rig();
  const mirror = heardBy(rig);
  rig.from('c1', 'SYN', { port: 50001, cpePort: CPE_PORT });
  rig.wait(75_001).from('c1', 'SYN', { port: 50001, cpePort: CPE_PORT, sequence: 5 });
  rig.wait(75_001).splitter.sweep(rig.nowMs);
  expect(mirror.heard).toEqual(['opened packet', 'ended expired', 'opened packet', 'ended expired']);
});

test('a listener that has seen later packets keeps an entry alive', () => {
  const rig = new Rig();
  woken(rig);
  const mirror = new (class extends Mirror {
    override isKept(table?: FlowTable, slot?: number): boolean {
      if (table?.name !== 'reportConnections') return false;
      rig.splitter.state[table.family]!.reportConnections.table.touch(slot!);
      return true;
    }
  })(() => rig.splitter);
  rig.splitter.listen(mirror);
  rig.wait(7_500_001).splitter.sweep(rig.nowMs);
  expect(held(rig.splitter).filter((line) => line.startsWith('reportConnections'))).toHaveLength(1);
  expect(rig.cpe('ACK')).toBe('to c1: report-to-owner');
});

test('a listener that knows later numbers is asked before a proof is judged', () => {
  const rig = new Rig();
  woken(rig);
  const CARRIED = 5000;
  // The kernel carried data of both ends, so the RST is exact by numbers that the table has not seen.
  const exact = { sequence: 1001 + GET.length + CARRIED };
  expect(rig.cpe('RST', exact)).toBe('to c1: report-unproven');
  const mirror = new (class extends Mirror {
    override learn(table?: FlowTable, slot?: number): void {
      const reports = rig.splitter.state[table!.family]!.reportConnections;
      reports.setWord(slot!, Word.ServerAck, exact.sequence | 0);
    }
  })(() => rig.splitter);
  rig.splitter.listen(mirror);
  expect(rig.cpe('RST', exact)).toBe('to c1: report-to-owner');
  expect(mirror.heard).toContain('closed packet');
});

test('a connection that a listener cannot carry is not diverted, and keeps its activation', () => {
  const rig = new Rig().activate('c1');
  const mirror = heardBy(rig);
  const full = Object.assign(mirror, { isCarried: () => false });
  rig.splitter.listen(full);
  expect(rig.cpe('SYN')).toBe('to itms: report-not-carried');
  expect(rig.cpe('SYN')).toBe('to itms: pinned');
  expect(mirror.heard.slice(-2)).toEqual(['opened packet', 'ended not-carried']);
  expect([rig.report(), rig.activation()]).toEqual(['none', 'armed c1']);
  expect(mirror.lines).toEqual(held(rig.splitter));
  Object.assign(full, { isCarried: () => true });
  expect(rig.cpe('SYN', { sequence: 5 })).toBe('to c1: diverted');
});

test('after a reload the next splitter keeps listener and pause', () => {
  const rig = new Rig().activate('c1');
  const before = rig.splitter;
  const mirror = heardBy(rig);
  before.paused = true;
  const heard = mirror.heard.length;
  rig.restart({});
  rig.splitter.continueFrom(before);
  expect(mirror.heard.slice(heard)).toEqual(['armed standing']);
  expect(rig.splitter.paused).toBe(true);
  rig.splitter.paused = false;
  expect(rig.cpe('SYN')).toBe('to c1: diverted');
  expect(mirror.lines).toEqual(held(rig.splitter));
});
