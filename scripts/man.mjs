/**
 * Writes acsplit(8) and acsplit.yaml(5) into a folder: node scripts/man.mjs FOLDER. The texts are those of `--help` and of
 * the schema of the configuration.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const { createParser } = require('../dist/cli/parser.js');
const { described } = require('../dist/configuration/described.js');
const { configurationSchema } = require('../dist/configuration/schema.js');
const { version, description } = require('../package.json');
const [folder = '.'] = process.argv.slice(2);

const COMMANDS = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../dist/cli/commands');
const commands = readdirSync(COMMANDS)
  .filter((name) => name.endsWith('.js'))
  .flatMap((name) => Object.values(require(join(COMMANDS, name))))
  .filter((one) => typeof one?.command === 'string' && /^[a-z]+( |$)/.test(one.command) && one.handler !== undefined);
const COMMON = /^(-c, --config|--debug|--version|-h, --help)$/;

/** Text that roff prints as it is. */
function plain(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replaceAll('`', '');
}

/** No hyphens in paths and options, which people copy. */
const UNBROKEN = ['.nh', '.ad l'];
const literal = (text) => `.nf\n${plain(text.trimEnd())}\n.fi`;

/** As `--help` prints it, each entry on one line. */
async function help(...words) {
  const parser = createParser(words);
  for (const command of commands) parser.command(command);
  return parser.wrap(null).getHelp();
}

/** The lines below a heading of a help text, each as [name, text]. */
function entriesOf(text, heading) {
  const section = new RegExp(`^${heading}:\\n((?: .*\\n?)*)`, 'm').exec(text)?.[1] ?? '';
  return [...section.matchAll(/^ +(\S.*?)(?: {2,}(.*))?$/gm)].map(([, name, means = '']) => [name, means.trim()]);
}

const item = ([name, means]) => ['.TP', `.B ${plain(name)}`, plain(means === '' ? ' ' : means)];

async function section(words) {
  const text = await help(...words);
  const [usage, means = ''] = text.split('\n\n');
  const inner = entriesOf(text, 'Commands').map(([name]) => name.split(' ').slice(1, words.length + 2));
  const own = [...entriesOf(text, 'Positionals'), ...entriesOf(text, 'Options').filter(([name]) => !COMMON.test(name))];
  const examples = entriesOf(text, 'Examples');
  return [
    `.SS ${plain(usage.trim())}`,
    `${plain(means.trim().replace(/\.$/, ''))}.`,
    ...own.flatMap(item),
    ...(examples.length > 0 ? ['.PP', 'Examples:'] : []),
    ...examples.flatMap(item),
    ...(await Promise.all(inner.map(section))).flat(),
  ];
}

async function acsplit() {
  const text = await help();
  const names = entriesOf(text, 'Commands').map(([name]) => name.split(' ')[1]);
  const common = entriesOf(text, 'Options').filter(([name]) => COMMON.test(name));
  return [
    `.TH ACSPLIT 8 "" "acsplit ${version}"`,
    ...UNBROKEN,
    '.SH NAME',
    'acsplit \\- splits TR\\-069 traffic between an ITMS and collection servers',
    '.SH SYNOPSIS',
    '.B acsplit',
    '.I command',
    '[\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    `${plain(description)}.`,
    '.SH OPTIONS',
    'Every command takes these.',
    ...common.flatMap(item),
    '.SH COMMANDS',
    ...(await Promise.all(names.filter((name) => name !== 'completion').map((name) => section([name])))).flat(),
    '.SS acsplit completion',
    "prints a script for bash or zsh that completes commands, options and collectors' names with Tab.",
    '.SH EXIT STATUS',
    '0: done. 1: it failed, or a check found something. 2: wrong usage, or a wrong configuration.',
    '.SH FILES',
    '.TP',
    '.I /etc/acsplit/acsplit.yaml',
    'the configuration',
    '.TP',
    '.I /run/acsplit',
    'tables and control socket',
    '.SH SEE ALSO',
    '.BR acsplit.yaml (5),',
    '.BR iptables (8),',
    '.BR ipset (8)',
  ];
}

/** @param within the optional key that they belong to */
function keys({ entries = {} }, path, within = '') {
  return Object.entries(entries).flatMap(([name, entry]) => {
    const inner = entry.entries ? entry : entry.item?.entries ? entry.item : undefined;
    const full = `${path}${name}${inner !== undefined && inner === entry.item ? '[]' : ''}`;
    if (inner) return keys(inner, `${full}.`, entry.isOptional ? `, if there is ${full}` : within);
    const usual = entry.default === undefined ? '' : ` Default: ${JSON.stringify(entry.default)}.`;
    const need = entry.isOptional ? '' : ` Required${within}.`;
    return ['.TP', `.B ${plain(full)}`, `${plain(entry.means)}.${plain(usual)}${need}`];
  });
}

function yaml() {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  return [
    `.TH ACSPLIT.YAML 5 "" "acsplit ${version}"`,
    ...UNBROKEN,
    '.SH NAME',
    'acsplit.yaml \\- the configuration of acsplit',
    '.SH DESCRIPTION',
    'A YAML file. \\fBacsplit config check\\fR names every error in it, \\fBacsplit config init\\fR prints one to begin with.',
    '.SH KEYS',
    ...keys(described(configurationSchema), ''),
    '.SH EXAMPLE',
    literal(/```yaml\n(.*?)```/s.exec(readme)[1]),
    '.SH SEE ALSO',
    '.BR acsplit (8)',
  ];
}

mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'acsplit.8'), `${(await acsplit()).join('\n')}\n`);
writeFileSync(join(folder, 'acsplit.yaml.5'), `${yaml().join('\n')}\n`);
