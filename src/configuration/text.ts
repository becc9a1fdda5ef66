/**
 * Parses YAML text into plain values and remembers where each stands, so that every error can name line and column.
 * Knows YAML, but not what a configuration means.
 */

import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Pair,
  type YAMLMap,
} from 'yaml';

export type Path = readonly PropertyKey[];

/** An error at a place in the file; `message` is printed after the position. */
export interface Problem {
  path: Path;
  message: string;
  /** Set if the error is about this key of the mapping at `path`, not about the mapping's value. */
  key?: string;
  /** A value is missing. Reported after other errors, because a misspelt key also leaves the right one missing. */
  missing?: boolean;
}

export interface Position {
  line: number;
  column: number;
}

/** No configuration needs more; this limits what a hostile file can cost. */
export const MAX_FILE_BYTES = 256 * 1024;
const MAX_DEPTH = 16;
const MAX_SHOWN = 48;
const PROTOTYPE_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype'];

export interface ConfigurationText {
  value: unknown;
  /** The position of the value (or its key) at `path`; for a missing value, of its nearest parent. */
  position(problem: Pick<Problem, 'path' | 'key'>): Position;
  has(path: Path): boolean;
}

/** Thrown by `parseText`; the caller adds the file name. */
export class TextError extends Error {
  constructor(
    readonly at: Position,
    message: string,
  ) {
    super(message);
  }
}

/** Parses one YAML document. @throws TextError with the position of the first error */
export function parseText(text: string): ConfigurationText {
  refuseDepth(text);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const unreadable = document.errors[0] ?? document.warnings[0];
  if (unreadable) throw new TextError(positionOf(unreadable.pos[0]), `not valid YAML: ${unreadable.message}`);
  refuseSurprises(document, positionOf);
  return {
    value: document.toJS({ maxAliasCount: 0 }) as unknown,
    position: (problem) => positionOf(offsetOf(document, problem)),
    has: (path) => document.hasIn(path),
  };
}

/** Refuses deep nesting, which no configuration needs and which would exhaust the parser's stack. */
function refuseDepth(text: string): void {
  let depth = 0;
  let line = 1;
  let lineStart = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '\n') {
      line++;
      lineStart = i + 1;
    } else if (character === '[' || character === '{') depth++;
    else if ((character === ']' || character === '}') && depth > 0) depth--;
    if (depth > MAX_DEPTH || i - lineStart > 4096) {
      throw new TextError(
        { line, column: i - lineStart + 1 },
        'nested too deeply or line too long for a configuration',
      );
    }
  }
}

/**
 * Refuses legal YAML that is never meant: duplicate keys, aliases, keys that are not plain words or have a meaning in
 * JavaScript.
 */
function refuseSurprises(document: Document, positionOf: (offset: number) => Position): void {
  visit(document, {
    Alias(_, node) {
      const at = positionOf(node.range?.[0] ?? 0);
      throw new TextError(at, `found the alias *${node.source}, expected the value itself (aliases are not supported)`);
    },
    Map(_, map) {
      const seen = new Map<string, number>();
      for (const { key } of map.items) {
        const offset = startOf(key);
        if (!isScalar(key) || key.value === null || typeof key.value === 'object') {
          throw new TextError(positionOf(offset), 'found a key that is not a word, expected a name such as cpe');
        }
        const name = String(key.value);
        // Not stored as ordinary properties, so later checks would not see them.
        if (PROTOTYPE_KEYS.includes(name)) throw new TextError(positionOf(offset), `unknown key "${name}"`);
        const first = seen.get(name);
        if (first !== undefined) {
          throw new TextError(
            positionOf(offset),
            `key "${name}" appears twice (first in line ${positionOf(first).line}), expected once`,
          );
        }
        seen.set(name, offset);
      }
    },
  });
}

function startOf(node: unknown): number {
  const range = (node as { range?: [number, number, number] | null } | null)?.range;
  return range ? range[0] : 0;
}

/** Pairs by key, each mapping indexed once: a search for each of 24 000 unknown keys took 36 s. */
const indexes = new WeakMap<YAMLMap, Map<string, Pair>>();

function pairsOf(map: YAMLMap): Map<string, Pair> {
  const known = indexes.get(map);
  if (known) return known;
  const index = new Map(map.items.flatMap((pair) => (isScalar(pair.key) ? [[String(pair.key.value), pair]] : [])));
  indexes.set(map, index);
  return index;
}

/** Follows `path` as far as the document goes, and returns the offset there. */
function offsetOf(document: Document, { path, key }: Pick<Problem, 'path' | 'key'>): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const step of key === undefined ? path : [...path, key]) {
    if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      if (item === undefined) return offset;
      node = item;
      offset = startOf(item);
    } else if (isMap(node)) {
      const pair = pairsOf(node).get(String(step));
      if (!pair) return offset;
      offset = startOf(pair.key);
      node = pair.value;
    } else return offset;
  }
  // Points at the value, or at the key if the error is about the key or the value is missing.
  const isValue = key === undefined && path.length > 0 && isScalar(node) && node.value !== null;
  return isValue ? startOf(node) : offset;
}

/** Describes a value on one line: `"text"`, `12`, `a list of 3`, … */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  return shorten(String(value as number | boolean | bigint));
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
