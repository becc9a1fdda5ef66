'use strict';

/**
 * Compiles TypeScript to JavaScript without a build, file by file, with esbuild. Types are stripped, not checked: `npm
 * run check` checks them. One loader for two users:
 *
 *     node -r ./scripts/typescript.js FILE.ts [ARGUMENT...]     runs a file, and whatever it requires
 *     jest.config.js                                            transforms tests
 *
 * The shipped code is compiled by tsc (`npm run compile`). JavaScript is cached in build/typescript/ by the hash of its
 * source, so a second start does not need esbuild.
 */
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');

const CACHE = join(__dirname, '..', 'build', 'typescript');
const OWN_TEXT = readFileSync(__filename);
const { version } = require('esbuild/package.json');

function compile(text, file) {
  // Loaded only when something has changed.
  const { code, map } = require('esbuild').transformSync(text, {
    loader: 'ts',
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    sourcefile: file,
    sourcemap: 'external',
  });
  const inline = Buffer.from(map).toString('base64');
  return `${withPlainExports(code)}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`;
}

/**
 * esbuild exports getters that call getters. A packet uses hundreds of imported constants and takes ten times as long
 * through them. So at the module's end its exports become plain properties; nothing of ours changes an export later.
 */
function withPlainExports(code) {
  const [, exported] = /^module\.exports = __toCommonJS\((\w+)\);$/m.exec(code) ?? [];
  const [annotation, names] = /^0 && \(module\.exports = \{([^}]*)\}\);$/m.exec(code) ?? [];
  if (exported === undefined || annotation === undefined || names.includes('...')) return code;
  const properties = names
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const plain = properties.map((name) => `${name}: ${exported}.${name}`);
  const marked = `Object.defineProperty({ ${plain.join(', ')} }, '__esModule', { value: true })`;
  return code
    .replaceAll(/^var (import_\w+ = require)/gm, 'const $1')
    .replace(annotation, `module.exports = ${marked};`);
}

function keyOf(text, file) {
  return createHash('sha256').update(OWN_TEXT).update(version).update(file).update('\0').update(text).digest('hex');
}

/** JavaScript including its source map. */
function toJavaScript(text, file) {
  const kept = join(CACHE, `${keyOf(text, file)}.js`);
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    const code = compile(text, file);
    keep(kept, code);
    return code;
  }
}

/**
 * Write to a temporary file first, since several processes may do this at once. A cache that cannot be written is not
 * an error.
 */
function keep(path, code) {
  const aside = `${path}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(aside, code);
    renameSync(aside, path);
  } catch {}
}

Module._extensions['.ts'] = (module, file) => module._compile(toJavaScript(readFileSync(file, 'utf8'), file), file);

// Another build of the addon (scripts/native-sanitize.sh) instead of the usual one.
const addon = process.env.ACSPLIT_TEST_ADDON;
if (addon !== undefined) {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    return request.endsWith('/build/Release/acsplit.node') ? addon : resolve.call(this, request, ...rest);
  };
}

module.exports = {
  toJavaScript,
  /** Jest's transform. */
  process: (text, file) => ({ code: toJavaScript(text, file) }),
  getCacheKey: keyOf,
};
