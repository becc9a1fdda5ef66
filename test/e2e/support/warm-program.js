'use strict';
// The command line of dist/, loaded once: runs one command after another in this process, as `acsplit` would each in a
// process of its own. Arguments: the folder of the build, a FIFO to read a command line from, a FIFO for its outcome.
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const [cli, asked, answered] = process.argv.slice(2);
const { runCommands } = require(join(cli, 'run-commands.js'));
const { doctorCommand } = require(join(cli, 'commands', 'doctor.js'));
const { rulesCommand } = require(join(cli, 'commands', 'rules.js'));
const { statusCommand } = require(join(cli, 'commands', 'status.js'));

/** Thrown in place of an exit. */
class Exit extends Error {}

process.exit = (code) => {
  process.exitCode = code;
  throw new Exit();
};

async function run(words) {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    process[name].write = (text) => {
      said[name] += text;
      return true;
    };
  }
  process.exitCode = undefined;
  process.stdout.removeAllListeners('error');
  try {
    await runCommands(words, [doctorCommand, rulesCommand, statusCommand]);
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  }
  return { status: process.exitCode ?? 0, ...said };
}

async function serve() {
  for (;;) {
    // Each opens for one command, and blocks until its other end does too.
    const words = JSON.parse(readFileSync(asked, 'utf8'));
    writeFileSync(answered, JSON.stringify(await run(words)));
  }
}

void serve();
