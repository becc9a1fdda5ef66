/** Arming: when is a CPE successfully activated? [P9], and our additions where that is not enough [D]. */
import { type ActivationMode } from '../../../src/splitter/topology';
import { packetIn } from '../../support/family';
import { buildTcp } from '../../../src/packet/builder';
import { CPE, CPE_PORT, GET, OK, Rig, type Server, UNAUTHORIZED } from '../../support/rig';

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
  ['no HTTP, FIN', (rig) => (say(rig, '\x16\x03\x01'), fin(rig)), { fin: true }],
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
    { auto: true, fin: true, response: true, off: true },
  ],
  [
    'a status line cut after 11 bytes',
    (rig) => (say(rig, 'HTTP/1.1 20'), fin(rig)),
    { auto: true, fin: true, off: true },
  ],
  [
    'a status line cut after one byte',
    (rig) => (say(rig, 'H'), say(rig, 'TTP/1.1 200 OK', 7002), fin(rig)),
    { auto: true, fin: true, response: true, off: true },
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

test('TCP Fast Open: to a request on the SYN, the answer begins one after the SYN+ACK’s sequence number [D]', () => {
  const rig = new Rig();
  rig.from('c1', 'SYN', { port: PORT, payload: GET });
  rig.cpe('SYN+ACK', { port: PORT, sequence: 7000, acknowledgement: 1001 + GET.length, payload: OK });
  expect(rig.activation()).toBe('armed c1');
});

test('a SYN+ACK without a request on the SYN answers nothing, whatever it carries [D]', () => {
  const rig = new Rig();
  rig.from('c1', 'SYN', { port: PORT });
  rig.cpe('SYN+ACK', { port: PORT, sequence: 7000, payload: OK });
  expect(rig.activation()).toBe('none');
});

describe('once a request, exactly where its answer begins [2]', () => {
  test.each([
    ['exactly there', 7001, 'armed c1'],
    ['a byte early', 7000, 'none'],
    ['a byte late', 7002, 'none'],
  ])('a 200 %s', (_says, sequence, activation) => {
    const rig = new Rig().ask();
    say(rig, OK, sequence);
    expect(rig.activation()).toBe(activation);
  });

  test.each([-5, 0x7ffffff0, 0x80000000 | 0])('numbers may wrap within the answer: from %d on', (isn) => {
    const rig = new Rig();
    rig.from('c1', 'SYN', { port: PORT, sequence: isn });
    rig.cpe('SYN+ACK', { port: PORT, sequence: isn });
    rig.from('c1', 'DATA', { port: PORT, payload: GET });
    rig.cpe('DATA', { port: PORT, payload: 'HTTP/1.1 ' });
    rig.cpe('DATA', { port: PORT, payload: '200 OK' });
    expect(rig.activation()).toBe('armed c1');
  });

  test('the second half before the first is read when it comes again', () => {
    const rig = new Rig().ask();
    say(rig, '200 OK\r\n', 7010);
    say(rig, 'HTTP/1.1 ', 7001);
    expect(rig.activation()).toBe('none');
    say(rig, '200 OK\r\n', 7010);
    expect(rig.activation()).toBe('armed c1');
  });

  test('a segment that overlaps bytes already read continues behind them', () => {
    const rig = new Rig().ask();
    say(rig, 'HTTP/1.1 ', 7001);
    say(rig, 'HTTP/1.1 200 OK', 7001);
    expect(rig.activation()).toBe('armed c1');
  });

  test('another 200 without new request data arms nothing, nor does a repeated request', () => {
    const rig = new Rig().wake().divert();
    rig.cpe('DATA', { port: PORT, payload: OK });
    expect(rig.activation()).toBe('consumed c1');
    rig.from('c1', 'DATA', { port: PORT, sequence: 501, payload: GET });
    rig.cpe('DATA', { port: PORT, payload: OK });
    expect(rig.activation()).toBe('consumed c1');
    rig.from('c1', 'DATA', { port: PORT, payload: GET });
    rig.cpe('DATA', { port: PORT, payload: OK });
    expect(rig.activation()).toBe('armed c1');
  });

  test('a 200 of a wrong checksum arms nothing; the right one does', () => {
    const rig = new Rig().ask();
    const answer = { source: CPE, destination: '10.1.0.1', sourcePort: CPE_PORT, destinationPort: PORT };
    const packet = buildTcp(
      packetIn({ ...answer, flags: 24, sequence: 7001, acknowledgement: 501 + GET.length, payload: OK }),
    );
    packet[packet.length - 1] ^= 1;
    rig.sendBytes('cpe', packet);
    expect(rig.activation()).toBe('none');
    say(rig, OK);
    expect(rig.activation()).toBe('armed c1');
  });

  test('a 401 that comes again after the 200 changes nothing', () => {
    const rig = new Rig().ask();
    say(rig, UNAUTHORIZED, 7001);
    expect(rig.activation()).toBe('none');
    rig.from('c1', 'DATA', { port: PORT, payload: GET });
    rig.cpe('DATA', { port: PORT, payload: OK });
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

describe('several collectors ask [D]', () => {
  test('while armed and unused, another collector’s 2xx is contended and changes nothing', () => {
    const rig = new Rig().wake('c1').wait(59_000).wake('c2', 50002);
    expect([rig.activation(), rig.events('contended')]).toEqual(['armed c1', 1]);
    rig.wait(1001);
    expect(rig.activation()).toBe('none');
  });

  test('a new 2xx of the same collector restarts its 60 s', () => {
    const rig = new Rig().wake('c1').wait(59_000).wake('c1', 50002).wait(60_000);
    expect([rig.activation(), rig.events('contended')]).toEqual(['armed c1', 0]);
  });

  test.each(['c1', 'c2'] as const)('while consumed, a 2xx to %s arms again', (server) => {
    const rig = new Rig().wake('c1').divert('c1').wake(server, 50002);
    expect(rig.activation()).toBe(`armed ${server}`);
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe(`to ${server}: diverted`);
    expect(rig.report(40001)).toBe('established c1');
  });

  test('in grace, a 2xx to another arms again', () => {
    const rig = new Rig().wake('c1').divert('c1');
    rig.cpe('FIN');
    expect(rig.activation()).toBe('grace c1');
    expect(rig.wake('c2', 50002).activation()).toBe('armed c2');
  });

  test('the FIN of the earlier session does not disturb a later activation', () => {
    const rig = new Rig().wake('c1').divert('c1').wake('c2', 50002);
    rig.cpe('FIN');
    rig.from('c1', 'FIN');
    expect(rig.activation()).toBe('armed c2');
  });

  test('a 2xx to the ITMS ends an activation armed, consumed or in grace, and no session', () => {
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
    expect([rig.activation(), rig.events('activation-table-full')]).toEqual(['none', 2]);
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

  test('pause stops new diversions and leaves existing ones; resume allows them again', () => {
    const rig = new Rig().wake().divert().wake('c1', 50002);
    rig.splitter.paused = true;
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: paused');
    expect(rig.cpe('DATA', { payload: 'Inform' })).toBe('to c1: report-to-owner');
    rig.splitter.paused = false;
    rig.wait(1).wake('c1', 50003);
    expect(rig.cpe('SYN', { cpePort: 40003 })).toBe('to c1: diverted');
  });
});

test('a change of mode: each answer is judged by the mode at its time [D]', () => {
  const rig = new Rig({ activation: 'fin' }).ask();
  say(rig, OK);
  expect(rig.activation()).toBe('none');
  rig.splitter.activation = 'auto';
  rig.from('c1', 'DATA', { port: PORT, payload: GET });
  rig.cpe('DATA', { port: PORT, cpePort: CPE_PORT, payload: OK });
  expect(rig.activation()).toBe('armed c1');
});
