/** docs/architecture.md: each row of "Back at the ITMS" is shown by tests on real kernels, which are named here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const [SESSIONS, HOSTS, IDLE, LOSS, BOOTS] = ['requests-sessions', 'errors-hosts', 'tcp-idle', 'tcp-loss', 'boots'];

/** By the row's first cell: files of test/e2e, and what the title of a test of theirs holds. */
const SHOWN_BY: Record<string, [file: string, title: string][]> = {
  'the session ends with a 204 or an empty 200': [
    [SESSIONS, "['a 204', "],
    [SESSIONS, "['an empty 200', "],
    [SESSIONS, "describe.each(LAST_ANSWERS)('after %s'"],
  ],
  'the collector refuses': [[SESSIONS, "test('refuses costs one attempt'"]],
  'collector or CPE resets an established connection': [
    [SESSIONS, "['reset', 'cpe']"],
    [SESSIONS, "['reset', 'far']"],
    [SESSIONS, "test('dies in the session, with a RST: the ITMS’s after the grace that its last answer leaves'"],
  ],
  'the collector accepts and says nothing; the CPE closes': [
    [SESSIONS, "test('accepts and says nothing: the ITMS’s after `unfinished`, which begins with the CPE’s FIN'"],
    [SESSIONS, "test('does not, if nothing at all was said on the first'"],
  ],
  'the collector’s host is silent': [
    [SESSIONS, "test('is silent: after three seconds the CPE’s other attempts are the ITMS’s'"],
    [
      IDLE,
      "test('a diverted SYN that its collector leaves unanswered past its life: the retransmission after it reaches",
    ],
  ],
  'its host, or a router, says by an ICMP error that it is not there': [
    [HOSTS, "'%s a diverted session: the CPE hears it, and its next attempt is the ITMS’s'"],
    [HOSTS, "['the collector’s host refuses'"],
    [HOSTS, "['a router before the collector refuses'"],
  ],
  'the collector dies with a FIN, then refuses': [
    [SESSIONS, "test('dies in the session, with a FIN, and then refuses: at most two attempts'"],
  ],
  'the CPE loses power in the session, boots with another port': [
    [SESSIONS, "test('in its session: it boots into the ITMS at once'"],
    [SESSIONS, "test('stays, if only the collector has closed the first: the CPE opens the second before it closes'"],
    [SESSIONS, "test('is the ITMS’s'"],
  ],
  'the same, with the same port': [
    [SESSIONS, "test('in its session, and boots with the same port: with the first retransmission of its SYN'"],
    [BOOTS, '`after ${row.answer}, the collector ${row.state}'],
    [BOOTS, "'is in FIN-WAIT-2'"],
  ],
  'the CPE loses power between its answer and its session': [
    [
      SESSIONS,
      "test('between its answer and its session: its next session is the collector’s, if it boots while armed'",
    ],
    [SESSIONS, "test('for longer than an activation stays armed: the ITMS’s'"],
  ],
  'another collector wakes it meanwhile, and it answers 200': [
    [SESSIONS, "test('gets the next session if the CPE says 200; the running one stays; then the ITMS'"],
  ],
  'all tables are lost': [
    [LOSS, "test('leaves the ITMS’s connections alone, ends what needs an entry, and all is well again'"],
  ],
  'an entry expires while its connection is idle': [
    [IDLE, "test('keep-alive probes keep an entry for longer than its life; without them, silence ends it'"],
  ],
};

function rows(): string[] {
  const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const section = page.split('\n## ').find((text) => text.startsWith('Back at the ITMS\n'))!;
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) => line.split('|')[1]!.trim().replaceAll("'", '’'));
}

test('every row is shown by a test, and no other', () => {
  expect(rows()).toEqual(Object.keys(SHOWN_BY));
});

test.each(Object.entries(SHOWN_BY))('%s: its tests are there', (_row, tests) => {
  for (const [file, title] of tests)
    expect(readFileSync(join(ROOT, `test/e2e/${file}.test.ts`), 'utf8')).toContain(title);
});
