'use strict';
// Lets `node -r register-typescript.js file.ts` run the sources as they are, so that a process inside a network
// namespace tests src/ and not whatever dist/ was built from. Types are the compiler's business, not ours.
const fs = require('node:fs');
const Module = require('node:module');
const ts = require('typescript');

Module._extensions['.ts'] = (module, file) => {
  const { outputText } = ts.transpileModule(fs.readFileSync(file, 'utf8'), {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      isolatedModules: true,
      inlineSourceMap: true,
    },
  });
  module._compile(outputText, file);
};
