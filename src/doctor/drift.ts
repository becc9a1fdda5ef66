/** Whether the engine that runs is the one that is installed, with the values that the file has now. */

import { installedVersion, takesRestart } from '../engine';
import { type Configuration } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { restartInOrder } from './command-line';
import { startOf, unitOf } from './engine';
import { type EngineAnswer, type Host } from './host';

interface Facts {
  answer: EngineAnswer;
  installed: string | undefined;
  reload: string;
  restart: string;
}

/** More keys than these are only counted. */
const MOST_KEYS = 5;

export const drift: Check<Facts> = {
  name: 'drift',
  needs: ['rules', 'engine', 'fallback'],
  look: async (host: Host, wanted: Configuration) => {
    const answer = await host.askEngine(wanted.stateDirectory);
    const pid = 'status' in answer ? answer.status.pid : 0;
    const unit = unitOf(host, wanted);
    return {
      answer,
      installed: installedVersion(),
      reload: unit === undefined ? `kill -HUP ${pid}` : `systemctl reload ${unit}`,
      restart: restartInOrder(pid, host, startOf(unit, wanted)),
    };
  },
  judge: ({ answer, installed, reload, restart }, wanted) => {
    if (!('status' in answer)) return [];
    const { version, configuration } = answer.status;
    const warn = (says: string, mend: string): Fault => ({ level: 'warning', says, mend });
    if (installed !== undefined && version !== installed) {
      return [warn(`version ${version} runs, ${installed} is installed: restart the engine`, restart)];
    }
    // An older engine does not tell.
    if ((configuration as unknown) === undefined) return [];
    const { file, differs } = configuration;
    if (file !== wanted.file) return [warn(`the engine was started with ${file}, not with ${wanted.file}`, restart)];
    if (differs.length === 0) return [];
    const named = differs.slice(0, MOST_KEYS).join(', ');
    const more = differs.length > MOST_KEYS ? ` and ${differs.length - MOST_KEYS} more` : '';
    const says = `the engine runs with other values than the file for ${named}${more}`;
    return [warn(says, differs.some(takesRestart) ? restart : reload)];
  },
  fine: ({ answer }) =>
    'status' in answer
      ? `the engine is the installed version ${answer.status.version}, with every value of the file`
      : '',
};
