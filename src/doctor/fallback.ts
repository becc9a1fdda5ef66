/** The fallback for a dead engine: checks that the kernel's rules see the running engine as alive. */

import { aliveSets, type AliveSet, readSet } from '../steering/iptables';
import { steeringOf } from '../configuration/configuration';
import { type Check } from './check';
import { unitOf } from './engine';
import { type EngineAnswer } from './host';

interface Facts {
  answer: EngineAnswer;
  unit: string | undefined;
  /** Empty with `hold`. */
  sets: AliveSet[];
  /** Those of the sets that have no entries. */
  empty: AliveSet[];
}

export const fallback: Check<Facts> = {
  name: 'fallback',
  needs: ['rules', 'engine'],
  look: async (host, wanted) => {
    const sets = aliveSets(wanted.topology, steeringOf(wanted));
    const run = (program: string, words: readonly string[]) => host.run(program, words);
    const empty = sets.filter(({ name }) => (readSet(run, name)?.entries ?? 0) === 0);
    return { answer: await host.askEngine(wanted.stateDirectory), unit: unitOf(host, wanted), sets, empty };
  },
  judge: ({ answer, unit, empty }) => {
    if (empty.length === 0 || !('status' in answer) || !answer.status.ready) return [];
    const names = empty.map(({ name }) => name).join(' and ');
    const says = `the engine runs but does not refresh ${names}: the kernel bypasses it and sends every session to the ITMS`;
    const mend = unit === undefined ? `kill -HUP ${answer.status.pid}` : `systemctl reload ${unit}`;
    return [{ level: 'failure', says, mend }];
  },
  fine: ({ sets }) =>
    sets.length === 0
      ? 'without an engine, steered packets are held (onEngineDown: hold)'
      : 'without an engine, the kernel sends new sessions to the ITMS; it sees this engine as alive',
};
