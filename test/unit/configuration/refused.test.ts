/** The one line that refuses each invalid configuration: keys, types, limits, choices, YAML itself. */
import { SMALLEST, withLine, withMore, expectRefused } from './sources';

describe('an invalid configuration is refused in one line: place, found, expected', () => {
  const rows: [string, string, string][] = [
    // Keys
    [
      'a misspelt key, with the near miss',
      withLine(3, '  adress: 10.1.0.1'),
      '3:3: cpe: unknown key "adress"; did you mean "address"? (and 1 more)',
    ],
    ['a misspelt section', withMore('activaton: off'), '11:1: unknown key "activaton"; did you mean "activation"?'],
    [
      'wrong case',
      withMore('stateDIRECTORY: /run/a'),
      '11:1: unknown key "stateDIRECTORY"; did you mean "stateDirectory"?',
    ],
    [
      'a key that resembles none',
      withMore('queue: { watermelon: 3 }'),
      '11:10: queue: unknown key "watermelon", expected one of first, length, gso',
    ],
    [
      'a life that does not exist',
      withMore('ttl:\n  armd: 60'),
      '12:3: ttl: unknown key "armd"; did you mean "armed"?',
    ],
    [
      'a misspelt key of a collector',
      withLine(9, '  - { nme: c1, interface: eth2, address: 10.3.0.2 }'),
      '9:7: collectors[0]: unknown key "nme"; did you mean "name"? (and 1 more)',
    ],
    [
      'the same key twice',
      withMore('reportPorts: [9090]'),
      '11:1: key "reportPorts" appears twice (first in line 10), expected once',
    ],
    ['a prototype as a key', withMore('__proto__: { activation: off }'), '11:1: unknown key "__proto__"'],
    ['a merge key', withMore('<<: { activation: off }'), '11:1: unknown key "<<"'],
    ['a key that is a list', withMore('? [a]\n: 1'), '11:3: found a key that is not a word'],
    // Types
    [
      'a number for an interface',
      withLine(2, '  interface: 7'),
      '2:14: cpe.interface: found 7, expected an interface name',
    ],
    [
      'text for a port',
      withLine(10, 'reportPorts: [http]'),
      '10:15: reportPorts[0]: found "http", expected a port from 1 to 65535',
    ],
    [
      'a quoted port',
      withLine(10, 'reportPorts: ["7547"]'),
      '10:15: reportPorts[0]: found "7547", expected a port from 1 to 65535',
    ],
    [
      'a bare port for a list',
      withLine(10, 'reportPorts: 7547'),
      '10:14: reportPorts: found 7547, expected a list of 1 to 64 ports',
    ],
    [
      'a mapping for the list of collectors',
      `${SMALLEST.split('\n').slice(0, 8).join('\n')}\n  c1: { }\nreportPorts: [1]\n`,
      '8:1: collectors: found a mapping, expected a list of 1 to 64 collectors',
    ],
    [
      'nothing for a section',
      withMore('queue:'),
      '11:1: queue: found nothing, expected a mapping with first, length, gso',
    ],
    ['a word for a switch', withMore('queue: { gso: yes }'), '11:15: queue.gso: found "yes", expected true or false'],
    [
      'text for a life',
      withMore('ttl: { armed: 60s }'),
      '11:15: ttl.armed: found "60s", expected seconds from 0.1 to 604800',
    ],
    ['a life without end', withMore('ttl: { armed: .inf }'), '11:15: ttl.armed: found Infinity, expected seconds'],
    ['a life that is no number', withMore('ttl: { armed: .nan }'), '11:15: ttl.armed: found NaN, expected seconds'],
    ['a list for the whole', '- a\n- b\n', '1:1: found a list of 2, expected a mapping with cpe, itms'],
    ['a word for the whole', 'hello\n', '1:1: found "hello", expected a mapping with cpe, itms'],
    ['an empty file', '', '1:1: found nothing, expected a mapping with cpe, itms'],
    ['only a comment', '# soon\n', '1:1: found nothing, expected a mapping with cpe, itms'],
    [
      'no ITMS',
      SMALLEST.replace(/itms:\n.*\n.*\n/, ''),
      '1:1: itms: missing, expected a mapping with interface, address',
    ],
    [
      'a collector without a name',
      withLine(9, '  - { interface: eth2, address: 10.3.0.2 }'),
      '9:5: collectors[0].name: missing, expected a name of 1 to 31',
    ],
    [
      'no ACS address',
      SMALLEST.replace('  address: 10.1.0.1\n', ''),
      '1:1: cpe.address: missing, expected an IPv4 or IPv6 address',
    ],
    // Limits
    [
      'a table of nothing',
      withMore('tables: { capacity: 0 }'),
      '11:21: tables.capacity: found 0, expected a number of entries from 16 to 16777216',
    ],
    [
      'a table beyond memory',
      withMore('tables: { capacity: 1e12 }'),
      '11:21: tables.capacity: found 1000000000000, expected a number of entries from 16',
    ],
    [
      'a queue number beyond 16 bits',
      withMore('queue: { first: 65533 }'),
      '11:17: queue.first: found 65533, expected a queue number from 0 to 65532',
    ],
    [
      'a queue too long for a receive buffer',
      withMore('queue: { length: 1000000 }'),
      '11:18: queue.length: found 1000000, expected a number of packets from 64 to 131072',
    ],
    [
      'a negative life',
      withMore('ttl: { grace: -1 }'),
      '11:15: ttl.grace: found -1, expected seconds from 0.1 to 604800',
    ],
    // Choices
    [
      'a misspelt activation',
      withMore('activation: respnse'),
      '11:13: activation: found "respnse", expected one of auto, fin, response, off; did you mean "response"?',
    ],
    [
      'an engine that is to do something else when it is down',
      withMore('onEngineDown: its'),
      '11:15: onEngineDown: found "its", expected one of itms, hold; did you mean "itms"?',
    ],
    [
      'a relative state directory',
      withMore('stateDirectory: run/acsplit'),
      '11:17: stateDirectory: found "run/acsplit", expected an absolute path',
    ],
    [
      'a state directory too long for a socket',
      withMore(`stateDirectory: /${'d'.repeat(100)}`),
      '11:17: stateDirectory: found "/ddd',
    ],
    [
      'a word where a mapping belongs, though a key is much like it',
      withMore('metrics: lisen'),
      '11:10: metrics: found "lisen", expected a mapping with listen',
    ],
    [
      'a group that begins like an option',
      withMore('controlGroup: -R'),
      '11:15: controlGroup: found "-R", expected the name of a group of this host',
    ],
    [
      'a metrics port alone',
      withMore('metrics: { listen: 9547 }'),
      '11:20: metrics.listen: found 9547, expected an address and a port such as 127.0.0.1:9547',
    ],
    [
      'a metrics host by name',
      withMore('metrics: { listen: localhost:9547 }'),
      '11:20: metrics.listen: found "localhost:9547", expected an address and a port',
    ],
    // YAML itself
    ['a bracket left open', withLine(10, 'reportPorts: [7547'), ': not valid YAML: '],
    ['a tab for indentation', withLine(2, '\tinterface: eth0'), '2:1: not valid YAML: '],
    ['a second document', withMore('---\ncpe: { }'), '11:1: not valid YAML: '],
    ['an unknown tag', withLine(2, '  interface: !!js/function eth0'), '2:14: not valid YAML: '],
    ['an alias', withMore('itmsPorts: &p [80]\nttl: *p'), '12:6: found the alias *p, expected the value itself'],
    [
      'an alias bomb',
      `a: &a [x]\n${[...'bcdefghij'].map((c, i) => `${c}: &${c} [${`*${'abcdefghi'[i]},`.repeat(9)}]`).join('\n')}`,
      '2:8: found the alias *a',
    ],
    ['a tower of brackets', `cpe: ${'['.repeat(100_000)}`, '1:22: nested too deeply'],
    ['a tower of dashes', `cpe:\n  ${'- '.repeat(2_000)}x`, '2:'],
    ['a terminal escape', withLine(2, '  interface: "\\e[2J"'), '2:14: cpe.interface: found "\\u001b[2J", expected'],
    [
      'a very long value',
      withLine(2, `  interface: ${'x'.repeat(3000)}`),
      `2:14: cpe.interface: found "${'x'.repeat(48)}…", expected`,
    ],
  ];
  test.each(rows)('%s', (_, source, expected) => expectRefused(source, expected));
});
