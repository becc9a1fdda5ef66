/** What decided packets tell of the servers, and what becomes of the sessions of a collector that is down. */
import { Side } from '../../../src/packet/batch';
import { buildTcp } from '../../../src/packet/builder';
import { CollectorFigures } from '../../../src/splitter/health/collector-figures';
import { DOWN_CPES, Health, TRIAL_MS } from '../../../src/splitter/health/health';
import { Col, rowOf, SERVER_STATES } from '../../../src/splitter/health/server-row';
import { ITMS } from '../../../src/splitter/memory/owners';
import { FAMILY, packetIn } from '../../support/family';
import { buildError, TYPES } from '../../support/icmp';
import { ACS, CPE, Rig, UNAUTHORIZED } from '../../support/rig';

const C1 = 1;
const WORDS = FAMILY === 'ipv4' ? 1 : 4;
const BYE = 'HTTP/1.1 204 No Content\r\n\r\n';
const ERROR = 'HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n';

class Judged extends Rig {
  readonly health: Health;

  constructor(turnsAway = true) {
    const health = new Health({ seed: 1, turnsAway });
    super({ health });
    this.health = health;
    this.splitter.listen(new CollectorFigures(health.rows, this.splitter.state));
  }

  figure(owner: number, column: Col): number {
    return this.health.rows.get(rowOf(owner, WORDS), column);
  }

  state(owner: number): string {
    this.splitter.sweep(this.nowMs);
    return SERVER_STATES[this.figure(owner, Col.State)];
  }

  /** opened, answered, refused, resets */
  figures(owner: number): number[] {
    return [Col.Opened, Col.Answered, Col.Refused, Col.Resets].map((column) => this.figure(owner, column));
  }

  /** A CPE's whole session, up to its last answer; the connection is then closed by both. */
  session(answer: string, cpe = CPE): this {
    this.activate('c1', cpe);
    this.cpe('SYN', { cpe, sequence: 1000 });
    this.from('c1', 'SYN+ACK', { cpe, sequence: 5000 });
    this.cpe('ACK', { cpe });
    this.cpe('DATA', { cpe, payload: 'POST / HTTP/1.1\r\n\r\n' });
    this.from('c1', 'DATA', { cpe, payload: answer });
    this.from('c1', 'FIN', { cpe });
    this.cpe('FIN', { cpe });
    return this;
  }
}

test('the ITMS accepts, refuses, and resets what it had accepted', () => {
  const rig = new Judged();
  rig.cpe('SYN', { sequence: 1000 });
  rig.cpe('SYN', { sequence: 1000 });
  rig.from('itms', 'SYN+ACK', { sequence: 5000 });
  rig.from('itms', 'RST');
  rig.cpe('SYN', { cpePort: 40002, sequence: 1000 });
  rig.from('itms', 'RST', { cpePort: 40002, sequence: 0, acknowledgement: 1001 });
  expect(rig.figures(ITMS)).toEqual([2, 1, 1, 1]);
  expect(rig.figures(C1)).toEqual([0, 0, 0, 0]);
});

test('a collector accepts, refuses, and resets; another SYN onto a live connection is no attempt', () => {
  const rig = new Judged();
  rig.activate('c1').divert();
  rig.cpe('SYN', { sequence: 77 });
  rig.from('c1', 'RST');
  rig.activate('c1');
  rig.cpe('SYN', { cpePort: 40002, sequence: 1000 });
  rig.from('c1', 'RST', { cpePort: 40002, sequence: 0, acknowledgement: 1001 });
  expect(rig.figures(C1)).toEqual([2, 1, 1, 1]);
  expect(rig.figures(ITMS)).toEqual([0, 0, 0, 0]);
});

test('an ICMP error about a diverted SYN counts as refused', () => {
  const rig = new Judged();
  rig.activate('c1');
  const ends = { source: CPE, sourcePort: 40001, destination: ACS, destinationPort: 7547 };
  const { bytes } = rig.send('cpe', { ...ends, flags: 2, sequence: 1000 });
  const error = buildError({
    ...{ source: '10.9.9.9', destination: CPE },
    type: TYPES.unreachable[FAMILY],
    quoted: bytes,
  });
  expect(rig.decideBytes(Side.Collector, error, 0).reason).toBe('icmp-refused');
  expect(rig.figures(C1)).toEqual([1, 0, 1, 0]);
});

test('from the CPEs’ side nobody makes a server refuse or be silent: not by a SYN that no server takes, nor by an ICMP error', () => {
  const rig = new Judged();
  const ends = { source: CPE, sourcePort: 40001, destination: ACS, destinationPort: 7547 };
  const wrong = buildTcp(packetIn({ ...ends, flags: 2, sequence: 1000 }));
  const { bytes } = rig.send('cpe', { ...ends, flags: 2, sequence: 1000 });
  // The source port’s last byte: another connection, under a checksum that is wrong.
  wrong[(FAMILY === 'ipv4' ? 20 : 40) + 1] ^= 1;
  expect(rig.decideBytes(Side.Cpe, wrong, 0).reason).toBe('checksum-wrong');
  const types = { type: TYPES.unreachable[FAMILY], quoted: bytes };
  for (const source of [ACS, '10.9.9.9']) {
    rig.decideBytes(Side.Cpe, buildError({ source, destination: CPE, ...types }), 0);
  }
  expect(rig.figures(ITMS)).toEqual([1, 0, 0, 0]);
});

test('what passes on another port of the ITMS says nothing', () => {
  const rig = new Judged();
  rig.cpe('SYN', { port: 8080 });
  rig.from('itms', 'SYN+ACK', { port: 8080, cpePort: 40001 });
  rig.from('itms', 'RST', { port: 8080, cpePort: 40001 });
  expect(rig.figures(ITMS)).toEqual([0, 0, 0, 0]);
});

describe('while a collector is down', () => {
  function down(turnsAway = true): Judged {
    const rig = new Judged(turnsAway);
    for (let n = 1; n <= DOWN_CPES; n++) {
      const cpe = `10.1.7.${n}`;
      rig.activate('c1', cpe);
      expect(rig.cpe('SYN', { cpe, sequence: 1000 })).toBe('to c1: diverted');
      rig.from('c1', 'RST', { cpe, sequence: 0, acknowledgement: 1001 });
    }
    expect(rig.state(C1)).toBe('down');
    return rig;
  }

  const [NEXT, TRIAL, AFTER] = ['10.1.8.1', '10.1.8.2', '10.1.8.3'];

  test('its CPEs go to the ITMS, and what woke them is used up', () => {
    const rig = down();
    rig.wake('c1', 50_001, NEXT);
    expect(rig.cpe('SYN', { cpe: NEXT })).toBe('to itms: collector-down');
    expect([rig.activation(NEXT), rig.events('collector-down')]).toEqual(['none', 1]);
  });

  test('one trial session after 10 s goes there, and when it is accepted all others do again', () => {
    const rig = down();
    for (const cpe of [NEXT, TRIAL, AFTER]) rig.activate('c1', cpe);
    rig.wait(TRIAL_MS);
    expect(rig.cpe('SYN', { cpe: TRIAL, sequence: 1 })).toBe('to c1: diverted');
    expect(rig.cpe('SYN', { cpe: NEXT, sequence: 1 })).toBe('to itms: collector-down');
    rig.from('c1', 'SYN+ACK', { cpe: TRIAL });
    expect(rig.state(C1)).toBe('up');
    expect(rig.cpe('SYN', { cpe: AFTER, sequence: 1 })).toBe('to c1: diverted');
  });

  test('a session that runs stays there', () => {
    const rig = new Judged();
    rig.activate('c1', AFTER).divert('c1', 40_001, AFTER);
    rig.wait(10);
    for (let n = 1; n <= DOWN_CPES; n++) {
      const cpe = `10.1.7.${n}`;
      rig.activate('c1', cpe).cpe('SYN', { cpe, sequence: 1000 });
      rig.from('c1', 'RST', { cpe, sequence: 0, acknowledgement: 1001 });
    }
    expect(rig.state(C1)).toBe('down');
    expect(rig.cpe('DATA', { cpe: AFTER, payload: 'POST' })).toBe('to c1: report-to-owner');
  });

  test('onCollectorDown: divert sends them there all the same', () => {
    const rig = down(false);
    rig.activate('c1', NEXT);
    expect(rig.cpe('SYN', { cpe: NEXT })).toBe('to c1: diverted');
  });
});

describe('sessions of a collector', () => {
  /** armed, finished, unfinished, logins refused */
  function sessions(rig: Judged): number[] {
    return [Col.Armed, Col.Finished, Col.Unfinished, Col.LoginsRefused].map((column) => rig.figure(C1, column));
  }

  test.each([
    ['a 204', BYE, [1, 1, 0, 0]],
    ['a body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', [1, 0, 1, 0]],
    ['a 401', UNAUTHORIZED, [1, 0, 1, 1]],
    ['a 407', UNAUTHORIZED.replace('401', '407'), [1, 0, 1, 0]],
    ['a redirect', 'HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n', [1, 0, 1, 0]],
    ['a 500', ERROR, [1, 0, 1, 0]],
    ['bytes of TLS', '\x16\x03\x03 hello', [1, 1, 0, 0]],
  ])('that ends with %s', (_name, answer, expected) => {
    const rig = new Judged().session(answer).wait(60_000);
    rig.counts();
    expect(sessions(rig)).toEqual(expected);
  });

  test('a 401 that is followed by a login is none that was refused', () => {
    const rig = new Judged().session(UNAUTHORIZED);
    rig.cpe('SYN', { cpePort: 40002, sequence: 1 });
    rig.from('c1', 'SYN+ACK', { cpePort: 40002, sequence: 9000 });
    rig.cpe('ACK', { cpePort: 40002 });
    rig.cpe('DATA', { cpePort: 40002, payload: 'POST / HTTP/1.1\r\nAuthorization: x\r\n\r\n' });
    rig.from('c1', 'DATA', { cpePort: 40002, payload: BYE });
    rig.from('c1', 'FIN', { cpePort: 40002 });
    rig.wait(60_000).counts();
    expect(sessions(rig)).toEqual([1, 1, 0, 0]);
  });

  test('also of a CPE that is asked once more meanwhile', () => {
    const rig = new Judged().session(UNAUTHORIZED);
    rig.ask('c1', 50_002);
    rig.wait(5000).ask('c1', 50_003);
    expect(sessions(rig)).toEqual([1, 0, 1, 1]);
  });

  test('an activation that no session uses counts as armed only', () => {
    const rig = new Judged().wake().wait(200_000);
    rig.counts();
    expect(sessions(rig)).toEqual([1, 0, 0, 0]);
  });
});
