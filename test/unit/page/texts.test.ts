/** The page's texts: that each exists in both languages, the compiler sees; that each is used and complete, this. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseLanguage, speaker, sayListed, TEXTS, type TextKey } from '../../../page/texts';
import { NEXT_REASONS } from '../../../src/engine/page/cpe';
import { PAGE_ERRORS } from '../../../src/engine/page/page';
import { OUTCOMES, WOKEN } from '../../../src/engine/recorder/session';
import { EVENTS } from '../../../src/splitter/memory/events';
import { SERVER_STATES } from '../../../src/splitter/health/server-row';

const FOLDER = join(__dirname, '..', '..', '..', 'page');
const keys = Object.keys(TEXTS.en) as TextKey[];
const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([whole]) => whole).sort();

test.each(keys)('%s: the same values in both languages, and none is empty', (key) => {
  expect(values(TEXTS.zh[key])).toEqual(values(TEXTS.en[key]));
  expect(TEXTS.en[key].trim()).not.toBe('');
  expect(TEXTS.zh[key].trim()).not.toBe('');
});

test('every text is used', () => {
  const sources = readdirSync(FOLDER).filter((name) => /\.tsx?$/.test(name) && name !== 'texts.ts');
  const source = sources.map((name) => readFileSync(join(FOLDER, name), 'utf8')).join('\n');
  const lists = new Set(
    [...source.matchAll(/sayListed\(say, '([\w-]+)'|named\(\w+, '(\w+)'\)/g)].map(([, a, b]) => a ?? b),
  );
  const isUsed = (key: TextKey) => source.includes(`'${key}'`) || lists.has(key.split('.')[0]);
  expect(keys.filter((key) => !isUsed(key))).toEqual([]);
});

test('no text stands in a component: it would be in one language', () => {
  const found = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.tsx'))
    .flatMap((name) => [
      ...readFileSync(join(FOLDER, name), 'utf8').matchAll(/>\s*([A-Za-z][a-z]+ [a-z]+[^<>{}=;()]*)</g),
    ])
    .map(([, text]) => text);
  expect(found).toEqual([]);
});

test('a member of a list of the program has its text', () => {
  const lists = { event: EVENTS, next: NEXT_REASONS, error: PAGE_ERRORS, state: SERVER_STATES };
  const more = { outcome: Object.values(OUTCOMES), woken: Object.values(WOKEN) };
  for (const [list, names] of Object.entries({ ...lists, ...more })) {
    for (const name of names) expect(keys).toContain(`${list}.${name}`);
  }
  expect(sayListed(speaker('zh'), 'event', 'of-another-version')).toBe('of-another-version');
});

test.each([
  ['', ['zh-CN', 'en'], 'zh'],
  ['', ['zh-Hans-CN'], 'zh'],
  ['', ['fr', 'en-GB'], 'en'],
  ['', ['fr'], 'en'],
  ['', [], 'en'],
  ['?lang=en', ['zh-CN'], 'en'],
  ['?lang=zh', ['en'], 'zh'],
  ['?lang=ZH-cn', ['en'], 'zh'],
  ['?lang=fr', ['zh-CN'], 'zh'],
])('%s in a browser that wants %j: %s', (search, wanted, expected) => {
  expect(chooseLanguage(search, wanted)).toBe(expected);
});

test('a value is put in as it is: it is no text to put values into', () => {
  const say = speaker('en');
  expect(say('tile.total', { count: '{count} $& <b>' })).toBe('{count} $& <b> in all');
  expect(say('tile.total', {})).toBe('{count} in all');
});
