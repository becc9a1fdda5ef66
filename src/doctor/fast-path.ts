/** The fast path: checks that the kernel carries what the running engine was configured to have carried. */

import { type Status } from '../engine';
import { type Check } from './check';
import { edit } from './command-line';
import { type EngineAnswer } from './host';

export const fastPath: Check<EngineAnswer> = {
  name: 'fast-path',
  needs: ['engine'],
  look: (host, wanted) => host.askEngine(wanted.stateDirectory),
  judge: (answer, wanted) => {
    const told = toldBy(answer);
    if (told === undefined || told.mode === 'off' || told.reason === null) return [];
    const what = told.carries ? 'does not carry everywhere' : 'carries no packets, so each waits for the engine';
    const says = `the kernel ${what}: ${told.reason}; remove that, or set fastPath: off`;
    return [{ level: 'warning', says, mend: edit(wanted) }];
  },
  fine: (answer) => {
    const told = toldBy(answer);
    if (told === undefined || told.mode === 'off') return 'off: the engine decides every packet';
    const where = told.interfaces.join(', ');
    return `the kernel carries undiverted connections on ${where}; this host's rules in FORWARD do not see them`;
  },
};

/** Undefined: no engine, or an older one. */
function toldBy(answer: EngineAnswer): Status['fastPath'] | undefined {
  return 'status' in answer ? answer.status.fastPath : undefined;
}
