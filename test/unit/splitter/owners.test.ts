/** Owners are stable ids: a reload that reorders, moves or removes servers moves no diversion. [D] */
import { MAX_NAME_BYTES, Owners } from '../../../src/splitter/memory/owners';
import { addressNamed } from '../../support/family';
import { CPE, Rig, SERVERS, TOPOLOGY } from '../../support/rig';

const [C1, C2] = TOPOLOGY.collectors;
const PORT = 50001;

function diverted(): Rig {
  const rig = new Rig().wake('c2').divert('c2').ask('c2', 50002);
  return rig.wake('c2', 50003, '10.1.7.2');
}

test('a reload that reorders collectors moves nothing', () => {
  const rig = diverted().restart({ topology: { ...TOPOLOGY, collectors: [C2, C1] } });
  expect(rig.cpe('DATA', { payload: 'x' })).toBe('to c2: report-to-owner');
  expect(rig.from('c2', 'DATA')).toBe('as acs: report-answered');
  expect(rig.cpe('ACK', { port: 50002 })).toBe('to c2: answer-to-owner');
  expect(rig.cpe('SYN', { cpe: '10.1.7.2' })).toBe('to c2: diverted');
});

test('a collector that moved is followed to its new address', () => {
  const moved = { ...C2, address: { ipv4: '10.3.0.9' } };
  const rig = diverted().restart({ topology: { ...TOPOLOGY, collectors: [C1, moved] } });
  expect(rig.cpe('DATA', { payload: 'x' })).toBe('to 10.3.0.9: report-to-owner');
});

describe('an owner that is no longer configured means the ITMS', () => {
  const withoutC2 = { topology: { ...TOPOLOGY, collectors: [C1] } };

  test('for its report connections, both ways', () => {
    const rig = diverted().restart(withoutC2);
    expect(rig.cpe('SYN')).toBe('to itms: owner-gone');
    expect(rig.cpe('DATA', { payload: 'x' })).toBe('to itms: owner-gone');
    expect(rig.from('itms', 'RST')).toBe('as acs: itms-forwarded');
  });

  test('for answers to its Connection Requests, which arm nothing', () => {
    const rig = diverted().restart(withoutC2);
    expect(rig.cpe('DATA', { port: 50002, sequence: 7001, payload: 'HTTP/1.1 200 OK' })).toBe('to itms: owner-gone');
    expect(rig.activation()).toBe('consumed c2');
  });

  test('for a CPE that it had woken; another collector takes that over', () => {
    const rig = diverted().restart(withoutC2);
    expect(rig.cpe('SYN', { cpe: '10.1.7.2' })).toBe('to itms: owner-gone');
    expect([rig.report(40001, '10.1.7.2'), rig.activation('10.1.7.2')]).toEqual(['none', 'armed c2']);
    rig.wait(1).wake('c1', PORT, '10.1.7.2');
    expect(rig.activation('10.1.7.2')).toBe('armed c1');
  });

  test('its own packets are a stranger’s', () => {
    const packet = { source: SERVERS.c2, destination: CPE, sourcePort: 7547, destinationPort: 40001, flags: 16 };
    expect(diverted().restart(withoutC2).send('c2', packet).text).toBe('untouched: not-ours');
  });

  test('and is itself again when it comes back', () => {
    const rig = diverted().restart(withoutC2).restart({ topology: TOPOLOGY });
    expect(rig.cpe('DATA', { payload: 'x' })).toBe('to c2: report-to-owner');
  });
});

test('by the operator: activate, deactivate, and an unknown name', () => {
  const rig = new Rig().activate('c1');
  expect(rig.activation()).toBe('armed c1');
  expect(rig.splitter.deactivate(addressNamed(CPE), rig.nowMs)).toBe(true);
  expect(rig.splitter.deactivate(addressNamed(CPE), rig.nowMs)).toBe(false);
  expect(rig.cpe('SYN')).toBe('to itms: to-itms');
  expect(() => rig.splitter.activate(addressNamed(CPE), 'nobody', rig.nowMs)).toThrow("no collector is named 'nobody'");
  expect([rig.events('armed-by-hand'), rig.events('ended-by-hand')]).toEqual([1, 1]);
});

test('the operator’s hand: a session that runs stays, and no grace follows it', () => {
  const rig = new Rig().activate('c1').divert();
  expect(rig.splitter.deactivate(addressNamed(CPE), rig.nowMs)).toBe(true);
  expect(rig.splitter.deactivate(addressNamed(CPE), rig.nowMs)).toBe(false);
  expect([rig.activation(), rig.report(), rig.events('ended-by-hand')]).toEqual(['none', 'established c1', 1]);
  expect(rig.cpe('FIN')).toBe('to c1: report-to-owner');
  expect(rig.cpe('SYN', { cpePort: 40002 })).toBe('to itms: to-itms');
});

test('the operator’s hand: pause, resume, and the mode, told as they were set', () => {
  const { splitter } = new Rig({ activation: 'fin' });
  expect([splitter.paused, splitter.activation]).toEqual([false, 'fin']);
  splitter.paused = true;
  splitter.activation = 'off';
  expect([splitter.paused, splitter.activation]).toEqual([true, 'off']);
});

describe('the list of names', () => {
  const listOf = () => new Owners(new ArrayBuffer(Owners.BYTES), 0);

  test.each([
    ['none', '', false],
    ['one byte', 'c', true],
    ['31 bytes', 'c'.repeat(MAX_NAME_BYTES), true],
    ['32 bytes', 'c'.repeat(MAX_NAME_BYTES + 1), false],
    ['31 letters in 62 bytes', 'ж'.repeat(MAX_NAME_BYTES), false],
  ])('a name of %s is kept as it is, or refused', (_what, name, fits) => {
    const owners = listOf();
    if (fits) {
      const [first, next] = [owners.idOf(name), owners.idOf('x'.repeat(MAX_NAME_BYTES))];
      expect([first, next]).toEqual([1, 2]);
      expect([owners.name(first), owners.name(next)]).toEqual([name, 'x'.repeat(MAX_NAME_BYTES)]);
    } else expect(() => owners.idOf(name)).toThrow(`collector name '${name}' must be 1 to 31 bytes`);
  });

  test('holds 1023 collectors, known again by name, and refuses a further one', () => {
    const owners = listOf();
    for (let n = 1; n <= 1023; n++) expect(owners.idOf(`c${n}`)).toBe(n);
    expect([owners.idOf('c1'), owners.idOf('c1023')]).toEqual([1, 1023]);
    expect(() => owners.idOf('c1024')).toThrow('more than 1023 collectors over the life of the tables');
    expect([owners.name(0), owners.name(1), owners.name(1023)]).toEqual(['itms', 'c1', 'c1023']);
  });

  test('an unknown id in a damaged entry means no server', () => {
    expect([1, 1023, 1024, 65535, -1].map((id) => listOf().name(id))).toEqual(['', '', '', '', '']);
  });
});
