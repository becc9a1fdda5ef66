/** Memory damaged while no engine ran: it is refused, or taken over without sending a packet to the wrong host. */
import { Splitter } from '../../../src/splitter/splitter';
import { topologyIn } from '../../support/family';
import { ACS, CPE, GET, OK, Rig, type Server, tableMemory, TOPOLOGY } from '../../support/rig';

const OTHER = '10.1.7.2';
const CAPACITY = 64;

/** Diversions, activations and requests of two collectors, one of them remapped. */
function lived(buffer: ArrayBuffer): Rig {
  const rig = new Rig({ buffer, capacityEntries: CAPACITY }).wake('c2').divert('c2').ask('c2', 50002);
  rig.ask('c1', 50002);
  return rig.wake('c1', 50003, OTHER);
}

const memory = tableMemory(CAPACITY);
lived(memory);
const written = [...new Uint8Array(memory).entries()].filter(([, byte]) => byte !== 0).map(([at]) => at);

/** What becomes of a packet of each kind; each must leave for a configured server, or from the ACS address. */
function everything(rig: Rig): string[] {
  const said = [rig.cpe('DATA', { payload: 'x' }), rig.cpe('SYN', { cpe: OTHER }), rig.cpe('SYN', { cpePort: 40002 })];
  for (const server of ['itms', 'c1', 'c2'] as Server[]) {
    said.push(rig.from(server, 'DATA'), rig.from(server, 'DATA', { port: 50002, payload: GET }));
    said.push(rig.from(server, 'SYN', { port: 50002, sequence: 9 }));
  }
  for (const port of [50002, 50003, 61000]) said.push(rig.cpe('DATA', { port, sequence: 7001, payload: OK }));
  said.push(rig.cpe('RST', { port: 50002 }), rig.cpe('FIN'), rig.wait(5000).cpe('SYN', { cpe: CPE, sequence: 5 }));
  return said;
}

test('there is something to damage', () => expect(written.length).toBeGreaterThan(200));

test.each([0, 1, 2, 3, 4, 5, 6, 7])('bit %i of every byte in use', (bit) => {
  const legal = new RegExp(`^(to (itms|c1|c2)(:\\d+)?|as acs(:\\d+)?|drop|untouched): `);
  let refused = 0;
  // A third of the bytes for each bit, another third for the next: all of them in three.
  for (const at of written.filter((_, index) => index % 3 === bit % 3)) {
    const buffer = memory.slice(0);
    new Uint8Array(buffer)[at] ^= 1 << bit;
    const rig = new Rig({ capacityEntries: CAPACITY });
    try {
      rig.restart({ buffer, seed: 99 });
    } catch (error) {
      expect((error as Error).message).toMatch(/table/);
      refused++;
      continue;
    }
    expect(everything(rig).filter((line) => !legal.test(line))).toEqual([]);
    rig.counts();
    expect([rig.activation(), rig.report(), rig.request(50002), rig.activation(OTHER)]).toHaveLength(4);
  }
  expect(refused).toBeGreaterThan(10);
});

test('an owner beyond every list means the ITMS', () => {
  const buffer = memory.slice(0);
  const words = new Int32Array(buffer);
  const rig = new Rig({ capacityEntries: CAPACITY }).restart({ buffer });
  const { table } = rig.splitter.state.families[0].reportConnections;
  for (let slot = 0; slot < table.slotCount; slot++) {
    if (table.isLive(slot)) table.setState(slot, (table.state(slot) & 0xffff) | (0xfff0 << 16));
  }
  expect(words.length).toBeGreaterThan(0);
  expect(rig.cpe('DATA', { payload: 'x' })).toBe('to itms: owner-gone');
  expect(rig.report()).toBe('established ');
});

test('an event counter that is no number leaves the ring readable', () => {
  const { events } = lived(tableMemory(CAPACITY)).splitter.state;
  for (const damage of [Number.NaN, Infinity, -5, 1e300, 0.5]) {
    (events as unknown as { head: Float64Array }).head[0] = damage;
    const rows: unknown[] = [];
    events.readSince(0, (row) => rows.push(row));
    expect([events.written, rows]).toEqual([0, []]);
  }
});

test('a reader shows what the writer holds, and leaves every byte as it is', () => {
  const buffer = memory.slice(0);
  const rig = new Rig({ capacityEntries: CAPACITY });
  const reader = new Splitter({
    ...{
      topology: topologyIn(TOPOLOGY),
      activation: 'auto',
      seed: 1,
      capacityEntries: CAPACITY,
      buffer,
      isReader: true,
    },
  });
  reader.state.advance(rig.nowMs + 1);
  expect(reader.tables.reportConnections.count).toBe(1);
  expect(reader.tables.activatedCpes.count).toBe(2);
  expect(Buffer.compare(Buffer.from(buffer), Buffer.from(memory))).toBe(0);
  expect(ACS).toBe(TOPOLOGY.cpe.address.ipv4);
});
