'use strict';

/**
 * Runs a TypeScript file of the project without building it: node scripts/run-ts.js FILE [ARGUMENT...].
 * For makers of fixtures and benchmarks; what is shipped is built by `npm run build`.
 */
const Module = require('node:module');
const { resolve } = require('node:path');
require('./register-typescript');

const [file, ...words] = process.argv.slice(2);
if (!file) {
  process.stderr.write('usage: node scripts/run-ts.js FILE [ARGUMENT...]\n');
  process.exit(2);
}
process.argv = [process.argv[0], resolve(file), ...words];
Module.runMain();
