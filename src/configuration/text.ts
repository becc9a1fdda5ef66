/**
 * YAML text to plain values that remember where they stand, so that every complaint can name line and column.
 * Knows YAML; knows nothing of what a configuration means.
 */

import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit, type Document } from 'yaml';

export type Path = readonly PropertyKey[];

/** What is wrong at a place of the file, in words: `message` goes behind the position. */
export interface Problem {
  path: Path;
  message: string;
  /** The complaint is about this key of the mapping at `path`, not about the mapping's value. */
  key?: string;
  /** Nothing stands there; told after what does stand there, because a misspelt key also leaves one missing. */
  missing?: boolean;
}

export interface Position {
  line: number;
  column: number;
}

/** Everything beyond this is not a configuration; bounds what a hostile file can cost. */
export const MAX_FILE_BYTES = 256 * 1024;
const MAX_DEPTH = 16;
const MAX_SHOWN = 48;
const PROTOTYPE_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype'];

export interface ConfigurationText {
  value: unknown;
  /** Where the value (or its key) at `path` stands; for a missing value, its nearest parent. */
  position(problem: Pick<Problem, 'path' | 'key'>): Position;
  has(path: Path): boolean;
}

/** Thrown by `parseText`; the caller adds the file's name. */
export class TextError extends Error {
  constructor(
    readonly at: Position,
    message: string,
  ) {
    super(message);
  }
}

/** Parses one YAML document. @throws TextError with the position of what cannot be read. */
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
  if (unreadable) throw new TextError(positionOf(unreadable.pos[0]), `not readable as YAML: ${unreadable.message}`);
  refuseSurprises(document, positionOf);
  return {
    value: document.toJS({ maxAliasCount: 0 }) as unknown,
    position: (problem) => positionOf(offsetOf(document, problem)),
    has: (path) => document.hasIn(path),
  };
}

/** Nesting that no configuration needs would only exhaust the parser's stack. */
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
        'nested too deeply, or a line too long, for a configuration',
      );
    }
  }
}

/** Duplicate keys, keys that are not plain words or mean something to JavaScript, aliases: legal YAML, and never what the writer meant. */
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
          throw new TextError(positionOf(offset), 'found a key that is no word, expected a name such as cpe');
        }
        const name = String(key.value);
        // No object may have these as its own, so whoever looks at the value would miss them.
        if (PROTOTYPE_KEYS.includes(name)) throw new TextError(positionOf(offset), `unknown key "${name}"`);
        const first = seen.get(name);
        if (first !== undefined) {
          throw new TextError(
            positionOf(offset),
            `key "${name}" stands here twice (first in line ${positionOf(first).line}), expected once`,
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

/** Walks down `path` as far as the document goes and answers where that is. */
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
      const pair = node.items.find((p) => isPair(p) && isScalar(p.key) && String(p.key.value) === step);
      if (!pair) return offset;
      offset = startOf(pair.key);
      node = pair.value;
    } else return offset;
  }
  // A value is pointed at directly; a key, or a key without a value, by the key.
  const isValue = key === undefined && path.length > 0 && isScalar(node) && node.value !== null;
  return isValue ? startOf(node) : offset;
}

/** `"text"`, `12`, `a list`, …: what stands there, short enough for one line. */
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
