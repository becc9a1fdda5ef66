/** A story that is not true is found false, at its line. */
import { readScript, tell } from '../support/story';

const CAST = `
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
`;

function fate(lines: string): string {
  try {
    tell(readScript(`${CAST}${lines}`), 'auto');
    return 'came true';
  } catch (error) {
    return (error as Error).message;
  }
}

const LIES: [what: string, lines: string, says: RegExp][] = [
  ['the wrong server', 'report: cpe sends SYN -> c1', /expected: c1\nit went to: itms, to-itms/],
  ['the wrong reason', 'report: cpe sends SYN -> itms, pinned', /expected: pinned\nit went to: itms, to-itms/],
  ['a drop expected', 'report: cpe sends SYN -> nobody', /expected: nobody/],
  ['a drop not expected', 'report: c1 sends ACK -> cpe', /it went to: nobody, not-owner/],
  ['what the tables hold', 'expect activation armed c1', /found: none/],
  ['what a connection is', 'wake: opens\nexpect wake: unanswered c1', /found: established c1/],
  ['what was counted', 'expect 1 contended', /found: 0/],
  ['empty tables', 'wake: opens\nexpect empty tables', /"requests":1/],
  ['a session with the wrong server', 'wake: succeeds\nreport: is a session with itms', /went to: c1, diverted/],
  ['a statement that nobody knows', 'wake: sings', /no statement reads like this/],
  ['a connection that nobody named', 'lunch: opens', /no connection is named 'lunch'/],
  ['a segment again that was never sent', 'wake: c1 sends FIN again -> cpe', /has sent no FIN/],
  [
    'one connection that reaches both servers',
    'wake: succeeds\nreport: opens with c1\nthe tables are lost\nreport: cpe sends ACK -> itms',
    /packets of one connection, .* reach both c1 and itms/,
  ],
];

test.each(LIES)('%s', (_what, lines, says) => {
  expect(fate(lines)).toMatch(says);
});

test('the line is named, and a line of another mode is not told', () => {
  expect(fate('[fin] expect 1 contended\nexpect 1 contended')).toMatch(/^line 5, in auto: expect 1 contended/);
  expect(fate('[fin] expect 1 contended')).toBe('came true');
});
