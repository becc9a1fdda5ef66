/** Arming: when is a CPE successfully activated? [P9], and where it is not enough, ours [D]. */
import { type ActivationMode } from '../../../src/splitter/topology';
import { addressNamed } from '../../support/family';
import { CPE, CPE_PORT, OK, Rig, type Server, UNAUTHORIZED } from '../../support/rig';

const PORT = 50001;
const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n';
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';

/** The CPE answers on the Connection Request of `port`, from sequence 7001 on. */
function say(rig: Rig, payload: string, sequence = 7001, port = PORT): void {
  rig.cpe('DATA', { port, sequence, payload });
}

function fin(rig: Rig, server: Server = 'c1', port = PORT): void {
  rig.from(server, 'FIN', { port });
}

type Story = [says: string, tell: (rig: Rig) => void, arms: Partial<Record<ActivationMode, boolean>>];

const STORIES: Story[] = [
  ['200, no FIN', (rig) => say(rig, OK), { auto: true, response: true, off: true }],
  ['204, no FIN', (rig) => say(rig, NO_CONTENT), { auto: true, response: true, off: true }],
  ['HTTP/1.0 200', (rig) => say(rig, 'HTTP/1.0 200 OK\r\n\r\n'), { auto: true, response: true, off: true }],
  ['a bare status code', (rig) => say(rig, 'HTTP/1.1 200'), { auto: true, response: true, off: true }],
  ['401, FIN', (rig) => (say(rig, UNAUTHORIZED), fin(rig)), { fin: true }],
  ['503, FIN', (rig) => (say(rig, BUSY), fin(rig)), { fin: true }],
  ['302, FIN', (rig) => (say(rig, 'HTTP/1.1 302 Found\r\n\r\n'), fin(rig)), { fin: true }],
  ['100, FIN', (rig) => (say(rig, 'HTTP/1.1 100 Continue\r\n\r\n'), fin(rig)), { fin: true }],
  ['nothing, FIN', (rig) => fin(rig), { fin: true }],
  ['no HTTP, no FIN', (rig) => say(rig, 'SSH-2.0-dropbear'), {}],
  ['no HTTP, FIN', (rig) => (say(rig, '\x16\x03\x01'), fin(rig)), { auto: true, fin: true, off: true }],
  [
    'HTTP/2 is not what the specification says, FIN',
    (rig) => (say(rig, 'HTTP/2 200'), fin(rig)),
    { auto: true, fin: true, off: true },
  ],
  ['no HTTP, then HTTP, FIN', (rig) => (say(rig, 'x'), say(rig, UNAUTHORIZED, 7002), fin(rig)), { fin: true }],
  ['FIN, then no HTTP, FIN again', (rig) => (fin(rig), say(rig, 'x'), fin(rig)), { fin: true }],
  [
    'a status line cut after 9 bytes',
    (rig) => (say(rig, 'HTTP/1.1 '), say(rig, '200 OK\r\n', 7010), fin(rig)),
    { fin: true },
  ],
  ['a status line cut after 11 bytes', (rig) => (say(rig, 'HTTP/1.1 20'), fin(rig)), { fin: true }],
  [
    'a status line cut after one byte',
    (rig) => (say(rig, 'H'), say(rig, 'TTP/1.1 200 OK', 7002), fin(rig)),
    { fin: true },
  ],
  [
    '200 that rides on the CPE’s FIN',
    (rig) => void rig.cpe('FIN', { port: PORT, sequence: 7001, payload: OK }),
    { auto: true, response: true, off: true },
  ],
  ['RST of the collector after no HTTP', (rig) => (say(rig, 'x'), rig.from('c1', 'RST', { port: PORT })), {}],
];

const MODES: ActivationMode[] = ['auto', 'fin', 'response', 'off'];

describe.each(MODES)('in mode %s', (activation) => {
  test.each(STORIES)('a CPE that says: %s [P9, D]', (_says, tell, arms) => {
    const rig = new Rig({ activation }).ask();
    tell(rig);
    expect(rig.activation()).toBe(arms[activation] ? 'armed c1' : 'none');
  });
});

test('a split status line is counted [D]', () => {
  const rig = new Rig().ask();
  say(rig, 'HTTP/1.1 2');
  expect(rig.events('answer-split')).toBe(1);
});

test('TCP Fast Open: a 200 on the SYN+ACK begins one after its sequence number [D]', () => {
  const rig = new Rig();
  rig.from('c1', 'SYN', { port: PORT });
  rig.cpe('SYN+ACK', { port: PORT, sequence: 7000, payload: OK });
  expect(rig.activation()).toBe('armed c1');
  rig.splitter.deactivate(addressNamed(CPE), rig.nowMs);
  rig.cpe('DATA', { port: PORT, sequence: 7001, payload: OK });
  expect([rig.activation(), rig.events('answer-repeated')]).toEqual(['none', 1]);
});

describe('at most once per answer [D]', () => {
  /** A rig whose CPE has been armed, and whose session has been and gone. */
  function spent(first: number): Rig {
    const rig = new Rig().ask();
    say(rig, OK, first);
    rig.divert();
    rig.cpe('FIN');
    return rig.wait(2001);
  }

  test.each([
    ['the same sequence', 7001, 7001, 'none'],
    ['an earlier one', 7001, 6990, 'none'],
    ['one byte later', 7001, 7002, 'armed c1'],
    ['later, over the wrap of 2^32', -5, 40, 'armed c1'],
    ['the same, over the wrap', 40, -5, 'none'],
    ['later, over the change of sign', 0x7ffffff0, 0x80000010 | 0, 'armed c1'],
    ['earlier, over the change of sign', 0x80000010 | 0, 0x7ffffff0, 'none'],
  ])('a 200 of %s', (_says, first, then, activation) => {
    const rig = spent(first);
    say(rig, OK, then);
    expect(rig.activation()).toBe(activation);
    expect(rig.events('answer-repeated')).toBe(activation === 'none' ? 1 : 0);
  });

  test('a 401 that comes again after the 200 changes nothing', () => {
    const rig = new Rig().ask();
    say(rig, UNAUTHORIZED, 7001);
    expect(rig.activation()).toBe('none');
    say(rig, OK, 7100);
    expect(rig.activation()).toBe('armed c1');
    say(rig, UNAUTHORIZED, 7001);
    expect(rig.activation()).toBe('armed c1');
  });

  test('a FIN that comes again does not arm again [P9]', () => {
    const rig = new Rig({ activation: 'fin' }).ask();
    fin(rig);
    rig.divert();
    rig.cpe('FIN');
    rig.wait(2001);
    fin(rig);
    expect(rig.activation()).toBe('none');
  });
});

describe('several who ask [D]', () => {
  test('while armed and unused, another collector’s 2xx is contended and changes nothing', () => {
    const rig = new Rig().wake('c1').wait(59_000).wake('c2', 50002);
    expect([rig.activation(), rig.events('contended')]).toEqual(['armed c1', 1]);
    rig.wait(1001);
    expect(rig.activation()).toBe('none');
  });

  test('a new 2xx of the same collector begins its 60 s anew', () => {
    const rig = new Rig().wake('c1').wait(59_000).wake('c1', 50002).wait(60_000);
    expect([rig.activation(), rig.events('contended')]).toEqual(['armed c1', 0]);
  });

  test.each(['c1', 'c2'] as const)('while consumed, a 2xx to %s arms anew', (server) => {
    const rig = new Rig().wake('c1').divert('c1').wake(server, 50002);
    expect(rig.activation()).toBe(`armed ${server}`);
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe(`to ${server}: diverted`);
    expect(rig.report(40001)).toBe('established c1');
  });

  test('in grace, a 2xx to another arms anew', () => {
    const rig = new Rig().wake('c1').divert('c1');
    rig.cpe('FIN');
    expect(rig.activation()).toBe('grace c1');
    expect(rig.wake('c2', 50002).activation()).toBe('armed c2');
  });

  test('the FIN of the session that was does not disturb what was armed since', () => {
    const rig = new Rig().wake('c1').divert('c1').wake('c2', 50002);
    rig.cpe('FIN');
    rig.from('c1', 'FIN');
    expect(rig.activation()).toBe('armed c2');
  });

  test('a 2xx to the ITMS ends what is armed, consumed or in grace, and no session', () => {
    const armed = new Rig().wake('c1').wake('itms', 50002);
    expect([armed.activation(), armed.events('ended-by-itms')]).toEqual(['none', 1]);
    const grace = new Rig().wake('c1').divert();
    grace.cpe('FIN');
    expect(grace.wake('itms', 50002).activation()).toBe('none');
    const consumed = new Rig().wake('c1').divert().wake('itms', 50002);
    expect([consumed.activation(), consumed.events('ended-by-itms')]).toEqual(['none', 1]);
    expect(consumed.cpe('DATA')).toBe('to c1: report-to-owner');
  });

  test('a 401 to the ITMS ends nothing; a 200 that comes again neither', () => {
    const rig = new Rig().wake('itms', 50002).ask('itms', 50003).wake('c1');
    rig.cpe('DATA', { port: 50003, sequence: 7001, payload: UNAUTHORIZED });
    rig.cpe('DATA', { port: 50002, sequence: 7001, payload: OK });
    expect(rig.activation()).toBe('armed c1');
  });
});

describe('activatedCpes full [D]', () => {
  test('nothing is armed, and that is counted; the CPE is the ITMS’s', () => {
    const rig = new Rig({ capacityEntries: 2 }).activate('c1', '10.1.7.8').activate('c1', '10.1.7.9').wake('c1');
    expect([rig.activation(), rig.events('activation-table-full')]).toEqual(['none', 1]);
    expect(rig.cpe('SYN')).toBe('to itms: to-itms');
  });
});

describe('off and pause [D]', () => {
  test('off: what would be diverted is counted once and goes to the ITMS', () => {
    const rig = new Rig({ activation: 'off' }).wake();
    expect(rig.cpe('SYN')).toBe('to itms: would-divert');
    expect(rig.cpe('SYN')).toBe('to itms: to-itms');
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: to-itms');
    expect(rig.events('would-divert')).toBe(1);
    expect(rig.counts().reports).toBe(0);
  });

  test('pause ends all new diverting, leaves what is diverted; resume allows it again', () => {
    const rig = new Rig().wake().divert().wake('c1', 50002);
    rig.splitter.paused = true;
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: paused');
    expect(rig.cpe('DATA', { payload: 'Inform' })).toBe('to c1: report-to-owner');
    rig.splitter.paused = false;
    rig.wake('c1', 50003);
    expect(rig.cpe('SYN', { cpePort: 40003 })).toBe('to c1: diverted');
  });
});

test('what is split off by a changed mode: each answer is judged in the mode of its moment [D]', () => {
  const rig = new Rig({ activation: 'fin' }).ask();
  say(rig, OK);
  expect(rig.activation()).toBe('none');
  rig.splitter.activation = 'auto';
  rig.cpe('DATA', { port: PORT, cpePort: CPE_PORT, sequence: 7900, payload: OK });
  expect(rig.activation()).toBe('armed c1');
});
