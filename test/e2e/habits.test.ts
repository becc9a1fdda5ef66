/**
 * Habits of real servers and devices: a session that continues stays with its server, and a finished one ends there.
 */
import { HABITS, waitingHabits } from './support/habit-rows';
import { playHabits } from './support/habits';

/** CPEs that wait longer: `npm run prove habits`. */
const ROWS = [...HABITS, ...waitingHabits([1])];

test('each session stays with its server to its end, and no further', async () => {
  const outcomes = await playHabits(ROWS);
  const rows = ROWS.map(({ claim }, row) => ({
    claim,
    session: outcomes[row]?.session,
    next: outcomes[row]?.next[0],
  }));
  expect(rows).toEqual(ROWS.map(({ claim, session, next }) => ({ claim, session, next })));
}, 120_000);
