/** Lives, the pin and the grace: each to the millisecond. [D] */
import { Rig } from '../../support/rig';

const PORT = 50001;

/** The state of the connection at the last millisecond of its life, and at the next one. */
type Life = [says: string, lifeMs: number, begin: (rig: Rig) => void];

const REPORT_LIVES: Life[] = [
  ['unanswered, after its SYN', 10_000, (rig) => rig.cpe('SYN')],
  ['unanswered, after its last SYN', 10_000, (rig) => (rig.cpe('SYN'), rig.wait(9000).cpe('SYN'))],
  ['unanswered, data does not count', 1000, (rig) => (rig.cpe('SYN'), rig.wait(9000).cpe('DATA', { payload: 'x' }))],
  [
    'unanswered, a new SYN onto it does not count',
    8000,
    (rig) => (rig.cpe('SYN'), rig.wait(2000).cpe('SYN', { sequence: 2 })),
  ],
  ['established, after its SYN+ACK', 7_500_000, (rig) => rig.divert()],
  [
    'established, after data of the CPE',
    7_500_000,
    (rig) => rig.divert().wait(7_000_000).cpe('DATA', { payload: 'x' }),
  ],
  ['established, after an ACK of the collector', 7_500_000, (rig) => rig.divert().wait(7_000_000).from('c1', 'ACK')],
  ['a FIN of the CPE seen', 240_000, (rig) => rig.divert().cpe('FIN')],
  ['a FIN of the collector seen', 240_000, (rig) => rig.divert().from('c1', 'FIN')],
  [
    'a FIN seen, after the last packet',
    240_000,
    (rig) => (rig.divert().cpe('FIN'), rig.wait(200_000).from('c1', 'DATA')),
  ],
  ['both FINs seen', 120_000, (rig) => (rig.divert().cpe('FIN'), rig.from('c1', 'FIN'))],
  [
    'both FINs seen, after the last packet',
    120_000,
    (rig) => (rig.divert().cpe('FIN'), rig.from('c1', 'FIN'), rig.wait(100_000).cpe('ACK')),
  ],
  ['a RST of the CPE seen', 10_000, (rig) => rig.divert().cpe('RST')],
  ['a RST of the collector seen', 10_000, (rig) => rig.divert().from('c1', 'RST')],
  ['a RST after both FINs', 10_000, (rig) => (rig.divert().cpe('FIN'), rig.from('c1', 'FIN'), rig.cpe('RST'))],
];

test.each(REPORT_LIVES)('a report connection, %s', (_says, lifeMs, begin) => {
  const rig = new Rig().activate('c1');
  begin(rig);
  rig.wait(lifeMs);
  expect(rig.report()).toMatch(/ c1$/);
  rig.wait(1);
  expect(rig.report()).toBe('none');
  expect(rig.cpe('ACK')).toBe('to itms: report-to-itms');
});

const REQUEST_LIVES: Life[] = [
  ['unanswered, after its SYN', 75_000, (rig) => rig.from('c1', 'SYN', { port: PORT })],
  [
    'established, after its SYN+ACK',
    7_500_000,
    (rig) => (rig.from('c1', 'SYN', { port: PORT }), rig.cpe('SYN+ACK', { port: PORT })),
  ],
  [
    'established, after data of the collector',
    7_500_000,
    (rig) => rig.ask().wait(7_000_000).from('c1', 'DATA', { port: PORT }),
  ],
  ['established, after an ACK of the CPE', 7_500_000, (rig) => rig.ask().wait(7_000_000).cpe('ACK', { port: PORT })],
  ['a FIN of the CPE seen', 240_000, (rig) => rig.ask().cpe('FIN', { port: PORT })],
  ['a FIN of the collector seen', 240_000, (rig) => rig.ask().from('c1', 'FIN', { port: PORT })],
  ['both FINs seen', 120_000, (rig) => (rig.ask().cpe('FIN', { port: PORT }), rig.from('c1', 'FIN', { port: PORT }))],
  ['a RST of the CPE seen', 10_000, (rig) => rig.ask().cpe('RST', { port: PORT })],
  ['a RST of the collector seen', 10_000, (rig) => rig.ask().from('c1', 'RST', { port: PORT })],
];

test.each(REQUEST_LIVES)('a Connection Request, %s', (_says, lifeMs, begin) => {
  const rig = new Rig();
  begin(rig);
  rig.wait(lifeMs);
  expect(rig.request()).toMatch(/ c1$/);
  rig.wait(1);
  expect(rig.request()).toBe('none');
  expect(rig.cpe('ACK', { port: PORT })).toBe('to itms: answer-to-itms');
});

describe('a RST is lifted by the side that received it, and by no other', () => {
  const LIFTS: [says: string, from: 'cpe' | 'c1', then: (rig: Rig) => string, isLifted: boolean][] = [
    ['the CPE’s RST by the collector’s ACK', 'cpe', (rig) => rig.from('c1', 'ACK'), true],
    ['the CPE’s RST not by the CPE’s ACK', 'cpe', (rig) => rig.cpe('ACK'), false],
    ['the collector’s RST by the CPE’s data', 'c1', (rig) => rig.cpe('DATA', { payload: 'x' }), true],
    ['the collector’s RST not by the collector’s data', 'c1', (rig) => rig.from('c1', 'DATA'), false],
  ];
  test.each(LIFTS)('%s', (_says, from, then, isLifted) => {
    const rig = new Rig().wake().divert();
    if (from === 'cpe') rig.cpe('RST');
    else rig.from('c1', 'RST');
    then(rig);
    expect(rig.report()).toBe(isLifted ? 'established c1' : 'reset c1');
  });

  test('on a Connection Request alike', () => {
    const rig = new Rig().ask();
    rig.cpe('RST', { port: PORT });
    expect(rig.request()).toBe('reset c1');
    rig.cpe('ACK', { port: PORT });
    expect(rig.request()).toBe('reset c1');
    rig.from('c1', 'ACK', { port: PORT });
    expect(rig.request()).toBe('established c1');
    rig.from('c1', 'RST', { port: PORT });
    rig.cpe('ACK', { port: PORT });
    expect(rig.request()).toBe('established c1');
  });
});

test.each<[says: string, closed: number, tell: (rig: Rig) => unknown]>([
  ['open', 0, () => 0],
  ['a FIN of the CPE', 0, (rig) => rig.cpe('FIN')],
  ['a FIN of the CPE, twice', 0, (rig) => (rig.cpe('FIN'), rig.cpe('FIN'))],
  ['both FINs', 1, (rig) => (rig.cpe('FIN'), rig.from('c1', 'FIN'))],
  ['both FINs, and again', 1, (rig) => (rig.cpe('FIN'), rig.from('c1', 'FIN'), rig.cpe('FIN'), rig.from('c1', 'FIN'))],
  ['both FINs and a RST', 1, (rig) => (rig.cpe('FIN'), rig.from('c1', 'FIN'), rig.cpe('RST'))],
  ['a RST', 1, (rig) => rig.cpe('RST')],
  ['a RST, and a FIN of the same side', 1, (rig) => (rig.from('c1', 'RST'), rig.from('c1', 'FIN'))],
  ['RSTs of both', 1, (rig) => (rig.from('c1', 'RST'), rig.cpe('RST'))],
  ['a RST that was a forgery, then both FINs', 2, (rig) => (rig.cpe('RST'), rig.from('c1', 'FIN'), rig.cpe('FIN'))],
])('a report connection, %s: closed %i times', (_says, closed, tell) => {
  const rig = new Rig().wake().divert();
  tell(rig);
  expect(rig.events('closed')).toBe(closed);
});

describe('an activation', () => {
  test('is armed for 60 s', () => {
    const rig = new Rig().wake().wait(60_000);
    expect(rig.activation()).toBe('armed c1');
    expect(rig.wait(1).cpe('SYN')).toBe('to itms: to-itms');
  });

  test.each([
    ['a FIN of the CPE', (rig: Rig) => rig.cpe('FIN')],
    ['a FIN of the collector', (rig: Rig) => rig.from('c1', 'FIN')],
  ])('has a grace of 2 s after %s', (_says, fin) => {
    for (const [ms, outcome] of [
      [2000, 'to c1: diverted-in-grace'],
      [2001, 'to itms: to-itms'],
    ] as const) {
      const rig = new Rig().wake().divert();
      fin(rig);
      expect(rig.wait(ms).cpe('SYN', { cpePort: 40002 })).toBe(outcome);
    }
  });

  test('has its grace counted from the first FIN', () => {
    for (const [ms, outcome] of [
      [500, 'to c1: diverted-in-grace'],
      [501, 'to itms: to-itms'],
    ] as const) {
      const rig = new Rig().wake().divert();
      rig.cpe('FIN');
      rig.wait(1500).from('c1', 'FIN');
      expect(rig.wait(ms).cpe('SYN', { cpePort: 40002 })).toBe(outcome);
    }
  });

  test('has a grace again after the second connection of the session, if that was answered', () => {
    const rig = new Rig().wake().divert();
    rig.cpe('FIN');
    rig.divert('c1', 40002);
    expect(rig.cpe('SYN', { cpePort: 40003 })).toBe('to itms: to-itms');
    rig.cpe('FIN', { cpePort: 40002 });
    expect(rig.cpe('SYN', { cpePort: 40004 })).toBe('to c1: diverted-in-grace');
  });

  test.each([
    ['an open connection', (rig: Rig) => rig.divert()],
    ['a refused connection', (rig: Rig) => (rig.cpe('SYN'), rig.from('c1', 'RST'))],
    ['a FIN of another connection of the CPE', (rig: Rig) => rig.divert().cpe('FIN', { cpePort: 45000 })],
  ])('has no grace after %s', (_says, tell) => {
    const rig = new Rig().wake();
    tell(rig);
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: to-itms');
  });

  test('ends with the longest life of a connection after its answer, however long the connection lasts', () => {
    const rig = new Rig().wake().divert();
    rig.wait(7_000_000).cpe('DATA');
    rig.from('c1', 'DATA');
    rig.wait(500_001);
    expect([rig.report(), rig.activation()]).toEqual(['established c1', 'none']);
    rig.cpe('FIN');
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: to-itms');
  });

  test.each([
    ['the CPE', (rig: Rig) => rig.cpe('RST')],
    ['the collector', (rig: Rig) => rig.from('c1', 'RST')],
  ])('keeps its grace where a RST of %s follows the collector’s FIN', (_who, reset) => {
    const rig = new Rig().wake().divert();
    rig.from('c1', 'FIN');
    reset(rig);
    expect([rig.report(), rig.activation()]).toEqual(['reset c1', 'grace c1']);
    expect(rig.wait(1999).cpe('SYN', { cpePort: 40002 })).toBe('to c1: diverted-in-grace');
  });

  test.each([
    ['of the CPE', (rig: Rig) => rig.cpe('RST'), (rig: Rig) => rig.from('c1', 'ACK')],
    ['of the collector', (rig: Rig) => rig.from('c1', 'RST'), (rig: Rig) => rig.cpe('ACK')],
  ])('has a grace after a RST %s, until the other side speaks', (_whose, reset, speak) => {
    const rig = new Rig().wake().divert();
    reset(rig);
    expect(rig.activation()).toBe('grace c1');
    speak(rig);
    expect(rig.activation()).toBe('consumed c1');
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: to-itms');
  });

  test('keeps, through a RST that was none, the grace of the time of its FIN', () => {
    const rig = new Rig().wake().divert();
    rig.cpe('FIN');
    rig.wait(1500).cpe('RST');
    rig.wait(500).from('c1', 'ACK');
    expect(rig.activation()).toBe('grace c1');
    rig.wait(1);
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: to-itms');
  });
});

describe('the pin', () => {
  test.each([
    [0, 'to itms: pinned'],
    [130_000, 'to itms: pinned'],
    [130_001, 'to c1: diverted'],
  ])('holds a SYN that comes again after %d ms', (ms, outcome) => {
    const rig = new Rig();
    rig.cpe('SYN');
    rig.wait(ms).activate('c1');
    expect(rig.cpe('SYN')).toBe(outcome);
    expect(rig.activation()).toBe('armed c1');
  });

  test.each([
    ['another ISN', { sequence: 1001 }],
    ['another port of the CPE', { cpePort: 40002 }],
    ['another report port', { port: 9090, cpePort: 40001 }],
  ])('does not hold %s', (_says, fields) => {
    const rig = new Rig();
    rig.cpe('SYN');
    rig.activate('c1');
    expect(rig.cpe('SYN', fields)).toBe('to c1: diverted');
  });

  test('is renewed by each retransmission', () => {
    const rig = new Rig();
    rig.cpe('SYN');
    rig.wait(100_000).cpe('SYN');
    rig.wait(100_000).activate('c1');
    expect(rig.cpe('SYN')).toBe('to itms: pinned');
  });

  test('of a SYN that the ITMS has answered outlives forged SYNs on its ports', () => {
    const rig = new Rig();
    rig.cpe('SYN', { sequence: 1000 });
    rig.from('itms', 'SYN+ACK', { sequence: 5000, acknowledgement: 1001 });
    for (let forged = 1; forged <= 20; forged++) rig.cpe('SYN', { sequence: forged * 1_000_000 });
    rig.activate('c1');
    expect(rig.cpe('SYN', { sequence: 1000 })).toBe('to itms: pinned');
    expect(rig.activation()).toBe('armed c1');
  });

  test('holds when a forged SYN on the same ports has been diverted', () => {
    const rig = new Rig();
    rig.cpe('SYN', { sequence: 1000 });
    rig.activate('c1');
    expect(rig.cpe('SYN', { sequence: 1_000_000 })).toBe('to c1: diverted');
    expect(rig.cpe('SYN', { sequence: 1000 })).toBe('to itms: pinned');
    expect(rig.activation()).toBe('armed c1');
  });

  test('of a SYN that a half-open collector still acknowledges keeps its challenge from the CPE', () => {
    const rig = new Rig();
    rig.cpe('SYN', { sequence: 1000 });
    rig.activate('c1');
    expect(rig.cpe('SYN', { sequence: 1_000_000 })).toBe('to c1: diverted');
    expect(rig.from('c1', 'ACK', { sequence: 7000, acknowledgement: 1001 })).toBe('drop: not-owner');
    // A connection that it has of old, and the CPE no longer: its challenge must draw the CPE's RST.
    expect(rig.from('c1', 'ACK', { sequence: 7000, acknowledgement: 2001 })).toBe('as acs: report-answered');
  });

  test('holds in grace as well', () => {
    const rig = new Rig().wake().divert();
    rig.cpe('SYN', { cpePort: 40002 });
    rig.cpe('FIN');
    expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: pinned');
    expect(rig.activation()).toBe('grace c1');
  });
});

test('lives are configurable, each by its name', () => {
  const lives = {
    requestUnanswered: 1,
    reportUnanswered: 2,
    established: 3,
    finOne: 4,
    finBoth: 5,
    reset: 6,
    armed: 7,
    grace: 8,
  };
  const rig = new Rig({ lives });
  const left = (tell: () => unknown, ask: () => string) => {
    tell();
    let seconds = 0;
    for (; ask() !== 'none' && seconds < 99; seconds++) rig.wait(1000);
    return seconds - 1;
  };
  const request = () => rig.request();
  const report = () => rig.report();
  expect(left(() => rig.from('c1', 'SYN', { port: PORT }), request)).toBe(1);
  expect(left(() => rig.ask(), request)).toBe(3);
  expect(
    left(
      () => rig.activate('c1'),
      () => rig.activation(),
    ),
  ).toBe(7);
  expect(left(() => rig.activate('c1').cpe('SYN'), report)).toBe(2);
  expect(left(() => rig.activate('c1').divert(), report)).toBe(3);
  expect(left(() => rig.activate('c1').divert().cpe('FIN'), report)).toBe(4);
  expect(left(() => (rig.activate('c1').divert().cpe('FIN'), rig.from('c1', 'FIN')), report)).toBe(5);
  expect(left(() => rig.activate('c1').divert().cpe('RST'), report)).toBe(6);
  expect(
    left(
      () => rig.activate('c1').divert().cpe('FIN'),
      () => rig.activation(),
    ),
  ).toBe(8);
});

test('a silent collector’s activation ends, and diverts no more, also where `reportUnanswered` is below 3 s', () => {
  const rig = new Rig({ lives: { reportUnanswered: 2 } });
  rig.wake('c1').wake('c2', 50001, '10.1.7.2');
  rig.cpe('SYN');
  rig.wait(1999);
  expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to c1: diverted');
  rig.wait(1);
  expect(rig.cpe('SYN', { cpePort: 40003 })).toBe('to itms: collector-silent');
  expect([rig.activation(), rig.activation('10.1.7.2')]).toEqual(['none', 'armed c2']);
});

test.each([2 ** 31, 2 ** 32, 2 ** 31 - 86_400_000])('lives hold where milliseconds pass %d', (edgeMs) => {
  const rig = new Rig();
  rig.nowMs = edgeMs - 5000;
  rig.wake().divert();
  rig.wait(9000);
  expect(rig.cpe('DATA', { payload: 'x' })).toBe('to c1: report-to-owner');
  rig.cpe('FIN');
  rig.wait(30_000);
  expect(rig.activation()).toBe('grace c1');
  rig.wait(1);
  expect(rig.activation()).toBe('none');
});
