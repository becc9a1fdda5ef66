/** The servers, as the running engine judges them by what CPEs meet. */

import { type ServerStatus } from '../engine';
import { type Configuration } from '../configuration/configuration';
import { type Check } from './check';
import { acsplit } from './command-line';
import { type EngineAnswer } from './host';

export const health: Check<EngineAnswer> = {
  name: 'health',
  needs: ['engine'],
  look: (host, wanted) => host.askEngine(wanted.stateDirectory),
  judge: (answer, wanted) =>
    judged(answer)
      .filter(([, { state }]) => state !== 'up')
      .map(([name, { state, why, sinceMs }]) => {
        const isItms = name === 'itms';
        const who = isItms ? 'the ITMS' : `collector ${name}`;
        const says = `${who} is ${state} since ${Math.round(sinceMs / 1000)} s: ${why}; ${effectOf(isItms, state, wanted)}`;
        return {
          level: isItms && state === 'down' ? 'failure' : 'warning',
          says,
          mend: null,
          see: acsplit('status', wanted),
        };
      }),
  fine: (answer) => {
    const all = judged(answer);
    if (all.length === 0) return 'the engine does not judge its servers: it is of an earlier version';
    const silent = all.filter(([, { answered }]) => answered === 0);
    if (silent.length === 0) return 'all have accepted connections of CPEs';
    return `none has failed; not called yet, or not answering: ${silent.map(([name]) => name).join(', ')}`;
  },
};

/** None without an engine, or from an engine of an earlier version. */
function judged(answer: EngineAnswer): [string, ServerStatus][] {
  if (!('status' in answer)) return [];
  const { servers: all } = answer.status as { servers?: Record<string, ServerStatus> };
  return Object.entries(all ?? {});
}

function effectOf(isItms: boolean, state: string, { onCollectorDown }: Configuration): string {
  if (state === 'degraded') return 'some of its CPEs wait or fail';
  if (isItms) return 'its CPEs have no server';
  return onCollectorDown === 'itms' ? 'its CPEs go to the ITMS' : 'its CPEs are diverted to it all the same';
}
