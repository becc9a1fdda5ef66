/**
 * Our capture reader against the npm package pcap-parser, as readers only: the same classic capture, packets counted.
 *
 *     node -r ./scripts/typescript.js test/bench/pcap-parser.ts [packets] [rounds]
 *
 * And what each makes of files that are not a plain microsecond pcap. For docs/decisions/dependencies.md.
 */
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'pcap-parser';
import { DescriptorSource } from '../../src/replay/byte-io';
import { CaptureError } from '../../src/replay/capture-error';
import { Step } from '../../src/replay/capture-reader';
import { openCapture, WINDOW_BYTES } from '../../src/replay/open-capture';
import { frame, type Frame, pcapFile, pcapngFile } from '../support/capture-files';
import { report, Wire } from '../support/conversation';

function someFrames(packets: number): Frame[] {
  const wire = new Wire();
  for (let i = 0; wire.packets.length < packets; i++) {
    const session = report(wire, `10.1.${1 + ((i >> 7) & 127)}.${1 + (i & 127)}`, 40000 + (i % 20000), 'itms').open();
    session.say('opener', 'x'.repeat(180)).say('acceptor', 'x'.repeat(95)).close('opener');
  }
  return wire.packets.slice(0, packets).map((packet) => frame(packet));
}

interface Reading {
  packets: number;
  seconds: number;
  error: string;
}

function readOurs(path: string): Promise<Reading> {
  const begin = process.hrtime.bigint();
  let packets = 0;
  let error = '';
  try {
    const reader = openCapture(new DescriptorSource(path, openSync(path, 'r'), true), new Uint8Array(WINDOW_BYTES), 0);
    for (let step = reader.advance(); step !== Step.End; step = reader.advance()) {
      if (step === Step.Refill) reader.refill();
      else packets++;
    }
    error = reader.error?.complaint ?? '';
    reader.close();
  } catch (thrown) {
    if (!(thrown instanceof CaptureError)) throw thrown;
    error = thrown.complaint;
  }
  return Promise.resolve({ packets, error, seconds: Number(process.hrtime.bigint() - begin) / 1e9 });
}

function readTheirs(path: string): Promise<Reading> {
  return new Promise((done) => {
    const begin = process.hrtime.bigint();
    let packets = 0;
    let error = '';
    const parser = parse(path);
    parser.on('packet', () => packets++);
    parser.on('error', (thrown) => (error = thrown.message));
    parser.on('end', () => done({ packets, error, seconds: Number(process.hrtime.bigint() - begin) / 1e9 }));
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function measureSpeed(path: string, packets: number, rounds: number): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [one, other] = [await readOurs(path), await readTheirs(path)];
    if (one.packets !== packets || other.packets !== packets) throw new Error('packets were lost');
    ours.push(packets / one.seconds / 1e6);
    theirs.push(packets / other.seconds / 1e6);
  }
  const ratios = ours.map((speed, round) => speed / theirs[round]);
  print(`ours        ${median(ours).toFixed(2)} M packets/s`);
  print(`pcap-parser ${median(theirs).toFixed(2)} M packets/s`);
  print(`ratio       ${median(ratios).toFixed(1)} (${ratios.map((ratio) => ratio.toFixed(1)).join(' ')})`);
}

async function compareFormats(folder: string): Promise<void> {
  const frames = someFrames(13);
  const whole = pcapFile(frames);
  const lying = Buffer.from(whole);
  // The captured length of the third packet: file header, two records of an Ethernet SYN (66 bytes), eight bytes more.
  lying.writeUInt32LE(0x7fffffff, 24 + 2 * (16 + 66) + 8);
  const files: [string, Uint8Array][] = [
    ['microsecond pcap', whole],
    ['nanosecond pcap', pcapFile(frames, { nanosecond: true })],
    ['pcapng', pcapngFile(frames)],
    ['cut in the last packet', whole.subarray(0, whole.length - 1)],
    ['a length of 2 GiB in the third packet', lying],
  ];
  for (const [title, bytes] of files) {
    const path = join(folder, 'format');
    writeFileSync(path, bytes);
    for (const [who, read] of [
      ['ours', readOurs],
      ['pcap-parser', readTheirs],
    ] as const) {
      const { packets, error } = await read(path);
      print(`${title}: ${who}: ${packets} of 13 packets, ${error || 'no error'}`);
    }
  }
}

async function main(packets: number, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'acsplit-bench-'));
  try {
    const path = join(folder, 'in.pcap');
    writeFileSync(path, pcapFile(someFrames(packets)));
    print(`machine     ${cpus()[0].model}, Linux ${release()}, Node ${process.version}; ${packets} packets`);
    await measureSpeed(path, packets, rounds);
    await compareFormats(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

void main(Number(process.argv[2] ?? 200_000), Number(process.argv[3] ?? 5));
