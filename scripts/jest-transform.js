'use strict';

/**
 * TypeScript to JavaScript for jest, by esbuild: file by file, types stripped and not checked, which `npm run types` does.
 * It leaves jest's workers small, and starting a program from a small process costs less: much of the end-to-end tests.
 */
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { transformSync, version } = require('esbuild');

const OWN_TEXT = readFileSync(__filename);

module.exports = {
  process(text, file) {
    const { code, map } = transformSync(text, {
      loader: 'ts',
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      sourcefile: file,
      sourcemap: 'external',
    });
    return { code, map };
  },
  getCacheKey(text, file) {
    return createHash('sha256').update(OWN_TEXT).update(version).update(file).update('\0').update(text).digest('hex');
  },
};
