/** `acsplit replay` between other programs: live pipes, signals, a reader that leaves, and outputs that are inputs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, linkSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture } from '../../support/capture-packets';
import { enhancedPacket, frame, interfaceDescription, microStamp, sectionHeader } from '../../support/capture-files';
import { report, Wire } from '../../support/conversation';
import { FIXTURES, TOPOLOGY_FILE } from '../../support/replay-run';
import { TemporaryFolder } from '../../support/temporary';

const folder = new TemporaryFolder();
const ROOT = join(__dirname, '..', '..', '..');
const ACSPLIT = [process.execPath, '-r', join(ROOT, 'scripts', 'typescript.js'), join(ROOT, 'src', 'cli', 'main.ts')];
const STORY = readFileSync(join(FIXTURES, 'a-401-diverts-nothing.pcap'));
const STORY_PACKETS = 24;
const STORY_TRANSCRIPT = readFileSync(join(FIXTURES, 'a-401-diverts-nothing.transcript'), 'utf8');

/** A shell's command line in the folder; `$ACSPLIT` is the command with its configuration. */
function shell(script: string): { status: number | null; stderr: string } {
  const quoted = ACSPLIT.map((word) => `'${word}'`).join(' ');
  const text = `acsplit() { ${quoted} "$@" -c "\${CONFIG:-${TOPOLOGY_FILE}}"; }\n${script}`;
  const { status, stderr } = spawnSync('bash', ['-c', text], { cwd: folder.path });
  return { status, stderr: stderr.toString() };
}

describe('an output that is also an input is refused, and stays whole', () => {
  beforeEach(() => writeFileSync(folder.file('x.pcap'), STORY));
  linkSync(folder.file('x.pcap', STORY), folder.file('hard.pcap'));
  symlinkSync('x.pcap', folder.file('soft.pcap'));

  test.each([
    ['stdin', 'acsplit replay - -o x.pcap < x.pcap', 'x.pcap', 'stdin'],
    ['stdin, a hard link', 'acsplit replay - -o hard.pcap < x.pcap', 'hard.pcap', 'stdin'],
    ['stdin, a symbolic link', 'acsplit replay - -o soft.pcap < x.pcap', 'soft.pcap', 'stdin'],
    ['stdin as /dev/stdin', 'acsplit replay - -o /dev/stdin < x.pcap', '/dev/stdin', 'stdin'],
    ['/dev/stdin as the input', 'acsplit replay /dev/stdin -o x.pcap < x.pcap', 'x.pcap', '/dev/stdin'],
    ['stdin, the transcript', 'acsplit replay - --transcript x.pcap < x.pcap', 'x.pcap', 'stdin'],
    ['a hard link by name', 'acsplit replay x.pcap -o hard.pcap', 'hard.pcap', 'x.pcap'],
    ['the second of two inputs', 'cp x.pcap y.pcap; acsplit replay y.pcap - -o x.pcap < x.pcap', 'x.pcap', 'stdin'],
    ['stdout appended to it', 'acsplit replay x.pcap -o - >> x.pcap', 'stdout', 'x.pcap'],
    ['stdout appended to stdin', 'acsplit replay - --transcript - < x.pcap >> x.pcap', 'stdout', 'stdin'],
    ['--json appended to it', 'acsplit replay x.pcap --json >> x.pcap', 'stdout', 'x.pcap'],
  ])('%s', (_what, script, output, input) => {
    expect(shell(script)).toEqual({ status: 2, stderr: `acsplit: ${output} is already in use as ${input}\n` });
    expect(readFileSync(folder.file('x.pcap')).equals(STORY)).toBe(true);
  });

  test('the configuration is an input too', () => {
    const script = `cp '${TOPOLOGY_FILE}' own.yaml; CONFIG=own.yaml; acsplit replay x.pcap -o own.yaml`;
    expect(shell(script)).toEqual({ status: 2, stderr: 'acsplit: own.yaml is already in use as own.yaml\n' });
    expect(readFileSync(folder.file('own.yaml')).equals(readFileSync(TOPOLOGY_FILE))).toBe(true);
  });

  test('two outputs are not one file', () => {
    const { status, stderr } = shell('acsplit replay x.pcap -o both --transcript both');
    expect({ status, stderr }).toEqual({ status: 2, stderr: 'acsplit: both is already in use as both\n' });
  });
});

// A megabyte of lines: more than a pipe takes before its reader has gone.
describe('a stdout that cannot be written is a failure where data was to go there', () => {
  beforeAll(() => {
    writeFileSync(folder.file('x.pcap'), STORY);
    const many = Array.from({ length: 400 }, () => STORY.subarray(24));
    writeFileSync(folder.file('long.pcap'), Buffer.concat([STORY.subarray(0, 24), ...many]));
  });
  const pipeStatus = '; exit ${PIPESTATUS[0]}';

  test.each([
    [
      'a transcript, its reader left',
      `acsplit replay long.pcap --transcript - 2>err | head -1 >/dev/null${pipeStatus}`,
    ],
    ['a capture, its reader left', `acsplit replay long.pcap -o - 2>err | head -c 1 >/dev/null${pipeStatus}`],
    ['--json, its reader left', `acsplit replay long.pcap --json 2>err | exec true${pipeStatus}`],
    ['a transcript, closed', 'acsplit replay x.pcap --transcript - >&- 2>err'],
    ['a capture, closed', 'acsplit replay x.pcap -o - >&- 2>err'],
    ['--json, closed', 'acsplit replay x.pcap --json >&- 2>err'],
  ])('%s: one line, exit 1', (what, script) => {
    expect(shell(script).status).toBe(1);
    const why = what.endsWith('closed') ? 'it is closed' : 'its reader has closed it';
    expect(readFileSync(folder.file('err'), 'utf8')).toBe(`acsplit: cannot write stdout: ${why}\n`);
  });

  test.each([
    ['only a summary, its reader left', `acsplit replay long.pcap | exec true${pipeStatus}`],
    ['data to /dev/null', 'acsplit replay x.pcap --transcript - > /dev/null 2> err'],
  ])('%s: no failure', (_what, script) => {
    expect(shell(script).status).toBe(0);
  });
});

describe('a live pipe', () => {
  /** The writer's end stays open in this process. */
  function start(words: readonly string[]): { child: ChildProcess; pipe: number; stderr: () => string } {
    const fifo = folder.file(`fifo-${Math.random()}`);
    spawnSync('mkfifo', [fifo]);
    // Opened for both, so that neither end waits for the other.
    const pipe = openSync(fifo, 'r+');
    const input = openSync(fifo, 'r');
    const [command, ...rest] = [...ACSPLIT, 'replay', '-', ...words, '-c', TOPOLOGY_FILE];
    const child = spawn(command, rest, { cwd: folder.path, stdio: [input, 'pipe', 'pipe'] });
    closeSync(input);
    let stderr = '';
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    return { child, pipe, stderr: () => stderr };
  }
  const ended = (child: ChildProcess) =>
    new Promise<number | null>((resolve) => child.on('close', (status) => resolve(status)));
  async function lines(child: ChildProcess, count: number): Promise<string> {
    let text = '';
    for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
      text += (chunk as Buffer).toString();
      if (text.split('\n').length > count) return text;
    }
    throw new Error(`stdout ended after: ${text}`);
  }

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s: lines as they came, and whole packets', async (signal) => {
    const { child, pipe, stderr } = start(['--transcript', '-', '-o', 'live.pcapng']);
    writeFileSync(pipe, STORY.subarray(0, STORY.length - 10));
    expect(await lines(child, STORY_PACKETS - 1)).toBe(
      STORY_TRANSCRIPT.split('\n')
        .slice(0, STORY_PACKETS - 1)
        .join('\n') + '\n',
    );
    const whole = () => readCapture(readFileSync(folder.file('live.pcapng')));
    expect(whole()).toMatchObject({ error: undefined, packets: { length: STORY_PACKETS - 1 } });
    child.kill(signal);
    expect(await ended(child)).toBe(0);
    expect(stderr()).toMatch(new RegExp(`^${STORY_PACKETS - 1} packets in `));
    expect(whole()).toMatchObject({ error: undefined, packets: { length: STORY_PACKETS - 1 } });
    closeSync(pipe);
  });

  test('what its writer writes after the signal is read to the end', async () => {
    const { child, pipe } = start(['--transcript', '-', '-o', 'late.pcapng']);
    writeFileSync(pipe, STORY.subarray(0, 1000));
    const before = readCapture(STORY.subarray(0, 1000)).packets.length;
    const first = await lines(child, before);
    child.kill('SIGINT');
    writeFileSync(pipe, STORY.subarray(1000));
    const rest = await lines(child, STORY_PACKETS - before);
    closeSync(pipe);
    expect(await ended(child)).toBe(0);
    expect(first + rest).toBe(STORY_TRANSCRIPT);
    expect(readCapture(readFileSync(folder.file('late.pcapng'))).packets).toHaveLength(STORY_PACKETS);
  });

  test('by name, and as a process substitution beside a file', () => {
    writeFileSync(folder.file('x.pcap'), STORY);
    expect(shell('acsplit replay <(cat x.pcap) --transcript named > summary').status).toBe(0);
    expect(readFileSync(folder.file('named'), 'utf8')).toBe(STORY_TRANSCRIPT);
    expect(shell('acsplit replay x.pcap <(cat x.pcap) --json > json').status).toBe(0);
    const { packets } = JSON.parse(readFileSync(folder.file('json'), 'utf8')) as { packets: { read: number } };
    expect(packets.read).toBe(2 * STORY_PACKETS);
  });

  test('an expectation may come from a pipe', () => {
    writeFileSync(folder.file('x.pcap'), STORY);
    writeFileSync(folder.file('x.transcript'), STORY_TRANSCRIPT);
    expect(shell('acsplit replay x.pcap --expect <(cat x.transcript)').status).toBe(0);
    expect(shell('acsplit replay x.pcap --expect <(head -3 x.transcript)').status).toBe(1);
  });
});

test('packets that are not read: a warning on stderr, and exit 0', () => {
  const wire = new Wire();
  report(wire, '10.1.7.1', 40001, 'itms').syn();
  const [one] = wire.packets.map((packet) => frame(packet));
  const wlan = [
    sectionHeader(true),
    interfaceDescription(true, 105, 'w'),
    enhancedPacket(true, 0, microStamp(one), one),
  ];
  writeFileSync(folder.file('wlan.pcapng'), Buffer.concat(wlan));
  expect(shell('acsplit replay wlan.pcapng > summary')).toEqual({
    status: 0,
    stderr: 'acsplit: warning: 1 of 1 packets were not read: link type 105 (IEEE 802.11) is not supported\n',
  });
  const summary = readFileSync(folder.file('summary'), 'utf8');
  expect(summary).toContain('1 packets without IP that can be read: 1 link type not supported\n');
});
