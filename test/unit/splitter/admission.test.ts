/**
 * Whether a collector gets a session that it has woken: its networks, its rate, whether it is usable, and how many of its
 * Connection Requests one CPE may have. Each refusal has a reason of its own, and the session is the ITMS's. [2]
 */
import { Event } from '../../../src/splitter/memory/events';
import { type Topology } from '../../../src/splitter/topology';
import { topologyIn } from '../../support/family';
import { CPE_PORT, Rig, TOPOLOGY } from '../../support/rig';
import { Turnstile } from '../../support/turnstile';

const [FIRST, SECOND, THIRD] = ['10.1.7.1', '10.1.7.2', '10.1.8.1'] as const;

function rigWith(limits: Partial<Topology['collectors'][number]>): Rig {
  const collectors = TOPOLOGY.collectors.map((each) => (each.name === 'c1' ? { ...each, ...limits } : each));
  return new Rig({ topology: { ...TOPOLOGY, collectors } });
}

/** Wakes a CPE; answers where its session goes. */
function session(rig: Rig, cpe: string, isn = 1000): string {
  rig.from('c1', 'SYN', { cpe, port: 50_001, cpePort: CPE_PORT, sequence: isn });
  rig.cpe('SYN+ACK', { cpe, port: 50_001 });
  rig.from('c1', 'DATA', { cpe, port: 50_001, cpePort: CPE_PORT, payload: 'GET / HTTP/1.1\r\n\r\n' });
  rig.cpe('DATA', { cpe, port: 50_001, payload: 'HTTP/1.1 200 OK\r\n\r\n' });
  return rig.cpe('SYN', { cpe, sequence: isn });
}

const CANARY = topologyIn({ ...TOPOLOGY, cpe: { ...TOPOLOGY.cpe, networks: ['10.1.7.0/24'] } }).cpe.networks;

test('a CPE outside its collector’s networks goes to the ITMS, one inside is diverted', () => {
  const rig = rigWith({ networks: CANARY });
  expect(session(rig, FIRST)).toBe('to c1: diverted');
  expect(session(rig, THIRD)).toBe('to itms: outside-canary');
});

test('beyond its rate a collector gets no more sessions within a second, and in the next it does', () => {
  const rig = rigWith({ maxPerSecond: 1 });
  rig.nowMs = Math.ceil(rig.nowMs / 1000) * 1000;
  expect(session(rig, FIRST)).toBe('to c1: diverted');
  expect(session(rig, SECOND)).toBe('to itms: collector-busy');
  expect(session(rig.wait(1000), THIRD)).toBe('to c1: diverted');
});

test('a rate of none diverts nothing', () => {
  expect(session(rigWith({ maxPerSecond: 0 }), FIRST)).toBe('to itms: collector-busy');
});

test('a collector that is down gets no session until it is up; what runs stays with it', () => {
  const turnstile = new Turnstile();
  const rig = new Rig({ health: turnstile });
  expect(session(rig, FIRST)).toBe('to c1: diverted');
  rig.from('c1', 'SYN+ACK', { cpe: FIRST });
  rig.cpe('ACK', { cpe: FIRST });
  turnstile.set(rig.splitter, 'c1', true);
  expect(session(rig, SECOND)).toBe('to itms: collector-down');
  expect(rig.cpe('DATA', { cpe: FIRST, payload: 'POST' })).toBe('to c1: report-to-owner');
  turnstile.set(rig.splitter, 'c1', false);
  expect(session(rig, THIRD)).toBe('to c1: diverted');
});

test('a session that was refused is over for its collector: the activation diverts no later one', () => {
  const turnstile = new Turnstile();
  const rig = new Rig({ health: turnstile });
  turnstile.set(rig.splitter, 'c1', true);
  session(rig, FIRST);
  turnstile.set(rig.splitter, 'c1', false);
  // Its own SYN again, and one of another session.
  expect(rig.cpe('SYN', { cpe: FIRST })).toBe('to itms: to-itms');
  expect(rig.cpe('SYN', { cpe: FIRST, cpePort: 40002 })).toBe('to itms: to-itms');
  expect(rig.splitter.state.events.counts[Event.CollectorDown]).toBe(1);
});

test('one CPE has sixteen Connection Requests at the most; a closed one gives way; the ITMS’s passes unrecorded', () => {
  const rig = new Rig();
  const ask = (server: 'c1' | 'itms', port: number) => rig.from(server, 'SYN', { port, cpePort: CPE_PORT });
  for (let n = 0; n < 16; n++) expect(ask('c1', 50_001 + n)).toBe('as acs: request-opened');
  expect(ask('c1', 50_100)).toBe('drop: request-bound');
  expect(ask('itms', 50_101)).toBe('as acs: request-unrecorded');
  rig.from('c1', 'FIN', { port: 50_003, cpePort: CPE_PORT });
  expect(ask('c1', 50_100)).toBe('as acs: request-opened');
});

test('at the bound the oldest closed connection gives way, but none whose FIN the CPE has still to acknowledge', () => {
  const rig = new Rig();
  const opens = (cpePort: number) => {
    rig.activate('c1');
    const outcome = rig.cpe('SYN', { cpePort, sequence: 1000 });
    rig.from('c1', 'SYN+ACK', { cpePort, sequence: 5000 });
    rig.cpe('ACK', { cpePort });
    rig.wait(1);
    return outcome;
  };
  for (let n = 0; n < 16; n++) expect(opens(40_001 + n)).toBe('to c1: diverted');
  rig.from('c1', 'FIN', { cpePort: 40_001 });
  expect(opens(40_017)).toBe('to itms: report-bound');
  rig.from('c1', 'FIN', { cpePort: 40_002 });
  rig.cpe('ACK', { cpePort: 40_002 });
  expect(opens(40_018)).toBe('to c1: diverted');
  expect([rig.report(40_001), rig.report(40_002)]).toEqual(['fin c1', 'none']);
});
