/** The configuration as a file that cannot be read, and as one with several errors. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration, parseConfiguration } from '../../../src/configuration/configuration';
import { ConfigurationError, UsageError } from '../../../src/configuration/errors';
import { SMALLEST } from '../../unit/configuration/sources';

describe('a file that cannot be read is refused in one line', () => {
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-configuration-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const inDirectory = (name: string) => join(directory, name);
  mkdirSync(inDirectory('directory.yaml'));
  writeFileSync(inDirectory('latin1.yaml'), Buffer.from([0x23, 0xe9, 0x0a]));
  writeFileSync(inDirectory('huge.yaml'), Buffer.alloc(300 * 1024, '#'));
  writeFileSync(inDirectory('plain'), SMALLEST);

  const rows: [string, string, RegExp][] = [
    ['missing', inDirectory('none.yaml'), /none\.yaml does not exist; create it, or name another with -c FILE$/],
    ['a directory', inDirectory('directory.yaml'), /is a directory, expected a YAML file$/],
    ['below a file', inDirectory('plain/x.yaml'), /does not exist: a part of its path is not a directory$/],
    ['not UTF-8', inDirectory('latin1.yaml'), /is not UTF-8 text$/],
    ['much too large', inDirectory('huge.yaml'), /is larger than 262144 bytes/],
    ['a device without an end', '/dev/zero', /is larger than 262144 bytes/],
    ['a name with a line end', inDirectory('a\nb.yaml'), /a\\nb\.yaml does not exist/],
  ];
  test.each(rows)('%s', (_, file, expected) => {
    expect(() => loadConfiguration(file)).toThrow(UsageError);
    expect(() => loadConfiguration(file)).toThrow(expected);
  });

  test('a good one is read', () => {
    expect(loadConfiguration(inDirectory('plain')).file).toBe(inDirectory('plain'));
  });
});

describe('several errors', () => {
  const problems = (source: string): ConfigurationError => {
    try {
      parseConfiguration(source, 'a.yaml');
    } catch (error) {
      return error as ConfigurationError;
    }
    throw new Error('accepted');
  };

  test('are reported all at once, in the order of the file, missing keys last', () => {
    const error = problems('cpe: { interface: 7, adress: 10.1.0.1 }\nitms: 5\nreportPorts: [0]\ncolectors: []\n');
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.problems.map((line) => line.replace(/, expected.*/, ''))).toEqual([
      'a.yaml:1:19: cpe.interface: found 7',
      'a.yaml:1:22: cpe: unknown key "adress"; did you mean "address"?',
      'a.yaml:2:7: itms: found 5',
      'a.yaml:3:15: reportPorts[0]: found 0',
      'a.yaml:4:1: unknown key "colectors"; did you mean "collectors"?',
      'a.yaml:1:1: cpe.address: missing',
      'a.yaml:1:1: cpe.networks: missing',
      'a.yaml:1:1: collectors: missing',
    ]);
    expect(error.untold).toBe(0);
  });

  test('24 000 unknown keys: refused quickly, twenty told, the others counted', () => {
    const source = SMALLEST + Array.from({ length: 24_000 }, (_, i) => `k${i}:`).join('\n');
    const startMs = performance.now();
    const error = problems(source);
    // Each looked up in a list of all took 36 s on an idle machine, and takes 1 s in an index.
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(error.problems).toHaveLength(20);
    expect(error.problems[0]).toMatch(/^a\.yaml:11:1: unknown key "k0"/);
    expect(error.untold).toBe(23_980);
  });
});
