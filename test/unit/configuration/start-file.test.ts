/** The configuration as text: a file to begin with, the one in force, and the JSON Schema of both. */
import { type NetworkInterfaceInfo } from 'node:os';
import Ajv from 'ajv';
import { parse } from 'yaml';
import { parseConfiguration, parseShape } from '../../../src/configuration/configuration';
import { schemaText } from '../../../src/configuration/schema-text';
import { inForce, startFile } from '../../../src/configuration/start-file';
import { BOTH_FAMILIES, SMALLEST, withLine, withMore } from './sources';

const info = (address: string, netmask: string, bits: number): NetworkInterfaceInfo => ({
  ...{ address, netmask, family: 'IPv4', mac: '02:00:00:00:00:01', internal: address.startsWith('127.') },
  cidr: `${address}/${bits}`,
});
const HOST = {
  lo: [info('127.0.0.1', '255.0.0.0', 8)],
  lan0: [info('10.1.0.1', '255.255.0.0', 16)],
  wan0: [info('10.2.0.1', '255.255.255.0', 24)],
  wan1: [info('10.3.0.1', '255.255.255.0', 24)],
};

function complaints(text: string): readonly string[] {
  try {
    parseConfiguration(text, 'a.yaml');
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

describe('the file to begin with', () => {
  const text = startFile(HOST, '/usr/share/a.json');

  test("has this host's interfaces; what nobody can know is an error in its line", () => {
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=/usr/share/a.json');
    expect(parse(text)).toMatchObject({
      cpe: { interface: 'lan0', address: '10.1.0.1', networks: ['10.1.0.0/16'] },
      itms: { interface: 'wan0' },
      collectors: [{ name: 'c1', interface: 'wan1' }],
      activation: 'off',
    });
    const places = text.split('\n').flatMap((line, i) => (line.endsWith('CHANGE ME') ? [i + 1] : []));
    expect(complaints(text).map((line) => Number(line.split(':')[1]))).toEqual(places);
    expect(places).toHaveLength(2);
  });

  test('without interfaces everything is to be put in', () => {
    expect(complaints(startFile({}, 'a.json'))).toHaveLength(7);
  });

  test('is valid once the addresses are there, and as valid with every default uncommented', () => {
    const filled = text.replace(': CHANGE ME', ': 10.2.0.2').replace(': CHANGE ME', ': 10.3.0.2');
    const said = parseConfiguration(filled, 'a.yaml');
    const uncommented = filled
      .split('\n')
      .map((line) => (/^(?: *#\w|#   \w)/.test(line) ? line.replace('#', '') : line))
      // What has no default.
      .filter((line) => !/^ *(?:networks|maxPerSecond|controlGroup|tokenFile|cluster|group|name|stores):$/.test(line))
      .join('\n');
    const { history, probe, keys, ...other } = parseConfiguration(uncommented, 'a.yaml');
    // Without their section these are off.
    const always = Object.entries(keys).filter(([key]) => !/^(?:history|probe)\./.test(key));
    const off = { history: undefined, probe: undefined };
    expect({ ...other, ...off, keys: Object.fromEntries(always) }).toEqual({ ...said, ...off });
    expect(probe).toEqual({ interval: 10 });
    expect(history).toEqual({ directory: '/var/lib/acsplit', keepDays: 30, maxMiB: 2048 });
  });
});

test.each([
  ['the smallest', SMALLEST],
  ['one of both families', BOTH_FAMILIES],
  ['one with interfaces in and out apart', withLine(2, '  interface: [{ in: vrrp.51, out: eth0 }, ppp+]')],
  [
    'one with a canary',
    withMore('history: {}').replace('10.3.0.2 }', '10.3.0.2, networks: [10.1.2.0/24], maxPerSecond: 5 }'),
  ],
])('%s in force is a file that means the same', (_which, source) => {
  const text = inForce(parseShape(source, 'a.yaml'));
  expect(parseConfiguration(text, 'a.yaml')).toEqual(parseConfiguration(source, 'a.yaml'));
  expect(text).toContain('established: 7500');
});

describe('the JSON Schema', () => {
  const accepts = new Ajv({ unknownFormats: 'ignore' }).compile(JSON.parse(schemaText()) as object);

  test.each([
    ['the smallest', SMALLEST],
    ['both families', BOTH_FAMILIES],
    ['interfaces apart', withLine(2, '  interface: [{ in: vrrp.51, out: eth0 }, ppp+]')],
    ['everything in force', inForce(parseShape(withMore('history: {}'), 'a.yaml'))],
  ])('accepts %s', (_which, source) => {
    accepts(parse(source));
    expect(accepts.errors).toBe(null);
  });

  test.each([
    ['an unknown key', withMore('colectors: []')],
    ['a missing key', withLine(10, '')],
    ['no port', withLine(10, 'reportPorts: [70000]')],
    ['no port at all', withLine(10, 'reportPorts: []')],
    ['a word instead of a choice', withMore('activation: on')],
    ['half a queue', withMore('queue: { first: 0.5 }')],
    ['a life of nothing', withMore('ttl: { grace: 0 }')],
    ['an interface with a blank', withLine(2, '  interface: eth 0')],
    ['a number for true', withMore('queue: { gso: 1 }')],
  ])('refuses %s, as the engine does', (_which, source) => {
    expect(accepts(parse(source))).toBe(false);
    expect(complaints(source)).toHaveLength(1);
  });
});
