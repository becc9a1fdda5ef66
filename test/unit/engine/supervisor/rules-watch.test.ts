/** What `acsplit rules check` tells an engine. */
import { RulesWatch } from '../../../../src/engine/supervisor/rules-watch';

function watch() {
  const lines: string[] = [];
  const line = (level: string) => (fields: object, text: string) =>
    void lines.push(`${level} ${JSON.stringify(fields)} ${text}`);
  let nowMs = 1000;
  const log = { info: line('info'), warn: line('warn'), error: line('error') };
  const rules = new RulesWatch(log, () => nowMs);
  return { rules, lines, pass: (ms: number) => (nowMs += ms) };
}

test('nothing is known before the first check', () => {
  expect(watch().rules.status).toEqual({ differences: 0, checks: 0, checkedMs: null });
});

test('a difference is logged once, and its end once', () => {
  const { rules, lines, pass } = watch();
  for (const differences of [0, 2, 3, 0, 0]) {
    rules.checked({ command: 'rules', differences, ...(differences > 0 && { first: 'mangle X: missing' }) });
  }
  pass(2500);
  expect(rules.status).toEqual({ differences: 0, checks: 5, checkedMs: 2500 });
  expect(lines).toEqual([
    'warn {"event":"rules","differences":2} the rules are not as configured: mangle X: missing (and 1 more)',
    'info {"event":"rules","differences":0} the rules are as configured',
  ]);
});

test.each([[undefined], [-1], [1.5], ['2'], [1e300]])('%p is no number of differences', (differences) => {
  const { rules } = watch();
  expect(() => rules.checked({ command: 'rules', differences })).toThrow('differences must be a whole number');
  expect(rules.status.checks).toBe(0);
});
