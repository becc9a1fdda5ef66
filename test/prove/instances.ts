/** Two instances on one router under load: what happens to one does not affect the other. */
import { BACK_ENDS } from '../e2e/support/back-end';
import { describe, measureInstances } from '../e2e/support/instances';
import type { Proof } from './proof';

export const instances: Proof = {
  name: 'instances',
  shows: 'two instances under load: either is reloaded, killed, removed for a minute, and the other never notices',
  takes: '15 minutes, root',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'instances' },
  smallest: { tests: ['test/e2e/instances.test.ts'] },
  full: async (say) => {
    const failures: string[] = [];
    const rows = [];
    for (const backEnd of BACK_ENDS) {
      for (const noticed of await measureInstances({ backEnd, seconds: 60 }, say)) {
        const { by, done, outcome, packetsLost, restarts, events } = noticed;
        const bad = [...outcome.failures, ...outcome.wrong, ...events];
        const victim = by === 'default' ? 'north' : 'default';
        if (bad.length + packetsLost + restarts > 0) failures.push(`${victim} ${done}: ${describe(noticed)}`);
        const sessions = `${outcome.itms + outcome.collector} + ${outcome.transfers}`;
        const cells = [`iptables-${backEnd}`, `${victim} ${done}`, sessions, packetsLost, outcome.failures.length];
        rows.push(`| ${[...cells, outcome.wrong.length].join(' | ')} |`);
      }
    }
    const head = '| rules | one instance | the other’s sessions | packets lost | lost | wrong |';
    return { failures, text: [head, '|---|---|---|---|---|---|', ...rows].join('\n') };
  },
};
