/** The rows of the rule table for what servers send: collectors and the ITMS. */
import { addressNamed } from '../../support/family';
import { CPE, GET, OK, Rig, type Type } from '../../support/rig';

const PORT = 50001;
const AFTER_SYN: Type[] = ['SYN+ACK', 'ACK', 'DATA', 'FIN', 'RST'];
let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});

describe('a collector’s SYN from a port that is no report port opens a Connection Request [P6]', () => {
  test('it is recorded and leaves as from the ACS', () => {
    expect(rig.from('c1', 'SYN', { port: PORT })).toBe('as acs: request-opened');
    expect(rig.request()).toBe('unanswered c1');
  });

  test('of the same ISN it is a retransmission and lengthens the unanswered life [D]', () => {
    rig.from('c1', 'SYN', { port: PORT });
    rig.wait(75_000);
    expect(rig.from('c1', 'SYN', { port: PORT })).toBe('as acs: request-repeated');
    rig.wait(75_000);
    expect(rig.request()).toBe('unanswered c1');
    rig.wait(1);
    expect(rig.request()).toBe('none');
  });

  test('of the same ISN on an answered connection it changes nothing, nor does it lengthen its life [D]', () => {
    rig.ask().wait(7_000_000);
    expect(rig.from('c1', 'SYN', { port: PORT, sequence: 500 })).toBe('as acs: request-repeated');
    rig.wait(500_000);
    expect(rig.request()).toBe('established c1');
    rig.wait(1);
    expect(rig.request()).toBe('none');
  });

  test('only a SYN+ACK of the CPE answers it [D]', () => {
    rig.from('c1', 'SYN', { port: PORT });
    for (const type of ['ACK', 'DATA'] as const) {
      rig.cpe(type, { port: PORT });
      expect(rig.request()).toBe('unanswered c1');
    }
    rig.cpe('SYN+ACK', { port: PORT });
    expect(rig.request()).toBe('established c1');
  });

  test('of another ISN it is a new connection: nothing of the old one is remembered [D]', () => {
    rig.ask().cpe('DATA', { port: PORT, sequence: 7001, payload: OK });
    rig.splitter.deactivate(addressNamed(CPE), rig.nowMs);
    expect(rig.from('c1', 'SYN', { port: PORT, sequence: 9000 })).toBe('as acs: request-opened');
    expect(rig.request()).toBe('unanswered c1');
    rig.cpe('SYN+ACK', { port: PORT, sequence: 7000 });
    rig.from('c1', 'DATA', { port: PORT, payload: GET });
    rig.cpe('DATA', { port: PORT, sequence: 7001, payload: OK });
    expect(rig.activation()).toBe('armed c1');
  });

  test('with the table full it is dropped and counted; a known one still passes [D]', () => {
    const small = new Rig({ capacityEntries: 4 });
    const full = () => small.splitter.tables.connectionRequests.full;
    for (let port = PORT; port < PORT + 4; port++) small.from('c1', 'SYN', { port });
    expect(full()).toBe(0);
    expect(small.from('c1', 'SYN', { port: PORT + 4 })).toBe('drop: request-table-full');
    expect(full()).toBe(1);
    expect(small.from('c1', 'SYN', { port: PORT + 3 })).toBe('as acs: request-repeated');
    expect(small.reasons('request-table-full')).toBe(1);
  });

  test('with the table full of the dead there is room [D]', () => {
    const small = new Rig({ capacityEntries: 4 });
    for (let port = PORT; port < PORT + 4; port++) small.from('c1', 'SYN', { port });
    small.wait(75_001);
    expect(small.from('c1', 'SYN', { port: PORT + 4 })).toBe('as acs: request-opened');
  });
});

describe('a collector from a report port is heard only on its own connections', () => {
  test('a SYN is dropped [D]', () => {
    expect(rig.from('c1', 'SYN')).toBe('drop: syn-from-report-port');
    rig.wake().divert();
    expect(rig.from('c1', 'SYN')).toBe('drop: syn-from-report-port');
  });

  test.each(AFTER_SYN)('%s without an entry is dropped [P7 narrowed, P8]', (type) => {
    expect(rig.from('c1', type)).toBe('drop: not-owner');
  });

  test.each(AFTER_SYN)('%s on another collector’s connection is dropped [D]', (type) => {
    rig.wake('c1').divert('c1');
    expect(rig.from('c2', type)).toBe('drop: not-owner');
    expect(rig.report()).toBe('established c1');
  });

  test('SYN+ACK answers, ACK and data follow, FIN sets its time [P7, P8]', () => {
    rig.wake();
    rig.cpe('SYN');
    expect(rig.report()).toBe('unanswered c1');
    expect(rig.from('c1', 'SYN+ACK')).toBe('as acs: report-answered');
    expect(rig.report()).toBe('unanswered c1');
    expect(rig.cpe('ACK')).toBe('to c1: report-to-owner');
    expect(rig.report()).toBe('established c1');
    expect(rig.from('c1', 'ACK')).toBe('as acs: report-answered');
    expect(rig.from('c1', 'DATA', { payload: 'InformResponse' })).toBe('as acs: report-answered');
    expect(rig.from('c1', 'FIN')).toBe('as acs: report-finished');
    expect(rig.report()).toBe('fin c1');
  });

  test('only the CPE’s ACK of a SYN+ACK confirms it; the same again renews no grace [D]', () => {
    rig.wake();
    rig.cpe('SYN');
    for (const type of ['ACK', 'DATA'] as const) {
      rig.from('c1', type);
      expect([rig.report(), rig.activation()]).toEqual(['unanswered c1', 'armed c1']);
    }
    rig.from('c1', 'SYN+ACK', { sequence: 900 });
    expect([rig.report(), rig.activation()]).toEqual(['unanswered c1', 'armed c1']);
    rig.cpe('DATA', { payload: 'hello', acknowledgement: 901 });
    expect([rig.report(), rig.activation()]).toEqual(['established c1', 'consumed c1']);
    rig.from('c1', 'DATA', { sequence: 901, payload: 'not to be read' });
    rig.cpe('FIN');
    rig.wait(1500).from('c1', 'SYN+ACK');
    expect(rig.activation()).toBe('grace c1');
    rig.wait(501);
    expect(rig.activation()).toBe('none');
  });

  test('a RST in answer to the SYN is a refusal: the entry goes, and a new SYN is the ITMS’s [D]', () => {
    rig.wake();
    rig.cpe('SYN');
    expect(rig.from('c1', 'RST')).toBe('as acs: report-reset');
    expect(rig.report()).toBe('none');
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: to-itms');
  });

  test.each([
    ['the SYN', 1001, true],
    ['64 KiB of data with it', 1000 + 65_536, true],
    ['nothing new', 1000, false],
    ['what was never sent', 1000 + 65_537, false],
    ['what is older', 999, false],
    ['a guess', 1000 - 2 ** 31, false],
  ])('a RST that acknowledges %s refuses, or does not [D]', (_what, acknowledgement, refuses) => {
    rig.wake();
    rig.cpe('SYN', { sequence: 1000 });
    expect(rig.from('c1', 'RST', { acknowledgement })).toBe(`as acs: ${refuses ? 'report-reset' : 'report-unproven'}`);
    expect(rig.report()).toBe(refuses ? 'none' : 'unanswered c1');
  });

  test('a RST on an answered connection marks it; without any it is dropped [D]', () => {
    rig.wake().divert();
    expect(rig.from('c1', 'RST')).toBe('as acs: report-reset');
    expect(rig.report()).toBe('reset c1');
    expect(rig.from('c1', 'RST', { cpePort: 45000 })).toBe('drop: not-owner');
  });
});

describe('a collector’s other packets from another port belong to a Connection Request', () => {
  test.each(AFTER_SYN)('%s without an entry is dropped: it may be somebody else’s [D]', (type) => {
    const fin = new Rig({ activation: 'fin' });
    expect(fin.from('c1', type, { port: PORT })).toBe('drop: request-unknown');
    expect(fin.activation()).toBe('none');
    expect(fin.request()).toBe('none');
  });

  test('with an entry they leave as from the ACS [P7, P9]', () => {
    rig.ask();
    expect(rig.from('c1', 'ACK', { port: PORT })).toBe('as acs: request-followed');
    expect(rig.from('c1', 'DATA', { port: PORT, payload: GET })).toBe('as acs: request-followed');
    expect(rig.from('c1', 'FIN', { port: PORT })).toBe('as acs: request-finished');
    expect(rig.request()).toBe('fin c1');
  });

  test('a RST closes and never arms, in any mode [D]', () => {
    for (const activation of ['auto', 'fin', 'response', 'off'] as const) {
      const one = new Rig({ activation }).ask();
      one.cpe('DATA', { port: PORT, sequence: 7001, payload: 'not http' });
      expect(one.from('c1', 'RST', { port: PORT })).toBe('as acs: request-reset');
      expect([activation, one.activation(), one.request()]).toEqual([activation, 'none', 'reset c1']);
    }
  });
});

describe('the ITMS [D]', () => {
  test('its SYN opens a Connection Request of its own, which never arms', () => {
    for (const activation of ['auto', 'fin', 'response', 'off'] as const) {
      const one = new Rig({ activation }).wake('itms');
      expect(one.request()).toBe('established itms');
      expect(one.from('itms', 'FIN', { port: PORT })).toBe('as acs: request-finished');
      expect([activation, one.activation()]).toEqual([activation, 'none']);
    }
  });

  test('with the table full its SYN is still forwarded; later packets belong to no entry', () => {
    const small = new Rig({ capacityEntries: 4 });
    for (let port = PORT; port < PORT + 4; port++) small.from('c1', 'SYN', { port });
    expect(small.from('itms', 'SYN', { port: 50900 })).toBe('as acs: request-unrecorded');
    expect(small.cpe('SYN+ACK', { port: 50900 })).toBe('to itms: answer-to-itms');
    expect(small.from('itms', 'DATA', { port: 50900, payload: GET })).toBe('drop: request-unknown');
  });

  test.each(['SYN', ...AFTER_SYN] as Type[])('%s from the report port passes where no collector has it', (type) => {
    expect(rig.from('itms', type)).toBe('as acs: itms-forwarded');
  });

  test.each(['SYN', ...AFTER_SYN] as Type[])('%s on an open connection of a collector is dropped', (type) => {
    rig.wake().divert();
    expect(rig.from('itms', type)).toBe('drop: not-owner');
    expect(rig.report()).toBe('established c1');
  });

  test('on a connection that its collector has closed, it passes', () => {
    rig.wake().divert();
    rig.cpe('FIN');
    expect(rig.from('itms', 'SYN+ACK')).toBe('drop: not-owner');
    rig.from('c1', 'FIN');
    expect(rig.from('itms', 'SYN+ACK')).toBe('as acs: itms-forwarded');
  });

  test('FIN and RST close its connection request', () => {
    rig.wake('itms');
    rig.from('itms', 'FIN', { port: PORT });
    expect(rig.request()).toBe('fin itms');
    rig.from('itms', 'RST', { port: PORT });
    expect(rig.request()).toBe('reset itms');
  });
});

test('every packet is counted, by its queue and by its reason', () => {
  for (const type of ['SYN', 'ACK', 'ACK'] as const) rig.cpe(type);
  rig.from('itms', 'ACK');
  rig.from('c1', 'ACK', { port: PORT });
  rig.from('c2', 'ACK', { port: PORT });
  rig.decideBytes(3, new Uint8Array(40), 0);
  const { byQueue, byReason } = rig.splitter.counters;
  expect([...byQueue]).toEqual([3, 1, 2, 1]);
  expect([rig.reasons('report-to-itms'), rig.reasons('request-unknown'), rig.reasons('not-ip')]).toEqual([2, 2, 1]);
  expect(byReason.reduce((sum, count) => sum + count)).toBe(7);
});

describe('which side a packet comes from [D]', () => {
  test('is told by its source address, on whichever of the servers’ interfaces', () => {
    const packet = { source: '10.2.0.2', destination: CPE, sourcePort: PORT, destinationPort: 7170, flags: 2 };
    expect(rig.send('c1', packet).text).toBe('as acs: request-opened');
    expect(rig.request()).toBe('unanswered itms');
  });

  test.each([
    ['a stranger’s source', 'c1', { source: '10.3.0.9', destination: CPE }],
    ['a destination that is no CPE', 'itms', { source: '10.2.0.2', destination: '192.0.2.1' }],
    ['a CPE’s packet that is not for the ACS', 'cpe', { source: CPE, destination: '10.2.0.2' }],
  ] as const)('%s is not ours: untouched', (_says, from, addresses) => {
    const packet = { ...addresses, sourcePort: PORT, destinationPort: 7547, flags: 2 };
    expect(rig.send(from, packet).text).toBe('untouched: not-ours');
    expect(rig.counts()).toEqual({ requests: 0, activated: 0, reports: 0 });
  });
});

test('a collector that has answered one forged SYN refuses another near it: neither ends the activation [2]', () => {
  rig.wake();
  rig.cpe('SYN', { sequence: 1000 });
  rig.from('c1', 'SYN+ACK', { sequence: 5000, acknowledgement: 1001 });
  rig.cpe('SYN', { sequence: 64_000 });
  expect(rig.from('c1', 'RST', { sequence: 0, acknowledgement: 64_001 })).toBe('as acs: report-unproven');
  expect(rig.activation()).toBe('armed c1');
});
