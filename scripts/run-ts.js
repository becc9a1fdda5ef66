'use strict';

/**
 * Runs a TypeScript file of the project without building it: node scripts/run-ts.js FILE [ARGUMENT...].
 * For makers of fixtures and benchmarks; what is shipped is built by `npm run build`.
 */
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const { resolve } = require('node:path');
const ts = require('typescript');

const compilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.CommonJS,
  esModuleInterop: true,
  isolatedModules: true,
  inlineSourceMap: true,
};

require.extensions['.ts'] = (module, fileName) => {
  const source = readFileSync(fileName, 'utf8');
  module._compile(ts.transpileModule(source, { compilerOptions, fileName }).outputText, fileName);
};

const [file, ...words] = process.argv.slice(2);
if (!file) {
  process.stderr.write('usage: node scripts/run-ts.js FILE [ARGUMENT...]\n');
  process.exit(2);
}
process.argv = [process.argv[0], resolve(file), ...words];
Module.runMain();
