/**
 * `acsplit replay` against tcprewrite (C, libpcap): the same million packets, the same rewrite, the same output bytes.
 *
 *     npm run build && node scripts/run-ts.js test/bench/replay.ts [packets] [rounds]
 *
 * Sessions of CPEs with the ITMS only: there our rewrite is a plain address map, which is all that tcprewrite can do.
 * Rounds are interleaved; the medians and the ratio per round are what counts, the machine decides the rest.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';

const ROOT = resolve(__dirname, '..', '..');
const TOPOLOGY = join(ROOT, 'test', 'fixtures', 'topology.yaml');
const ACSPLIT = process.env.ACSPLIT ?? join(ROOT, 'dist', 'cli', 'main.js');

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

function measure(command: string, words: string[], output: string): Cost {
  rmSync(output, { force: true });
  const script = ['-e', WRAPPER, command, ...words];
  const { stdout, stderr, status } = spawnSync(process.execPath, script, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as Cost;
}

/** Largest resident set, by RUSAGE_CHILDREN of a process that has this one child; Node does not offer it. */
function peakMib(command: string, words: string[]): number {
  const script = 'import os,resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True);';
  const report = 'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)';
  return Number(execFileSync('python3', ['-c', script + report, command, ...words], { encoding: 'utf8' })) / 1024;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

export class ReplayBench {
  private readonly folder = mkdtempSync(join(tmpdir(), 'acsplit-bench-'));
  private readonly ours = join(this.folder, 'ours.pcap');
  private readonly theirs = join(this.folder, 'theirs.pcap');

  constructor(private readonly packets: number) {}

  run(rounds: number): void {
    try {
      const [capture, none, large] = ['in.pcap', 'none.pcap', 'large.pcap'].map((name) => join(this.folder, name));
      writeCapture(capture, this.packets);
      writeCapture(none, 0);
      print(`machine     ${cpus()[0].model}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`);
      print(
        `commit      ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim()}`,
      );
      print(
        `capture     ${this.packets} packets, ${(statSync(capture).size / this.packets).toFixed(0)} bytes each in the file`,
      );
      const startUp = this.compare(none, 3);
      const whole = this.compare(capture, rounds);
      execFileSync('cmp', ['-i', '24', this.ours, this.theirs], { stdio: 'inherit' });
      print('output      the same bytes');
      this.report('whole command, wall', whole, (cost) => cost.wallSeconds);
      this.report('whole command, CPU', whole, (cost) => cost.cpuSeconds);
      const ownWall = median(startUp.map(([ours]) => ours.wallSeconds));
      const theirWall = median(startUp.map(([, theirs]) => theirs.wallSeconds));
      print(
        `start-up    acsplit ${ownWall.toFixed(3)} s, tcprewrite ${theirWall.toFixed(3)} s (a capture without packets)`,
      );
      const net = whole.map(([ours, theirs]): [Cost, Cost] => [
        { ...ours, wallSeconds: ours.wallSeconds - ownWall },
        { ...theirs, wallSeconds: theirs.wallSeconds - theirWall },
      ]);
      this.report('start-up taken off, wall', net, (cost) => cost.wallSeconds);
      writeCapture(large, 3 * this.packets);
      const peaks = [none, capture, large].map((input) =>
        peakMib(process.execPath, this.replayWords(input)).toFixed(0),
      );
      print(`peak memory ${peaks.join(', ')} MiB for 0, ${this.packets}, ${3 * this.packets} packets`);
    } finally {
      rmSync(this.folder, { recursive: true });
    }
  }

  /** The whole command by the clock, acsplit's speed by tcprewrite's, round by round; both outputs the same bytes. */
  ratios(rounds: number): number[] {
    try {
      const capture = join(this.folder, 'in.pcap');
      writeCapture(capture, this.packets);
      const ratios = this.compare(capture, rounds).map(([ours, theirs]) => theirs.wallSeconds / ours.wallSeconds);
      execFileSync('cmp', ['-i', '24', this.ours, this.theirs], { stdio: 'inherit' });
      return ratios;
    } finally {
      rmSync(this.folder, { recursive: true });
    }
  }

  private replayWords(capture: string): string[] {
    return [ACSPLIT, 'replay', capture, '-o', this.ours, '-c', TOPOLOGY];
  }

  /** Ours and theirs by turns. */
  private compare(capture: string, rounds: number): [Cost, Cost][] {
    const map = ['--dstipmap=10.1.0.1/32:10.2.0.2/32', '--srcipmap=10.2.0.2/32:10.1.0.1/32'];
    return Array.from({ length: rounds }, () => [
      measure(process.execPath, this.replayWords(capture), this.ours),
      measure('tcprewrite', [...map, '-i', capture, '-o', this.theirs], this.theirs),
    ]);
  }

  private report(title: string, costs: readonly [Cost, Cost][], seconds: (cost: Cost) => number): void {
    const perSecond = (cost: Cost) => this.packets / seconds(cost) / 1e6;
    const [ours, theirs] = [0, 1].map((who) => median(costs.map((pair) => perSecond(pair[who]))));
    const ratios = costs.map(([a, b]) => seconds(b) / seconds(a));
    const perRound = ratios.map((ratio) => ratio.toFixed(2)).join(' ');
    print(
      `${title}: acsplit ${ours.toFixed(2)} M packets/s, tcprewrite ${theirs.toFixed(2)}; ratio ${median(ratios).toFixed(2)} (${perRound})`,
    );
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

if (require.main === module) new ReplayBench(Number(process.argv[2] ?? 1_000_000)).run(Number(process.argv[3] ?? 5));
