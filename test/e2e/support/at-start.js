'use strict';
/*
 * Loaded before the program (NODE_OPTIONS=--require), it makes happen at a certain moment of a start what else would
 * have to be well timed. AT_START says what.
 */
const Module = require('node:module');
const [what, signal] = process.env.AT_START.split(' ');
const isWorker = process.argv[1]?.endsWith('worker/main.js');

/** The first moment of our own code: the program is about to load its commands. */
if (what === 'signal' && !isWorker) {
  const load = Module._load;
  Module._load = function (name, ...rest) {
    if (name === './all-commands') process.kill(process.pid, signal);
    return load.call(this, name, ...rest);
  };
}
/** No worker ever reports that it is up. */
if (what === 'worker-hangs' && isWorker) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
/** Another version is installed after the supervisor has looked at its own, and before it keeps the worker's program. */
if (what === 'upgraded' && !isWorker) {
  const fs = require('node:fs');
  const { readFileSync } = fs;
  const isAsked = (path) => String(path).endsWith('acsplit.node') || path.endsWith?.('worker/main.js');
  let isInstalled = false;
  fs.readFileSync = (path, ...rest) => {
    isInstalled ||= isAsked(path);
    const isVersion = isInstalled && String(path).endsWith('package.json');
    return isVersion ? '{ "version": "99.0.0" }' : readFileSync(path, ...rest);
  };
}
