/**
 * The texts in simplified Chinese have not fallen behind: each carries the hash of the English text that it translates.
 * After translating what has changed, UPDATE_GOLDENS=1 writes the hashes.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const README = 'README.zh-CN.md';
const NIGHT = 'docs/night.zh-CN.md';
const MARK = /^<!-- ([\w./-]+)#([\w-]+) ([0-9a-f]{8}) -->$/gm;
const isUpdating = process.env.UPDATE_GOLDENS === '1';
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

function hashOf(text: string): string {
  // Line breaks are the formatter's.
  return createHash('sha256').update(text.replaceAll(/\s+/g, ' ').trim()).digest('hex').slice(0, 8);
}

/** The text below each heading, up to the next heading of any level, by the heading's anchor. */
function sectionsOf(file: string): Map<string, string> {
  const sections = new Map<string, string>();
  let anchor = '';
  let isCode = false;
  for (const line of read(file).split('\n')) {
    if (line.startsWith('```')) isCode = !isCode;
    const heading = isCode ? undefined : /^#+ (.+)$/.exec(line)?.[1];
    if (heading === undefined) sections.set(anchor, `${sections.get(anchor) ?? ''}${line}\n`);
    else {
      anchor = heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-');
      sections.set(anchor, '');
    }
  }
  return sections;
}

interface Translated {
  from: string;
  anchor: string;
  hash: string;
  text: string;
}

function translationsIn(file: string): Translated[] {
  const text = read(file);
  const marks = [...text.matchAll(MARK)];
  return marks.map(({ 0: whole, 1: from, 2: anchor, 3: hash, index }, i) => {
    const end = marks[i + 1]?.index ?? text.length;
    return { from, anchor, hash, text: text.slice(index + whole.length, end) };
  });
}

if (isUpdating) {
  for (const file of [README, NIGHT]) {
    const update = (_whole: string, from: string, anchor: string) =>
      `<!-- ${from}#${anchor} ${hashOf(sectionsOf(from).get(anchor) ?? '')} -->`;
    writeFileSync(join(ROOT, file), read(file).replaceAll(MARK, update));
  }
  const update = (_whole: string, summary: string, space: string) =>
    `summary: ${summary}\n${space}# zh: ${hashOf(summary)}\n`;
  const alerts = read('docs/alerts.yaml').replaceAll(/summary: (.*)\n( *)# zh: \w+\n/g, update);
  writeFileSync(join(ROOT, 'docs/alerts.yaml'), alerts);
}

const rows = [README, NIGHT].flatMap((file) => translationsIn(file).map((one) => [file, one.anchor, one] as const));

test.each(rows)('%s, %s: is of the English text as it stands', (_file, _anchor, { from, anchor, hash }) => {
  const english = sectionsOf(from).get(anchor);
  expect([from, anchor, english !== undefined]).toEqual([from, anchor, true]);
  expect(hash).toBe(hashOf(english!));
});

/** Commands and keys are not translated, and none is left out. */
test.each(rows)('%s, %s: has the code of the English text', (_file, _anchor, { from, anchor, text }) => {
  const codeOf = (words: string) =>
    [...words.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);
  const own = new Set(codeOf(text));
  expect(codeOf(sectionsOf(from).get(anchor) ?? '').filter((code) => !own.has(code) && code.includes(' '))).toEqual([]);
});

test('the README is translated whole, and its blocks are the same but for comments', () => {
  const translated = translationsIn(README).map(({ anchor }) => anchor);
  expect(translated.sort()).toEqual([...sectionsOf('README.md').keys()].filter((anchor) => anchor !== '').sort());
  const blocks = (file: string, language: string) =>
    [...read(file).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, block]) =>
      block.replaceAll(/ *#.*$/gm, '').trim(),
    );
  expect(blocks(README, 'sh')).toEqual(blocks('README.md', 'sh'));
  expect(blocks(README, 'yaml')).toEqual(blocks('README.md', 'yaml'));
});

test('of operations, what is read at night is translated whole', () => {
  const [, night] = read('docs/operations.md').split('\n## Troubleshooting\n');
  const headings = [...night.split('\n## ')[0].matchAll(/^### (.+)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replaceAll(' ', '-'),
  );
  const translated = translationsIn(NIGHT).map(({ anchor }) => anchor);
  expect(translated).toEqual(['operations', 'the-nights-emergency-pause', ...headings]);
});

test('links within the night page lead somewhere', () => {
  const anchors = [...read(NIGHT).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replaceAll(' ', '-'),
  );
  for (const [, anchor] of read(NIGHT).matchAll(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(anchor);
});

describe('alerts', () => {
  const alerts = read('docs/alerts.yaml')
    .split(/^ *- alert: /m)
    .slice(1);
  test.each(alerts.map((text) => [/^\w+/.exec(text)![0], text]))(
    '%s: in both languages, as it stands',
    (_name, text) => {
      const summary = /^ *summary: (.*)$/m.exec(text)![1];
      const [, hash, chinese] = /^ *# zh: (\w+)\n *summary_zh: (.*)$/m.exec(text) ?? [];
      expect(chinese).toMatch(/\p{Script=Han}/u);
      expect(hash).toBe(hashOf(summary));
      const values = (words: string) => [...words.matchAll(/\{\{.*?\}\}/g)].map(([value]) => value).sort();
      expect(values(chinese)).toEqual(values(summary));
    },
  );
});

/** GB/T 15834: Chinese text has full-width punctuation. */
test.each([README, NIGHT, 'docs/alerts.yaml', 'page/texts.ts'])('%s: punctuation beside Chinese is Chinese', (file) => {
  const text = read(file)
    .replaceAll(/`[^`\n]*`/g, '`')
    .replaceAll(/\]\([^)]*\)/g, ']')
    .replaceAll(/<!--.*?-->/g, '');
  const narrow = /(?<=[\p{Script=Han}。*`])[,;:()]|[,;:()](?=[\p{Script=Han}*`])/u;
  expect(text.split('\n').filter((line) => /\p{Script=Han}/u.test(line) && narrow.test(line))).toEqual([]);
});
