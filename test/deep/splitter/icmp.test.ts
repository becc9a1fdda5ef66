/**
 * ICMP errors: the sender of the undeliverable packet gets the error, and sees its packet quoted as it left. [D] Every
 * packet in these tests that crosses is exactly the one that the splitter let out; every checksum is computed in full.
 */
import { PacketFlag, Side, Verdict } from '../../../src/packet/batch';
import { buildTcp, type TcpPacket } from '../../../src/packet/builder';
import { addressNamed, FAMILY, nameOfAddress, packetIn, textOf } from '../../support/family';
import { buildError, readError, TYPES } from '../../support/icmp';
import { carriedAt, checksumFields, checksumsOf } from '../../support/naive-checksum';
import { packetEnds } from '../../support/packet-ends';
import {
  ACS,
  CPE,
  ITMS_PORT,
  type Outcome,
  type Party,
  REPORT_PORT,
  Rig,
  type Server,
  SERVERS,
} from '../../support/rig';

const ROUTER = '10.9.9.9';
const THIS_HOST = '10.1.0.1';
const CPE_ENDS = { source: CPE, sourcePort: 40001, destination: ACS, destinationPort: REPORT_PORT };
const MINIMUM = FAMILY === 'ipv4' ? 576 : 1280;
const PAYLOAD = 'x'.repeat(1400);
const [LEAST_HEADER, ADDRESS_BYTES] = FAMILY === 'ipv4' ? [20, 4] : [40, 16];

type From = 'cpe' | 'itms' | 'c1' | 'this host';
const SIDE_OF: Record<From, Side> = { cpe: Side.Cpe, itms: Side.Itms, c1: Side.Collector, 'this host': Side.Host };

/** `server`'s packet to the CPE, and the CPE's to the ACS, with 1400 bytes; as they came and as they left. */
function fromServer(rig: Rig, server: Server, port: number, cpePort: number): Outcome {
  const ends = { source: SERVERS[server], sourcePort: port, destination: CPE, destinationPort: cpePort };
  return rig.send(server, { ...ends, flags: 16, payload: PAYLOAD });
}
function fromCpe(rig: Rig, cpePort: number, port: number): Outcome {
  return rig.send('cpe', { ...CPE_ENDS, sourcePort: cpePort, destinationPort: port, flags: 16, payload: PAYLOAD });
}

interface Told {
  text: string;
  /** Names; the quoted ports. */
  outer: [source: string, destination: string];
  quoted: Uint8Array;
}

/** Sends an error about the beginning of a packet; checks the checksums, and that nothing else has changed. */
function tell(
  rig: Rig,
  from: From,
  outer: [source: string, destination: string],
  quoted: Uint8Array,
  fields: { type?: keyof typeof TYPES; rest?: number; flags?: PacketFlag } = {},
): Told {
  const type = TYPES[fields.type ?? 'too big'][FAMILY];
  const packet = buildError({
    source: outer[0],
    destination: outer[1],
    type,
    code: 4,
    rest: fields.rest ?? 1400,
    quoted,
  });
  const before = JSON.stringify(rig.remembered());
  const outcome = rig.decideBytes(SIDE_OF[from], packet, fields.flags ?? 0);
  expect(JSON.stringify(rig.remembered())).toBe(before);
  const error = readError(outcome.bytes);
  expect(error.sumsAreRight).toBe(true);
  expect(outcome.bytes.length).toBe(packet.length);
  const at = carriedAt(packet);
  expect([...outcome.bytes.subarray(at, at + 2), ...outcome.bytes.subarray(at + 4, at + 8)]).toEqual([
    ...packet.subarray(at, at + 2),
    ...packet.subarray(at + 4, at + 8),
  ]);
  if (outcome.verdict !== Verdict.AcceptRewritten) expect(outcome.bytes).toEqual(packet);
  return {
    text: `${['drop', 'untouched', 'rewritten'][outcome.verdict]}: ${outcome.reason}`,
    outer: [named(error.source), named(error.destination)],
    quoted: error.quoted,
  };
}

function named(octets: Uint8Array): string {
  const words = Array.from({ length: ADDRESS_BYTES / 4 }, (_, i) =>
    octets.subarray(4 * i, 4 * i + 4).reduce((word, octet) => (word << 8) | octet, 0),
  );
  return nameOfAddress(Int32Array.from(words));
}

/** The first bytes of a packet as a router quotes it: a hop further. */
function beginning(packet: Uint8Array, length: number): Uint8Array {
  return packet.slice(0, length);
}

const LENGTHS = [LEAST_HEADER + 8, LEAST_HEADER + 16, LEAST_HEADER + 18, LEAST_HEADER + 20, MINIMUM - 48, 1200];

/** A connection of each kind: how it comes about, whose it is, the server's own port, the one that the CPE sees. */
type Kind = [what: string, begin: (rig: Rig) => void, server: Server, ownPort: number, port: number, cpePort: number];
/** Puts the remapped Connection Request into slot 0, which is easily taken for none. */
const REMAPPED_SEED = 2910;
const KINDS: Kind[] = [
  ['a diverted connection', (rig) => void rig.wake('c1').divert('c1'), 'c1', REPORT_PORT, REPORT_PORT, 40001],
  ['an undiverted connection', (rig) => void rig.cpe('SYN'), 'itms', REPORT_PORT, REPORT_PORT, 40001],
  [
    'a connection to an ITMS port',
    (rig) => void rig.cpe('SYN', { port: ITMS_PORT }),
    'itms',
    ITMS_PORT,
    ITMS_PORT,
    40001,
  ],
  [
    'a connection to an ITMS port, from which a collector asks, too',
    (rig) => void rig.from('c1', 'SYN', { port: ITMS_PORT, cpePort: 40001 }),
    'itms',
    ITMS_PORT,
    ITMS_PORT,
    40001,
  ],
  ['a Connection Request of a collector', (rig) => void rig.ask('c2'), 'c2', 50001, 50001, 7170],
  ['a Connection Request of the ITMS', (rig) => void rig.ask('itms'), 'itms', 50001, 50001, 7170],
  ['one that nobody remembers', () => undefined, 'itms', 50001, 50001, 7170],
  ['a Connection Request from another port', (rig) => void remapped(rig), 'c1', 50001, 61000, 7170],
];

function remapped(rig: Rig): void {
  rig.ask('c2', 50001);
  expect(rig.from('c1', 'SYN', { port: 50001, sequence: 9 })).toBe('as acs:61000: request-remapped');
  rig.cpe('SYN+ACK', { port: 61000, sequence: 5 });
}

describe.each(KINDS)('%s', (_what, begin, server, ownPort, port, cpePort) => {
  const started = () => {
    const rig = new Rig(port === ownPort ? {} : { seed: REMAPPED_SEED });
    begin(rig);
    return rig;
  };

  test.each(['cpe', 'this host'] as const)(
    'an error about the server’s packet, from %s, gets to the server',
    (from) => {
      for (const length of LENGTHS) {
        const rig = started();
        const sent = fromServer(rig, server, ownPort, cpePort);
        // Without an entry it was not forwarded, so there can be no error about it.
        if (sent.text === 'drop: request-unknown') continue;
        const source = from === 'cpe' ? CPE : THIS_HOST;
        const told = tell(rig, from, [source, ACS], beginning(sent.bytes, length));
        expect([told.text, told.outer]).toEqual(['rewritten: icmp-to-owner', [source, SERVERS[server]]]);
        expect([length, hex(told.quoted)]).toEqual([length, hex(beginning(sent.before, length))]);
      }
    },
  );

  test.each(['itms', 'c1', 'this host'] as const)(
    'an error about the CPE’s packet, from %s, gets to the CPE',
    (from) => {
      for (const length of LENGTHS) {
        const rig = started();
        const sent = fromCpe(rig, cpePort, port);
        const told = tell(rig, from, [ROUTER, CPE], beginning(sent.bytes, length));
        expect([told.text, told.outer]).toEqual(['rewritten: icmp-as-acs', [ROUTER, CPE]]);
        expect([length, hex(told.quoted)]).toEqual([length, hex(beginning(sent.before, length))]);
      }
    },
  );

  test('of the server itself it comes from the ACS address', () => {
    const rig = started();
    const sent = fromCpe(rig, cpePort, port);
    const told = tell(rig, 'itms', [SERVERS[server], CPE], beginning(sent.bytes, 100));
    expect(told.outer).toEqual([ACS, CPE]);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const TYPE_NAMES = Object.keys(TYPES) as (keyof typeof TYPES)[];

test.each(TYPE_NAMES)('every type that is an error: %s', (type) => {
  const rig = new Rig().wake().divert();
  const sent = fromServer(rig, 'c1', REPORT_PORT, 40001);
  expect(tell(rig, 'cpe', [ROUTER, ACS], beginning(sent.bytes, 100), { type }).text).toBe('rewritten: icmp-to-owner');
});

test('the quoted checksum is right where all of the packet is quoted, and as wrong as it came where it came wrong', () => {
  const rig = new Rig().wake().divert();
  const sent = fromCpe(rig, 40001, REPORT_PORT);
  const told = tell(rig, 'c1', [ROUTER, CPE], sent.bytes);
  expect(checksumFields(told.quoted)).toEqual(checksumsOf(told.quoted));
  const spoilt = sent.bytes.slice();
  // A router quotes the packet as it received it: one hop further, and with IPv4 not always with an updated checksum.
  spoilt[FAMILY === 'ipv4' ? 8 : 7]--;
  spoilt[spoilt.length - 1] ^= 1;
  const expected = sent.before.slice();
  expected[FAMILY === 'ipv4' ? 8 : 7]--;
  expected[expected.length - 1] ^= 1;
  expect(hex(tell(rig, 'c1', [ROUTER, CPE], spoilt).quoted)).toBe(hex(expected));
});

test('a checksum that is quoted half stays as it is', () => {
  const rig = new Rig().wake().divert();
  const sent = fromCpe(rig, 40001, REPORT_PORT);
  const told = tell(rig, 'c1', [ROUTER, CPE], beginning(sent.bytes, LEAST_HEADER + 17));
  expect(told.quoted[LEAST_HEADER + 16]).toBe(sent.bytes[LEAST_HEADER + 16]);
  expect(hex(beginning(told.quoted, LEAST_HEADER + 16))).toBe(hex(beginning(sent.before, LEAST_HEADER + 16)));
});

test('a bit that flipped on the way stays as visible as it was', () => {
  const rig = new Rig().wake().divert();
  const sent = fromServer(rig, 'c1', REPORT_PORT, 40001);
  const packet = buildError({ source: ROUTER, destination: ACS, type: TYPES['too big'][FAMILY], quoted: sent.bytes });
  packet[packet.length - 1] ^= 4;
  const outcome = rig.decideBytes(0, packet, 0);
  expect(outcome.reason).toBe('icmp-to-owner');
  expect(readError(outcome.bytes).sumsAreRight).toBe(false);
  outcome.bytes[packet.length - 1] ^= 4;
  expect(readError(outcome.bytes).sumsAreRight).toBe(true);
});

describe('an error that says that a diverted SYN finds nobody refuses it', () => {
  const CODES = FAMILY === 'ipv4' ? [0, 1, 2, 3, 6, 7, 8, 9, 10, 13] : [0, 1, 3, 4, 6];
  const ALL_CODES = Array.from({ length: 256 }, (_, code) => code);
  const opened = () => {
    const rig = new Rig().wake();
    expect(rig.cpe('SYN', { sequence: 1000 })).toBe('to c1: diverted');
    return rig;
  };
  const syn = (fields: Partial<TcpPacket> = {}) =>
    buildTcp(
      packetIn({
        source: CPE,
        sourcePort: 40001,
        destination: SERVERS.c1,
        destinationPort: REPORT_PORT,
        flags: 2,
        sequence: 1000,
        ...fields,
      } as TcpPacket),
    );
  const error = (code: number, fields: { type?: keyof typeof TYPES; quoted?: Uint8Array } = {}) =>
    buildError({
      source: ROUTER,
      destination: CPE,
      type: TYPES[fields.type ?? 'unreachable'][FAMILY],
      code,
      quoted: fields.quoted ?? beginning(syn(), LEAST_HEADER + 8),
    });
  const heard = (rig: Rig, packet: Uint8Array, from: From = 'c1', flags: PacketFlag | 0 = 0) =>
    rig.decideBytes(SIDE_OF[from], packet, flags).reason;
  const [CODE] = CODES;

  test.each(['c1', 'itms', 'this host'] as const)('with each code that does, from the side of %s', (from) => {
    for (const code of ALL_CODES) {
      const rig = opened();
      const isRefusal = CODES.includes(code);
      expect([code, heard(rig, error(code), from)]).toEqual([code, isRefusal ? 'icmp-refused' : 'icmp-as-acs']);
      expect([rig.report(), rig.activation()]).toEqual(isRefusal ? ['none', 'none'] : ['unanswered c1', 'armed c1']);
    }
  });

  test('it is translated like any other', () => {
    const packet = error(CODE, { quoted: syn() });
    const outcome = opened().decideBytes(Side.Collector, packet, 0);
    const told = readError(outcome.bytes);
    expect([outcome.verdict, outcome.reason, told.sumsAreRight]).toEqual([
      Verdict.AcceptRewritten,
      'icmp-refused',
      true,
    ]);
    expect(hex(told.quoted)).toBe(hex(syn({ destination: ACS })));
  });

  test.each(TYPE_NAMES.filter((type) => type !== 'unreachable'))('%s does not: a forged SYN could cause it', (type) => {
    for (const code of [0, 1, 4]) {
      const rig = opened();
      if (type === 'too big' && FAMILY === 'ipv4' && code !== 4) continue;
      expect(heard(rig, error(code, { type }))).toBe('icmp-as-acs');
      expect([rig.report(), rig.activation()]).toEqual(['unanswered c1', 'armed c1']);
    }
  });

  test('a number that is not the SYN’s does not: its sender has not seen the SYN', () => {
    const rig = opened();
    for (const sequence of [999, 1001, 1000 ^ (1 << 31), 0]) {
      expect(heard(rig, error(CODE, { quoted: syn({ sequence }) }))).toBe('icmp-as-acs');
    }
    expect([rig.report(), rig.activation()]).toEqual(['unanswered c1', 'armed c1']);
  });

  test('from the CPEs’ side it is not even translated', () => {
    const rig = opened();
    expect(heard(rig, error(CODE), 'cpe')).toBe('icmp-not-ours');
    expect(rig.activation()).toBe('armed c1');
  });

  test('with a wrong checksum it does not; one that is not final, or a packet that is not whole, cannot be checked', () => {
    const spoilt = error(CODE);
    spoilt[spoilt.length - 1] ^= 1; // the quoted number's
    const other = error(CODE);
    other[other.length - 6] ^= 1; // the quoted port's
    const wrong = error(CODE);
    wrong[carriedAt(wrong) + 4] ^= 1;
    for (const packet of [spoilt, other]) expect(heard(opened(), packet)).not.toBe('icmp-refused');
    expect(heard(opened(), wrong)).toBe('icmp-as-acs');
    expect(heard(opened(), wrong, 'c1', PacketFlag.ChecksumNotReady)).toBe('icmp-refused');
    expect(heard(opened(), wrong, 'c1', PacketFlag.Snapped)).toBe('icmp-refused');
  });

  test('a collector that has answered is there', () => {
    const rig = opened();
    rig.from('c1', 'SYN+ACK', { sequence: 5000, cpePort: 40001, port: REPORT_PORT });
    expect([heard(rig, error(CODE)), rig.report()]).toEqual(['icmp-as-acs', 'unanswered c1']);
    rig.cpe('ACK');
    expect([heard(rig, error(CODE)), rig.report()]).toEqual(['icmp-as-acs', 'established c1']);
  });

  test('of the ITMS it changes nothing', () => {
    const rig = new Rig();
    rig.cpe('SYN', { sequence: 1000 });
    expect(heard(rig, error(CODE, { quoted: syn({ destination: SERVERS.itms }) }))).toBe('icmp-as-acs');
  });
});

describe('not ours: untouched', () => {
  const between = (source: string, sourcePort: number, destination: string, destinationPort: number, rest = {}) =>
    buildTcp(
      packetIn({ source, sourcePort, destination, destinationPort, flags: 16, payload: 'abc', ...rest } as TcpPacket),
    );
  const rows: [string, From, [string, string], Uint8Array][] = [
    ['about another host’s packet', 'cpe', [ROUTER, ACS], between('10.1.0.9', 7547, CPE, 40001)],
    ['about a packet to no CPE', 'cpe', [ROUTER, ACS], between(ACS, 7547, '192.0.2.1', 40001)],
    ['to another host', 'cpe', [ROUTER, '10.1.0.9'], between(ACS, 7547, CPE, 40001)],
    ['from the CPEs, about a CPE’s own packet', 'cpe', [ROUTER, CPE], between(CPE, 45000, SERVERS.itms, 7547)],
    ['from the servers, about a packet of the ACS', 'itms', [ROUTER, ACS], between(ACS, 7547, CPE, 40001)],
    ['about a packet to a stranger', 'itms', [ROUTER, CPE], between(CPE, 40001, '10.3.0.9', 7547)],
    ['of no CPE', 'itms', [ROUTER, '192.0.2.1'], between('192.0.2.1', 40001, SERVERS.itms, 7547)],
    [
      'to another CPE than the one whose packet it was',
      'itms',
      [ROUTER, '10.1.7.9'],
      between(CPE, 1, SERVERS.itms, 7547),
    ],
    [
      'this host to a server, about its own packet: it needs nothing',
      'this host',
      [THIS_HOST, SERVERS.c1],
      between(SERVERS.c1, 7547, CPE, 40001),
    ],
    [
      'about a report connection that is not this collector’s',
      'c1',
      [ROUTER, CPE],
      between(CPE, 40001, SERVERS.c2, 7547),
    ],
    ['about a report connection of nobody, to a collector', 'c1', [ROUTER, CPE], between(CPE, 45000, SERVERS.c1, 7547)],
    ['about a collector’s connection, to the ITMS', 'itms', [ROUTER, CPE], between(CPE, 40001, SERVERS.itms, 7547)],
  ];
  test.each(rows)('%s', (_what, from, outer, quoted) => {
    const rig = new Rig().wake().divert();
    expect(tell(rig, from, outer, quoted).text).toBe('untouched: icmp-not-ours');
  });

  test('about the connection of a collector that is no longer configured', () => {
    const rig = new Rig().wake().divert();
    const sent = fromServer(rig, 'c1', REPORT_PORT, 40001);
    rig.restart({ topology: { ...rig.topology, collectors: rig.topology.collectors.slice(1) } });
    expect(tell(rig, 'cpe', [CPE, ACS], sent.bytes).text).toBe('untouched: icmp-not-ours');
  });

  test('which is the ITMS’s now: an error about the CPE’s packet to it gets to the CPE, one about another does not', () => {
    const rig = new Rig().wake().divert();
    rig.restart({ topology: { ...rig.topology, collectors: rig.topology.collectors.slice(1) } });
    const sent = fromCpe(rig, 40001, REPORT_PORT);
    expect(sent.text).toBe('to itms: owner-gone');
    expect(tell(rig, 'itms', [ROUTER, CPE], sent.bytes).text).toBe('rewritten: icmp-as-acs');
    const toC2 = between(CPE, 40001, SERVERS.c2, REPORT_PORT);
    expect(tell(rig, 'c1', [ROUTER, CPE], toC2).text).toBe('untouched: icmp-not-ours');
  });

  test.each([
    ['echo request', FAMILY === 'ipv4' ? 8 : 128],
    ['echo reply', FAMILY === 'ipv4' ? 0 : 129],
    ['redirect', FAMILY === 'ipv4' ? 5 : 137],
    ['source quench, or a reserved type', FAMILY === 'ipv4' ? 4 : 5],
    ['neighbour solicitation, or a timestamp', FAMILY === 'ipv4' ? 13 : 135],
  ])('%s', (_what, type) => {
    const packet = buildError({ source: CPE, destination: ACS, type, quoted: between(ACS, 7547, CPE, 40001) });
    const outcome = new Rig().decideBytes(0, packet, 0);
    expect([outcome.verdict, outcome.reason]).toEqual([Verdict.Accept, 'not-tcp']);
  });

  test('an error about UDP', () => {
    const quoted = between(ACS, 7547, CPE, 40001);
    quoted[FAMILY === 'ipv4' ? 9 : 6] = 17;
    expect(tell(new Rig(), 'cpe', [CPE, ACS], quoted).text).toBe('untouched: not-tcp');
  });
});

describe('a quote that says too little, or lies: untouched, and not read beyond', () => {
  const rig = () => new Rig().wake().divert();
  const whole = () => fromServer(rig(), 'c1', REPORT_PORT, 40001).bytes;

  test('cut at every byte', () => {
    const one = rig();
    for (let length = 0; length <= LEAST_HEADER + 24; length++) {
      const expected = length < LEAST_HEADER + 8 ? 'untouched: icmp-unreadable' : 'rewritten: icmp-to-owner';
      expect([length, tell(one, 'cpe', [CPE, ACS], beginning(whole(), length)).text]).toEqual([length, expected]);
    }
  });

  test('an ICMP header cut at every byte', () => {
    const packet = buildError({
      source: CPE,
      destination: ACS,
      type: TYPES['too big'][FAMILY],
      quoted: new Uint8Array(0),
    });
    for (let cut = 1; cut <= 8; cut++) {
      const shorter = packet.slice(0, packet.length - cut);
      shorter[FAMILY === 'ipv4' ? 3 : 5] -= cut;
      expect(rig().decideBytes(0, shorter, 0).reason).toBe('icmp-unreadable');
    }
  });

  const IPV4_LIES: [string, number, number][] = [
    ['another version', 0, 0x65],
    ['IHL 4', 0, 0x44],
    ['IHL beyond the quote', 0, 0x4f],
    ['a first fragment', 6, 0x20],
    ['a later fragment', 7, 1],
  ];
  const IPV6_LIES: [string, number, number][] = [
    ['another version', 0, 0x45],
    ['options beyond the quote', 6, 60],
    ['a fragment', 6, 44],
    ['a route', 6, 43],
  ];
  test.each(FAMILY === 'ipv4' ? IPV4_LIES : IPV6_LIES)('%s', (_what, at, value) => {
    const quoted = beginning(whole(), LEAST_HEADER + 30);
    quoted[at] = value;
    expect(tell(rig(), 'cpe', [CPE, ACS], quoted).text).toBe('untouched: icmp-unreadable');
  });

  test('one whose tail the kernel kept back is dropped, as it cannot be changed', () => {
    const told = tell(rig(), 'cpe', [CPE, ACS], whole(), { flags: PacketFlag.Truncated });
    expect(told.text).toBe('drop: truncated');
    const one = rig();
    const sent = fromCpe(one, 40001, REPORT_PORT);
    const back = tell(one, 'c1', [ROUTER, CPE], sent.bytes, { flags: PacketFlag.Truncated });
    expect(back.text).toBe('drop: truncated');
  });
});

if (FAMILY === 'ipv6') {
  test('extension headers before ICMPv6 and in the quote are walked over', () => {
    const rig = new Rig().wake().divert();
    const extensions = [{ header: 60, bytes: [0, 0, 1, 4, 0, 0, 0, 0] }];
    const sent = rig.send('cpe', { ...CPE_ENDS, flags: 16, payload: 'abc', extensions });
    const told = tell(rig, 'c1', [ROUTER, CPE], sent.bytes);
    expect([told.text, hex(told.quoted)]).toEqual(['rewritten: icmp-as-acs', hex(sent.before)]);
    const packet = buildError({ source: ROUTER, destination: CPE, type: 2, quoted: sent.bytes });
    const bytes = Uint8Array.from([...packet.subarray(0, 40), 58, 0, 1, 4, 0, 0, 0, 0, ...packet.subarray(40)]);
    bytes[6] = 60;
    bytes[4] = (bytes.length - 40) >> 8;
    bytes[5] = (bytes.length - 40) & 255;
    const outcome = rig.decideBytes(2, bytes, 0);
    expect([outcome.reason, readError(outcome.bytes).sumsAreRight]).toEqual(['icmp-as-acs', true]);
  });
} else {
  test('options in the outer header and in the quoted one are walked over', () => {
    const rig = new Rig().wake().divert();
    const sent = rig.send('cpe', { ...CPE_ENDS, flags: 16, payload: 'abc', ipOptions: Uint8Array.of(0x94, 4, 0, 0) });
    const told = tell(rig, 'c1', [ROUTER, CPE], sent.bytes);
    expect([told.text, hex(told.quoted)]).toEqual(['rewritten: icmp-as-acs', hex(sent.before)]);
  });
}

test('the remapped Connection Request of these tests lies in slot 0', () => {
  const rig = new Rig({ seed: REMAPPED_SEED });
  remapped(rig);
  expect(rig.splitter.state[FAMILY]!.connectionRequests.find(addressNamed(CPE), 7170, 61000)).toBe(0);
});

test('the names of these tests are of this family', () => {
  expect(addressNamed(ROUTER).length).toBe(FAMILY === 'ipv4' ? 1 : 4);
  expect(packetEnds(fromCpe(new Rig(), 1, 7547).bytes).source).toBe(CPE);
  expect(textOf(CPE).includes(':')).toBe(FAMILY === 'ipv6');
  expect(['cpe', 'itms'] satisfies Party[]).toHaveLength(2);
});
