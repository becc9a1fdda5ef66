/** Reads all rows of a group from a store, page by page, and no more than a store of ours can hold: it may be hostile. */
import { MAX_KEY_CHARACTERS } from '../../cluster/codec';
import { MOST_ROWS } from '../../cluster/rows';
import { type Ask } from './publisher';
import { BrokenStore, notAStore } from './replies';

/** Keys that the store looks at in one call, and rows that one call reads. */
const SCANNED = 1000;
const PAGE_MS = 10_000;
/** Rows of a group: own and peers' of two routers, and what they have forgotten but not the store. */
const MOST_FOUND = 4 * MOST_ROWS;
/** Of all keys in the store, also those of others. */
const MOST_CALLS = 100_000;

export interface Limits {
  found: number;
  calls: number;
}

/** @returns the rows as text by their keys, a page at a time @throws BrokenStore beyond the limits */
export async function* rowsOf(
  ask: Ask,
  prefix: string,
  limits: Limits = { found: MOST_FOUND, calls: MOST_CALLS },
): AsyncGenerator<[key: string, text: string][]> {
  let found = 0;
  let cursor = '0';
  for (let calls = 0; ; calls++) {
    if (calls === limits.calls) throw new BrokenStore('its list of keys does not end: it is not a store of ours');
    const page = await ask(['SCAN', cursor, 'MATCH', `${escaped(prefix)}*`, 'COUNT', SCANNED], PAGE_MS);
    if (!Array.isArray(page) || !Array.isArray(page[1]) || !/^\d{1,20}$/.test(String(page[0]))) throw notAStore();
    cursor = String(page[0]);
    const keys = page[1].filter((key): key is string => typeof key === 'string' && key.startsWith(prefix));
    found += keys.length;
    if (found > limits.found) {
      throw new BrokenStore(`it has more than ${limits.found} rows: something else writes into this group`);
    }
    for (let at = 0; at < keys.length; at += SCANNED)
      yield await read(ask, keys.slice(at, at + SCANNED), prefix.length);
    if (cursor === '0') return;
  }
}

async function read(ask: Ask, keys: readonly string[], prefix: number): Promise<[string, string][]> {
  // The rows of keys that are none are not asked for: they may be of any length.
  const short = keys.filter((key) => key.length <= prefix + MAX_KEY_CHARACTERS);
  const long = keys.filter((key) => key.length > prefix + MAX_KEY_CHARACTERS);
  const texts = short.length > 0 ? await ask(['MGET', ...short], PAGE_MS) : [];
  if (!Array.isArray(texts) || texts.length !== short.length) throw notAStore();
  const rows = short.flatMap((key, i): [string, string][] => {
    const text = texts[i];
    return typeof text === 'string' ? [[key.slice(prefix), text]] : [];
  });
  return [...rows, ...long.map((key): [string, string] => [key.slice(prefix), ''])];
}

/** For MATCH, where braces mean nothing but some characters do. */
function escaped(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}
