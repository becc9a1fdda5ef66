/** Everything that README and docs/ name exists: links, files, npm scripts, commands and their options. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { loadConfiguration } from '../../src/configuration/configuration';

const ROOT = join(__dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const markdown = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const PAGES = [...markdown('.'), ...markdown('docs'), ...markdown('docs/decisions'), ...markdown('iptables')];
const SCRIPTS = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
const COMMAND_SOURCES = readdirSync(join(ROOT, 'src/cli/commands')).map((name) => read(join('src/cli/commands', name)));
const GLOBAL_OPTIONS = ['config', 'help', 'version', 'debug'];

/** Every match of a pattern's first group in a page, with the page: rows for test.each. */
function mentions(pattern: RegExp): [page: string, word: string][] {
  return PAGES.flatMap((page) => [...read(page).matchAll(pattern)].map((match): [string, string] => [page, match[1]]));
}

describe('a page names only what exists', () => {
  const links = mentions(/\]\(((?!https?:|#|mailto:)[^)#\s]+)/g);
  test('there are pages, links and commands to look at', () => {
    expect(PAGES.length).toBeGreaterThan(10);
    expect(links.length).toBeGreaterThan(5);
  });

  test.each(links)('%s links to %s', (page, link) => {
    expect(existsSync(join(ROOT, normalize(join(dirname(page), link))))).toBe(true);
  });

  test.each(mentions(/`((?:src|test|native|iptables|docs|scripts)\/[\w./-]*)`/g))(
    '%s names the path %s',
    (_page, path) => {
      expect(existsSync(join(ROOT, path))).toBe(true);
    },
  );

  test.each(mentions(/(?<![\w/.-])((?:src|test|native|scripts)\/[\w/.-]+\.(?:ts|js|mjs|sh|md|cc|h|c|py))\b/g))(
    '%s names the file %s',
    (_page, path) => {
      expect(existsSync(join(ROOT, path))).toBe(true);
    },
  );

  test.each(mentions(/\bdocs\/(decisions\/[\w-]+\.md)/g))('%s names docs/%s', (_page, path) => {
    expect(existsSync(join(ROOT, 'docs', path))).toBe(true);
  });

  test.each(mentions(/npm run ([\w:]+)/g))('%s names the npm script %s', (_page, script) => {
    expect(SCRIPTS).toContain(script);
  });
});

describe('a page names only commands and options that there are', () => {
  const commands = mentions(/`(?:acsplit|node dist\/cli\/main\.js) ([a-z]+[^`]*)`/g);
  const isDeclared = (word: string) =>
    COMMAND_SOURCES.some((source) => new RegExp(`command: '${word}\\b`).test(source)) ||
    // yargs' own.
    read('src/cli/parser.ts').includes(`.completion('${word}'`);
  const hasOption = (option: string) =>
    GLOBAL_OPTIONS.includes(option) || COMMAND_SOURCES.some((source) => source.includes(option));

  test.each(commands)('%s: acsplit %s', (_page, line) => {
    expect(isDeclared(line.split(' ')[0])).toBe(true);
    for (const [, option] of line.matchAll(/--([a-z-]+)/g)) expect(hasOption(option)).toBe(true);
  });
});

describe('the record of licences', () => {
  const RECORD = read('docs/decisions/licence.md');
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  // typescript is devOptional: an optional peer of valibot, which no installation of acsplit brings along.
  const installed = Object.entries(packages).flatMap(([path, { dev, devOptional }]) =>
    path === '' || dev || devOptional ? [] : [path],
  );
  const nameOf = (path: string) => path.replace(/^.*node_modules\//, '');
  const licences = new Map<string, string[]>();
  for (const path of installed) {
    const { license } = JSON.parse(read(join(path, 'package.json'))) as { license: string };
    licences.set(license, [...(licences.get(license) ?? []), nameOf(path)]);
  }

  test('has a line for each licence, and no other', () => {
    const lines = [...RECORD.matchAll(/^- ([\w.-]+), compatible/gm)].map(([, licence]) => licence);
    expect(lines.sort()).toEqual([...licences.keys()].sort());
  });

  test.each([...licences])('lists every package that is installed under %s, and no other', (licence, names) => {
    const item = new RegExp(`^- ${licence}, compatible.*\\n(?:  .*\\n)*`, 'm').exec(RECORD)?.[0] ?? '';
    const listed = [...item.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    expect(listed.sort()).toEqual(names.sort());
  });
});

test('the record of dependencies lists every package of package.json, and no other', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const cells = [...read('docs/decisions/dependencies.md').matchAll(/^\| ([^|]+) \|/gm)].map(([, cell]) => cell.trim());
  const listed = cells.flatMap((cell) => cell.split(', ')).map((name) => name.replace(/ [\d.]+$/, ''));
  const types = Object.keys(devDependencies).filter((name) => name.startsWith('@types/'));
  const used = [...Object.keys(dependencies), ...Object.keys(devDependencies)].filter((name) => !types.includes(name));
  expect(listed.filter((name) => !/^(package|-+)$/.test(name)).sort()).toEqual(used.sort());
});

test('the configuration of the README is one', () => {
  const yaml = /```yaml\n(.*?)```/s.exec(read('README.md'))?.[1] ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'acsplit-readme-'));
  try {
    writeFileSync(join(folder, 'acsplit.yaml'), yaml);
    const { topology, activation } = loadConfiguration(join(folder, 'acsplit.yaml'));
    expect(topology.collectors.map(({ name }) => name)).toEqual(['c1']);
    expect(activation).toBe('auto');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('operations and README tell the same order from nothing to a diverted session', () => {
  const table = read('README.md').split('| step ')[1]?.split('\n\n')[0] ?? '';
  const section =
    read('docs/operations.md').split('\n## Installing on a router\n')[1]?.split('\nTo uninstall')[0] ?? '';
  const commands = (text: string) => [...new Set([...text.matchAll(/`(acsplit [^`]+)`/g)].map(([, line]) => line))];
  const inReadme = commands(table).filter((line) => commands(section).includes(line));
  expect(inReadme.length).toBeGreaterThan(6);
  expect(commands(section).filter((line) => inReadme.includes(line))).toEqual([
    // Before anything is changed; README names it where everything is in place.
    'acsplit doctor',
    ...inReadme.filter((line) => line !== 'acsplit doctor'),
  ]);
});
