'use strict';
// Preloaded (node --require) into an engine: while the file that ACSPLIT_POISON names exists, its worker dies of every
// packet, or never comes back from one, as the file says: throw or hang.
const fs = require('node:fs');
const Module = require('node:module');

function poisoned(decide) {
  return function (batch, nowMs) {
    const how = fs.existsSync(process.env.ACSPLIT_POISON) ? fs.readFileSync(process.env.ACSPLIT_POISON, 'utf8') : '';
    if (how === 'throw') throw new Error('poison');
    while (how === 'hang');
    decide.call(this, batch, nowMs);
  };
}

if (process.argv[1]?.endsWith('worker/main.js')) {
  const load = Module._load;
  Module._load = function (request, ...rest) {
    const loaded = load.call(this, request, ...rest);
    const Splitter = request.endsWith('splitter/splitter') ? loaded.Splitter : undefined;
    if (Splitter !== undefined && !Object.hasOwn(Splitter, 'isPoisoned')) {
      Splitter.isPoisoned = true;
      Splitter.prototype.decide = poisoned(Splitter.prototype.decide);
    }
    return loaded;
  };
}
