/** Traffic that is not ours, in every direction and protocol, in every state, with both back ends and families. */
import { BACK_ENDS } from '../e2e/support/back-end';
import { differences, received, rowsOf, STATES } from '../e2e/support/untouched';
import type { Proof } from './proof';
import { byResult, type Run } from './rows';

export const untouched: Proof = {
  name: 'untouched',
  shows: 'every host’s traffic of every protocol to every other crosses the router as without us, in every state',
  takes: '3 minutes, root',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'untouched' },
  smallest: { tests: ['test/e2e/untouched.test.ts'] },
  full: async (say) => {
    const failures: string[] = [];
    const runs: Run[] = [];
    const counts: string[] = [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const backEnd of BACK_ENDS) {
        const plain = await received({ family, backEnd });
        const where = `${family}, iptables-${backEnd}`;
        for (const state of STATES) {
          const found = differences(plain, await received({ family, backEnd, state }));
          failures.push(...found.map((text) => `${where}, ${state}: ${text}`));
          const result = found.length === 0 ? 'the same' : `${found.length} differ`;
          runs.push({ at: [family, `iptables-${backEnd}`, state], result });
          say(`${where}, ${state}: ${result}`);
        }
        const sent = rowsOf(family).reduce((sum, { packets }) => sum + packets.length, 0);
        const seen = [...plain.values()].reduce((sum, packets) => sum + packets.length, 0);
        counts.push(`${sent} packets sent, ${seen} received.`);
      }
    }
    return { failures, text: [`Each run: ${[...new Set(counts)].join(' ')}`, byResult(runs)].join('\n\n') };
  },
};
