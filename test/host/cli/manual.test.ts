/** acsplit(8) and acsplit.yaml(5): whole, in shape, and their examples are those that tests type. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfiguration } from '../../../src/configuration/configuration';
import { commandsInPrint } from '../../support/commands-in-print';

const ROOT = join(__dirname, '../../..');
let folder: string;
/** As they are read: without the marks of roff. */
const read = (name: string): string =>
  readFileSync(join(folder, name), 'utf8').replaceAll('\\-', '-').replaceAll('\\e', '\\');
/** What stands below a mark such as `.B`, one by one. */
const marked = (page: string, mark: string): string[] =>
  [...page.matchAll(new RegExp(`^\\.${mark} (.*)$`, 'gm'))].map(([, text]) => text!);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'acsplit-manual-'));
  execFileSync(process.execPath, [join(ROOT, 'scripts/man.mjs'), folder]);
});
afterAll(() => rmSync(folder, { recursive: true }));

test('acsplit(8) has every command, and every example of --help, which commands-in-print.test.ts types', () => {
  const page = read('acsplit.8');
  const examples = commandsInPrint().filter(({ where }) => where.startsWith('--help'));
  const printed = marked(page, 'B').filter((text) => text.startsWith('acsplit '));
  expect(printed.sort()).toEqual(examples.map(({ line }) => line).sort());
  const help = execFileSync(process.execPath, [join(ROOT, 'dist/cli/main.js'), '--help'], { encoding: 'utf8' });
  const commands = [...help.matchAll(/^ {2}acsplit ([a-z]+)/gm)].map(([, name]) => name!);
  const sections = marked(page, 'SS').map((text) => text.split(' ')[1]!);
  expect([...new Set(sections)].sort()).toEqual(commands.sort());
});

test('acsplit.yaml(5) has every key of the schema, and an example that is accepted', () => {
  const page = read('acsplit.yaml.5');
  const operations = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
  const table = operations.split('\n### The configuration\n')[1]!.split('\n### ')[0]!;
  const keys = [...table.matchAll(/^\| `([^`]+)` /gm)].map(([, key]) => key!);
  expect(keys.length).toBeGreaterThan(20);
  const described = marked(page, 'B');
  // The page of the manual spells out what the table leaves to another page.
  expect(keys.filter((key) => !described.some((name) => name === key || name.startsWith(`${key}.`)))).toEqual([]);
  const example = /^\.SH EXAMPLE\n\.nf\n(.*?)^\.fi/ms.exec(page)![1]!.replaceAll('\\&', '');
  expect(parseConfiguration(example, 'acsplit.yaml').topology.collectors).toHaveLength(1);
});

test('nothing in them is taken for a request of roff that is none', () => {
  const known = /^\.(TH|SH|SS|TP|PP|BR|B|I|nf|fi|nh|ad)\b/;
  for (const name of ['acsplit.8', 'acsplit.yaml.5']) {
    const requests = read(name)
      .split('\n')
      .filter((line) => /^[.']/.test(line));
    expect(requests.filter((line) => !known.test(line))).toEqual([]);
  }
});
