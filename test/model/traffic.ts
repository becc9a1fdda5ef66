/**
 * Random traffic: few CPEs, ports and initial numbers, so that they collide; whole conversations with correct numbers,
 * stray packets with guessed ones, time steps around every life, an occasional reload, and malformed bytes.
 */
import * as fc from 'fast-check';
import { CPE_PORT, FLAGS, ITMS_PORT, REPORT_PORT, type Server, type Type } from '../support/rig';
import { type Act, type Place, type Sent } from './act';
import { ANSWERS, PIECED, REQUESTS, TLS } from './payloads';

const CPES = ['10.1.7.1', '10.1.7.1', '10.1.7.2'];
const REPORT_CPE_PORTS = [40001, 40001, 40002];
const REQUEST_PORTS = [50001, 50001, 50002, 61000];
const ISNS = [1000, 1000, 5, 0xfffffff0];
const NEXT: Place = { base: 'next', by: 0 };
/** Each life, a millisecond less, and one more. */
const LIVES_MS = [1_000, 2_000, 3_000, 4_000, 10_000, 30_000, 60_000, 75_000, 120_000, 130_000, 240_000, 300_000];
const EDGES_MS = [...LIVES_MS, 7_500_000].flatMap((ms) => [ms - 1, ms, ms + 1]);
/** Around what a proof allows. */
const OFFSETS = [0, 0, 0, 0, 1, -1, 2, 100, 101, 64_240, 64_241, 256_960, 256_961, 1_048_577, -1_048_577, 1e9];
const OLD_OFFSETS = [-65_536, -65_537, -256_960, -256_961];

const cpe = fc.constantFrom(...CPES);
const collector = fc.constantFrom<'c1' | 'c2'>('c1', 'c2');
const server = fc.constantFrom<Server>('c1', 'c1', 'c2', 'itms');
const anybody = fc.constantFrom<Sent['from']>('cpe', 'cpe', 'cpe', 'peer', 'peer', 'c1', 'c2', 'itms');
const requestPort = fc.constantFrom(...REQUEST_PORTS);
const reportCpePort = fc.constantFrom(...REPORT_CPE_PORTS);
const isn = fc.constantFrom(...ISNS);
const request = fc.constantFrom(...REQUESTS);
const answer = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ANSWERS).map((one) => [one]) },
  { weight: 1, arbitrary: fc.constantFrom(...PIECED) },
);
const types = fc.constantFrom(...(Object.keys(FLAGS) as Type[]));
const place: fc.Arbitrary<Place> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(NEXT) },
  {
    weight: 6,
    arbitrary: fc.record({
      base: fc.constantFrom<Place['base']>('next', 'last', 'acked', 'acked'),
      by: fc.constantFrom(...OFFSETS, ...OLD_OFFSETS),
    }),
  },
  { weight: 1, arbitrary: isn.map((by): Place => ({ base: 'zero', by })) },
);
const window = fc.constantFrom(64_240, 64_240, 64_240, 0, 100, 65_535);
const scale = fc.constantFrom(undefined, undefined, 0, 2, 14);
const isWrong = fc.constantFrom(false, false, false, false, false, false, true);

type End = Pick<Sent, 'cpe' | 'cpePort' | 'port'>;

const reportEnd = fc.record({ cpe, cpePort: reportCpePort, port: fc.constant(REPORT_PORT) });
const requestEnd = fc.record({ cpe, cpePort: fc.constant(CPE_PORT), port: requestPort });
const strayEnd = fc.record({
  cpe,
  cpePort: fc.constantFrom(...REPORT_CPE_PORTS, CPE_PORT),
  port: fc.constantFrom(REPORT_PORT, REPORT_PORT, 9090, ITMS_PORT, ...REQUEST_PORTS, 61001, 22),
});

/** Any packet of such a connection, with numbers near the true ones. */
function anyOn(end: fc.Arbitrary<End>): fc.Arbitrary<Sent> {
  const payload = fc.oneof(fc.constant(''), request, fc.constantFrom(...ANSWERS));
  return fc
    .tuple(end, fc.record({ from: anybody, type: types, sequence: place, acknowledgement: place }), payload, isWrong)
    .chain(([ends, head, text, wrong]) =>
      fc.record({ window, scale, isStray: fc.boolean() }).map(({ window: size, scale: offered, isStray }) => ({
        ...ends,
        ...head,
        payload: ['DATA', 'FIN', 'SYN', 'SYN+ACK'].includes(head.type) ? text : '',
        window: size,
        ...(head.type.startsWith('SYN') && { scale: offered }),
        ...(wrong && { isWrong: true }),
        ...(isStray && { isStray: true }),
      })),
    );
}

function packet(from: Sent['from'], type: Type, end: End, payload = '', more: Partial<Sent> = {}): Sent {
  return { from, type, ...end, sequence: NEXT, acknowledgement: NEXT, payload, window: 64_240, ...more };
}

function syn(from: Sent['from'], end: End, at: number, more: Partial<Sent> = {}): Sent {
  return packet(from, 'SYN', end, '', { sequence: { base: 'zero', by: at }, ...more });
}

function synAck(from: Sent['from'], end: End, at = 7000): Sent {
  return packet(from, 'SYN+ACK', end, '', { sequence: { base: 'zero', by: at } });
}

const again = (sent: Sent): Sent => ({ ...sent, sequence: { base: 'last', by: 0 } });
const sends = (packets: Sent[]): Act[] => packets.map((sent) => ({ what: 'send', packet: sent }));
const pause = (ms: number): Act => ({ what: 'wait', ms });

/** A conversation with one step left out, repeated, or delayed. */
function varied(steps: fc.Arbitrary<Sent[]>): fc.Arbitrary<Act[]> {
  const trouble = fc.constantFrom('none', 'none', 'lost', 'repeated', 'late');
  const ms = fc.constantFrom(1, 500, 999, 1000, 3000, 9999, 10_000);
  return fc.tuple(steps, trouble, fc.nat({ max: 12 }), ms).map(([packets, kind, at, late]) => {
    const acts = sends(packets);
    if (kind === 'none' || at >= packets.length) return acts;
    const step =
      kind === 'lost' ? [] : kind === 'late' ? [pause(late), acts[at]] : sends([packets[at], again(packets[at])]);
    return [...acts.slice(0, at), ...step, ...acts.slice(at + 1)];
  });
}

/** Ways in which a connection ends, or continues. */
const ending = fc.constantFrom<[Sent['from'], Type][]>(
  [],
  [
    ['peer', 'FIN'],
    ['cpe', 'FIN'],
    ['peer', 'ACK'],
  ],
  [
    ['cpe', 'FIN'],
    ['peer', 'FIN'],
    ['cpe', 'ACK'],
  ],
  [['cpe', 'RST']],
  [['peer', 'RST']],
  [
    ['peer', 'FIN'],
    ['cpe', 'bare RST'],
  ],
  [
    ['cpe', 'FIN'],
    ['peer', 'ACK'],
    ['cpe', 'bare RST'],
  ],
  [
    ['peer', 'ACK'],
    ['peer', 'FIN'],
  ],
);
const ends = (end: End, kinds: [Sent['from'], Type][]) => kinds.map(([from, type]) => packet(from, type, end));

/** A server asks, the CPE answers. */
function asking(from: Server, end: End, at: number, text: string, answers: string[]): Sent[] {
  return [
    syn(from, end, at),
    synAck('cpe', end),
    packet('peer', 'ACK', end),
    packet('peer', 'DATA', end, text),
    ...answers.map((one) => packet('cpe', 'DATA', end, one)),
  ];
}

const asked = fc
  .tuple(server, requestEnd, isn, request, answer, ending)
  .map(([from, end, at, text, answers, last]) => [...asking(from, end, at, text, answers), ...ends(end, last)]);

/** Another request on an established connection, and its answer. */
const askedAgain = fc
  .tuple(requestEnd, request, answer)
  .map(([end, text, answers]) => [
    packet('peer', 'DATA', end, text),
    ...answers.map((one) => packet('cpe', 'DATA', end, one)),
  ]);

/** A CPE opens, the server that it gets answers, and something follows. */
const session = fc
  .tuple(reportEnd, isn, fc.tuple(scale, scale), request, answer, ending)
  .map(([end, at, scales, text, answers, last]) => [
    syn('cpe', end, at, { scale: scales[0] }),
    { ...synAck('peer', end), scale: scales[1] },
    packet('cpe', 'ACK', end),
    packet('cpe', 'DATA', end, text),
    ...answers.map((one) => packet('peer', 'DATA', end, one)),
    ...ends(end, last),
  ]);

const exchange = fc
  .tuple(reportEnd, request, answer, ending)
  .map(([end, text, answers, last]) => [
    packet('cpe', 'DATA', end, text),
    ...answers.map((one) => packet('peer', 'DATA', end, one)),
    ...ends(end, last),
  ]);

/** A SYN on an existing connection: a reboot, a collector that has forgotten, one that refuses, one that is silent. */
const onto = fc
  .tuple(reportEnd, isn, fc.constantFrom('boot', 'forgotten', 'refused', 'silent', 'alive'))
  .map(([end, at, kind]) => {
    const acked: Place = { base: 'acked', by: 0 };
    const challenge = packet('peer', 'ACK', end, '', { acknowledgement: acked });
    const bare = packet('cpe', 'bare RST', end, '', { sequence: acked });
    const opens = syn('cpe', end, at);
    if (kind === 'boot') return [opens, challenge, bare, syn('cpe', end, at)];
    if (kind === 'forgotten') return [opens, synAck('peer', end, 9000), opens];
    if (kind === 'refused') return [opens, packet('peer', 'RST', end), opens];
    return kind === 'silent' ? [opens] : [opens, challenge, packet('cpe', 'ACK', end, '', { sequence: acked })];
  });

/** A collector wakes a CPE, which comes. */
const story = fc
  .tuple(collector, requestEnd, isn, varied(session))
  .map(([from, end, at, visit]): Act[] => [
    ...sends(asking(from, end, at, REQUESTS[0], [ANSWERS[0]])),
    ...visit.map((act) => (act.what === 'send' ? { ...act, packet: { ...act.packet, cpe: end.cpe } } : act)),
  ]);

/** What follows on another connection, at the edge of each grace: 29 s after 271 s is `ttl.activation`. */
const goingOn = fc
  .tuple(collector, cpe, fc.constantFrom(...TLS, ...ANSWERS), fc.constantFrom(0, 999, 1000, 271_000), ending)
  .chain(([by, of, text, idleMs, last]) =>
    fc.constantFrom(1999, 2000, 2001, 4000, 4001, 29_000, 29_001, 30_000, 30_001).map((laterMs): Act[] => {
      const end = { cpe: of, cpePort: 40001, port: REPORT_PORT };
      const opens = [syn('cpe', end, 1000), synAck('peer', end), packet('cpe', 'ACK', end)];
      return [
        { what: 'activate', cpe: of, collector: by },
        ...sends([...opens, packet('cpe', 'DATA', end, REQUESTS[0]), packet('peer', 'DATA', end, text)]),
        pause(idleMs),
        ...sends(ends(end, last)),
        pause(laterMs),
        ...sends([syn('cpe', { ...end, cpePort: 40002 }, 1000)]),
      ];
    }),
  );

/**
 * A collector that does not answer a SYN, or a SYN on an existing connection: the same SYN again, another, or one from
 * another port.
 */
const silence = fc
  .tuple(collector, reportEnd, fc.boolean(), fc.constantFrom(1, 2999, 3000, 9999, 10_000, 10_001), isn)
  .chain(([by, end, isStanding, silentMs, at]) =>
    fc.tuple(reportCpePort, fc.constantFrom('none', 'SYN+ACK', 'ACK')).map(([cpePort, heard]): Act[] => {
      const opens = [syn('cpe', end, 1000), synAck('peer', end), packet('cpe', 'ACK', end)];
      const sign = heard === 'none' ? [] : [heard === 'ACK' ? packet('peer', 'ACK', end) : synAck('peer', end)];
      return [
        { what: 'activate', cpe: end.cpe, collector: by },
        ...sends(isStanding ? [...opens, syn('cpe', end, 5), ...sign] : [opens[0], ...sign]),
        pause(silentMs),
        ...sends([syn('cpe', { ...end, cpePort }, at)]),
      ];
    }),
  );

/** More connections of one CPE than are remembered. */
const crowd = fc
  .tuple(cpe, collector, fc.constantFrom(3, 5, 16, 18), fc.constantFrom('open', 'standing', 'closed', 'mixed', 'mixed'))
  .chain(([of, by, count, kind]) =>
    fc.boolean().map((isRequest): Act[] =>
      Array.from({ length: count }, (_, nth): Act[] => {
        const end = isRequest
          ? { cpe: of, cpePort: CPE_PORT, port: 50001 + nth }
          : { cpe: of, cpePort: 40001 + nth, port: REPORT_PORT };
        const [opener, other] = isRequest ? ([by, 'cpe'] as const) : (['cpe', 'peer'] as const);
        const steps = [syn(opener, end, 1000), synAck(other, end), packet(isRequest ? 'peer' : 'cpe', 'ACK', end)];
        const closer = kind === 'closed' ? 'peer' : (['peer', 'cpe', undefined] as const)[nth % 3];
        const fins = closer === undefined ? [] : [packet(closer, 'FIN', end)];
        const all = kind === 'open' ? steps.slice(0, 1) : kind === 'standing' ? steps : [...steps, ...fins];
        return [{ what: 'activate', cpe: of, collector: by }, ...sends(all), pause(nth % 2)];
      }).flat(),
    ),
  );

const hand: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    what: fc.constant('reload' as const),
    collectors: fc.constantFrom<('c1' | 'c2')[]>(['c1', 'c2'], ['c2', 'c1'], ['c1', 'c2'], ['c1']),
  }),
  fc.record({ what: fc.constant('pause' as const), paused: fc.constantFrom(false, false, true) }),
  fc.record({ what: fc.constant('usable' as const), collector, isUsable: fc.constantFrom(true, false) }),
  fc.record({ what: fc.constantFrom('sweep' as const, 'forget' as const, 'engine down' as const) }),
  fc.record({ what: fc.constantFrom('activate' as const, 'activate' as const, 'deactivate' as const), cpe, collector }),
);

const unreachable: fc.Arbitrary<Act> = fc.record({
  what: fc.constant('unreachable' as const),
  server,
  cpe,
  cpePort: reportCpePort,
  isn,
});

/** A diverted SYN that finds nobody, and the SYNs that follow. */
const refusal = fc
  .tuple(collector, reportEnd, isn, fc.boolean(), reportCpePort)
  .map(([by, end, at, isAnswered, cpePort]): Act[] => [
    { what: 'activate', cpe: end.cpe, collector: by },
    ...sends([syn('cpe', end, at), ...(isAnswered ? [synAck('peer', end)] : [])]),
    { what: 'unreachable', server: by, cpe: end.cpe, cpePort: end.cpePort, isn: at },
    ...sends([syn('cpe', end, at), syn('cpe', { ...end, cpePort }, 5)]),
  ]);

const corruption: fc.Arbitrary<Act> = fc.record({
  what: fc.constant('corrupt' as const),
  packet: fc.oneof(anyOn(strayEnd), anyOn(reportEnd), anyOn(requestEnd)),
  at: fc.integer({ min: 0, max: 39 }),
  value: fc.integer({ min: 0, max: 255 }),
  cut: fc.constantFrom(0, 0, 0, 1, 19, 20, 21),
});

const wait = (ms: fc.Arbitrary<number>): fc.Arbitrary<Act[]> => ms.map((one) => [pause(one)]);
const send = (one: fc.Arbitrary<Sent>): fc.Arbitrary<Act[]> => one.map((sent) => sends([sent]));
const single = (act: fc.Arbitrary<Act>): fc.Arbitrary<Act[]> => act.map((one) => [one]);
const group: fc.Arbitrary<Act[]> = fc.oneof(
  { weight: 5, arbitrary: varied(asked) },
  { weight: 2, arbitrary: varied(askedAgain) },
  { weight: 5, arbitrary: varied(session) },
  { weight: 9, arbitrary: story },
  { weight: 3, arbitrary: varied(exchange) },
  { weight: 4, arbitrary: varied(onto) },
  { weight: 3, arbitrary: goingOn },
  { weight: 3, arbitrary: silence },
  { weight: 2, arbitrary: crowd },
  { weight: 12, arbitrary: send(anyOn(reportEnd)) },
  { weight: 8, arbitrary: send(anyOn(requestEnd)) },
  { weight: 2, arbitrary: send(anyOn(strayEnd)) },
  { weight: 4, arbitrary: wait(fc.integer({ min: 0, max: 900 })) },
  { weight: 4, arbitrary: wait(fc.constantFrom(...EDGES_MS)) },
  { weight: 1, arbitrary: single(corruption) },
  { weight: 2, arbitrary: single(unreachable) },
  { weight: 2, arbitrary: refusal },
  { weight: 2, arbitrary: single(hand) },
);

/** Enough for some hundred packets. */
export const acts = fc.array(group, { minLength: 1, maxLength: 50, size: 'max' }).map((groups) => groups.flat());
