/**
 * The assembled sessions know, after any traffic, what is open; and in the end every diverted SYN is in exactly one row.
 * SESSION_RUNS sets how many sequences run, SESSION_SEED repeats one.
 */
import * as fc from 'fast-check';
import { Seen } from '../../src/tables/connection-row';
import { Woken } from '../../src/engine/recorder/session';
import { type Splitter } from '../../src/splitter/splitter';
import { ACTIVATION_MODES } from '../../src/splitter/topology';
import { acts, take } from '../support/acts';
import { Assembled } from '../support/assembled';
import { Rig } from '../support/rig';

const RUNS = Number(process.env.SESSION_RUNS ?? 120);
const SEED = process.env.SESSION_SEED === undefined ? undefined : Number(process.env.SESSION_SEED);
/** Of an activation: armed, consumed or in grace. */
const PHASE = 7;
const FIN = Seen.FinOfCpe | Seen.FinOfServer;

/** What the tables hold, expired or not, that is not over. */
function held(splitter: Splitter): { connections: string[]; activations: string[] } {
  const connections: string[] = [];
  const activations: string[] = [];
  for (const { reportConnections: reports, activatedCpes, owners } of splitter.state.families) {
    for (let slot = 0; slot < reports.table.slotCount; slot++) {
      const state = reports.table.state(slot);
      const isOver = (state & FIN) === FIN;
      if (state === 0 || isOver) continue;
      connections.push(`${reports.cpe(slot).join()} ${reports.cpePort(slot)} ${reports.visiblePort(slot)}`);
    }
    for (let slot = 0; slot < activatedCpes.table.slotCount; slot++) {
      if ((activatedCpes.table.state(slot) & PHASE) === 0) continue;
      activations.push(`${activatedCpes.cpe(slot).join()} ${owners.name(activatedCpes.owner(slot))}`);
    }
  }
  return { connections: connections.sort(), activations: activations.sort() };
}

function standing(assembled: Assembled): { connections: string[]; activations: string[] } {
  const { connections, activations } = assembled.read().sessions.standing();
  return { connections: connections.sort(), activations: activations.sort() };
}

test('sessions know what is open after every act; in the end every diverted SYN is in one row', () => {
  let seen = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...ACTIVATION_MODES),
      fc.constantFrom(2, 4, 12),
      acts,
      (activation, capacityEntries, sequence) => {
        const rig = new Rig({ activation, capacityEntries });
        const assembled = new Assembled(rig);
        const { sessions, rows } = assembled;
        for (const act of sequence) {
          take(rig, act, () => assembled.listen());
          assembled.tick();
          const [told, real] = [standing(assembled), held(rig.splitter)];
          if (JSON.stringify(told) !== JSON.stringify(real)) expect(told).toEqual(real);
        }
        rig.wait(8_000_000);
        for (let step = 0; step < 9; step++) rig.splitter.sweep(rig.nowMs);
        expect(assembled.read().sessions.count).toBe(0);
        const diverted = rig.events('diverted') + rig.events('diverted-in-grace');
        expect(rows.reduce((sum, row) => sum + row.connections, 0)).toBe(diverted);
        expect(sessions.pendingConnections).toBe(0);
        for (const row of rows) {
          expect(row.woken).not.toBe(Woken.Unknown);
          const { armedMs, openedMs, endedMs, connections } = row;
          expect(openedMs === undefined).toBe(connections === 0);
          expect(armedMs).toBeLessThanOrEqual(openedMs ?? endedMs);
          expect(openedMs ?? armedMs).toBeLessThanOrEqual(endedMs);
          if (row.isConfirmed) expect(connections).toBeGreaterThan(0);
        }
        seen += rows.length;
      },
    ),
    { numRuns: RUNS, ...(SEED !== undefined && { seed: SEED }) },
  );
  expect(seen).toBeGreaterThan(RUNS / 2);
});
