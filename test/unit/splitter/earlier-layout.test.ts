/**
 * The tables of acsplit 0.1.0 are taken over: what they recorded of each CPE still holds, and a forger gains nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { adoptEarlier, earlierBytes } from '../../../src/splitter/memory/earlier-layout';
import { Splitter } from '../../../src/splitter/splitter';
import { type Topology } from '../../../src/splitter/topology';
import { FAMILY, topologyIn } from '../../support/family';
import { CPE_PORT, Rig, TOPOLOGY } from '../../support/rig';

/** By 0.1.0, with 16 entries, on the clock of a Rig that has just begun. */
const FIXTURE = join(__dirname, `../../fixtures/tables-0.1.0-${FAMILY}.gz`);
const EARLIER = new Uint8Array(gunzipSync(readFileSync(FIXTURE)));
const CAPACITY = 16;
/** In another order than 0.1.0 had them. */
const REORDERED: Topology = { ...TOPOLOGY, collectors: [...TOPOLOGY.collectors].reverse() };
const HERE = topologyIn(REORDERED);

/** The tables as of the time that 0.1.0 left them, or some ms later. */
function adopted(afterMs = 0, capacityEntries = 64): { rig: Rig; entries: number } {
  const buffer = new ArrayBuffer(Splitter.bufferBytes(capacityEntries, HERE));
  const rig = new Rig({ topology: REORDERED, buffer, capacityEntries });
  rig.wait(afterMs);
  new Uint8Array(buffer).fill(0);
  const options = { topology: HERE, activation: 'auto' as const, capacityEntries, seed: 1, buffer };
  const entries = adoptEarlier(options, EARLIER.slice().buffer, CAPACITY, rig.nowMs);
  rig.restart({});
  return { rig, entries };
}

test('its memory is as long as it should be', () => {
  expect(earlierBytes(CAPACITY, [FAMILY])).toBe(EARLIER.length);
  expect(earlierBytes(CAPACITY, ['ipv4', 'ipv6'])).not.toBe(EARLIER.length);
});

test('an armed CPE goes to the collector that woke it, whatever its place in the configuration', () => {
  expect(adopted().rig.cpe('SYN', { cpe: '10.1.7.1' })).toBe('to c1: diverted');
});

test('what had expired by then stays dead', () => {
  expect(adopted(60_001).rig.cpe('SYN', { cpe: '10.1.7.1' })).toBe('to itms: to-itms');
});

test('a running session stays with its collector, and learns its numbers from it', () => {
  const { rig } = adopted();
  const cpe = '10.1.7.2';
  const own = { cpe, sequence: 1001, acknowledgement: 1001 };
  expect(rig.cpe('DATA', { ...own, payload: 'POST' })).toBe('to c2: report-unproven');
  // Nothing that a forger sends ends it.
  expect(rig.cpe('RST', { ...own, sequence: 4711 })).toBe('to c2: report-unproven');
  expect(rig.from('c2', 'ACK', { cpe, sequence: 1001, acknowledgement: 1005 })).toBe('as acs: report-answered');
  expect(rig.cpe('DATA', { ...own, sequence: 1005, payload: 'more' })).toBe('to c2: report-to-owner');
  expect(rig.from('c1', 'ACK', { cpe, sequence: 1001, acknowledgement: 1005 })).toBe('drop: not-owner');
});

test('a Connection Request keeps its changed port, in both directions', () => {
  const { rig } = adopted();
  const cpe = '10.1.7.1';
  const accepted = { cpe, port: 61_000, cpePort: CPE_PORT, sequence: 9000, acknowledgement: 3001 };
  expect(rig.from('c2', 'SYN', { cpe, port: 50_001, cpePort: CPE_PORT, sequence: 3000 })).toBe(
    'as acs:61000: request-repeated',
  );
  expect(rig.cpe('SYN+ACK', accepted)).toBe('to c2:50001: answer-to-owner');
});

test('a Connection Request that is under way goes on, whichever end speaks first', () => {
  const ports = { cpe: '10.1.7.2', port: 50_001, cpePort: CPE_PORT };
  const answer = { ...ports, sequence: 9000, acknowledgement: 3001, payload: 'HTTP/1.1 200 OK\r\n\r\n' };
  // It reaches the server, and arms nothing: its numbers are not known yet.
  expect(adopted().rig.cpe('DATA', answer)).toBe('to c2: answer-unproven');
  const { rig } = adopted();
  const request = { ...ports, sequence: 3001, acknowledgement: 9000, payload: 'GET / HTTP/1.1\r\n\r\n' };
  expect(rig.from('c2', 'DATA', request)).toBe('as acs: request-followed');
  expect(rig.cpe('DATA', { ...answer, acknowledgement: 3019 })).toBe('to c2: answer-to-owner');
});

test('a session in grace may continue', () => {
  expect(adopted().rig.cpe('SYN', { cpe: '10.1.7.3', cpePort: 40_009 })).toBe('to c1: diverted-in-grace');
});

test('entries that find no room are left out; damage is an error', () => {
  expect(adopted().entries).toBeGreaterThan(8);
  expect(adopted(0, 2).entries).toBeLessThan(8);
  const damaged = EARLIER.slice();
  const seed = new Int32Array(damaged.buffer, 1024 * 32 + 50 * 8 + 147_576, 16);
  seed.fill(-1);
  const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, HERE));
  const options = { topology: HERE, activation: 'auto' as const, capacityEntries: CAPACITY, seed: 1, buffer };
  expect(() => adoptEarlier(options, damaged.buffer, CAPACITY, 0)).toThrow('not an acsplit table');
});
