/** Port collisions: two servers use the same source port towards one port of a CPE. [D] */
import { CPE, GET, OK, Rig } from '../../support/rig';

const PORT = 50001;
const REMAPPED = 61000;

/** The ITMS has the port; c1 asks from the same one. */
function collided(): Rig {
  const rig = new Rig();
  rig.ask('itms', PORT);
  expect(rig.from('c1', 'SYN', { port: PORT, sequence: 500 })).toBe(`as acs:${REMAPPED}: request-remapped`);
  return rig;
}

test('the later SYN leaves from another port, and both servers get their own answers', () => {
  const rig = collided();
  expect(rig.cpe('SYN+ACK', { port: REMAPPED, sequence: 7000 })).toBe(`to c1:${PORT}: answer-to-owner`);
  expect(rig.from('c1', 'ACK', { port: PORT })).toBe(`as acs:${REMAPPED}: request-followed`);
  expect(rig.from('c1', 'DATA', { port: PORT, payload: GET })).toBe(`as acs:${REMAPPED}: request-followed`);
  expect(rig.from('itms', 'DATA', { port: PORT, payload: GET })).toBe('as acs: request-followed');
  expect(rig.cpe('DATA', { port: PORT, sequence: 7001, payload: OK })).toBe('to itms: answer-to-owner');
  expect(rig.cpe('DATA', { port: REMAPPED, sequence: 7001, payload: OK })).toBe(`to c1:${PORT}: answer-to-owner`);
  expect(rig.activation()).toBe('armed c1');
  expect(rig.from('c1', 'FIN', { port: PORT })).toBe(`as acs:${REMAPPED}: request-finished`);
  expect(rig.cpe('FIN', { port: REMAPPED })).toBe(`to c1:${PORT}: answer-to-owner`);
  expect(rig.request()).toBe('closed c1, established itms');
  expect(rig.from('c1', 'RST', { port: PORT })).toBe(`as acs:${REMAPPED}: request-reset`);
  expect(rig.events('remapped')).toBe(1);
});

test('a SYN of it that comes again leaves from the same other port', () => {
  const rig = collided();
  expect(rig.from('c1', 'SYN', { port: PORT, sequence: 500 })).toBe(`as acs:${REMAPPED}: request-repeated`);
  expect(rig.from('c1', 'SYN', { port: PORT, sequence: 900 })).toBe(`as acs:${REMAPPED}: request-opened`);
});

test('three servers on one port each have their own', () => {
  const rig = collided();
  expect(rig.from('c2', 'SYN', { port: PORT })).toBe(`as acs:${REMAPPED + 1}: request-remapped`);
  expect(rig.cpe('SYN+ACK', { port: REMAPPED + 1 })).toBe(`to c2:${PORT}: answer-to-owner`);
  expect(rig.cpe('SYN+ACK', { port: REMAPPED })).toBe(`to c1:${PORT}: answer-to-owner`);
  expect(rig.cpe('ACK', { port: PORT })).toBe('to itms: answer-to-owner');
});

test('a server whose own port is one that was given to another is remapped in its turn', () => {
  const rig = collided();
  expect(rig.from('c2', 'SYN', { port: REMAPPED })).toBe(`as acs:${REMAPPED + 1}: request-remapped`);
  expect(rig.cpe('SYN+ACK', { port: REMAPPED + 1 })).toBe(`to c2:${REMAPPED}: answer-to-owner`);
});

test('a port of the range that a server uses itself is not given to another', () => {
  const rig = new Rig();
  rig.from('c2', 'SYN', { port: REMAPPED });
  rig.from('itms', 'SYN', { port: PORT });
  expect(rig.from('c1', 'SYN', { port: PORT })).toBe(`as acs:${REMAPPED + 1}: request-remapped`);
});

test('another port of the CPE is no collision, nor is another CPE', () => {
  const rig = new Rig();
  rig.from('itms', 'SYN', { port: PORT });
  expect(rig.from('c1', 'SYN', { port: PORT, cpePort: 9 })).toBe('as acs: request-opened');
  expect(rig.from('c1', 'SYN', { port: PORT, cpe: '10.1.7.2' })).toBe('as acs: request-opened');
});

test('the later one keeps its own port once the first one’s entry has gone', () => {
  const rig = new Rig();
  rig.from('itms', 'SYN', { port: PORT });
  rig.wait(75_001);
  expect(rig.from('c1', 'SYN', { port: PORT })).toBe('as acs: request-opened');
});

test('a remapped connection keeps its port when the first one’s entry has gone', () => {
  const rig = collided();
  rig.cpe('SYN+ACK', { port: REMAPPED });
  rig.cpe('RST', { port: PORT });
  rig.wait(10_001);
  expect(rig.request()).toBe('established c1');
  expect(rig.from('c1', 'DATA', { port: PORT, payload: GET })).toBe(`as acs:${REMAPPED}: request-followed`);
});

test('a remapped connection lives by the packets of either side', () => {
  const rig = collided();
  rig.cpe('SYN+ACK', { port: REMAPPED });
  rig.from('c1', 'ACK', { port: PORT });
  for (let hours = 0; hours < 6; hours++) rig.wait(3_600_000).cpe('ACK', { port: REMAPPED });
  expect(rig.from('c1', 'ACK', { port: PORT })).toBe(`as acs:${REMAPPED}: request-followed`);
});

test('the ITMS is remapped as well, and passes unchanged where there is no room', () => {
  const rig = new Rig({ capacityEntries: 2 });
  rig.from('c1', 'SYN', { port: PORT });
  rig.from('c1', 'SYN', { port: 50002 });
  expect(rig.from('itms', 'SYN', { port: PORT })).toBe('as acs: request-unrecorded');
  expect(rig.from('c2', 'SYN', { port: PORT })).toBe('drop: request-table-full');
  rig.cpe('RST', { port: 50002, sequence: 0 });
  expect(rig.from('itms', 'SYN', { port: PORT })).toMatch(/^as acs:6\d+: request-remapped$/);
});

test('with no free port left a collector’s SYN is dropped and counted', () => {
  const rig = new Rig({ capacityEntries: 64 });
  // The reverse index has room for 64, whatever the table's size: their connections are over, and gave way.
  for (let n = 0; n < 64; n++) {
    const cpe = `10.1.8.${n}`;
    rig.from('itms', 'SYN', { cpe, port: PORT });
    rig.from('c1', 'SYN', { cpe, port: PORT });
  }
  expect(rig.reasons('request-remapped')).toBe(32);
  expect(rig.reasons('request-table-full')).toBe(32);
});

test('after a loss of the tables a server’s packets belong to no entry', () => {
  const rig = collided().loseTables();
  expect(rig.from('c1', 'DATA', { port: PORT, payload: GET })).toBe('drop: request-unknown');
  expect(rig.cpe('ACK', { port: REMAPPED, cpe: CPE })).toBe('to itms: answer-to-itms');
});
