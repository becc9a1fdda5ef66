/**
 * The cost of a decision: ns and heap bytes per packet, by kind of packet and mixed. A child process of micro.ts, run
 * with --expose-gc; argument and answer are JSON.
 */
import { setFlagsFromString } from 'node:v8';
import { PacketBatch } from '../../src/packet/batch';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { INLINING_FLAG } from '../../src/splitter/inlining';
import { reasonName } from '../../src/splitter/reasons';
import { Splitter } from '../../src/splitter/splitter';
import { median } from './numbers';
import { liveCpe, numbersOf, populate, PORTS, topologyOf } from './population';

export interface DecideOptions {
  rounds: number;
  entries: number;
  capacity: number;
  collectors: number;
}

export interface DecideRow {
  name: string;
  ns: number;
  bytes: number;
  /** Of the last packet; every packet of a kind has the same. */
  reason: string;
}

const BATCH = 64;
const PACKETS_PER_KIND = 16_384;
const PAYLOAD = 'x'.repeat(340);
/** Times that every kind's packets are decided in a round. */
const PASSES = 6;
const HEAP_PASSES = 3;
const NOW_MS = 1_000_000;
const UNKNOWN_PORT = 60_000;

interface Packet {
  queue: number;
  bytes: Uint8Array;
}

type Kind = [name: string, shareOfMix: number, make: (n: number) => Packet];

setFlagsFromString(INLINING_FLAG); // as the engine does
const options = JSON.parse(process.argv[2]) as DecideOptions;
const collectorOf = (n: number) => `10.3.0.${2 + (n % options.collectors)}`;
const highPart = (n: number) => n >>> 23;

const fromCpe = (n: number, sourcePort: number, destinationPort: number, flags: number, payload = '') => ({
  queue: 0,
  bytes: buildTcp({
    source: liveCpe(n),
    sourcePort,
    destination: '10.1.0.1',
    destinationPort,
    flags,
    sequence: numbersOf(n).cpe,
    acknowledgement: flags === TcpFlag.Syn ? 0 : numbersOf(n).server,
    payload,
  }),
});
const fromServer = (n: number, source: string, sourcePort: number, destinationPort: number, payload: string) => ({
  queue: source === '10.2.0.2' ? 1 : 2,
  bytes: buildTcp({
    source,
    sourcePort,
    destination: liveCpe(n),
    destinationPort,
    flags: TcpFlag.Ack,
    sequence: numbersOf(n).server,
    acknowledgement: numbersOf(n).cpe,
    payload,
  }),
});
const answer = 'HTTP/1.1 401 Unauthorized\r\n\r\n';
const request = 'GET / HTTP/1.1\r\n\r\n';

const KINDS: Kind[] = [
  ['CPE, diverted connection', 20, (n) => fromCpe(n, PORTS.cpe + highPart(n), PORTS.report, TcpFlag.Ack, PAYLOAD)],
  [
    'collector, diverted connection',
    16,
    (n) => fromServer(n, collectorOf(n), PORTS.report, PORTS.cpe + highPart(n), PAYLOAD),
  ],
  ['CPE, undiverted connection', 10, (n) => fromCpe(n, UNKNOWN_PORT, PORTS.report, TcpFlag.Ack, PAYLOAD)],
  ['ITMS, undiverted connection', 8, (n) => fromServer(n, '10.2.0.2', PORTS.report, UNKNOWN_PORT, PAYLOAD)],
  ['CPE, SYN that goes to the ITMS', 4, (n) => fromCpe(n, UNKNOWN_PORT + (n & 255), PORTS.report, TcpFlag.Syn)],
  [
    'CPE, answer to a Connection Request',
    3,
    (n) => fromCpe(n, PORTS.request, PORTS.collector + highPart(n), TcpFlag.Ack, answer),
  ],
  [
    'collector, Connection Request',
    3,
    (n) => fromServer(n, collectorOf(n), PORTS.collector + highPart(n), PORTS.request, request),
  ],
];

/** Numbers that look like chance and are the same in every run. */
function shuffled(count: number, below: number): Uint32Array {
  let seed = 0x2545f491;
  return new Uint32Array(count).map(() => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
  });
}

class Decisions {
  private readonly splitter: Splitter;
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(BATCH)), BATCH);

  constructor() {
    const { collectors, capacity, entries } = options;
    const topology = topologyOf(collectors);
    this.splitter = new Splitter({ topology, activation: 'auto', capacityEntries: capacity, seed: 4711 });
    populate(this.splitter, entries, NOW_MS, collectors);
  }

  /**
   * ns per packet of the median batch; excludes laying out the packets again, which is needed because they are
   * rewritten.
   */
  ns(packets: readonly Packet[]): number {
    const spent: number[] = [];
    for (let pass = 0; pass < PASSES; pass++) {
      for (let first = 0; first < packets.length; first += BATCH) {
        this.lay(packets, first);
        const startedMs = performance.now();
        this.splitter.decide(this.batch, NOW_MS);
        spent.push(performance.now() - startedMs);
      }
    }
    return (median(spent) * 1e6) / BATCH;
  }

  /**
   * Bytes of heap a packet. A collection makes the compiler forget, so that the first pass is for it to learn again, and
   * the least of the others counts: what a packet costs, every pass shows.
   */
  bytes(packets: readonly Packet[]): number {
    globalThis.gc!();
    this.decideAll(packets);
    let least = Infinity;
    for (let pass = 0; pass < HEAP_PASSES; pass++) {
      const before = process.memoryUsage().heapUsed;
      this.decideAll(packets);
      least = Math.min(least, Math.max(0, process.memoryUsage().heapUsed - before));
    }
    return least / packets.length;
  }

  private decideAll(packets: readonly Packet[]): void {
    for (let first = 0; first < packets.length; first += BATCH) {
      this.lay(packets, first);
      this.splitter.decide(this.batch, NOW_MS);
    }
  }

  get reason(): string {
    return reasonName(this.batch.reason[BATCH - 1]);
  }

  private lay(packets: readonly Packet[], first: number): void {
    this.batch.count = 0;
    for (let i = first; i < first + BATCH; i++) this.batch.push(packets[i].queue, packets[i].bytes);
  }
}

function measure(): DecideRow[] {
  const decisions = new Decisions();
  const who = shuffled(PACKETS_PER_KIND, options.entries);
  const rows = KINDS.map(([name, , make]) => ({ name, packets: Array.from(who, (n) => make(n)) }));
  const shares = KINDS.flatMap(([, share], kind) => new Array<number>(share).fill(kind));
  const order = shuffled(PACKETS_PER_KIND, shares.length);
  rows.push({ name: 'mixed', packets: Array.from(order, (share, n) => rows[shares[share]].packets[n]) });
  for (const { packets } of rows) decisions.ns(packets);
  const results = rows.map(({ name }) => ({ name, ns: [] as number[], bytes: [] as number[], reason: '' }));
  for (let round = 0; round < options.rounds; round++) {
    rows.forEach(({ packets }, row) => {
      results[row].ns.push(decisions.ns(packets));
      results[row].bytes.push(decisions.bytes(packets));
      results[row].reason = decisions.reason;
    });
  }
  return results.map(({ name, ns, bytes, reason }) => {
    return { name, ns: median(ns), bytes: Math.min(...bytes), reason: name === 'mixed' ? '' : reason };
  });
}

process.stdout.write(JSON.stringify(measure()));
