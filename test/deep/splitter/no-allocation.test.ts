/**
 * The packet path allocates nothing, and no call site in it is megamorphic. This tests what makes it fast, not how fast
 * it is.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PacketFlag } from '../../../src/packet/batch';
import { buildTcp, type TcpPacket } from '../../../src/packet/builder';
import { type AllocationInput, type AllocationResult } from '../../support/allocation-run';
import { CALL_SITE_FLAGS, readCallSites, type CallSites } from '../../support/call-sites';
import { compile } from '../../support/compiled';
import { FAMILY, packetIn, topologyIn } from '../../support/family';
import { buildError, TYPES } from '../../support/icmp';
import { packetEnds } from '../../support/packet-ends';
import { toIpv6 } from '../../support/translate';
import { formatIpv4 } from '../../../src/packet/address';
import { fixtureStories } from '../../support/fixture-packets';
import { TOPOLOGY } from '../../support/replay-run';

const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** Of 100 000 packets. An object a packet would be a million and more; what the measuring itself leaves is here. */
const MOST_BYTES = 1_000;
const LEAST_SPOILT_BYTES = 1_000_000;
const LEAST_PACKETS = 100_000;
const LEAST_REASONS = 30;

let folder = '';
let program = '';
let inputFile = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'acsplit-allocation-'));
  program = compile('test/support/allocation-run.ts', folder);
  inputFile = join(folder, 'packets.json');
  writeFileSync(inputFile, JSON.stringify(input()));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

type QueuedPacket = { queue: number; flags: number; bytes: Uint8Array };

/** All fixtures, and cases that they lack. */
function input(): AllocationInput {
  const stories: QueuedPacket[][] = fixtureStories().map((story) =>
    story.packets
      .filter(({ bytes }) => FAMILY === 'ipv4' || bytes[0] >> 4 === 4)
      .map(({ bytes, queue }) => ({ queue, flags: 0, bytes: FAMILY === 'ipv4' ? bytes : toIpv6(bytes) })),
  );
  const hexed = [...stories, oddities(), strangers()].map((packets) =>
    packets.map(({ bytes, queue, flags }) => ({ queue, flags, hex: Buffer.from(bytes).toString('hex') })),
  );
  return { topology: topologyIn({ ...TOPOLOGY, itmsPorts: [8080] }), stories: hexed };
}

/** What the fixtures hardly show: packets that are none, and connections that are used again. */
function oddities(): QueuedPacket[] {
  const report = { source: '10.1.7.9', destination: '10.1.0.1', sourcePort: 40_009, destinationPort: 7547 };
  const wake = { source: '10.3.0.2', destination: '10.1.7.9', sourcePort: 50_009, destinationPort: 7170 };
  const woken = { source: '10.1.7.9', destination: '10.1.0.1', sourcePort: 7170, destinationPort: 50_009 };
  const served = { source: '10.3.0.2', destination: '10.1.7.9', sourcePort: 7547, destinationPort: 40_010 };
  const [first, malformed, datagram] = [1, 2, 3].map(() => buildTcp(packetIn({ ...report, flags: ACK })));
  const { tcpAt } = packetEnds(malformed);
  if (FAMILY === 'ipv4') first[6] = 0x20;
  const extensions = [{ header: 44, bytes: [0, 0, 0, 1, 0, 0, 0, 9] }];
  const fragment = FAMILY === 'ipv4' ? first : buildTcp(packetIn({ ...report, flags: ACK, extensions }));
  malformed[tcpAt + 12] = 0x40;
  datagram[FAMILY === 'ipv4' ? 9 : 6] = 17;
  const from = (queue: number, packet: TcpPacket, flags = 0) => ({ queue, flags, bytes: buildTcp(packetIn(packet)) });
  return [
    ...[Uint8Array.of(0x70, 0, 0, 0), fragment, malformed, datagram].map((bytes) => ({ queue: 0, flags: 0, bytes })),
    from(0, { ...report, flags: ACK }, PacketFlag.Truncated),
    from(0, { ...report, destinationPort: 8080, flags: SYN }),
    from(0, { ...report, destinationPort: 9999, flags: SYN }),
    from(0, { ...woken, flags: ACK }),
    from(2, { ...wake, flags: ACK }),
    // The SYN went to the ITMS before the collector woke the CPE: its retransmission is pinned.
    from(0, { ...report, flags: SYN, sequence: 1 }),
    from(2, { ...wake, flags: SYN, sequence: -5 }),
    from(2, { ...wake, flags: SYN, sequence: -5 }),
    from(0, { ...woken, flags: SYN | ACK }),
    from(0, { ...woken, flags: ACK, sequence: 0x7fffffff, payload: 'HTTP/1.1 200 OK\r\n\r\n' }),
    from(0, { ...report, flags: SYN, sequence: 1 }),
    // A new SYN onto a live connection, and a reset of either end.
    from(0, { ...report, sourcePort: 40_010, flags: SYN, sequence: 2 }),
    from(2, { ...served, flags: SYN | ACK }),
    from(0, { ...report, sourcePort: 40_010, flags: SYN, sequence: 3 }),
    from(0, { ...report, sourcePort: 40_010, flags: RST }),
    from(2, { ...served, flags: ACK }),
    from(2, { ...served, flags: RST }),
    from(2, { ...wake, flags: RST }),
    ...errors(),
  ];
}

/** Errors about packets of either end, and one that belongs to nobody. */
function errors(): QueuedPacket[] {
  const asAcs = { source: '10.1.0.1', destination: '10.1.7.9', sourcePort: 7547, destinationPort: 40_010, flags: ACK };
  const ofCpe = { source: '10.1.7.9', destination: '10.2.0.2', sourcePort: 40_009, destinationPort: 7547, flags: ACK };
  const type = TYPES['too big'][FAMILY];
  const about = (queue: number, destination: string, packet: TcpPacket) => {
    const quoted = buildTcp(packetIn(packet));
    return { queue, flags: 0, bytes: buildError({ source: '10.9.9.9', destination, type, quoted }) };
  };
  return [
    about(0, '10.1.0.1', asAcs),
    about(1, '10.1.7.9', ofCpe),
    about(0, '10.1.7.9', ofCpe),
    {
      ...about(0, '10.1.0.1', asAcs),
      bytes: buildError({ source: '10.9.9.9', destination: '10.1.0.1', type, quoted: new Uint8Array(9) }),
    },
  ];
}

/** A flood from addresses that as unsigned numbers would be no small integers. */
function strangers(): QueuedPacket[] {
  return Array.from({ length: 128 }, (_, n) => {
    const source = 0xf0000000 | (Math.imul(n, 0x9e3779b1) >>> 4) | 0;
    const syn = {
      source: formatIpv4(source),
      destination: '10.1.0.1',
      sourcePort: n + 1,
      destinationPort: 7547,
      flags: 0x02,
      sequence: -n,
    };
    return { queue: n & 3, flags: 0, bytes: buildTcp(packetIn(syn)) };
  });
}

function measured(...mode: string[]): AllocationResult {
  // A young generation that holds what a spoilt run leaves; optimization on the main thread, so that it is over in time.
  const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64', '--single-threaded'];
  const output = execFileSync(process.execPath, [...flags, program, inputFile, ...mode], { encoding: 'utf8' });
  return JSON.parse(output) as AllocationResult;
}

/** The quietest round: late optimization may disturb another, what allocates disturbs all. */
function leastGrowth({ roundBytes }: AllocationResult): number {
  // A heap that shrinks was collected, so that it had been filled.
  return Math.min(...roundBytes.map((bytes) => (bytes < 0 ? Infinity : bytes)));
}

/** What does not depend on the family is tested in one. */
const onceOnly = FAMILY === 'ipv4' ? test : () => undefined;

onceOnly(
  'packets of every kind, decided and swept, leave nothing on the heap',
  () => {
    const result = measured();
    expect(leastGrowth(result)).toBeLessThan(MOST_BYTES);
    expect(result.reasons.length).toBeGreaterThan(LEAST_REASONS);
    expect(result.packetsPerRound).toBeGreaterThanOrEqual(LEAST_PACKETS);
  },
  60_000,
);

// The last does all that the others do.
test.each([
  ...(FAMILY === 'ipv4' ? [['counted and timed', 'observed'] as const] : []),
  ['counted, timed and traced', 'traced'] as const,
])(
  'neither do they where they are %s',
  (_, mode) => {
    const result = measured(mode);
    expect(leastGrowth(result)).toBeLessThan(MOST_BYTES);
    expect(result.reasons.length).toBeGreaterThan(LEAST_REASONS);
    expect(result.packetsPerRound).toBeGreaterThanOrEqual(LEAST_PACKETS);
    expect(result.observed).toBeGreaterThan(2 * result.roundBytes.length * result.packetsPerRound);
    expect(result.traced).toBe(mode === 'traced' ? result.observed : 0);
  },
  60_000,
);

onceOnly(
  'the measuring would see one small object a packet',
  () => {
    expect(leastGrowth(measured('spoilt'))).toBeGreaterThan(LEAST_SPOILT_BYTES);
  },
  60_000,
);

function callSites(program: string, argv: string[], pattern: RegExp): CallSites {
  const log = join(folder, 'v8.log');
  execFileSync(process.execPath, [...CALL_SITE_FLAGS, `--logfile=${log}`, program, ...argv]);
  return readCallSites(readFileSync(log, 'utf8'), pattern);
}

test('no site of the packet path is megamorphic, whatever the packets', () => {
  const { seen, megamorphic } = callSites(program, [inputFile, 'once'], /\/src\/(packet|tables|splitter)\//);
  expect(megamorphic).toEqual([]);
  expect(seen).toBeGreaterThan(100);
}, 60_000);

onceOnly(
  'the log would show a site that met five shapes',
  () => {
    const spoilt = join(folder, 'spoilt.js');
    const shapes = '[{ a: 1 }, { a: 1, b: 1 }, { a: 1, c: 1 }, { a: 1, d: 1 }, { a: 1, e: 1 }]';
    writeFileSync(spoilt, `const read = (shape) => shape.a;\nfor (let n = 0; n < 9; n++) ${shapes}.forEach(read);`);
    const { megamorphic } = callSites(spoilt, [], /spoilt\.js/);
    expect(megamorphic).toEqual([expect.stringMatching(/^a at read /)]);
  },
  60_000,
);
