/**
 * `acsplit replay` against tcprewrite (C, libpcap): the same million packets, the same rewrite, the same output bytes.
 *
 *     npm run prove replay-speed
 *     node -r ./scripts/typescript.js test/bench/replay.ts [packets] [rounds]
 *
 * Prints the figures, and writes those of a million packets and five rounds or more into docs/replay.md.
 * Sessions of CPEs with the ITMS only: there our rewrite is a plain address map, which is all that tcprewrite can do.
 * Rounds are interleaved; the medians and the ratio per round are what counts, the machine decides the rest.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { writeBetweenMarks } from '../prove/marks';
import { median, table } from './numbers';

const ROOT = resolve(__dirname, '..', '..');
const TOPOLOGY = join(ROOT, 'test', 'fixtures', 'topology.yaml');
const ACSPLIT = process.env.ACSPLIT ?? join(ROOT, 'dist', 'cli', 'main.js');
const PAGE = join(ROOT, 'docs', 'replay.md');
/** What is published is of at least so many packets and rounds. */
const PUBLISHED = { packets: 1_000_000, rounds: 5 };

/** One connection: SYN, SYN+ACK, ACK, five requests and answers, FIN, FIN, ACK. Payloads make 140 bytes on average. */
const SCRIPT: readonly (readonly [fromCpe: boolean, flags: number, payloadBytes: number])[] = [
  [true, TcpFlag.Syn, 0],
  [false, TcpFlag.Syn | TcpFlag.Ack, 0],
  [true, TcpFlag.Ack, 0],
  ...[1, 2, 3, 4, 5].flatMap(
    () =>
      [
        [true, TcpFlag.Psh | TcpFlag.Ack, 180],
        [false, TcpFlag.Psh | TcpFlag.Ack, 95],
      ] as const,
  ),
  [true, TcpFlag.Fin | TcpFlag.Ack, 0],
  [false, TcpFlag.Fin | TcpFlag.Ack, 0],
  [true, TcpFlag.Ack, 0],
];
/** Capture time between two packets: 10 000 packets/s. */
const STEP_MICROS = 100;

function writeCapture(path: string, packets: number): void {
  const file = openSync(path, 'w');
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262144, 16);
  header.writeUInt32LE(1, 20);
  writeSync(file, header);
  const gathered: Buffer[] = [];
  for (let n = 0; n < packets; n++) {
    gathered.push(record(n));
    if (gathered.length === 4096 || n === packets - 1) writeSync(file, Buffer.concat(gathered.splice(0)));
  }
  closeSync(file);
}

function record(n: number): Buffer {
  const connection = Math.floor(n / SCRIPT.length);
  const [fromCpe, flags, payloadBytes] = SCRIPT[n % SCRIPT.length];
  // Sixteen connections of one CPE after the other, from ports of their own.
  const cpe = `10.1.${1 + ((connection >>> 8) & 63)}.${1 + (connection & 127)}`;
  const cpePort = 40000 + (connection % 20000);
  const ends = fromCpe
    ? { source: cpe, sourcePort: cpePort, destination: '10.1.0.1', destinationPort: 7547 }
    : { source: '10.2.0.2', sourcePort: 7547, destination: cpe, destinationPort: cpePort };
  const ip = buildTcp({ ...ends, flags, sequence: n * 977, acknowledgement: n, payload: 'x'.repeat(payloadBytes) });
  const micros = n * STEP_MICROS;
  const bytes = Buffer.alloc(30 + ip.length);
  bytes.writeUInt32LE(1_400_000_000 + Math.floor(micros / 1_000_000), 0);
  bytes.writeUInt32LE(micros % 1_000_000, 4);
  bytes.writeUInt32LE(14 + ip.length, 8);
  bytes.writeUInt32LE(14 + ip.length, 12);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], 16);
  bytes.set(ip, 30);
  return bytes;
}

interface Cost {
  /** On the clock, from start to exit. */
  wallSeconds: number;
  /** User and system time, all threads. */
  cpuSeconds: number;
}

/** Runs a command in a process of its own that does nothing else, and asks the kernel what its child took. */
const WRAPPER = `
  const { spawnSync } = require('node:child_process');
  const { readFileSync } = require('node:fs');
  const [command, ...words] = process.argv.slice(1);
  const begin = process.hrtime.bigint();
  const { status, stderr } = spawnSync(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const wallSeconds = Number(process.hrtime.bigint() - begin) / 1e9;
  if (status !== 0) { process.stderr.write(stderr); process.exit(1); }
  // cutime and cstime, in ticks of 1/100 s, are fields 16 and 17; the name in field 2 holds no space here.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(' ');
  console.log(JSON.stringify({ wallSeconds, cpuSeconds: (Number(fields[15]) + Number(fields[16])) / 100 }));
`;

/** Real-time priority, where it may be had: what else runs on the machine does not count then. */
const PRIORITY = spawnSync('chrt', ['-f', '1', 'true']).status === 0 ? ['chrt', '-f', '1'] : [];

function measure(words: string[], output: string): Cost {
  rmSync(output, { force: true });
  const script = ['-e', WRAPPER, ...PRIORITY, ...words];
  const { stdout, stderr, status } = spawnSync(process.execPath, script, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as Cost;
}

/** Largest resident set, by RUSAGE_CHILDREN of a process that has this one child; Node does not offer it. */
function peakMib(words: string[]): number {
  const script = 'import os,resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True);';
  const report = 'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)';
  return Number(execFileSync('python3', ['-c', script + report, ...words], { encoding: 'utf8' })) / 1024;
}

export class ReplayBench {
  private readonly folder = mkdtempSync(join(tmpdir(), 'acsplit-bench-'));
  private readonly ours = join(this.folder, 'ours.pcap');
  private readonly theirs = join(this.folder, 'theirs.pcap');

  constructor(private readonly packets: number) {}

  /** The figures as Markdown, and the ratios of the whole command by the clock. */
  run(rounds: number): { text: string; ratios: number[] } {
    const load = loadavg()[0];
    try {
      const [capture, none, large] = ['in.pcap', 'none.pcap', 'large.pcap'].map((name) => join(this.folder, name));
      writeCapture(capture, this.packets);
      writeCapture(none, 0);
      const startUp = this.compare(none, rounds);
      const whole = this.compare(capture, rounds);
      execFileSync('cmp', ['-i', '24', this.ours, this.theirs], { stdio: 'inherit' });
      const ownStart = median(startUp.map(([ours]) => ours.wallSeconds));
      const theirStart = median(startUp.map(([, theirs]) => theirs.wallSeconds));
      const net = whole.map(([ours, theirs]): [number, number] => [
        ours.wallSeconds - ownStart,
        theirs.wallSeconds - theirStart,
      ]);
      const wall = whole.map(([ours, theirs]): [number, number] => [ours.wallSeconds, theirs.wallSeconds]);
      const cpu = whole.map(([ours, theirs]): [number, number] => [ours.cpuSeconds, theirs.cpuSeconds]);
      const rows = [
        this.row('whole command, by the clock', wall),
        this.row('whole command, by processor time', cpu),
        this.row('by the clock, start-up taken off both', net),
      ];
      const bytes = (statSync(capture).size / this.packets).toFixed(0);
      writeCapture(large, 3 * this.packets);
      const peaks = [none, capture, large].map((input) => peakMib(this.replayWords(input)).toFixed(0));
      const text = [
        `${this.packets} packets of ${bytes} bytes, ${rounds} rounds. ${machine(load)}`,
        table(['', 'acsplit', 'tcprewrite', 'ratio, median', 'rounds'], rows),
        `The outputs were the same, byte by byte. Start-up is ${ownStart.toFixed(3)} s, of tcprewrite ${theirStart.toFixed(3)} s: a capture without packets. Peak memory is ${peaks.join(', ')} MiB for 0, ${this.packets} and ${3 * this.packets} packets.`,
      ].join('\n\n');
      return { text, ratios: wall.map(([ours, theirs]) => theirs / ours) };
    } finally {
      rmSync(this.folder, { recursive: true });
    }
  }

  private replayWords(capture: string): string[] {
    return [process.execPath, ACSPLIT, 'replay', capture, '-o', this.ours, '-c', TOPOLOGY];
  }

  /** Ours and theirs by turns. */
  private compare(capture: string, rounds: number): [Cost, Cost][] {
    const map = ['--dstipmap=10.1.0.1/32:10.2.0.2/32', '--srcipmap=10.2.0.2/32:10.1.0.1/32'];
    return Array.from({ length: rounds }, () => [
      measure(this.replayWords(capture), this.ours),
      measure(['tcprewrite', ...map, '-i', capture, '-o', this.theirs], this.theirs),
    ]);
  }

  /** @param seconds ours and theirs, by round */
  private row(what: string, seconds: readonly [number, number][]): string[] {
    const speed = (who: 0 | 1) =>
      `${median(seconds.map((pair) => this.packets / pair[who] / 1e6)).toFixed(2)} M packets/s`;
    const ratios = seconds.map(([ours, theirs]) => theirs / ours);
    return [what, speed(0), speed(1), median(ratios).toFixed(2), ratios.map((ratio) => ratio.toFixed(2)).join(' ')];
  }
}

function machine(load: number): string {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT, encoding: 'utf8' }).trim();
  const priority = PRIORITY.length > 0 ? ', both commands at real-time priority' : '';
  return `${cpus().length} cores of ${cpus()[0].model}, load ${load.toFixed(1)} at the start${priority}; Linux ${release()}; Node ${process.version}; commit ${commit}.`;
}

/** Puts the figures between their marks in docs/replay.md. */
export function publish(text: string): void {
  writeBetweenMarks(PAGE, 'figures', text);
  execFileSync(join(ROOT, 'node_modules', '.bin', 'prettier'), ['--write', PAGE]);
}

if (require.main === module) {
  const packets = Number(process.argv[2] ?? PUBLISHED.packets);
  const rounds = Number(process.argv[3] ?? PUBLISHED.rounds);
  const { text } = new ReplayBench(packets).run(rounds);
  process.stdout.write(`${text}\n`);
  if (packets === PUBLISHED.packets && rounds >= PUBLISHED.rounds) publish(text);
}
