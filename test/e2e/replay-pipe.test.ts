/**
 * `tcpdump -w - | acsplit replay -` as in a terminal: tcpdump captures a real wire, lines appear as packets pass, and
 * Ctrl-C, which every program of a pipeline receives, loses nothing.
 *
 *     client ns                 router ns
 *     eth0 10.1.0.2 ── cpe0 10.1.0.1   (tcpdump here; nobody listens, so each SYN is answered by a RST)
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { readCapture } from '../support/capture-packets';
import { TOPOLOGY_FILE } from '../support/replay-run';
import { TemporaryFolder } from '../support/temporary';
import { ACS, TestNetwork } from './support/netns';
import { DIST } from './support/stage';

const folder = new TemporaryFolder();
const CONNECTIONS = 5;
/** A SYN and a RST each. */
const PACKETS = 2 * CONNECTIONS;

let network: TestNetwork;
beforeAll(() => {
  network = new TestNetwork(['client']);
});
afterAll(() => network?.remove());

/** The pipeline in a process group of its own, as a shell on a terminal starts it. */
class Pipeline {
  readonly lines: string[] = [];
  stderr = '';
  private readonly child: ChildProcess;
  private readonly reader: Interface;
  private readonly status: Promise<number | null>;

  constructor(tcpdumpOption: string, output: string) {
    const replay = [process.execPath, join(DIST, 'cli', 'main.js'), 'replay', '-', '--transcript', '-', '-o', output];
    const words = [...replay, '-c', TOPOLOGY_FILE].map((word) => `'${word}'`).join(' ');
    const script = `tcpdump ${tcpdumpOption} -i cpe0 -w - tcp | ${words}`;
    const argv = ['netns', 'exec', network.name('router'), 'bash', '-c', script];
    this.child = spawn('ip', argv, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.reader = createInterface({ input: this.child.stdout! });
    this.reader.on('line', (line) => this.lines.push(line));
    this.status = new Promise((resolve) => this.child.on('close', resolve));
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (const deadline = Date.now() + 30_000; !holds();) {
      if (Date.now() > deadline) throw new Error(`not ${what}; ${this.lines.length} lines; ${this.stderr}`);
      await pause();
    }
  }

  /** tcpdump captures, and replay has made its stdin non-blocking: it waits for bytes and for signals. */
  isReady(): boolean {
    if (!this.stderr.includes('listening on')) return false;
    const pids = spawnSync('pgrep', ['-g', String(this.child.pid), 'node'])
      .stdout.toString()
      .split('\n');
    const flags = pids.map((pid) => /^flags:\s*(\d+)/m.exec(readOrNothing(`/proc/${pid}/fdinfo/0`))?.[1] ?? '0');
    return flags.some((octal) => (Number.parseInt(octal, 8) & constants.O_NONBLOCK) !== 0);
  }

  /** How many packets tcpdump has taken from the kernel, as it answered last. */
  askTcpdump(): number {
    spawnSync('pkill', ['-USR1', '-g', String(this.child.pid), '-x', 'tcpdump']);
    return capturedBy(this.stderr);
  }

  async interrupt(): Promise<number | null> {
    process.kill(-this.child.pid!, 'SIGINT');
    return this.status;
  }
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

function connect(): void {
  for (let n = 0; n < CONNECTIONS; n++) {
    network.run('client', 'bash', '-c', `exec 3<>/dev/tcp/${ACS}/7547 || true`);
  }
}

function capturedBy(tcpdump: string): number {
  return Number([...tcpdump.matchAll(/(\d+) packets captured/g)].at(-1)?.[1]);
}

test('lines and whole packets appear as they pass, and all are there after Ctrl-C', async () => {
  const output = folder.file('unbuffered.pcapng');
  const pipeline = new Pipeline('-U', output);
  await pipeline.until('ready', () => pipeline.isReady());
  connect();
  await pipeline.until('told', () => pipeline.lines.length === PACKETS);
  expect(readCapture(readFileSync(output))).toMatchObject({ error: undefined, packets: { length: PACKETS } });
  expect(pipeline.lines.filter((line) => / cpe +SYN .* rewritten to-itms$/.test(line))).toHaveLength(CONNECTIONS);
  connect();
  expect(await pipeline.interrupt()).toBe(0);
  expectAll(pipeline, output);
});

test('packets that tcpdump holds back until Ctrl-C are read, told and written', async () => {
  const output = folder.file('buffered.pcapng');
  const pipeline = new Pipeline('', output);
  await pipeline.until('ready', () => pipeline.isReady());
  connect();
  await pipeline.until('captured', () => pipeline.askTcpdump() === PACKETS);
  expect(pipeline.lines).toEqual([]);
  expect(await pipeline.interrupt()).toBe(0);
  expectAll(pipeline, output);
});

function expectAll({ lines, stderr }: Pipeline, output: string): void {
  const captured = capturedBy(stderr);
  expect(captured).toBeGreaterThan(0);
  expect(lines).toHaveLength(captured);
  expect(stderr).toContain(`${captured} packets in `);
  expect(readCapture(readFileSync(output))).toMatchObject({ error: undefined, packets: { length: captured } });
}
