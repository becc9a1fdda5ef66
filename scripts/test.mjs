/**
 * `npm test`: everything that can be checked on this machine. A failure hides nothing that comes later. Static checks
 * and native tests run one after the other, beside jest. Extra arguments go to jest: `npm test -- test/unit`.
 *
 * The last two lines report what was skipped and why, and how many tests passed. With CI=true an end-to-end suite that
 * did not run is a failure.
 */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(ROOT);
process.env.PATH = `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}:/usr/sbin:/sbin`;

const { namespaceRights, REFUSED, unshared } = createRequire(import.meta.url)('../dist/lab/rights.js');

const RESULTS_FILE = join(ROOT, 'build', 'jest-results.json');
/** Jest's default cache is named after the user id, which is 0 for everybody inside a user namespace. */
const CACHE_FOLDER = join(ROOT, 'build', 'jest-cache');
const SUMMARY = /^\d+ passed, \d+ failed, \d+ skipped$/;
const E2E_FOLDER = join(ROOT, 'test', 'e2e');
/** More than two cores: an end-to-end test spends more than half of its time waiting for its network. */
const LEAST_WORKERS = 4;
const MUST_RUN_ALL = process.env.CI === 'true';

const jestArguments = process.argv.slice(2);
/** Names of sections that failed, and sentences about what was skipped. */
const failed = [];
const skipped = [];

/** Runs a command to its end; `onText` receives its output as it arrives. */
function run([file, ...rest], { onText, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        output += text;
        onText?.(text, stream === child.stdout);
      });
    }
    child.on('error', (error) => resolve({ ok: false, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}

/** A section of one command: prints a line when it passes, the whole output when it fails. */
async function section(name, command) {
  const startedMs = performance.now();
  const { ok, output } = await run(command);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (!ok) process.stdout.write(output);
  console.log(`${name}: ${ok ? 'ok' : 'FAILED'} (${seconds} s)`);
  if (!ok) failed.push(name);
  return output;
}

function shellScripts() {
  return ['.ci/run', ...readdirSync('scripts').map((name) => join('scripts', name))].filter(
    (name) => name.endsWith('.sh') || name === '.ci/run',
  );
}

async function checkNative() {
  const script = 'scripts/native-sanitize.sh';
  if (!existsSync(script)) return skipped.push(`native sanitizers (no ${script})`);
  const output = await section('native, under the sanitizers', ['sh', script]);
  for (const line of output.split('\n')) if (/was not run/.test(line)) skipped.push(line);
}

/** One file of the quick tests on each supported version of Node; `npm run test:nodes` runs more. */
async function checkNodeVersions() {
  const output = await section('versions of Node', ['sh', 'scripts/node-versions.sh', '--smallest']);
  for (const line of output.split('\n')) if (/was not run/.test(line)) skipped.push(line);
}

/** How end-to-end tests can run here: a prefix for the command, or the reason why they cannot. */
async function endToEnd() {
  const rights = namespaceRights();
  if (rights === 'refused') return { reason: REFUSED };
  const wrap = rights === 'unshare' ? unshared : (command) => command;
  const probe = [
    'unshare',
    '--net',
    'iptables',
    '-w',
    '-t',
    'mangle',
    '-A',
    'PREROUTING',
    '-p',
    'tcp',
    '-j',
    'NFQUEUE',
  ];
  const { ok, output } = await run(wrap(probe));
  if (ok) return { wrap, env: rights === 'unshare' ? { ACSPLIT_LAB_UNSHARED: '1' } : {} };
  return { reason: `iptables cannot make an NFQUEUE rule here: ${output.trim().split('\n')[0]}` };
}

/** Every project that can run, in one jest run; its summary is held back so that it comes last. */
async function runJest() {
  const { wrap = (command) => command, env, reason } = await endToEnd();
  if (reason !== undefined) {
    skipped.push(`end to end (${reason})`);
    if (MUST_RUN_ALL) failed.push('end to end did not run');
  }
  const workers = jestArguments.some((word) => /^(-w|-i|--maxWorkers|--runInBand)/.test(word))
    ? []
    : [`--maxWorkers=${Math.max(LEAST_WORKERS, Math.floor(availableParallelism() / 2))}`];
  const projects = reason === undefined ? [] : ['--selectProjects', 'pure', 'pure, IPv6', 'deep', 'deep, IPv6', 'host'];
  const report = ['--json', `--outputFile=${RESULTS_FILE}`, `--cacheDirectory=${CACHE_FOLDER}`];
  rmSync(RESULTS_FILE, { force: true });

  let rest = '';
  let summary = '0 passed, 0 failed, 0 skipped';
  const onText = (text, isStdout) => {
    if (!isStdout) return process.stderr.write(text);
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (SUMMARY.test(line)) summary = line;
      else console.log(line);
    }
  };
  const command = ['jest', ...workers, ...report, ...jestArguments, ...projects];
  const { ok } = await run(wrap(command), { onText, env });
  if (SUMMARY.test(rest)) summary = rest;
  if (!ok) failed.push('jest');
  readResults(reason === undefined);
  return summary;
}

/** Skipped tests by the reason in their title, and end-to-end suites in which nothing ran. */
function readResults(hasEndToEnd) {
  if (!existsSync(RESULTS_FILE)) return failed.push('jest gave no results');
  const { testResults } = JSON.parse(readFileSync(RESULTS_FILE, 'utf8'));
  const counts = new Map();
  for (const test of testResults.flatMap((suite) => suite.assertionResults)) {
    if (test.status !== 'pending' && test.status !== 'todo') continue;
    const why = /\(skipped: ([^)]+)\)/.exec([...test.ancestorTitles, test.title].join(' '))?.[1] ?? 'without a reason';
    counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  for (const [why, count] of counts) skipped.push(`${count} test${count === 1 ? '' : 's'} (${why})`);
  if (!hasEndToEnd || !MUST_RUN_ALL || jestArguments.length > 0) return;
  const didRun = (file) =>
    testResults.some(
      (suite) =>
        basename(suite.name) === file &&
        suite.name.startsWith(E2E_FOLDER) &&
        suite.assertionResults.some(({ status }) => status === 'passed' || status === 'failed'),
    );
  const idle = readdirSync(E2E_FOLDER).filter((file) => file.endsWith('.test.ts') && !didRun(file));
  if (idle.length > 0) failed.push(`end to end did not run: ${idle.join(', ')}`);
}

async function runChecks() {
  await section('format', ['npm', 'run', '--silent', 'format:check']);
  await section('lint', ['npm', 'run', '--silent', 'lint']);
  await section('types', ['npm', 'run', '--silent', 'types']);
  await section('shell scripts', ['shellcheck', ...shellScripts()]);
  await checkNative();
  await checkNodeVersions();
}

const [summary] = await Promise.all([runJest(), runChecks()]);

console.log(failed.length === 0 ? 'everything that ran passed' : `FAILED: ${failed.join('; ')}`);
console.log(`skipped: ${skipped.length === 0 ? 'nothing' : skipped.join('; ')}`);
console.log(summary);
process.exitCode = failed.length === 0 ? 0 : 1;
