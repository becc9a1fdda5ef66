/** A diagnosis as text: what is wrong comes first, and wrapped lines keep commands whole. */

import { formatDiagnosis } from '../../../src/cli/doctor-text';
import { inColour, plain } from '../../../src/cli/watch/style';
import { type Diagnosis } from '../../../src/doctor/checks';

const diagnosis: Diagnosis = {
  findings: [
    { check: 'rights', level: 'ok', message: 'CAP_NET_ADMIN is available', mend: null },
    { check: 'mtu', level: 'warning', message: 'eth2 has MTU 1400', mend: 'ip link set dev eth2 mtu 1500' },
    { check: 'interfaces', level: 'failure', message: 'eth1 has no carrier', mend: null, see: 'ip link show dev eth1' },
  ],
  omitted: [{ check: 'routes', until: 'interfaces' }],
};

const LINES = [
  'failure  interfaces  eth1 has no carrier; see: ip link show dev eth1',
  'warning  mtu         eth2 has MTU 1400; fix it: ip link set dev eth2 mtu 1500',
];
const SUM = '1 failure, 1 warning, skipped: routes (after interfaces)';

test('in a pipe, one line each, failures first', () => {
  const text = formatDiagnosis(diagnosis, { paint: plain, columns: undefined, isQuiet: false });
  expect(text.split('\n')).toEqual([...LINES, 'ok       rights      CAP_NET_ADMIN is available', SUM, '']);
});

test('quiet: nothing that is in order', () => {
  const text = formatDiagnosis(diagnosis, { paint: plain, columns: undefined, isQuiet: true });
  expect(text.split('\n')).toEqual([...LINES, SUM, '']);
  const healthy = formatDiagnosis({ findings: [], omitted: [] }, { paint: plain, columns: 80, isQuiet: true });
  expect(healthy).toBe('0 failures, 0 warnings\n');
});

test('on a terminal: in colour, wrapped below the message, the command in one piece', () => {
  const text = formatDiagnosis(diagnosis, { paint: inColour, columns: 42, isQuiet: true });
  const indent = ' '.repeat(21);
  expect(text.split('\n')).toEqual([
    '\x1b[31mfailure\x1b[0m  interfaces  eth1 has no carrier',
    `${indent}see: ip link show dev eth1`,
    '\x1b[33mwarning\x1b[0m  mtu         eth2 has MTU 1400',
    `${indent}fix it: ip link set dev eth2 mtu 1500`,
    SUM,
    '',
  ]);
});

test('a terminal does not obey what a message quotes', () => {
  const message = 'mangle FORWARD: "--comment "\x1b[31mred\nfailure  none" -j DROP"';
  const findings: Diagnosis['findings'] = [{ check: 'foreign-rules', level: 'failure', message, mend: null }];
  const text = formatDiagnosis({ findings, omitted: [] }, { paint: plain, columns: undefined, isQuiet: true });
  expect(text.split('\n')[0]).toBe(
    'failure  foreign-rules  mangle FORWARD: "--comment "?[31mred?failure  none" -j DROP"',
  );
});
