/** Habits of servers and devices: which sessions went where, after how long, how often. */
import { HABITS, waitingHabits } from '../e2e/support/habit-rows';
import { playHabits, type Outcome } from '../e2e/support/habits';
import { tests } from './programs';
import type { Proof } from './proof';

const REQUESTS_TEST = 'test/e2e/requests-habits.test.ts';
const ROUNDS = 3;
const WAITS_SECONDS = [1, 4, 9, 25];

/** Habits that differ only in the server, with the same outcome: one row. */
interface Row {
  habit: string;
  servers: string[];
  /** What was expected, or what came instead. */
  session: string;
  next: string;
  seconds: number;
}

export const habits: Proof = {
  name: 'habits',
  shows: 'a session stays with its server whatever the habits of servers and devices, and no further',
  takes: '5 minutes, root, nginx',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'habits' },
  smallest: { tests: ['test/e2e/habits.test.ts'] },
  full: async (say) => {
    const played = [...HABITS, ...waitingHabits(WAITS_SECONDS)];
    const rounds: Outcome[][] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      rounds.push(await playHabits(played));
      say(`round ${round} of ${ROUNDS}`);
    }
    const failures: string[] = [];
    const rows = new Map<string, Row>();
    for (const [at, { claim, session, next }] of played.entries()) {
      const outcomes = rounds.map((outcomes) => outcomes[at]!);
      const wrong = outcomes.filter(
        (one) => one.session.join() !== session.join() || one.next.some((server) => server !== next),
      );
      failures.push(...wrong.map((one) => `${claim}: ${one.session.join()}, then ${one.next.join()}`));
      const [habit, server] = claim.split(': ').reverse() as [string, string?];
      add(rows, {
        habit,
        servers: server === undefined ? [] : [server],
        session: tally(wrong[0]?.session ?? session),
        next: wrong[0]?.next.join() ?? next,
        seconds: Math.max(...outcomes.map(({ sessionMs }) => sessionMs)) / 1000,
      });
    }
    return { failures, text: textOf([...rows.values()], failures.length) };
  },
};

function add(rows: Map<string, Row>, row: Row): void {
  const key = [row.habit, row.session, row.next].join();
  const known = rows.get(key);
  const servers = [...(known?.servers ?? []), ...row.servers];
  rows.set(key, { ...row, servers, seconds: Math.max(known?.seconds ?? 0, row.seconds) });
}

function textOf(rows: readonly Row[], unexpected: number): string {
  const most = Math.max(...rows.map(({ servers }) => servers.length));
  const lines = rows.map(({ habit, servers, session, next, seconds }) => {
    const who = servers.length === 0 ? '' : ` (${servers.length === most ? 'each server' : servers.join('; ')})`;
    return `| ${habit}${who} | ${session} | ${seconds.toFixed(1)} | ${next} |`;
  });
  return [
    `Each habit ${ROUNDS} times; ${unexpected === 0 ? 'all' : `all but ${unexpected}`} as expected.`,
    '',
    '| habit | requests of the session | took, s | next session |',
    '|---|---|---|---|',
    ...lines,
  ].join('\n');
}

/** How many at whom, e.g. `3 at c1`. */
function tally(servers: readonly string[]): string {
  const names = [...new Set(servers)];
  return names.map((name) => `${servers.filter((one) => one === name).length} at ${name}`).join(', ');
}

/** Its tests write the section `request habits` of docs/reliability.md. */
export const requestHabits: Proof = {
  name: 'request-habits',
  shows: 'what answers to a Connection Request wake, and whose the next two sessions are',
  takes: 'half a minute, root',
  needsRoot: true,
  smallest: { tests: [REQUESTS_TEST] },
  full: tests([REQUESTS_TEST], { ACSPLIT_REQUEST_HABITS: 'yes' }),
};
