/** The fast path: checks that the kernel carries what the running engine was configured to have carried. */

import { type FlowCheck, type Status } from '../engine';
import { type Check } from './check';
import { edit, restartInOrder } from './command-line';
import { startOf, unitOf } from './engine';
import { type EngineAnswer } from './host';

interface Facts {
  answer: EngineAnswer;
  restart: string;
}

export const fastPath: Check<Facts> = {
  name: 'fast-path',
  needs: ['engine'],
  look: async (host, wanted) => {
    const answer = await host.askEngine(wanted.stateDirectory);
    const pid = 'status' in answer ? answer.status.pid : 0;
    return { answer, restart: restartInOrder(pid, host, startOf(unitOf(host, wanted), wanted)) };
  },
  judge: ({ answer, restart }, wanted) => {
    const told = toldBy(answer);
    const disagreement = disagreementIn(answer);
    if (disagreement !== undefined) {
      const says = `the kernel's flows are not the report table: ${disagreement}; report it, and start the engine again`;
      return [{ level: 'failure', says, mend: restart }];
    }
    if (told === undefined || told.mode === 'off' || told.reason === null || cannot(told)) return [];
    const what = told.carries ? 'does not carry everywhere' : 'carries no packets, so each waits for the engine';
    const says = `the kernel ${what}: ${told.reason}; remove that, or set fastPath: off`;
    return [{ level: 'warning', says, mend: edit(wanted) }];
  },
  fine: ({ answer }) => {
    const told = toldBy(answer);
    if (told === undefined || told.mode === 'off') return 'off: the engine decides every packet';
    if (cannot(told)) return `auto, and this host cannot: ${told.reason}; the engine decides every packet`;
    const where = told.interfaces.join(', ');
    const flows = ('flows' in answer && answer.flows) || undefined;
    const diverted = flows ? ` (of ${flows.flows} diverted ones ${flows.carried}, as the report table has them)` : '';
    return `the kernel carries connections on ${where}${diverted}; this host's rules in FORWARD do not see them`;
  },
};

/** With `auto`, a host without BPF serves as it does without the fast path. There is nothing to mend. */
function cannot({ mode, loaded }: Status['fastPath']): boolean {
  return mode === 'auto' && loaded === false;
}

/** Where the program's connections are not those of the report table. */
function disagreementIn(answer: EngineAnswer): string | undefined {
  const flows: FlowCheck | undefined = 'flows' in answer ? answer.flows : undefined;
  if (flows === undefined || flows.missing + flows.leftOver + flows.differing === 0) return undefined;
  return `${flows.missing} missing, ${flows.leftOver} left over, ${flows.differing} different, of ${flows.table}`;
}

/** Undefined: no engine, or an older one. */
function toldBy(answer: EngineAnswer): Status['fastPath'] | undefined {
  return 'status' in answer ? answer.status.fastPath : undefined;
}
