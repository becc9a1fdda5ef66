/** The measuring half of test/bench/decide.ts, which starts it. Argument: rounds. */
import { PacketBatch } from '../../src/packet/batch';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { reasonName } from '../../src/splitter/reasons';
import { Splitter } from '../../src/splitter/splitter';
import { type Topology } from '../../src/splitter/topology';
import { Seen } from '../../src/tables/connection-table';
import { TtlTable } from '../../src/tables/ttl-table';

const TOPOLOGY: Topology = {
  cpe: { interface: 'cpe0', address: { ipv4: '10.1.0.1' }, networks: ['10.0.0.0/8'] },
  itms: { interface: 'itms0', address: { ipv4: '192.0.2.2' } },
  collectors: [{ name: 'c1', interface: 'col0', address: { ipv4: '198.51.100.2' } }],
  reportPorts: [7547],
  itmsPorts: [],
};
const COLLECTOR = 1;
const ENTRIES = 100_000;
const CAPACITY = 1_048_576;
const BATCH = 64;
const PACKETS_PER_KIND = 16_384;
const PAYLOAD = 'x'.repeat(340);
/** Times that every kind's packets are decided in a round. */
const PASSES = 12;
const NOW_MS = 1_000_000;
const LOOK_UPS = 1_000_000;
const TABLE_SIZES = [10_000, 1_000_000, 10_000_000];

interface Packet {
  queue: number;
  bytes: Uint8Array;
}

type Kind = [name: string, shareOfMix: number, make: (n: number) => Packet];

/** The n-th live CPE of each table; they are spread over the address space. */
const live = (n: number) => 0x0a000000 | (Math.imul(n % ENTRIES, 0x9e3779b1) >>> 8);
/** CPEs of which no table knows: they are not of the form of `live`, by another CPE port. */
const unknownPort = 50_000;

const fromCpe = (n: number, port: number, flags: number, payload = '') => ({
  queue: 0,
  bytes: buildTcp({
    source: live(n),
    sourcePort: port,
    destination: '10.1.0.1',
    destinationPort: 7547,
    flags,
    sequence: n,
    payload,
  }),
});
const fromServer = (n: number, queue: number, source: string, sourcePort: number, port: number, payload = '') => ({
  queue,
  bytes: buildTcp({ source, sourcePort, destination: live(n), destinationPort: port, flags: TcpFlag.Ack, payload }),
});

const KINDS: Kind[] = [
  ['CPE, diverted connection', 20, (n) => fromCpe(n, 40_001, TcpFlag.Ack, PAYLOAD)],
  ['collector, diverted connection', 16, (n) => fromServer(n, 2, '198.51.100.2', 7547, 40_001, PAYLOAD)],
  ['CPE, undiverted connection', 10, (n) => fromCpe(n, unknownPort, TcpFlag.Ack, PAYLOAD)],
  ['ITMS, undiverted connection', 8, (n) => fromServer(n, 1, '192.0.2.2', 7547, unknownPort, PAYLOAD)],
  ['CPE, SYN that goes to the ITMS', 4, (n) => fromCpe(n, unknownPort + (n & 0xff), TcpFlag.Syn)],
  [
    'CPE, answer to a Connection Request',
    3,
    (n) => ({
      queue: 0,
      bytes: buildTcp({
        source: live(n),
        sourcePort: 7170,
        destination: '10.1.0.1',
        destinationPort: 50_001,
        flags: TcpFlag.Ack,
        payload: 'HTTP/1.1 401 Unauthorized\r\n\r\n',
      }),
    }),
  ],
  ['collector, Connection Request', 3, (n) => fromServer(n, 2, '198.51.100.2', 50_001, 7170, 'GET / HTTP/1.1\r\n\r\n')],
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

function crowdedSplitter(): Splitter {
  const splitter = new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries: CAPACITY, seed: 4711 });
  const { state } = splitter;
  state.advance(NOW_MS);
  for (let n = 0; n < ENTRIES; n++) {
    state.reports.mark(state.reports.open(live(n), 40_001, 7547, COLLECTOR, n), Seen.Answer);
    state.requests.mark(state.requests.open(live(n), 7170, 50_001, COLLECTOR, n), Seen.Answer);
    state.activated.consume(state.activated.arm(live(n), COLLECTOR), 40_001, 7547);
  }
  return splitter;
}

interface Row {
  name: string;
  ns: number[];
  bytes: number[];
  reason: string;
}

class Decisions {
  private readonly splitter = crowdedSplitter();
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(BATCH)), BATCH);

  /** ns a packet that deciding them takes; laying them out anew, since they are rewritten, is not counted. */
  ns(packets: readonly Packet[]): number {
    let spentMs = 0;
    for (let pass = 0; pass < PASSES; pass++) {
      for (let first = 0; first < packets.length; first += BATCH) {
        this.lay(packets, first);
        const startedMs = performance.now();
        this.splitter.decide(this.batch, NOW_MS);
        spentMs += performance.now() - startedMs;
      }
    }
    return (spentMs * 1e6) / (packets.length * PASSES);
  }

  /** Bytes of heap a packet. */
  bytes(packets: readonly Packet[]): number {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let first = 0; first < packets.length; first += BATCH) {
      this.lay(packets, first);
      this.splitter.decide(this.batch, NOW_MS);
    }
    return (process.memoryUsage().heapUsed - before) / packets.length;
  }

  get reason(): string {
    return reasonName(this.batch.reason[BATCH - 1]);
  }

  private lay(packets: readonly Packet[], first: number): void {
    this.batch.count = 0;
    for (let i = first; i < first + BATCH; i++) this.batch.push(packets[i].queue, packets[i].bytes);
  }
}

function measureDecisions(rounds: number): Row[] {
  const decisions = new Decisions();
  const who = shuffled(PACKETS_PER_KIND, ENTRIES);
  const rows = KINDS.map(([name, , make]) => ({ name, packets: Array.from(who, (n) => make(n)) }));
  const shares = KINDS.flatMap(([, share], kind) => new Array<number>(share).fill(kind));
  const order = shuffled(PACKETS_PER_KIND, shares.length);
  const mixed = Array.from(order, (share, n) => rows[shares[share]].packets[n]);
  rows.push({ name: 'mixed', packets: mixed });
  for (const { packets } of rows) decisions.ns(packets);
  const results = rows.map(({ name }) => ({ name, ns: [] as number[], bytes: [] as number[], reason: '' }));
  for (let round = 0; round < rounds; round++) {
    rows.forEach(({ packets }, row) => {
      results[row].ns.push(decisions.ns(packets));
      results[row].bytes.push(decisions.bytes(packets));
      results[row].reason = decisions.reason;
    });
  }
  results[results.length - 1].reason = '';
  return results;
}

/** ns a look-up, of keys that are there and of keys that are not, in a table filled to its capacity. */
function measureLookUps(entries: number, rounds: number): { hit: number; miss: number; megabytes: number } {
  const shape = { capacityEntries: entries, keyWords: 2, valueWords: 1 };
  const buffer = new ArrayBuffer(TtlTable.bytes(shape));
  const table = new TtlTable(buffer, 0, shape, 4711, new Int32Array(64).fill(NOW_MS));
  table.advance(0);
  for (let n = 0; n < entries; n++) {
    table.key[0] = 0x0a000000 + n;
    table.key[1] = 40_001;
    if (table.claim(1) < 0) throw new Error('a table that is full too soon');
  }
  const who = shuffled(LOOK_UPS, entries);
  const nsOf = (port: number): number => {
    let found = 0;
    const startedMs = performance.now();
    for (let i = 0; i < LOOK_UPS; i++) {
      table.key[0] = 0x0a000000 + who[i];
      table.key[1] = port;
      if (table.find() >= 0) found++;
    }
    const spentMs = performance.now() - startedMs;
    if (found !== (port === 40_001 ? LOOK_UPS : 0)) throw new Error('a look-up that is wrong');
    return (spentMs * 1e6) / LOOK_UPS;
  };
  const all = Array.from({ length: rounds + 1 }, () => [nsOf(40_001), nsOf(40_002)]).slice(1);
  return {
    hit: median(all.map(([hit]) => hit)),
    miss: median(all.map(([, miss]) => miss)),
    megabytes: buffer.byteLength / 2 ** 20,
  };
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function collect(): void {
  const { gc } = globalThis;
  if (!gc) throw new Error('to be run with --expose-gc');
  gc();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function report(rounds: number): void {
  print(`decide, ${ENTRIES} live entries in each table of ${CAPACITY}, batches of ${BATCH}:`);
  for (const { name, ns, bytes, reason } of measureDecisions(rounds)) {
    const heap = Math.max(0, median(bytes)).toFixed(1);
    print(`  ${name.padEnd(36)} ${median(ns).toFixed(0).padStart(4)} ns/packet  ${heap} bytes  ${reason}`);
  }
  print('find in a table filled to its capacity:');
  for (const entries of TABLE_SIZES) {
    const { hit, miss, megabytes } = measureLookUps(entries, rounds);
    const size = `${String(entries).padStart(8)} entries, ${megabytes.toFixed(1).padStart(5)} MiB`;
    print(`  ${size}  hit ${hit.toFixed(0).padStart(4)} ns  miss ${miss.toFixed(0).padStart(4)} ns`);
  }
}

report(Number(process.argv[2]));
