/** Falls are counted, with the sessions that the kernel has sent to the ITMS meanwhile. */
import { FallbackWatch } from '../../../../src/engine/supervisor/fallback-watch';

function make(counts: (number | undefined)[]) {
  const kept: object[] = [];
  const said: string[] = [];
  const say = (fields: object, message: string) => void said.push(`${(fields as { event: string }).event}: ${message}`);
  const watch = new FallbackWatch({
    countSessions: () => Promise.resolve(counts.shift()),
    keep: (kind, details) => kept.push({ kind, ...details }),
    log: { info: say, warn: say, error: say },
  });
  return { watch, kept, said };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('begun, ended, and how many sessions the rules have counted since verdicts last flowed', async () => {
  const { watch, kept, said } = make([100, 114, 3]);
  watch.began();
  expect(watch.status).toMatchObject({ active: true, times: 0 });
  watch.ended(6000, 'worker');
  await settled();
  watch.ended(500, 'supervisor');
  await settled();
  // 3 after 114: the rules were installed again.
  expect(watch.status).toEqual({ active: false, times: 2, totalMs: 6500, sessions: 17 });
  expect(kept).toEqual([
    { kind: 'fallback-began', cause: 'worker' },
    { kind: 'fallback-ended', cause: 'worker', fallenMs: 6000, sessions: 14 },
    { kind: 'fallback-ended', cause: 'supervisor', fallenMs: 500, sessions: 3 },
  ]);
  expect(said).toEqual([
    'fallback-began: no verdicts: the kernel sends new sessions to the ITMS',
    'fallback: no verdicts: for 6000 ms the kernel sent 14 new sessions to the ITMS',
    'fallback: the supervisor did not run: for 500 ms the kernel sent 3 new sessions to the ITMS',
  ]);
});

test('rules that cannot be read leave the number unknown; an absence before the start is not counted as ours', async () => {
  const { watch, kept } = make([undefined, 5]);
  watch.endedAtStart(9000);
  watch.ended(100, 'worker');
  await settled();
  expect(kept).toEqual([
    { kind: 'fallback-ended', cause: 'engine', fallenMs: 9000, sessions: null },
    { kind: 'fallback-ended', cause: 'worker', fallenMs: 100, sessions: null },
  ]);
  expect(watch.status).toEqual({ active: false, times: 1, totalMs: 100, sessions: null });
});
