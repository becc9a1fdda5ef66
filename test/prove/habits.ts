/** Habits of servers and devices: which sessions went where, after how long, how often. */
import { HABITS, waitingHabits } from '../e2e/support/habit-rows';
import { playHabits, type Outcome } from '../e2e/support/habits';
import type { Proof } from './proof';

const ROUNDS = 3;
const WAITS_SECONDS = [1, 4, 9, 25];

export const habits: Proof = {
  name: 'habits',
  shows: 'a session stays with its server whatever the habits of servers and devices, and no further',
  takes: '5 minutes, root, nginx',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'habits' },
  smallest: { tests: ['test/e2e/habits.test.ts'] },
  full: async (say) => {
    const rows = [...HABITS, ...waitingHabits(WAITS_SECONDS)];
    const rounds: Outcome[][] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      rounds.push(await playHabits(rows));
      say(`round ${round} of ${ROUNDS}`);
    }
    const failures: string[] = [];
    const lines = [
      '| habit | requests of the session | took, s | next session | as expected |',
      '|---|---|---|---|---|',
    ];
    for (const [row, { claim, session, next }] of rows.entries()) {
      const outcomes = rounds.map((outcomes) => outcomes[row]!);
      const wrong = outcomes.filter(
        (one) => one.session.join() !== session.join() || one.next.some((server) => server !== next),
      );
      failures.push(...wrong.map((one) => `${claim}: ${one.session.join()}, then ${one.next.join()}`));
      const seconds = Math.max(...outcomes.map(({ sessionMs }) => sessionMs)) / 1000;
      const right = `${ROUNDS - wrong.length} of ${ROUNDS}`;
      lines.push(`| ${[claim, tally(session), seconds.toFixed(1), next, right].join(' | ')} |`);
    }
    return { failures, text: lines.join('\n') };
  },
};

/** How many at whom, e.g. `3 at c1`. */
function tally(servers: readonly string[]): string {
  const names = [...new Set(servers)];
  return names.map((name) => `${servers.filter((one) => one === name).length} at ${name}`).join(', ');
}
