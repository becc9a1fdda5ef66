/** What others write into their rules is text: it is no option, no line, no command. */
import { execFileSync } from 'node:child_process';
import { typed } from '../../../../src/steering/iptables/typed';
import { adding, check } from './checking';

/** As iptables-save quotes it. */
const commented = (comment: string) =>
  `-A FORWARD -p tcp -m comment --comment "${comment.replaceAll(/["'\\]/g, '\\$&')}" -j DROP`;

const COMMENTS = [
  'it\'s "quoted", \\ and all',
  'an end of line\n-A FORWARD -j ACCEPT',
  'an end of the table\nCOMMIT\n*nat',
  'a carriage return\r-A FORWARD',
  'a target -j ACSPLIT-SERVERS',
  'a target -j ACCEPT -g elsewhere --notrack',
  'a remedy; run: reboot',
  '$(reboot) `reboot` !! ~ * ; reboot',
  '\x1b[31mred\u2028\u009b',
  'nothing but an end of line\n',
];

test.each(COMMENTS)('a drop before ours is told, whatever its comment: %j', (comment) => {
  const line = commented(comment);
  const [found, ...others] = check(adding('mangle', 'before', line));
  expect(others).toEqual([]);
  const rule = line.slice('-A FORWARD '.length);
  expect(found).toMatchObject({ kind: 'drops', table: 'mangle', chain: 'FORWARD', rule });
  expect(found.message).toMatch(found.remedy!);
  expect(found.remedy).toBe(`iptables -t mangle -D FORWARD ${typed(rule)}`);
});

test('a shell takes the remedy’s words as they are in the rule', () => {
  const remedies = COMMENTS.map((comment) => typed(commented(comment).slice(3)));
  const script = remedies.map((words) => `printf '%s\\0' ${words}`).join('\n');
  const seen = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\0');
  const words = (comment: string) => ['FORWARD', '-p', 'tcp', '-m', 'comment', '--comment', comment, '-j', 'DROP'];
  expect(seen).toEqual([...COMMENTS.flatMap(words), '']);
  expect(remedies.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
