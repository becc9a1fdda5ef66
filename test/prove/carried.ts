/** Transfers that the kernel carries, over every path; and an engine that dies again and again beside them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Path } from '../e2e/support/carried';
import { tests } from './programs';
import type { Proof } from './proof';
import { byResult, type Run } from './rows';

const PATHS_TEST = 'test/e2e/transfer-carried.test.ts';

const KILLS_TEST = 'test/e2e/kills-carried.test.ts';

export const carriedKills: Proof = {
  name: 'carried-kills',
  shows: 'worker, supervisor and both are killed 100 times each while the kernel carries; no engine for 30 s',
  takes: '20 minutes, root',
  needsRoot: true,
  smallest: { tests: [KILLS_TEST] },
  full: tests([KILLS_TEST], { ACSPLIT_KILLS_CARRIED: '100' }),
};

export const carried: Proof = {
  name: 'carried',
  shows: 'transfers that the kernel carries arrive unchanged over narrow paths, bridges and macvlans, with loss',
  takes: '30 minutes, root',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'carried' },
  smallest: { tests: [PATHS_TEST] },
  full: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'acsplit-carried-'));
    const failures: string[] = [];
    const runs: Run[] = [];
    try {
      for (const family of ['4', '6']) {
        const file = join(folder, family);
        const environment = { ACSPLIT_FAMILY: family, ACSPLIT_CARRIED: 'all', ACSPLIT_CARRIED_RESULTS: file };
        const found = await tests([PATHS_TEST], environment)();
        failures.push(...found.failures);
        for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
          const { mtu, place, device, offloads, loses } = JSON.parse(line) as Path;
          const at = [`IPv${family}`, device, `MTU ${mtu}`, place];
          at.push(offloads ? 'offloads' : 'no offloads', loses ? 'loss' : 'no loss');
          runs.push({ at, result: 'the same bytes, carried' });
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    return { failures, text: byResult(runs) };
  },
};
