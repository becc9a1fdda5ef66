/** Two routers behind real keepalived: the standby one decides nothing, and takes over when the addresses move. */
import { isDeepStrictEqual } from 'node:util';
import { BACK_ENDS } from '../e2e/support/back-end';
import { kindsOf, RIGHT, tellKeepalived } from '../e2e/support/keepalived';
import type { Proof } from './proof';
import { byResult, type Run } from './rows';

export const keepalived: Proof = {
  name: 'keepalived',
  shows:
    'two routers behind real keepalived, with and without use_vmac, both families: the standby engine decides nothing',
  takes: '10 minutes, root, keepalived',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'keepalived' },
  smallest: { tests: ['test/e2e/keepalived.test.ts'] },
  full: async (say) => {
    const failures: string[] = [];
    const runs: Run[] = [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const kind of kindsOf(family)) {
        for (const backEnd of BACK_ENDS) {
          for (const onEngineDown of ['itms', 'hold'] as const) {
            const { flooded, ...story } = await tellKeepalived({ family, kind, backEnd, onEngineDown });
            const where = `${family}, ${kind}, iptables-${backEnd}, ${onEngineDown}`;
            if (!isDeepStrictEqual(story, RIGHT)) failures.push(`${where}: ${JSON.stringify(story)}`);
            if (flooded === 0) failures.push(`${where}: nothing was flooded, so nothing was shown`);
            const { woken, standbyReceived, wokenWhileStandbyDead, afterSwitch } = story;
            const result = [
              `the woken CPE at ${woken.join()}, with the standby engine dead at ${wokenWhileStandbyDead.join()}`,
              `after the switch at ${afterSwitch.join()}; packets that the standby engine got: ${standbyReceived}`,
            ].join(', ');
            runs.push({ at: [family, kind, `iptables-${backEnd}`, onEngineDown], result });
            say(`${where}: ${result}`);
          }
        }
      }
    }
    return { failures, text: byResult(runs) };
  },
};
