/** What happens when the engine dies: that the kernel would notice, and that it takes this engine for alive. */

import { aliveSets, type AliveSet, readSet } from '../steering/iptables';
import { type Check } from './check';
import { hasUnit } from './engine';
import { type EngineAnswer } from './host';

interface Facts {
  answer: EngineAnswer;
  hasUnit: boolean;
  /** None with `hold`. */
  sets: AliveSet[];
  /** Those among them in which nothing is. */
  empty: AliveSet[];
}

export const fallback: Check<Facts> = {
  name: 'fallback',
  needs: ['rules', 'engine'],
  look: async (host, { topology, onEngineDown, stateDirectory }) => {
    const sets = aliveSets(topology, onEngineDown);
    const run = (program: string, words: readonly string[]) => host.run(program, words);
    const empty = sets.filter(({ family }) => (readSet(run, family)?.entries ?? 0) === 0);
    return { answer: await host.askEngine(stateDirectory), hasUnit: hasUnit(host), sets, empty };
  },
  judge: ({ answer, hasUnit: isService, empty }) => {
    if (empty.length === 0 || !('status' in answer) || !answer.status.ready) return [];
    const names = empty.map(({ name }) => name).join(' and ');
    const says = `the engine runs, but does not renew ${names}: the kernel sends every session to the ITMS, past it`;
    const mend = isService ? 'systemctl reload acsplit' : `kill -HUP ${answer.status.pid}`;
    return [{ level: 'failure', says, mend }];
  },
  fine: ({ sets }) =>
    sets.length === 0
      ? 'while no engine runs, what the rules steer waits (onEngineDown: hold)'
      : 'while no engine runs, the kernel sends new sessions to the ITMS; this one it takes for alive',
};
