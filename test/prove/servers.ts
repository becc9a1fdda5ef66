/** How soon a server in trouble is noticed, and how soon it is used again, on real servers. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tests } from './programs';
import type { Proof } from './proof';

const TESTS = ['test/e2e/servers.test.ts'];
const RUNS = 5;

/** What the test measures, in the order of the text. */
const MEASURED = {
  refusing: 'down, refusing',
  silent: 'down, silent',
  half: 'degraded, taking every second SYN',
  trial: 'a collector back by a trial session, mended',
  probe: 'back by a probe every second',
} as const;

export const servers: Proof = {
  name: 'servers',
  shows: 'servers that refuse, are silent or half dead are told within ten seconds, and used again as soon',
  takes: '4 minutes, root',
  needsRoot: true,
  section: { file: 'docs/decisions/health.md', name: 'times' },
  smallest: { tests: TESTS },
  full: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'acsplit-servers-'));
    const file = join(directory, 'times');
    try {
      const failures: string[] = [];
      for (let run = 0; run < RUNS; run++) {
        failures.push(...(await tests(TESTS, { ACSPLIT_SERVER_TIMES: file })()).failures);
      }
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
      return { failures, text: textOf(lines.map((line) => JSON.parse(line) as Time)) };
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};

interface Time {
  what: keyof typeof MEASURED;
  ms: number;
}

function textOf(times: readonly Time[]): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const said = Object.entries(MEASURED).map(([what, words]) => {
    const own = times.filter((time) => time.what === what).map(({ ms }) => ms);
    return `${words} ${seconds(Math.min(...own))} to ${seconds(Math.max(...own))}`;
  });
  return `Seconds in ${RUNS} runs, from the first of the CPEs' SYNs or from the mending: ${said.join('; ')}.`;
}
