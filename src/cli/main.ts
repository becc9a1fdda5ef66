#!/usr/bin/env node
/** `acsplit`. */

/* eslint-disable @typescript-eslint/no-require-imports -- one or the other, which `import` at the top cannot */
if (process.argv[2] === 'replay') require('./replay-alone');
else require('./all-commands');
