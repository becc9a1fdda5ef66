/** Two instances on one router under load: what happens to one does not affect the other. */
import { BACK_ENDS } from '../e2e/support/back-end';
import { describe, measureInstances } from '../e2e/support/instances';
import type { Proof } from './proof';
import { byResult, type Run } from './rows';

export const instances: Proof = {
  name: 'instances',
  shows: 'two instances under load: either is reloaded, killed, removed for a minute, and the other never notices',
  takes: '15 minutes, root',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'instances' },
  smallest: { tests: ['test/e2e/instances.test.ts'] },
  full: async (say) => {
    const failures: string[] = [];
    const runs: Run[] = [];
    const carried: { sessions: number; transfers: number }[] = [];
    for (const backEnd of BACK_ENDS) {
      for (const noticed of await measureInstances({ backEnd, seconds: 60 }, say)) {
        const { by, done, outcome, packetsLost, restarts, events } = noticed;
        const bad = [...outcome.failures, ...outcome.wrong, ...events];
        const victim = by === 'default' ? 'north' : 'default';
        if (bad.length + packetsLost + restarts > 0) failures.push(`${victim} ${done}: ${describe(noticed)}`);
        carried.push({ sessions: outcome.itms + outcome.collector, transfers: outcome.transfers });
        const result = `packets lost ${packetsLost}, sessions lost ${outcome.failures.length}, wrong ${outcome.wrong.length}`;
        runs.push({ at: [`iptables-${backEnd}`, victim, done], result });
      }
    }
    const sessions = carried.map((one) => one.sessions);
    const transfers = carried.map((one) => one.transfers);
    const load = `The other’s sessions and transfers: ${sum(sessions)} + ${sum(transfers)}; in a run at least ${Math.min(...sessions)} + ${Math.min(...transfers)}.`;
    return { failures, text: [load, byResult(runs)].join('\n\n') };
  },
};

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
