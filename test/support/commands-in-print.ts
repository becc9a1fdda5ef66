/** Every printed command: the examples of `--help`, and those in README, CONTRIBUTING and docs/. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const COMMANDS = 'src/cli/commands';
const PAGES = [
  'README.md',
  'README.zh-CN.md',
  'CONTRIBUTING.md',
  'iptables/README.md',
  ...markdown('docs'),
  ...markdown('docs/decisions'),
];
/** What begins a command rather than a file name or a key. */
const PROGRAMS = /^(acsplit|node|npm|npx|sh|systemctl|journalctl|groupadd|firewall-cmd|apt-get) /;

export interface Printed {
  /** Where it is printed. */
  where: string;
  line: string;
}

export function commandsInPrint(): Printed[] {
  return [...examplesOfHelp(), ...PAGES.flatMap(commandsOfPage)];
}

/** `.example('$0 …', …)`, with whichever quotes. */
function examplesOfHelp(): Printed[] {
  return readdirSync(join(ROOT, COMMANDS)).flatMap((name) => {
    const source = read(join(COMMANDS, name));
    const examples = [...source.matchAll(/\.example\(\s*(['"`])(\$0 .*?)\1,/gs)];
    return examples.map(([, , text]) => ({ where: `--help (${name})`, line: text.replace('$0', 'acsplit') }));
  });
}

/** Code in a line, and the lines of `sh` blocks. */
function commandsOfPage(page: string): Printed[] {
  const text = read(page);
  const blocks = [...text.matchAll(/^```(?:sh|bash|console)\n(.*?)^```/gms)].flatMap(([, block]) =>
    block.replaceAll(/\\\n\s*/g, '').split('\n'),
  );
  const inLine = [...text.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`]+)`/g)]
    .map(([, code]) => code.replaceAll(/\s+/g, ' ').replace(/^node dist\/cli\/main\.js /, 'acsplit '))
    .filter((code) => PROGRAMS.test(code));
  const commands = blocks.map((line) => line.replace(/^node dist\/cli\/main\.js /, 'acsplit '));
  return [...commands, ...inLine]
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => ({ where: page, line }));
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

function markdown(folder: string): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}
