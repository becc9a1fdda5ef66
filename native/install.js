/**
 * What `npm install` of the package runs: nothing to do where the addon that it ships loads; elsewhere it is built. The
 * library and `acsplit replay` need no addon, so an installation without it succeeds and says what does not work.
 */
'use strict';
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const ROOT = join(__dirname, '..');
const ADDON = join(ROOT, 'build', 'Release', 'acsplit.node');

/** Why it does not load; undefined when it does. In a process of its own, so that what is built later can be loaded. */
function complaint() {
  const { status, stderr } = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', ADDON], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : (/^Error: (.*)/m.exec(stderr)?.[1] ?? 'it does not load');
}

/** A library of the system's is missing: building would not help. */
const isUnlinked = (text) => /^lib\S+: cannot open shared object file/.test(text);

function say(text) {
  console.error(`acsplit: ${text}. \`acsplit run\` needs the addon; the library and \`acsplit replay\` do not.`);
  // `npm run install` is asked for the addon alone.
  if (/^run/.test(process.env.npm_command ?? 'run')) process.exitCode = 1;
}

const before = complaint();
if (before !== undefined && isUnlinked(before)) {
  say(`${before.split(':', 1)[0]} is missing: install libnetfilter-queue1 and libmnl0`);
} else if (before !== undefined) {
  spawnSync('node-gyp rebuild', { cwd: ROOT, shell: true, stdio: 'inherit' });
  const after = complaint();
  if (after !== undefined) {
    const what = `${process.platform}-${process.arch}`;
    say(`no prebuilt addon for this ${what}, and it could not be built (docs/operations.md says what building takes)`);
  }
}
