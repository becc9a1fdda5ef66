/**
 * The seed corpus: packets of every kind that the splitter knows, over both families, that belong to connections which
 * `opening` has opened; and the inputs stored in corpus/, one a file.
 *
 *     # what it is
 *     queue 0 flags 0
 *     60 00 00 00 ...
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildTcp, type Extension, type TcpPacket } from '../../src/packet/builder';
import { type Family } from '../../src/packet/address';
import { packetIn } from '../support/family';
import { type QueuedPacket } from '../support/fixture-packets';
import { buildError, TYPES } from '../support/icmp';

export interface Input {
  name: string;
  queue: number;
  flags: number;
  bytes: Uint8Array;
}

const CORPUS = join(__dirname, 'corpus');
const OK = 'HTTP/1.1 200 OK\r\n\r\n';
const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
const ACS = '10.1.0.1';
const CPE = '10.1.7.1';
const OTHER_CPE = '10.1.7.2';
const BOOTED_CPE = '10.1.7.3';
const SERVERS = {
  itms: '10.2.0.2',
  c1: '10.3.0.2',
  c2: '10.3.0.3',
  canary: '10.3.0.4',
  down: '10.3.0.5',
  busy: '10.3.0.6',
};
const PINNED_CPE = '10.1.7.4';
/** Each woken by the collector beside it, which does not get the session. */
const REFUSED: readonly [cpe: string, server: keyof typeof SERVERS][] = [
  ['10.1.7.5', 'canary'],
  ['10.1.7.6', 'down'],
  ['10.1.7.7', 'busy'],
];

/** Collectors that get no session of these CPEs: theirs are other networks, it is not usable, its rate is none. */
export const LIMITED: readonly { name: string; address: string; networks?: string[]; maxPerSecond?: number }[] = [
  { name: 'canary', address: SERVERS.canary, networks: ['10.1.8.0/24'] },
  { name: 'down', address: SERVERS.down },
  { name: 'busy', address: SERVERS.busy, maxPerSecond: 0 },
];

const REQUEST = 'GET / HTTP/1.1\r\n\r\n';

/** How far behind the first SYN of a connection a second one begins. */
const SECOND_SYN = 500_000;

/** Where the directions of this round's connections begin: first sequence numbers. */
function begins(round: number): { opener: number; cpe: number; collector: number } {
  return { opener: 1000 + round, cpe: 7_000_000 + round, collector: 9_000_000 + round };
}

/**
 * What opens the connections that the seeds belong to, in both families: c1 has woken the CPE, which reports to it from
 * port 40001; c2 asks from the port that c1 has, and the ITMS from another; c2 has woken another CPE, and a third, which
 * reports to it from port 40003 and has sent another SYN there.
 *
 * @param round makes the SYNs new ones
 */
export function opening(round: number): Omit<QueuedPacket, 'ms'>[] {
  const [SYN, SYN_ACK, ACK, FIN_ACK] = [0x02, 0x12, 0x10, 0x11];
  const isn = begins(round);
  const asks = (queue: number, server: keyof typeof SERVERS, port: number, visible: number, cpe = CPE) => {
    const back = { source: cpe, sourcePort: 7547, destination: ACS, destinationPort: visible };
    const there = { source: SERVERS[server], sourcePort: port, destination: cpe, destinationPort: 7547 };
    const [sequence, answer] = [isn.opener + 1, isn.cpe + 1];
    const asked = sequence + REQUEST.length;
    return [
      { queue, packet: { ...there, flags: SYN, sequence: isn.opener } },
      { queue: 0, packet: { ...back, flags: SYN_ACK, sequence: isn.cpe, acknowledgement: sequence } },
      { queue, packet: { ...there, flags: ACK, sequence, acknowledgement: answer, payload: REQUEST } },
      { queue: 0, packet: { ...back, flags: ACK, sequence: answer, acknowledgement: asked, payload: OK } },
    ];
  };
  const report = { source: CPE, sourcePort: 40001, destination: ACS, destinationPort: 7547 };
  const served = { source: SERVERS.c1, sourcePort: 7547, destination: CPE, destinationPort: 40001 };
  const booted = { ...report, source: BOOTED_CPE, sourcePort: 40003 };
  const bootedServed = { ...served, source: SERVERS.c2, destination: BOOTED_CPE, destinationPort: 40003 };
  const [sequence, acknowledgement] = [isn.opener + 1, isn.collector + 1];
  const packets = [
    // The end of the round before: a server's FIN needs no proof.
    { queue: 2, packet: { ...served, flags: FIN_ACK, sequence: isn.collector, acknowledgement: isn.opener } },
    ...asks(2, 'c1', 50001, 50001),
    { queue: 0, packet: { ...report, flags: SYN, sequence: isn.opener } },
    { queue: 2, packet: { ...served, flags: SYN_ACK, sequence: isn.collector, acknowledgement: sequence } },
    { queue: 0, packet: { ...report, flags: ACK, sequence, acknowledgement, payload: REQUEST } },
    {
      queue: 2,
      packet: { ...served, flags: ACK, sequence: acknowledgement, acknowledgement: sequence + REQUEST.length },
    },
    ...asks(2, 'c2', 50001, 61000).slice(0, 2),
    ...asks(1, 'itms', 50002, 50002).slice(0, 2),
    ...asks(2, 'c2', 50003, 50003, OTHER_CPE),
    ...asks(2, 'c2', 50004, 50004, BOOTED_CPE),
    { queue: 0, packet: { ...booted, flags: SYN, sequence: isn.opener } },
    { queue: 2, packet: { ...bootedServed, flags: SYN_ACK, sequence: isn.collector, acknowledgement: sequence } },
    { queue: 0, packet: { ...booted, flags: ACK, sequence, acknowledgement } },
    { queue: 0, packet: { ...booted, flags: SYN, sequence: isn.opener + SECOND_SYN } },
    { queue: 0, packet: { ...report, source: PINNED_CPE, flags: SYN, sequence: isn.opener } },
    ...asks(2, 'c2', 50005, 50005, PINNED_CPE),
    ...REFUSED.flatMap(([cpe, server], n) => asks(2, server, 50006 + n, 50006 + n, cpe)),
  ];
  return packets.flatMap(({ queue, packet }) =>
    FAMILIES.map((family) => ({ queue, bytes: buildTcp(packetIn(packet, family)) })),
  );
}

/** @param round of the connections that they belong to: a packet with the numbers of another proves nothing */
export function seeds(round: number): Input[] {
  return [
    ...FAMILIES.flatMap((family) => [...tcpSeeds(family, round), ...crowdSeeds(family), ...errorSeeds(family)]),
    ...stored(),
  ];
}

const EXTENSIONS: Extension[] = [
  { header: 0, bytes: [0, 0, 5, 2, 0, 0, 1, 0] },
  { header: 60, bytes: [0, 1, 1, 12, ...new Array<number>(12).fill(0)] },
  { header: 43, bytes: [0, 2, 4, 0, ...new Array<number>(20).fill(1)] },
  { header: 44, bytes: [0, 0, 0, 0, 1, 2, 3, 4] },
];

/** One packet of each side, port class and type. */
function tcpSeeds(family: Family, round: number): Input[] {
  const toAcs = (destinationPort: number, sourcePort = 40001) => ({
    source: CPE,
    sourcePort,
    destination: ACS,
    destinationPort,
  });
  const toCpe = (server: keyof typeof SERVERS, sourcePort: number, destinationPort: number) => ({
    source: SERVERS[server],
    sourcePort,
    destination: CPE,
    destinationPort,
  });
  const isn = begins(round);
  const ofReport = { sequence: isn.opener + 1 + REQUEST.length, acknowledgement: isn.collector + 1 };
  const ofServed = { sequence: isn.collector + 1, acknowledgement: ofReport.sequence };
  const ofRequest = { sequence: isn.opener + 1 + REQUEST.length, acknowledgement: isn.cpe + 1 };
  const ofAnswer = { sequence: isn.cpe + 1 + OK.length, acknowledgement: ofRequest.sequence };
  const ends: [number, Omit<TcpPacket, 'flags'>][] = [
    [0, { ...toAcs(7547), ...ofReport }],
    [0, { ...toAcs(7547), source: OTHER_CPE }],
    [0, { ...toAcs(7547), source: PINNED_CPE, sequence: isn.opener }],
    ...REFUSED.map(([source]): [number, Omit<TcpPacket, 'flags'>] => [0, { ...toAcs(7547), source }]),
    [0, { ...toAcs(50001, 7547), ...ofAnswer }],
    [0, toAcs(22)],
    [0, toAcs(8080)],
    [1, toCpe('itms', 7547, 40001)],
    [1, { ...toCpe('itms', 50002, 7547), ...ofRequest }],
    [2, { ...toCpe('c1', 7547, 40001), ...ofServed }],
    // A collector that has forgotten the connection answers the second SYN.
    [2, { ...toCpe('c2', 7547, 40003), destination: BOOTED_CPE, acknowledgement: isn.opener + SECOND_SYN + 1 }],
    [2, { ...toCpe('c1', 50001, 7547), ...ofRequest }],
    [2, toCpe('c2', 50001, 7547)],
  ];
  const options = Uint8Array.of(2, 4, 5, 0xb4, 1, 1, 1, 1);
  return ends.flatMap(([queue, { sequence = 1000, ...packet }]) =>
    [0x02, 0x12, 0x10, 0x11, 0x04].map((flags) => {
      const shape = flags === 0x02 ? { options } : { payload: flags === 0x10 ? OK : '' };
      const extensions = family === 'ipv6' && flags === 0x10 ? { extensions: EXTENSIONS } : {};
      const bytes = buildTcp(packetIn({ ...packet, ...shape, ...extensions, flags, sequence }, family));
      return { name: `${family}, flags ${flags}, queue ${queue}`, queue, flags: 0, bytes };
    }),
  );
}

/** SYNs of one CPE, and of a collector to one, more than are remembered of one. */
function crowdSeeds(family: Family): Input[] {
  const ends = (port: number) => ({ source: OTHER_CPE, sourcePort: port, destination: ACS, destinationPort: 7547 });
  const asks = (port: number) => ({
    source: SERVERS.c2,
    sourcePort: port,
    destination: OTHER_CPE,
    destinationPort: 7547,
  });
  const numbered = (count: number) => Array.from({ length: count }, (_, n) => n);
  const packets: [number, Omit<TcpPacket, 'flags'>][] = [
    ...numbered(5).map((n): [number, Omit<TcpPacket, 'flags'>] => [0, ends(40_002 + n)]),
    ...numbered(17).map((n): [number, Omit<TcpPacket, 'flags'>] => [2, asks(50_010 + n)]),
  ];
  return packets.map(([queue, packet]) => {
    const bytes = buildTcp(packetIn({ ...packet, flags: 0x02, sequence: 1000 }, family));
    return { name: `${family}, SYN of a crowd, queue ${queue}`, queue, flags: 0, bytes };
  });
}

/** Errors of every type that quote a packet of each of them, whole and in part. */
function errorSeeds(family: Family): Input[] {
  const asAcs = (port: number, cpePort: number) => ({
    source: ACS,
    sourcePort: port,
    destination: CPE,
    destinationPort: cpePort,
  });
  const ofCpe = (server: string, cpePort: number, port: number) => ({
    source: CPE,
    sourcePort: cpePort,
    destination: server,
    destinationPort: port,
  });
  const quotes: [number, string, Omit<TcpPacket, 'flags'>][] = [
    [0, ACS, asAcs(7547, 40001)],
    [0, ACS, asAcs(50001, 7547)],
    [3, ACS, asAcs(61000, 7547)],
    [1, CPE, ofCpe(SERVERS.itms, 40001, 7547)],
    [2, CPE, ofCpe(SERVERS.c1, 40001, 7547)],
    [3, CPE, ofCpe(SERVERS.c2, 7547, 50001)],
    // A diverted SYN of the crowd.
    [2, OTHER_CPE, { ...ofCpe(SERVERS.c2, 40_002, 7547), source: OTHER_CPE, sequence: 1000 }],
  ];
  return quotes.flatMap(([queue, destination, ends]) =>
    Object.entries(TYPES).map(([what, types], n) => {
      const whole = buildTcp(packetIn({ ...ends, flags: 0x10, payload: 'x'.repeat(40) }, family));
      const quoted = n % 2 === 0 ? whole : whole.slice(0, family === 'ipv4' ? 28 : 48);
      const bytes = buildError({ source: '10.9.9.9', destination, type: types[family], rest: 1400, quoted }, family);
      return { name: `${family}, ${what}, queue ${queue}`, queue, flags: 0, bytes };
    }),
  );
}

function stored(): Input[] {
  return readdirSync(CORPUS).map((file) => readInput(file, readFileSync(join(CORPUS, file), 'utf8')));
}

/** @throws Error where the text is none */
function readInput(name: string, text: string): Input {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const head = /^queue ([0-3]) flags (\d+)$/.exec(lines[0] ?? '');
  const hex = lines.slice(1).join('').replace(/\s/g, '');
  if (!head || !/^([0-9a-f]{2})*$/.test(hex)) throw new Error(`${name} is no input: queue N flags N, then hex`);
  return { name, queue: Number(head[1]), flags: Number(head[2]), bytes: Uint8Array.from(Buffer.from(hex, 'hex')) };
}

/** The text that `readInput` reads. */
export function writeInput({ name, queue, flags, bytes }: Input): string {
  const hex = Buffer.from(bytes)
    .toString('hex')
    .replace(/(.{2})(?!$)/g, '$1 ');
  return `# ${name}\nqueue ${queue} flags ${flags}\n${hex.replace(/(.{95}) /g, '$1\n')}\n`;
}
