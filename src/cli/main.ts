#!/usr/bin/env node
/** `acsplit`. */

/* eslint-disable @typescript-eslint/no-require-imports, @typescript-eslint/consistent-type-imports -- one or the other, which `import` at the top cannot */
// A signal must not kill the engine while it loads.
if (process.argv[2] === 'run') (require('./run-signals') as typeof import('./run-signals')).listen();
if (process.argv[2] === 'replay') require('./replay-alone');
else require('./all-commands');
