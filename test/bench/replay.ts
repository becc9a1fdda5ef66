/**
 * `acsplit replay` against tcprewrite (C, libpcap): the same million packets, the same rewrite, the same output bytes.
 *
 *     npm run build && node scripts/run-ts.js test/bench/replay.ts [packets] [rounds]
 *
 * Sessions of CPEs with the ITMS only: there our rewrite is a plain address map, which is all that tcprewrite can do.
 * Rounds are interleaved; the medians and the ratio per round are what counts, the machine decides the rest.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';

const ROOT = resolve(__dirname, '..', '..');
const TOPOLOGY = join(ROOT, 'test', 'fixtures', 'topology.yaml');
const ACSPLIT = '/tmp/rbuild/dist/cli/main.js';

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

interface Run {
  seconds: number;
  /** Largest resident set, KiB. */
  maxRss: number;
}

/** Runs a command to its end under a clock; GNU time is not everywhere, /proc is. */
function run(command: string, words: string[]): Run {
  const script = `
    const { spawnSync } = require('node:child_process');
    const begin = process.hrtime.bigint();
    const { status, stderr } = spawnSync(process.argv[1], process.argv.slice(2), { stdio: ['ignore', 'ignore', 'pipe'] });
    if (status !== 0) { process.stderr.write(stderr); process.exit(1); }
    const { maxRSS } = process.resourceUsage();
    console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - begin) / 1e9 }));
  `;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', script, command, ...words], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
  return { ...(JSON.parse(stdout) as { seconds: number }), maxRss: 0 };
}

function main(packets: number, rounds: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'acsplit-bench-'));
  try {
    const capture = join(folder, 'in.pcap');
    writeCapture(capture, packets);
    const ours = join(folder, 'ours.pcap');
    const theirs = join(folder, 'theirs.pcap');
    const replay = () => run(process.execPath, [ACSPLIT, 'replay', capture, '-o', ours, '-c', TOPOLOGY]);
    const map = ['--dstipmap=10.1.0.1/32:10.2.0.2/32', '--srcipmap=10.2.0.2/32:10.1.0.1/32'];
    const rewrite = () => run('tcprewrite', [...map, '-i', capture, '-o', theirs]);
    console.log(statSync(capture).size);
    for (let round = 0; round < rounds; round++) {
      console.log(replay().seconds, rewrite().seconds);
    }
    execFileSync('cmp', [ours, theirs], { stdio: 'inherit' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
void readFileSync;
void cpus;
void release;
main(Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? 5));
