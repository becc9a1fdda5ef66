/** The rows of the rule table for what CPEs send. */
import { addressNamed, FAMILY } from '../../support/family';
import { CPE, CPE_PORT, ITMS_PORT, OK, REPORT_PORT, Rig, type Type } from '../../support/rig';

const PORT = 50001;
const AFTER_SYN: Type[] = ['SYN+ACK', 'ACK', 'DATA', 'FIN', 'RST'];
let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});

test('the usual CPE’s entries lie in slot 0 of their tables, which is easily taken for none', () => {
  const {
    connectionRequests: requests,
    activatedCpes: activated,
    reportConnections: reports,
  } = rig.wake().splitter.state[FAMILY]!;
  rig.divert();
  const cpe = addressNamed(CPE);
  expect(requests.find(cpe, CPE_PORT, PORT)).toBe(0);
  expect([activated.find(cpe), reports.find(cpe, 40001, REPORT_PORT)]).toEqual([0, 0]);
});

describe('a SYN to a report port [P10]', () => {
  test('of a CPE that nobody activated goes to the ITMS and is not recorded', () => {
    expect(rig.cpe('SYN')).toBe('to itms: to-itms');
    expect(rig.cpe('SYN', { port: 9090 })).toBe('to itms: to-itms');
    expect(rig.counts()).toEqual({ requests: 0, activated: 0, reports: 0 });
  });

  test('of an activated CPE goes to its collector, is recorded, and consumes nothing yet', () => {
    rig.wake('c2');
    expect(rig.cpe('SYN')).toBe('to c2: diverted');
    expect([rig.report(), rig.activation()]).toEqual(['unanswered c2', 'armed c2']);
  });

  test('the activation is the CPE’s alone', () => {
    rig.wake('c1');
    expect(rig.cpe('SYN', { cpe: '10.1.7.2' })).toBe('to itms: to-itms');
    expect(rig.cpe('SYN', { port: 9090 })).toBe('to c1: diverted');
  });

  test('of the same ISN follows the recorded server, whatever its state [D]', () => {
    rig.wake();
    const syn = () => rig.cpe('SYN', { sequence: 1000 });
    expect(syn()).toBe('to c1: diverted');
    expect(syn()).toBe('to c1: syn-repeated');
    rig.from('c1', 'SYN+ACK');
    expect(syn()).toBe('to c1: syn-repeated');
    rig.cpe('FIN');
    expect(syn()).toBe('to c1: syn-repeated');
    rig.from('c1', 'FIN');
    expect(syn()).toBe('to c1: syn-repeated');
    rig.from('c1', 'RST');
    expect(syn()).toBe('to c1: syn-repeated');
  });

  test('of a new ISN onto a live connection goes to its collector and changes nothing [D]', () => {
    rig.wake().divert();
    rig.wait(100_000);
    expect(rig.cpe('SYN', { sequence: 2000 })).toBe('to c1: syn-onto-live');
    expect(rig.cpe('SYN', { sequence: 1000 })).toBe('to c1: syn-repeated');
    expect(rig.report()).toBe('established c1');
    rig.wait(9999);
    expect(rig.cpe('SYN', { sequence: 2000 })).toBe('to c1: syn-onto-live');
    rig.wait(1);
    expect(rig.cpe('SYN', { sequence: 2000 })).toBe('to itms: to-itms');
  });

  test('of a new ISN while the FIN of the collector is on its way goes to it [2]', () => {
    rig.wake().divert();
    rig.from('c1', 'FIN');
    expect(rig.cpe('SYN', { sequence: 2000 })).toBe('to c1: syn-onto-live');
    expect(rig.report()).toBe('fin c1');
  });

  test.each([
    ['FIN of the collector that the CPE has acknowledged', () => rig.from('c1', 'FIN') + rig.cpe('ACK')],
    ['RST of the CPE', () => rig.cpe('RST')],
    ['RST of the collector', () => rig.from('c1', 'RST')],
  ])('of a new ISN after a %s is decided as a new connection [D]', (_says, close) => {
    rig.wake().divert();
    close();
    rig.wait(2001);
    expect(rig.cpe('SYN', { sequence: 2000 })).toBe('to itms: to-itms');
    expect(rig.report()).toBe('none');
  });

  test('of a new ISN, in grace, on the port that was just closed is recorded as a new connection [D]', () => {
    rig.wake().divert();
    rig.from('c1', 'FIN');
    rig.cpe('ACK');
    expect(rig.cpe('SYN', { sequence: 2000 })).toBe('to c1: diverted-in-grace');
    expect(rig.report()).toBe('unanswered c1');
    expect(rig.cpe('SYN', { sequence: 2000 })).toBe('to c1: syn-repeated');
  });

  test('with reportConnections full goes to the ITMS and keeps the activation [D]', () => {
    const small = new Rig({ capacityEntries: 1 });
    small.activate('c1', '10.1.7.2').divert('c1', 40001, '10.1.7.2');
    small.cpe('FIN', { cpe: '10.1.7.2' });
    small.wait(2001).activate('c1');
    expect(small.cpe('SYN')).toBe('to itms: report-table-full');
    expect(small.activation()).toBe('armed c1');
    expect(small.splitter.tables.reportConnections.full).toBe(1);
    small.wait(58_000);
    expect(small.cpe('SYN', { sequence: 2000 })).toBe('to itms: report-table-full');
  });
});

describe('the rest to a report port [D]', () => {
  test.each(AFTER_SYN)('%s of a recorded connection goes to its collector', (type) => {
    rig.wake().divert();
    const reason = type === 'SYN+ACK' ? 'report-unproven' : 'report-to-owner';
    expect(rig.cpe(type)).toBe(`to c1: ${reason}`);
  });

  test.each(AFTER_SYN)(
    '%s of an unknown connection goes to the ITMS and records nothing, even of an armed CPE',
    (type) => {
      rig.wake();
      expect(rig.cpe(type)).toBe('to itms: report-to-itms');
      expect([rig.report(), rig.activation()]).toEqual(['none', 'armed c1']);
    },
  );
});

test.each(['SYN', ...AFTER_SYN] as Type[])(
  '%s to one of the ITMS’s further ports goes to the ITMS, armed or not [D]',
  (type) => {
    expect(rig.cpe(type, { port: ITMS_PORT })).toBe('to itms: itms-port');
    rig.wake();
    expect(rig.cpe(type, { port: ITMS_PORT })).toBe('to itms: itms-port');
  },
);

test('a SYN to another port is not forwarded, not even onto a Connection Request [P11]', () => {
  expect(rig.cpe('SYN', { port: 22 })).toBe('drop: syn-other-port');
  rig.ask();
  expect(rig.cpe('SYN', { port: PORT })).toBe('drop: syn-other-port');
});

describe('the rest to another port answers a Connection Request [D]', () => {
  test.each(AFTER_SYN)('%s goes to the server that asked', (type) => {
    rig.ask('c2').ask('itms', 50002);
    expect(rig.cpe(type, { port: PORT })).toBe('to c2: answer-to-owner');
    expect(rig.cpe(type, { port: 50002 })).toBe('to itms: answer-to-owner');
  });

  test.each(AFTER_SYN)('%s that nobody asked for goes to the ITMS and records nothing', (type) => {
    expect(rig.cpe(type, { port: PORT, payload: type === 'DATA' ? OK : '' })).toBe('to itms: answer-to-itms');
    expect(rig.counts()).toEqual({ requests: 0, activated: 0, reports: 0 });
  });

  test('the key is exact: another port of the CPE is another connection', () => {
    rig.ask('c1');
    expect(rig.cpe('ACK', { port: PORT, cpePort: CPE_PORT + 1 })).toBe('to itms: answer-to-itms');
  });

  test('a RST in answer to the SYN is a refusal: the entry goes, nothing is armed', () => {
    for (const activation of ['auto', 'fin', 'response', 'off'] as const) {
      const one = new Rig({ activation });
      one.from('c1', 'SYN', { port: PORT });
      expect(one.cpe('RST', { port: PORT })).toBe('to c1: answer-to-owner');
      expect([one.request(), one.activation()]).toEqual(['none', 'none']);
      expect(one.from('c1', 'FIN', { port: PORT })).toBe('drop: request-unknown');
      expect(one.activation()).toBe('none');
    }
  });

  test.each([
    ['the SYN', 5, true],
    ['64 KiB of data with it', 65_540, true],
    ['nothing new', 4, false],
    ['what was never sent', 65_541, false],
    ['what is older, across the wrap', -1, false],
  ])('a RST that acknowledges %s refuses, or does not', (_what, acknowledgement, refuses) => {
    rig.from('c1', 'SYN', { port: PORT, sequence: 4 });
    const reason = refuses ? 'answer-to-owner' : 'answer-unproven';
    expect(rig.cpe('RST', { port: PORT, acknowledgement })).toBe(`to c1: ${reason}`);
    expect(rig.request()).toBe(refuses ? 'none' : 'unanswered c1');
  });

  test('a RST later marks it', () => {
    rig.ask();
    rig.cpe('RST', { port: PORT });
    expect(rig.request()).toBe('reset c1');
  });
});
