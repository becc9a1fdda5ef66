'use strict';
// What a running engine says while CPEs call, for `npm run prove doctor`: its status, looked at four times a second, and its
// metrics at both ends. Arguments: the build, the state directory, the CPEs' namespace, their family, milliseconds, and
// after how many milliseconds without a server in trouble to end earlier. Runs on the router.
const { execFile, spawn } = require('node:child_process');
const { join } = require('node:path');

const [dist, stateDirectory, cpes, family, forMs, quietMs] = process.argv.slice(2);
const [ACS, CPES] = family === 'ipv6' ? ['fd00:1::1', 'fd00:1::1:'] : ['10.1.0.1', '10.1.1.'];
const { askEngine } = require(join(dist, 'engine/control/ask.js'));
const socket = join(stateDirectory, 'control.sock');

// Twenty CPEs: the second half is armed for the collector. A CPE whose call hangs makes no other one.
const CALLS = `
const net = require('node:net');
const busy = new Set();
let next = 0;
setInterval(() => {
  const cpe = '${CPES}' + (1 + next++ % 20);
  if (busy.has(cpe)) return;
  busy.add(cpe);
  const call = net.connect({ host: '${ACS}', port: 7547, localAddress: cpe, timeout: 6000 }, () => call.write('hello'));
  call.on('data', () => call.end()).on('timeout', () => call.destroy());
  call.on('error', () => undefined).on('close', () => busy.delete(cpe));
}, 100);`;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ask = (command, more = {}) => askEngine(socket, { command, ...more }).catch(() => undefined);

function scrape() {
  const words = ['-s', '--max-time', '1', 'http://127.0.0.1:9547/metrics'];
  return new Promise((resolve) => execFile('curl', words, (error, text) => resolve(error ? '' : text)));
}

/** What the status says that it does not say of a healthy engine. */
function trouble(status, before) {
  if (status === undefined) return ['no engine'];
  const said = [];
  if (!status.ready) said.push('not ready');
  if (status.paused) said.push('paused');
  for (const [server, { state }] of Object.entries(status.servers)) if (state !== 'up') said.push(`${server} ${state}`);
  const resets = (of) => Object.values(of.servers).reduce((sum, one) => sum + one.resets, 0);
  if (before && resets(status) > resets(before) + 4) said.push('resets grow');
  if (status.fallback.active) said.push('fallback');
  if (status.configuration.differs.length > 0) said.push('file differs');
  if (status.configuration.error !== null) said.push('file unusable');
  if (status.configuration.upgraded) said.push('upgrade pending');
  if (status.rules?.differences) said.push('rules differ');
  if (status.fastPath.mode !== 'off' && status.fastPath.reason !== null) said.push('not carried');
  return said;
}

async function main() {
  const calls = spawn('nsenter', [`--net=${cpes}`, process.execPath, '-e', CALLS], { stdio: 'ignore' });
  const calledAt = Date.now();
  const beganMs = performance.now();
  const before = await ask('status');
  const first = await scrape();
  const scrapedMs = performance.now();
  /** By what is said: when it was first. */
  const told = {};
  let last = [];
  let troubledMs = performance.now();
  let status;
  for (let round = 0; performance.now() - beganMs < Number(forMs); round++) {
    if (round % 8 === 0) for (let n = 11; n <= 20; n++) await ask('activate', { cpe: `${CPES}${n}`, collector: 'c1' });
    status = await ask('status');
    last = trouble(status, before);
    for (const one of last) told[one] ??= Math.round(performance.now() - beganMs);
    if (last.some((one) => / (down|degraded)$/.test(one))) troubledMs = performance.now();
    if (performance.now() - troubledMs > Number(quietMs)) break;
    await sleep(250);
  }
  const received = (of) => of?.packets.received ?? 0;
  if (status !== undefined && before !== undefined && received(status) === received(before)) last.push('no packets');
  const metrics = [first, await scrape()];
  calls.kill();
  process.stdout.write(
    JSON.stringify({ last, told, metrics, seconds: (performance.now() - scrapedMs) / 1000, calledAt }),
  );
}

void main();
