/**
 * Random traffic for reference and core: few CPEs, ports and sequence numbers, so that things meet; whole conversations and
 * stray packets, time in steps around every life, a reload now and then, and bytes that lie.
 */
import * as fc from 'fast-check';
import {
  CPE_PORT,
  FLAGS,
  GET,
  ITMS_PORT,
  OK,
  type Party,
  REPORT_PORT,
  type Server,
  type Type,
  UNAUTHORIZED,
} from '../support/rig';

export interface Sent {
  /** `peer`: whichever server has the connection when it comes to this packet, the ITMS if nobody. */
  from: Party | 'peer';
  type: Type;
  cpe: string;
  cpePort: number;
  /** At the ACS address. */
  port: number;
  sequence: number;
  /** By how much it acknowledges more than its own sequence number; what an answer to a SYN of that ISN would. */
  ahead?: number;
  payload: string;
}

export type Act =
  | { what: 'wait'; ms: number }
  | { what: 'send'; packets: Sent[] }
  | { what: 'corrupt'; packet: Sent; at: number; value: number; cut: number }
  | { what: 'reload'; collectors: ('c1' | 'c2')[] }
  | { what: 'pause'; paused: boolean }
  | { what: 'sweep' }
  | { what: 'activate' | 'deactivate'; cpe: string; collector: 'c1' | 'c2' };

const CPES = ['10.1.7.1', '10.1.7.1', '10.1.7.2'];
const REPORT_CPE_PORTS = [40001, 40002, 40003];
const REQUEST_PORTS = [50001, 50001, 50002, 61000];
const PAYLOADS = [OK, UNAUTHORIZED, 'HTTP/1.1 2', 'H', 'vendor protocol', GET];
const SEQUENCES = [1000, 1001, 7001, 7050, 0xfffffff0, 0x7fffffff, 5];
const ISNS = [1000, 1000, 5];
/** Each life, a millisecond less, and one more. */
const LIVES_MS = [10_000, 30_000, 60_000, 75_000, 120_000, 130_000, 240_000, 7_500_000];
const EDGES_MS = LIVES_MS.flatMap((ms) => [ms - 1, ms, ms + 1]);

const cpe = fc.constantFrom(...CPES);
const collector = fc.constantFrom<'c1' | 'c2'>('c1', 'c2');
const server = fc.constantFrom<Server>('c1', 'c1', 'c2', 'itms');
const anyServer = fc.constantFrom<Sent['from']>('peer', 'peer', 'peer', 'c1', 'c2', 'itms');
const anybody = fc.oneof(fc.constant<Sent['from']>('cpe'), anyServer);
const requestPort = fc.constantFrom(...REQUEST_PORTS);
const reportCpePort = fc.constantFrom(...REPORT_CPE_PORTS);
const sequence = fc.constantFrom(...SEQUENCES);
const isn = fc.constantFrom(...ISNS);
/** Of the SYN, of 64 KiB with it, and what cannot answer it. */
const ahead = fc.constantFrom(1, 1, 1, 0, -1, 2, 65_536, 65_537);
const types = fc.constantFrom(...(Object.keys(FLAGS) as Type[]));
const ends = fc.constantFrom<Type>('ACK', 'DATA', 'FIN', 'FIN', 'FIN', 'RST');

/** Any packet at all: most of them belong to nothing. */
const stray: fc.Arbitrary<Sent> = fc.record({
  from: fc.constantFrom<Party>('cpe', 'c1', 'c2', 'itms'),
  type: types,
  cpe,
  cpePort: fc.constantFrom(...REPORT_CPE_PORTS, CPE_PORT),
  port: fc.constantFrom(REPORT_PORT, REPORT_PORT, 9090, ITMS_PORT, ...REQUEST_PORTS, 61001, 22),
  sequence,
  payload: fc.constantFrom('', ...PAYLOADS),
});

/** Any packet of a report connection, or of a Connection Request. */
const onReport = fc
  .tuple(anybody, types, cpe, reportCpePort, isn, ahead)
  .map(([from, type, of, cpePort, at, by]) => ({ ...packet(from, type, reportEnd(of, cpePort), at), ahead: by }));
const onRequest = fc
  .tuple(anybody, types, cpe, requestPort, sequence, fc.constantFrom('', ...PAYLOADS), ahead)
  .map(([from, type, of, port, at, payload, by]) => ({
    ...packet(from, type, requestEnd(of, port), at, type === 'DATA' || type === 'FIN' ? payload : ''),
    ahead: by,
  }));

/** A server asks, the CPE answers; how it ends is left to another act. */
const request = fc
  .tuple(server, cpe, requestPort, isn, fc.constantFrom(...PAYLOADS), fc.constantFrom(7001, 7050))
  .map(([from, of, port, at, payload, answerAt]) => [
    packet(from, 'SYN', requestEnd(of, port), at),
    packet('cpe', 'SYN+ACK', requestEnd(of, port), 7000),
    packet('cpe', 'DATA', requestEnd(of, port), answerAt, payload),
  ]);

/** A CPE opens, the server that it gets answers, and something follows. */
const session = fc
  .tuple(cpe, reportCpePort, isn, ends, ends)
  .map(([of, cpePort, at, first, second]) => [
    packet('cpe', 'SYN', reportEnd(of, cpePort), at),
    packet('peer', 'SYN+ACK', reportEnd(of, cpePort), at),
    packet('cpe', first, reportEnd(of, cpePort), at + 1),
    packet('peer', second, reportEnd(of, cpePort), at + 1),
  ]);

/** A collector wakes a CPE, which comes. */
const story = fc
  .tuple(collector, cpe, requestPort, isn, session)
  .map(([from, of, port, at, visit]) => [
    packet(from, 'SYN', requestEnd(of, port), at),
    packet('cpe', 'SYN+ACK', requestEnd(of, port), 7000),
    packet('cpe', 'DATA', requestEnd(of, port), 7001, OK),
    packet('peer', 'FIN', requestEnd(of, port), at + 1),
    ...visit.map((sent) => ({ ...sent, cpe: of })),
  ]);

type End = Pick<Sent, 'cpe' | 'cpePort' | 'port'>;

function reportEnd(of: string, cpePort: number): End {
  return { cpe: of, cpePort, port: REPORT_PORT };
}

function requestEnd(of: string, port: number): End {
  return { cpe: of, cpePort: CPE_PORT, port };
}

function packet(from: Sent['from'], type: Type, end: End, at: number, payload = ''): Sent {
  return { from, type, ...end, sequence: at, payload };
}

const one = (packet: fc.Arbitrary<Sent>) => packet.map((sent): Sent[] => [sent]);

const send = (packets: fc.Arbitrary<Sent[]>) => fc.record({ what: fc.constant('send' as const), packets });
const wait = (ms: fc.Arbitrary<number>) => fc.record({ what: fc.constant('wait' as const), ms });

const hand: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    what: fc.constant('reload' as const),
    collectors: fc.constantFrom<('c1' | 'c2')[]>(['c1', 'c2'], ['c2', 'c1'], ['c1', 'c2'], ['c1']),
  }),
  fc.record({ what: fc.constant('pause' as const), paused: fc.constantFrom(false, false, true) }),
  fc.record({ what: fc.constant('sweep' as const) }),
  fc.record({ what: fc.constantFrom('activate' as const, 'activate' as const, 'deactivate' as const), cpe, collector }),
);

const corruption: fc.Arbitrary<Act> = fc.record({
  what: fc.constant('corrupt' as const),
  packet: fc.oneof(stray, onReport, onRequest),
  at: fc.integer({ min: 0, max: 39 }),
  value: fc.integer({ min: 0, max: 255 }),
  cut: fc.constantFrom(0, 0, 0, 1, 19, 20, 21),
});

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: send(request) },
  { weight: 6, arbitrary: send(session) },
  { weight: 5, arbitrary: send(story) },
  { weight: 12, arbitrary: send(one(onReport)) },
  { weight: 10, arbitrary: send(one(onRequest)) },
  { weight: 2, arbitrary: send(one(stray)) },
  { weight: 3, arbitrary: wait(fc.integer({ min: 0, max: 900 })) },
  { weight: 2, arbitrary: wait(fc.constantFrom(1999, 2000, 2001)) },
  { weight: 2, arbitrary: wait(fc.constantFrom(...EDGES_MS)) },
  { weight: 1, arbitrary: corruption },
  { weight: 1, arbitrary: hand },
);

/** Enough acts for some seventy packets. */
export const acts = fc.array(act, { minLength: 1, maxLength: 80, size: 'max' });

/** As a failing sequence is printed: a line an act. */
export function actText(act: Act): string {
  if (act.what === 'send') return act.packets.map(packetText).join('\n');
  if (act.what === 'corrupt')
    return `corrupt: ${packetText(act.packet)}, byte ${act.at} is ${act.value}, ${act.cut} bytes cut`;
  return JSON.stringify(act);
}

function packetText({ from, type, cpe, cpePort, port, sequence, ahead = 1, payload }: Sent): string {
  return `${from} sends ${type}, ${cpe}:${cpePort} and port ${port}, sequence ${sequence}, acknowledging ${ahead} more, ${JSON.stringify(payload)}`;
}
