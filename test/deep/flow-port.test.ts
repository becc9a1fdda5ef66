/**
 * A listener of the flow port knows, after any traffic, exactly the entries in the tables: no birth, change, end or
 * expiry goes unreported. FLOW_RUNS sets how many sequences run, FLOW_SEED repeats one.
 */
import * as fc from 'fast-check';
import { ACTIVATION_MODES } from '../../src/splitter/topology';
import { acts, take } from '../support/acts';
import { FAMILY } from '../support/family';
import { EVERY_CHANGE, held, Mirror } from '../support/mirror';
import { Rig } from '../support/rig';

const RUNS = Number(process.env.FLOW_RUNS ?? (FAMILY === 'ipv6' ? 150 : 400));
const SEED = process.env.FLOW_SEED === undefined ? undefined : Number(process.env.FLOW_SEED);

test('a listener knows what the tables hold after every packet, sweep, kill and act of the operator', () => {
  const heard = new Set<string>();
  fc.assert(
    fc.property(
      fc.constantFrom(...ACTIVATION_MODES),
      fc.constantFrom(2, 4, 12),
      acts,
      (activation, capacityEntries, sequence) => {
        const rig = new Rig({ activation, capacityEntries });
        const mirror = new Mirror(() => rig.splitter);
        rig.splitter.listen(mirror);
        for (const act of sequence) {
          take(rig, act, () => rig.splitter.listen(mirror));
          const entries = held(rig.splitter);
          if (mirror.lines.join('\n') !== entries.join('\n')) {
            throw new Error(
              `after ${JSON.stringify(act)}\ntold:\n${mirror.lines.join('\n')}\nheld:\n${entries.join('\n')}`,
            );
          }
        }
        for (const line of mirror.heard) heard.add(line);
      },
    ),
    { numRuns: RUNS, ...(SEED !== undefined && { seed: SEED }) },
  );
  // The traffic covers every change.
  expect([...new Set([...heard].map((line) => line.split(' ')[0]))].sort()).toEqual(EVERY_CHANGE);
});
