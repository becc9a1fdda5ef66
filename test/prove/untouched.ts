/** Traffic that is not ours, in every direction and protocol, in every state, with both back ends and families. */
import { BACK_ENDS } from '../e2e/support/back-end';
import { differences, received, rowsOf, STATES } from '../e2e/support/untouched';
import type { Proof } from './proof';

export const untouched: Proof = {
  name: 'untouched',
  shows: 'every host’s traffic of every protocol to every other crosses the router as without us, in every state',
  takes: '3 minutes, root',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'untouched' },
  smallest: { tests: ['test/e2e/untouched.test.ts'] },
  full: async (say) => {
    const failures: string[] = [];
    const lines = [
      `| | packets sent | packets received without us | ${STATES.join(' | ')} |`,
      `|---|---|---|${STATES.map(() => '---|').join('')}`,
    ];
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const backEnd of BACK_ENDS) {
        const plain = await received({ family, backEnd });
        const where = `${family}, iptables-${backEnd}`;
        const cells: string[] = [];
        for (const state of STATES) {
          const found = differences(plain, await received({ family, backEnd, state }));
          failures.push(...found.map((text) => `${where}, ${state}: ${text}`));
          cells.push(found.length === 0 ? 'the same' : `${found.length} differ`);
        }
        const sent = rowsOf(family).reduce((sum, { packets }) => sum + packets.length, 0);
        const seen = [...plain.values()].reduce((sum, packets) => sum + packets.length, 0);
        lines.push(`| ${[where, sent, seen, ...cells].join(' | ')} |`);
        say(lines.at(-1)!);
      }
    }
    return { failures, text: lines.join('\n') };
  },
};
