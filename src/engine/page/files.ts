/** The page's files, which `npm run compile` makes (scripts/bundle.mjs). Read once: an upgrade must not mix two versions. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const FOLDER = join(__dirname, '..', '..', 'page');

const FILES: readonly [path: string, name: string, type: string][] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page/icon.svg', 'icon.svg', 'image/svg+xml'],
];

export interface PageFile {
  type: string;
  tag: string;
  plain: Buffer;
  gzipped: Buffer;
}

/** By the path of the request. Empty where the page was not built. */
export function readFiles(folder = FOLDER): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  try {
    for (const [path, name, type] of FILES) {
      const plain = readFileSync(join(folder, name));
      const tag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
      files.set(path, { type, tag, plain, gzipped: gzipSync(plain) });
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    files.clear();
  }
  return files;
}
