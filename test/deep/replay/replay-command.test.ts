/** `acsplit replay` as people and CI run it: files, pipes, exit status, and one line for every failure. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture } from '../../support/capture-packets';
import { FIXTURES, TOPOLOGY_FILE } from '../../support/replay-run';
import { TemporaryFolder } from '../../support/temporary';

const folder = new TemporaryFolder();
const ROOT = join(__dirname, '..', '..', '..');
const ACSPLIT = ['-r', join(ROOT, 'scripts', 'typescript.js'), join(ROOT, 'src', 'cli', 'main.ts')];
const fixture = (name: string) => join(FIXTURES, name);
const STORY = fixture('a-woken-cpe-reports-to-the-collector-once.pcapng');
const STORY_TRANSCRIPT = fixture('a-woken-cpe-reports-to-the-collector-once.transcript');
const REFUSED = fixture('a-401-diverts-nothing.pcap');

interface Outcome {
  status: number | null;
  stdout: Buffer;
  stderr: string;
}

function acsplit(words: readonly string[], input?: Uint8Array): Outcome {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...ACSPLIT, 'replay', ...words, '-c', TOPOLOGY_FILE],
    {
      cwd: folder.path,
      maxBuffer: 1 << 26,
      ...(input && { input }),
    },
  );
  return { status, stdout, stderr: stderr.toString() };
}

test('a summary by reason', () => {
  const { status, stdout, stderr } = acsplit([STORY]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout.toString()).toMatch(/^66 packets in 7\.816250 s of capture: 66 rewritten, 0 accepted, 0 dropped\n/);
  expect(stdout.toString()).toMatch(/^ +1 {2}diverted$/m);
});

test('--json', () => {
  const summary = JSON.parse(acsplit([STORY, '--json']).stdout.toString()) as Record<string, unknown>;
  expect(summary).toMatchObject({
    activation: 'auto',
    spanSeconds: 7.81625,
    packets: { read: 66, rewritten: 66, dropped: 0, byReason: { diverted: 1, 'to-itms': 3 } },
    events: { 'armed-by-response': 1, diverted: 1, closed: 1 },
    errors: [],
  });
});

test('stdin to stdout, the summary out of the way', () => {
  const { status, stdout, stderr } = acsplit(['-', '-o', '-'], readFileSync(STORY));
  expect(status).toBe(0);
  expect(stdout.equals(readFileSync(fixture('a-woken-cpe-reports-to-the-collector-once.rewritten.pcapng')))).toBe(true);
  expect(stderr).toMatch(/^66 packets/);
});

test('--transcript to stdout and to a file', () => {
  expect(acsplit([STORY, '--transcript', '-']).stdout.equals(readFileSync(STORY_TRANSCRIPT))).toBe(true);
  const path = folder.file('written.transcript');
  acsplit([STORY, '--transcript', path]);
  expect(readFileSync(path).equals(readFileSync(STORY_TRANSCRIPT))).toBe(true);
});

test('--expect: 0 when the transcript is as stored, 1 with the difference when not', () => {
  expect(acsplit([STORY, '--expect', STORY_TRANSCRIPT]).status).toBe(0);
  const { status, stdout, stderr } = acsplit([STORY, '--expect', STORY_TRANSCRIPT, '--activation', 'off']);
  expect(status).toBe(1);
  expect(stdout.toString()).toMatch(/^- .* diverted \[diverted c1\]$/m);
  expect(stdout.toString()).toMatch(/^\+ .* would-divert \[would-divert c1\]$/m);
  expect(stderr).toBe(`acsplit: the transcript differs from ${STORY_TRANSCRIPT} from line 25 on\n`);
});

test('-o with a name in .pcap writes classic pcap, readable by its owner only', () => {
  const path = folder.file('out.pcap');
  expect(acsplit([REFUSED, '-o', path]).status).toBe(0);
  expect(readFileSync(path).readUInt32LE(0)).toBe(0xa1b2c3d4);
  expect(readCapture(readFileSync(path)).packets).toHaveLength(24);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a capture that ends in the middle: what stood before is written, one line, exit 1', () => {
  const cut = folder.file('cut.pcap', readFileSync(REFUSED).subarray(0, 1000));
  const path = folder.file('cut-out.pcapng');
  const { status, stdout, stderr } = acsplit([cut, '-o', path]);
  expect(status).toBe(1);
  expect(stdout.toString()).toMatch(/^11 packets/);
  expect(stderr).toMatch(
    /^acsplit: \S+cut\.pcap: at byte 1000: the file ends in the middle of a packet of 66 bytes: 42 bytes are missing\n$/,
  );
  expect(readCapture(readFileSync(path)).packets).toHaveLength(11);
});

// prettier-ignore
test.each([
  ['a file that is no capture', [TOPOLOGY_FILE, '-o', 'never.pcap'], 1, /^acsplit: \S+: at byte 0: neither pcap nor pcapng: it begins with 0x\w{8}\n$/],
  ['a file that is not there', ['nowhere.pcap'], 1, /^acsplit: cannot read nowhere\.pcap: no such file or directory\n$/],
  ['a directory', ['.'], 1, /^acsplit: cannot read \.: it is a directory\n$/],
  ['no capture named', [], 2, /^acsplit: name a capture: acsplit replay IN\.\.\.\n$/],
  ['an output that is the input', [REFUSED, '-o', REFUSED], 2, /^acsplit: \S+ is already in use as \S+\n$/],
  ['an output where nobody may write', [REFUSED, '-o', '/proc/nothing.pcap'], 1, /^acsplit: cannot write \/proc\/nothing\.pcap: /],
  ['an output to a full disk', [REFUSED, '-o', '/dev/full'], 1, /^acsplit: cannot write \/dev\/full: no space left on the device\n$/],
  ['a transcript to a full disk', [REFUSED, '--transcript', '/dev/full'], 1, /^acsplit: cannot write \/dev\/full: no space left on the device\n$/],
  ['two kinds of data on stdout', [REFUSED, '-o', '-', '--json'], 2, /^acsplit: --output - and --json cannot both go to stdout\n$/],
  ['stdin twice', ['-', '-'], 2, /^acsplit: - \(stdin\) can be named only once\n$/],
  ['more captures than may be open', new Array<string>(65).fill(REFUSED), 2, /^acsplit: 65 captures, at most 64 at once\n$/],
  ['the expectation on stdin', [REFUSED, '--expect', '-'], 2, /^acsplit: --expect needs a file name; stdin is for captures\n$/],
  ['a misspelt option', [REFUSED, '--transcrip', '-'], 2, /did you mean "--transcript"\?\n$/],
  ['another activation', [REFUSED, '--activation', 'atuo'], 2, /expected one of auto, fin, response, off.*\n$/],
])('%s: one line', (_what, words, status, line) => {
  const outcome = acsplit(words);
  expect(outcome.stderr).toMatch(line);
  expect(outcome.stderr.split('\n')).toHaveLength(2);
  expect(outcome.status).toBe(status);
});

// prettier-ignore
test.each([
  ['pcap', 1000, '11 packets are'],
  ['pcapng', 1000, '6 packets are'],
  ['pcapng', 300, '1 packet is'],
])('an output that may not grow as large, %s of %d bytes: whole packets stay in it', (format, limit, left) => {
  const path = folder.file(`limited-${limit}.${format}`);
  const words = [process.execPath, ...ACSPLIT, 'replay', REFUSED, '-o', path, '-c', TOPOLOGY_FILE];
  // Ignore the signal sent to a process that exceeds the limit.
  const script = "trap '' XFSZ; exec \"$@\"";
  const { status, stderr } = spawnSync('prlimit', [`--fsize=${limit}`, 'sh', '-c', script, 'sh', ...words]);
  expect(stderr.toString()).toBe(`acsplit: cannot write ${path}: the file has reached the size limit; ${left} in it\n`);
  expect(status).toBe(1);
  const { packets, error } = readCapture(readFileSync(path));
  expect([packets.length, error]).toEqual([Number.parseInt(left), undefined]);
});

test('a transcript that cannot be written: the other output, a capture, ends with a whole packet', () => {
  const path = folder.file('beside.pcapng');
  expect(acsplit([REFUSED, '-o', path, '--transcript', '/dev/full']).status).toBe(1);
  expect(readCapture(readFileSync(path)).error).toBeUndefined();
});

test('a file that is no capture leaves no output behind', () => {
  expect(() => statSync(folder.file('never.pcap'))).toThrow('ENOENT');
});
