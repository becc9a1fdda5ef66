/**
 * Writes acsplit(8) and acsplit.yaml(5) into a folder: node scripts/man.mjs FOLDER. The texts are those of `--help` and of
 * the schema of the configuration.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const { described } = require('../dist/configuration/described.js');
const { configurationSchema } = require('../dist/configuration/schema.js');
const { version, description } = require('../package.json');
const MAIN = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../dist/cli/main.js');
const [folder = '.'] = process.argv.slice(2);

/** Text that roff prints as it is. */
function plain(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replaceAll('`', '');
}

const help = (...words) => execFileSync(process.execPath, [MAIN, ...words, '--help'], { encoding: 'utf8' });
const literal = (text) => `.nf\n${plain(text.trimEnd())}\n.fi`;

/** Names below the heading "Commands:" of a help text. */
function commandsOf(text, before) {
  const section = /^Commands:\n(.*?)\n\n/ms.exec(text)?.[1] ?? '';
  return [...section.matchAll(new RegExp(`^ {2}acsplit ${before}([a-z]+)`, 'gm'))].map(([, name]) => name);
}

function section(words) {
  const text = help(...words);
  const inner = commandsOf(text, words.map((word) => `${word} `).join(''));
  return [`.SS acsplit ${words.join(' ')}`, literal(text), ...inner.flatMap((name) => section([...words, name]))];
}

function acsplit() {
  const names = commandsOf(help(), '').filter((name) => name !== 'completion');
  return [
    `.TH ACSPLIT 8 "" "acsplit ${version}"`,
    '.SH NAME',
    'acsplit \\- splits TR\\-069 traffic between an ITMS and collection servers',
    '.SH SYNOPSIS',
    '.B acsplit',
    '.I command',
    '[\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    `${plain(description)}.`,
    '.SH COMMANDS',
    ...names.flatMap((name) => section([name])),
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

function keys({ entries = {} }, path) {
  return Object.entries(entries).flatMap(([name, entry]) => {
    const inner = entry.entries ? entry : entry.item?.entries ? entry.item : undefined;
    const full = `${path}${name}${inner !== undefined && inner === entry.item ? '[]' : ''}`;
    if (inner) return keys(inner, `${full}.`);
    const usual = entry.default === undefined ? '' : ` Default: ${JSON.stringify(entry.default)}.`;
    const need = entry.isOptional ? '' : ' Required.';
    return ['.TP', `.B ${plain(full)}`, `${plain(entry.means)}.${plain(usual)}${need}`];
  });
}

function yaml() {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  return [
    `.TH ACSPLIT.YAML 5 "" "acsplit ${version}"`,
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
writeFileSync(join(folder, 'acsplit.8'), `${acsplit().join('\n')}\n`);
writeFileSync(join(folder, 'acsplit.yaml.5'), `${yaml().join('\n')}\n`);
