'use strict';
// Lets `node -r scripts/register-typescript.js FILE.ts` run the sources as they are, so that a process inside a network
// namespace tests src/ and not whatever dist/ was built from. Types are the compiler's business, not ours.
// The command for people is scripts/run-ts.js.
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

// Another build of the addon (scripts/native-sanitize.sh) in the place of the ordinary one.
const addon = process.env.ACSPLIT_TEST_ADDON;
if (addon !== undefined) {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    return request.endsWith('/build/Release/acsplit.node') ? addon : resolve.call(this, request, ...rest);
  };
}
