/**
 * The BPF program, packet by packet, against the core: what it carries leaves as the engine would have sent it, byte for
 * byte, with one hop less to live; and it carries nothing that the engine would not have sent so.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { boottimeMs } from '../../src/engine/shared/binding';
import { FLOW_BYTES, FlowState, FlowWord, NUMBERS_AT } from '../../src/engine/shared/flow-value';
import { buildTcp, type TcpPacket } from '../../src/packet/builder';
import { PacketBatch, Side, Verdict } from '../../src/packet/batch';
import { TcpFlag } from '../../src/packet/tcp';
import { Splitter } from '../../src/splitter/splitter';
import { DEFAULT_LIVES, type Topology } from '../../src/splitter/topology';
import { loadFastPathAddon } from '../../src/steering/fast-path/addon';
import { probe } from '../../src/steering/fast-path/probe';
import { fixtureStories } from '../support/fixture-packets';
import { TemporaryFolder } from '../support/temporary';
import type { Carried, CarryFrame, CarryOptions } from './support/carry-driver';
import { type Frame, forwarded, frameOf } from './support/frames';
import { TestNetwork } from './support/netns';

const TOPOLOGY: Topology = {
  cpe: {
    interfaces: [{ in: 'cpe0', out: 'cpe0' }],
    address: { ipv4: '10.1.0.1', ipv6: '2001:db8:1::1' },
    networks: ['10.1.0.0/16', '2001:db8:1::/64'],
  },
  itms: { interface: 'itms0', address: { ipv4: '10.2.0.2', ipv6: '2001:db8:2::2' } },
  collectors: [{ name: 'c1', interface: 'coll0', address: { ipv4: '10.3.0.2', ipv6: '2001:db8:3::2' } }],
  reportPorts: [7547],
  itmsPorts: [443],
};
const LINKS = ['cpe0', 'itms0', 'coll0'];
const TC_ACT_UNSPEC = -1;
const TC_ACT_REDIRECT = 7;
const ETHERNET_BYTES = 14;

interface Sent extends Frame {
  side: Side;
  watches?: string;
}

const folder = new TemporaryFolder();
let network: TestNetwork;

beforeAll(() => {
  network = new TestNetwork(['client', 'server', 'collector']);
  network.run('router', 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  for (const [i, link] of LINKS.entries()) {
    network.run('router', 'ip', '-6', 'address', 'add', `2001:db8:${i + 1}::1/64`, 'dev', link, 'nodad');
  }
});
afterAll(() => network?.remove());

async function carry(
  sent: readonly Sent[],
  flows: CarryOptions['flows'] = [],
  more: Partial<CarryOptions> = {},
): Promise<Carried[]> {
  const frames: CarryFrame[] = sent.map((one) => ({
    link: LINKS[one.side]!,
    frame: frameOf(one),
    watches: one.watches,
  }));
  const file = folder.file('frames.json', JSON.stringify(frames));
  const driver = network.startScript('router', 'carry-driver.ts', { topology: TOPOLOGY, frames: file, flows, ...more });
  return driver.line<Carried[]>();
}

const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);

/** What the engine makes of a packet alone, and one router less to live. Undefined: not sent on rewritten. */
function engineSends({ side, packet }: Sent): string | undefined {
  const options = { activation: 'auto' as const, lives: DEFAULT_LIVES, capacityEntries: 16, seed: 1 };
  const splitter = new Splitter({ topology: TOPOLOGY, ...options });
  batch.count = 0;
  batch.push(side, packet);
  splitter.decide(batch, 1000);
  if (batch.verdict[0] !== Verdict.AcceptRewritten) return undefined;
  return Buffer.from(forwarded(Uint8Array.from(batch.packet(0)))).toString('hex');
}

function ipOf({ frame }: Carried): string {
  return frame.slice(ETHERNET_BYTES * 2);
}

type Fields = Partial<TcpPacket>;
const CPE4: TcpPacket = {
  source: '10.1.2.3',
  destination: '10.1.0.1',
  sourcePort: 40001,
  destinationPort: 7547,
  flags: TcpFlag.Ack,
  sequence: 12345,
  acknowledgement: 999,
  payload: 'POST / HTTP/1.1\r\n\r\n',
};
const ITMS4: TcpPacket = {
  ...CPE4,
  source: '10.2.0.2',
  destination: '10.1.2.3',
  sourcePort: 7547,
  destinationPort: 40001,
};
const CPE6: TcpPacket = { ...CPE4, source: '2001:db8:1::2:3', destination: '2001:db8:1::1' };
const ITMS6: TcpPacket = { ...ITMS4, source: '2001:db8:2::2', destination: '2001:db8:1::2:3' };

const fromCpe = (fields: Fields = {}): Sent => ({ side: Side.Cpe, packet: buildTcp({ ...CPE4, ...fields }) });
const fromItms = (fields: Fields = {}): Sent => ({ side: Side.Itms, packet: buildTcp({ ...ITMS4, ...fields }) });
const fromCpe6 = (fields: Fields = {}): Sent => ({ side: Side.Cpe, packet: buildTcp({ ...CPE6, ...fields }) });
const fromItms6 = (fields: Fields = {}): Sent => ({ side: Side.Itms, packet: buildTcp({ ...ITMS6, ...fields }) });

/** A copy with some bytes changed, and its IPv4 header checksum right again. */
function patched(sent: Sent, at: number, ...bytes: number[]): Sent {
  const packet = Uint8Array.from(sent.packet);
  packet.set(bytes, at);
  if (packet[0]! >>> 4 !== 4) return { ...sent, packet };
  packet.set([0, 0], 10);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += (packet[i]! << 8) | packet[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  packet.set([(~sum >>> 8) & 255, ~sum & 255], 10);
  return { ...sent, packet };
}

describe('what is carried leaves as the engine would have sent it', () => {
  const rows: [name: string, sent: Sent, reason: string][] = [
    ['data of a CPE', fromCpe(), 'carried-to-itms'],
    ['an acknowledgement, padded as small frames are', { ...fromCpe({ payload: '' }), padding: 6 }, 'carried-to-itms'],
    ['its FIN', fromCpe({ flags: TcpFlag.Fin | TcpFlag.Ack }), 'carried-to-itms'],
    ['its RST', fromCpe({ flags: TcpFlag.Rst, payload: '' }), 'carried-to-itms'],
    ['TCP options', fromCpe({ options: Uint8Array.of(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8) }), 'carried-to-itms'],
    ['the last hop but one', fromCpe({ ttl: 2 }), 'carried-to-itms'],
    [
      'a SYN to a port of itmsPorts',
      fromCpe({ destinationPort: 443, flags: TcpFlag.Syn, payload: '' }),
      'carried-to-itms',
    ],
    ['data to a port of itmsPorts', fromCpe({ destinationPort: 443 }), 'carried-to-itms'],
    ['data of the ITMS', fromItms(), 'carried-from-itms'],
    ['data of the ITMS from a port of itmsPorts', fromItms({ sourcePort: 443 }), 'carried-from-itms'],
    ['its SYN+ACK', fromItms({ flags: TcpFlag.Syn | TcpFlag.Ack, payload: '' }), 'carried-from-itms'],
    ['data of a CPE over IPv6', fromCpe6(), 'carried-to-itms'],
    ['an odd length over IPv6', fromCpe6({ payload: 'odd' }), 'carried-to-itms'],
    ['data of the ITMS over IPv6', fromItms6(), 'carried-from-itms'],
    ['its SYN+ACK over IPv6', fromItms6({ flags: TcpFlag.Syn | TcpFlag.Ack, payload: '' }), 'carried-from-itms'],
    ['its RST over IPv6', fromItms6({ flags: TcpFlag.Rst | TcpFlag.Ack, payload: '' }), 'carried-from-itms'],
  ];
  it('row by row', async () => {
    const carried = await carry(rows.map(([, sent]) => sent));
    const expected = rows.map(([, sent]) => engineSends(sent));
    expect(
      rows.map(([name], i) => [name, carried[i]!.reason, ipOf(carried[i]!).slice(0, expected[i]!.length)]),
    ).toEqual(rows.map(([name, , reason], i) => [name, reason, expected[i]]));
    expect(new Set(carried.map(({ verdict }) => verdict))).toEqual(new Set([TC_ACT_REDIRECT]));
  });

  it('checksums at the ends of their range', async () => {
    const sent: Sent[] = [];
    // A 16-bit word of the payload runs through all that makes sums carry.
    for (let word = 0; word < 0x10000; word += 0x101) {
      const payload = Uint8Array.of(word >>> 8, word & 255);
      sent.push(fromCpe({ payload, identification: word }), fromItms6({ payload }));
    }
    const carried = await carry(sent);
    const expected = sent.map(engineSends);
    expect(carried.map((one, i) => ipOf(one).slice(0, expected[i]!.length))).toEqual(expected);
  });
});

describe('everything else is passed on untouched, for a reason', () => {
  const flow4 = '0a0102039c411d7b';
  const flow6 = '20010db80001000000000000000200039c411d7b';
  const optioned = fromCpe({ ipOptions: Uint8Array.of(1, 1, 1, 1) });
  const rows: [name: string, reason: string, sent: Sent][] = [
    ['a SYN of a CPE', 'syn', fromCpe({ flags: TcpFlag.Syn, payload: '' })],
    ['a SYN of the ITMS', 'syn', fromItms({ flags: TcpFlag.Syn, payload: '' })],
    ['a SYN+ACK of a CPE', 'syn', fromCpe({ flags: TcpFlag.Syn | TcpFlag.Ack })],
    ['SYN and FIN', 'flags', fromCpe({ flags: TcpFlag.Syn | TcpFlag.Fin })],
    ['no flags', 'flags', fromCpe({ flags: 0 })],
    ['another port of the ACS address', 'not-steered', fromCpe({ destinationPort: 22 })],
    ['a Connection Request of the ITMS', 'not-steered', fromItms({ sourcePort: 50000, destinationPort: 7547 })],
    ['a CPE outside cpe.networks', 'not-a-cpe', fromCpe({ source: '10.9.0.1' })],
    ['the ITMS to elsewhere', 'not-a-cpe', fromItms({ destination: '10.9.0.1' })],
    ['the ITMS to this host', 'route', fromItms({ destination: '10.1.0.1' })],
    ['a collector', 'not-steered', { ...fromItms({ source: '10.3.0.2' }), side: Side.Collector }],
    ['the ITMS on the collectors’ interface', 'not-steered', { ...fromItms(), side: Side.Collector }],
    ['the ACS address as the source', 'source', fromCpe({ source: '10.1.0.1' })],
    ['the broadcast address as the source', 'source', fromCpe({ source: '10.1.255.255' })],
    ['options', 'options', optioned],
    ['a fragment', 'fragment', patched(fromCpe(), 6, 0x20, 0)],
    ['a later fragment', 'fragment', patched(fromCpe(), 6, 0, 10)],
    ['the reserved bit', 'fragment', patched(fromCpe(), 6, 0x80, 0)],
    ['a time to live of 1', 'ttl', fromCpe({ ttl: 1 })],
    ['UDP', 'not-tcp', patched(fromCpe(), 9, 17)],
    ['a longer length than the frame', 'unreadable', patched(fromCpe(), 2, 0x01, 0)],
    ['a shorter one', 'unreadable', patched(fromCpe({ payload: 'x'.repeat(100) }), 2, 0, 50)],
    ['a length of 0', 'unreadable', patched(fromCpe(), 2, 0, 0)],
    ['a wrong header checksum', 'unreadable', { ...fromCpe(), packet: wrongSum() }],
    ['a TCP header beyond the packet', 'unreadable', patched(fromCpe({ payload: '' }), 32, 0xf0)],
    ['a TCP header of 4 bytes', 'unreadable', patched(fromCpe(), 32, 0x10)],
    ['a frame for another host', 'not-for-us', { ...fromCpe(), mac: '02:00:00:00:00:77' }],
    ['a broadcast', 'not-for-us', { ...fromCpe(), mac: 'ff:ff:ff:ff:ff:ff' }],
    // In a test run the tag stays in the frame; test/e2e/fast-path.test.ts has one that the kernel has taken off.
    ['a VLAN tag', 'not-steered', { ...fromCpe(), type: '810000640800' }],
    ['a diverted connection, the CPE', 'diverted', fromCpe({ sourcePort: 40001, source: '10.1.2.3' })],
    ['a diverted connection, the ITMS', 'diverted', fromItms()],
    ['a diverted connection over IPv6', 'diverted', fromCpe6()],
    ['extension headers', 'options', fromCpe6({ extensions: [{ header: 0, bytes: [0, 0, 1, 4, 0, 0, 0, 0] }] })],
    ['a hop limit of 1', 'ttl', fromCpe6({ ttl: 1 })],
    ['a longer IPv6 payload than the frame', 'unreadable', patched(fromCpe6(), 4, 1, 0)],
    ['a jumbogram', 'unreadable', patched(fromCpe6(), 4, 0, 0)],
    ['the ACS address as the source, IPv6', 'source', fromCpe6({ source: '2001:db8:1::1' })],
  ];
  it('row by row', async () => {
    const diverted = rows.filter(([, reason]) => reason === 'diverted').map(([, , sent]) => sent);
    const others = rows.filter(([, reason]) => reason !== 'diverted');
    const carried = await carry(others.map(([, , sent]) => sent));
    expect(others.map(([name], i) => [name, carried[i]!.reason])).toEqual(
      others.map(([name, reason]) => [name, reason]),
    );
    const held = await carry(diverted, [flow4, flow6]);
    expect(held.map(({ reason }) => reason)).toEqual(diverted.map(() => 'diverted'));
    for (const [i, one] of [...carried, ...held].entries()) {
      expect([i, one.verdict, one.frame]).toEqual([
        i,
        TC_ACT_UNSPEC,
        frameOf([...others.map(([, , sent]) => sent), ...diverted][i]!),
      ]);
    }
  });

  it('the ITMS’s answers on a connection to its own address, once the CPE has spoken there', async () => {
    const direct = fromCpe({ destination: '10.2.0.2', flags: TcpFlag.Syn, payload: '' });
    const carried = await carry([fromItms(), direct, fromItms(), fromItms({ destinationPort: 40002 })]);
    expect(carried.map(({ reason }) => reason)).toEqual([
      'carried-from-itms',
      'direct',
      'foreign',
      'carried-from-itms',
    ]);
  });

  it('all of it where the ACS address is not an address of this host, forwarding is off, or the route forbids it', async () => {
    const lines = (...all: string[][]) => all.forEach((line) => network.run('router', ...line));
    lines(['ip', 'route', 'add', 'blackhole', '10.2.0.2/32']);
    expect((await carry([fromCpe()])).map(({ reason }) => reason)).toEqual(['route']);
    lines(['ip', 'route', 'delete', 'blackhole', '10.2.0.2/32']);
    lines(['ip', 'route', 'add', '10.2.0.2/32', 'dev', 'itms0', 'mtu', 'lock', '1280']);
    const long = [fromCpe({ payload: 'x'.repeat(1300) }), fromCpe({ payload: 'x'.repeat(1240) })];
    expect((await carry(long)).map(({ reason }) => reason)).toEqual(['mtu', 'carried-to-itms']);
    lines(['ip', 'route', 'delete', '10.2.0.2/32', 'dev', 'itms0']);
    lines(['sysctl', '-qw', 'net.ipv4.conf.cpe0.forwarding=0']);
    expect((await carry([fromCpe()])).map(({ reason }) => reason)).not.toContain('carried-to-itms');
    lines(['sysctl', '-qw', 'net.ipv4.conf.cpe0.forwarding=1']);
    lines(
      ['ip', 'address', 'delete', '10.1.0.1/16', 'dev', 'cpe0'],
      ['ip', 'address', 'add', '10.1.0.9/16', 'dev', 'cpe0'],
    );
    expect((await carry([fromCpe()])).map(({ reason }) => reason)).toEqual(['standby']);
    lines(
      ['ip', 'address', 'delete', '10.1.0.9/16', 'dev', 'cpe0'],
      ['ip', 'address', 'add', '10.1.0.1/16', 'dev', 'cpe0'],
    );
    expect((await carry([fromCpe()])).map(({ reason }) => reason)).toEqual(['carried-to-itms']);
  });
});

describe('a diverted connection', () => {
  /** As the program keeps it, its last packet so long ago. */
  function carriedFlow(silentMs: number, windowBytes = 9999): Uint8Array {
    const value = new Uint8Array(FLOW_BYTES);
    const words = new DataView(value.buffer, NUMBERS_AT);
    words.setBigUint64(FlowWord.Spoke * 4, BigInt(Math.round((boottimeMs() - silentMs) * 1e6)), true);
    words.setInt32(FlowWord.State * 4, FlowState.Carried, true);
    words.setUint32(FlowWord.Server * 4, 0x0a030002);
    const { sequence, acknowledgement } = CPE4;
    const numbers = [
      0,
      acknowledgement,
      sequence,
      sequence! + windowBytes,
      sequence,
      acknowledgement,
      acknowledgement! + windowBytes,
    ];
    numbers.forEach((number, i) => words.setUint32((FlowWord.Isn + i) * 4, number!, true));
    return value;
  }

  it('is the engine’s once it has been silent for its life, but not when another core has just noted a later time', async () => {
    const key = '0a0102039c411d7b';
    const reasonAfter = async (silentMs: number) => {
      const value = Buffer.from(carriedFlow(silentMs)).toString('hex');
      return (await carry([fromCpe()], [{ key, value }], { carriedMs: 600_000 }))[0]!.reason;
    };
    expect([await reasonAfter(500_000), await reasonAfter(700_000), await reasonAfter(-5000)]).toEqual([
      'carried-to-collector',
      'diverted',
      'carried-to-collector',
    ]);
  });

  it('is carried on when its collector’s numbers jump within the window, as they do behind a lost packet', async () => {
    const flow = { key: '0a0102039c411d7b', value: Buffer.from(carriedFlow(0, 8 << 20)).toString('hex') };
    const ends = { ...ITMS4, source: '10.3.0.2', sequence: CPE4.acknowledgement!, acknowledgement: CPE4.sequence! };
    const reasonOf = async (fields: Fields) =>
      (await carry([{ side: Side.Collector, packet: buildTcp({ ...ends, ...fields }) }], [flow]))[0]!.reason;
    expect([
      await reasonOf({ acknowledgement: CPE4.sequence! + (4 << 20) }),
      await reasonOf({ sequence: CPE4.acknowledgement! + (4 << 20) }),
      await reasonOf({ acknowledgement: CPE4.sequence! + (16 << 20) }),
      await reasonOf({ sequence: CPE4.acknowledgement! + (16 << 20) }),
    ]).toEqual(['carried-from-collector', 'carried-from-collector', 'ending', 'ending']);
  });
});

it('a CPE that is traced from now on is not carried by what was found out about its last packet', async () => {
  const sources = Array.from({ length: 30 }, (_, i) => `10.1.7.${i + 1}`);
  // What is kept lives for one or two ticks: each pair of packets, a tracing begun in between, takes far less.
  const sent = sources.flatMap((source) => {
    const one = fromCpe({ source });
    return [one, one, { ...one, watches: source }];
  });
  const reasons = (await carry(sent)).map(({ reason }) => reason);
  expect(reasons).toEqual(sources.flatMap(() => ['carried-to-itms', 'carried-to-itms', 'watched']));
});

describe('a packet of a connection that opens overtakes none that may wait in the queue', () => {
  const syn = { flags: TcpFlag.Syn, sequence: 7000, acknowledgement: 0, payload: '' };
  const synAck = { flags: TcpFlag.Syn | TcpFlag.Ack, sequence: 1, acknowledgement: 7001, payload: '' };
  const rst = { flags: TcpFlag.Rst | TcpFlag.Ack, sequence: 0, acknowledgement: 7001, payload: '' };
  const older = { ...synAck, acknowledgement: 5001 };
  const next = { ...syn, sequence: 9000 };
  const nextSynAck = { ...synAck, acknowledgement: 9001 };
  const [toItms, ofItms] = ['carried-to-itms', 'carried-from-itms'];
  const [cpe, itms] = [Side.Cpe, Side.Itms];

  type Step = [from: Side, reason: string, fields?: Fields];
  const rows: [name: string, steps: Step[]][] = [
    [
      'one that opens as usual is carried from the second packet on',
      [
        [cpe, 'syn', syn],
        [itms, ofItms, synAck],
        [cpe, toItms],
        [itms, ofItms, synAck],
        [cpe, toItms],
        [itms, ofItms],
      ],
    ],
    [
      'after a repeated SYN',
      [
        [cpe, 'syn', syn],
        [cpe, 'syn', syn],
        [itms, 'syn', synAck],
        [cpe, 'overtaking'],
        [itms, 'overtaking'],
      ],
    ],
    [
      'after a SYN+ACK that takes another SYN',
      [
        [cpe, 'syn', syn],
        [itms, 'syn', older],
        [cpe, 'overtaking'],
        [itms, 'overtaking'],
      ],
    ],
    [
      'a RST that answers the SYN',
      [
        [cpe, 'syn', syn],
        [itms, 'overtaking', rst],
        [cpe, 'overtaking'],
      ],
    ],
    [
      'what the CPE sends before the SYN+ACK',
      [
        [cpe, 'syn', syn],
        [cpe, 'overtaking'],
        [itms, 'syn', synAck],
        [itms, 'overtaking'],
      ],
    ],
    [
      'the ports’ next connection opens as usual',
      [
        [cpe, 'syn', syn],
        [cpe, 'syn', syn],
        [cpe, 'syn', next],
        [itms, ofItms, nextSynAck],
        [cpe, toItms],
        [itms, ofItms],
      ],
    ],
    [
      'a connection whose SYN nobody saw is carried',
      [
        [itms, ofItms, synAck],
        [itms, ofItms],
        [cpe, toItms],
      ],
    ],
  ];
  // Each has ports of its own, and all pass through one program.
  const portOf = (row: number) => 40001 + row;
  const packetOf = (row: number, [from, , fields]: Step, [ofCpe, ofItms]: [typeof fromCpe, typeof fromItms]): Sent =>
    from === cpe ? ofCpe({ sourcePort: portOf(row), ...fields }) : ofItms({ destinationPort: portOf(row), ...fields });

  it.each([
    ['IPv4', [fromCpe, fromItms]],
    ['IPv6', [fromCpe6, fromItms6]],
  ] as [string, [typeof fromCpe, typeof fromItms]][])('%s', async (_, ends) => {
    const sent = rows.flatMap(([, steps], row) => steps.map((step) => packetOf(row, step, ends)));
    const carried = (await carry(sent)).map(({ reason }) => reason);
    expect(rows.map(([name, steps]) => [name, carried.splice(0, steps.length)])).toEqual(
      rows.map(([name, steps]) => [name, steps.map(([, reason]) => reason)]),
    );
    // With the engine dead, nothing waits.
    const dead = (await carry(sent, [], { aliveUntilMs: 1 })).map(({ reason }) => reason);
    expect(dead).not.toContain('overtaking');
  });

  it('on a port of itmsPorts, nothing goes to the engine', async () => {
    const [to, from] = [{ destinationPort: 443 }, { sourcePort: 443 }];
    const sent = [fromCpe({ ...syn, ...to }), fromItms({ ...synAck, ...from }), fromCpe(to), fromItms(from)];
    expect((await carry(sent)).map(({ reason }) => reason)).toEqual([toItms, ofItms, toItms, ofItms]);
  });
});

it('no packet of the fixtures, nor one with a bit turned over, leaves otherwise than the engine would have sent it', async () => {
  const sent: Sent[] = [];
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (const { packets } of fixtureStories()) {
    for (const { bytes, queue } of packets) {
      if (queue > 2 || bytes.length < 40 || bytes.length > 1500) continue;
      sent.push({ side: queue, packet: bytes });
      for (let i = 0; i < 3; i++) {
        const packet = Uint8Array.from(bytes);
        packet[random(Math.min(60, packet.length))]! ^= 1 << random(8);
        sent.push({ side: queue, packet });
      }
    }
  }
  const carried = await carry(sent, [], { areApart: true });
  const wrong = carried.filter(({ verdict, frame }, i) => {
    if (verdict === TC_ACT_REDIRECT) return ipOf(carried[i]!) !== engineSends(sent[i]!);
    return verdict !== TC_ACT_UNSPEC || frame !== frameOf(sent[i]!);
  });
  expect(wrong).toEqual([]);
  const sums = carried.filter(({ verdict }) => verdict === TC_ACT_REDIRECT).length;
  expect(sums).toBeGreaterThan(300);
  expect(carried.length - sums).toBeGreaterThan(300);
});

it('the committed objects are what their sources give', () => {
  const sources = join(__dirname, '../../native/fast-path');
  execFileSync('sh', [join(sources, 'build.sh'), folder.path], { stdio: ['ignore', 'ignore', 'pipe'] });
  const isSame = (name: string) => readFileSync(join(folder.path, name)).equals(readFileSync(join(sources, name)));
  expect(['carry.bpf.o', 'probe.bpf.o'].filter(isSame)).toHaveLength(2);
});

describe('before it is attached, the kernel rewrites a packet of each family', () => {
  it('as the engine would', () => probe(loadFastPathAddon()));

  it('or nothing is attached', () => {
    const addon = loadFastPathAddon();
    const spoiling = {
      ...addon,
      runOnce: (...given: Parameters<typeof addon.runOnce>) => {
        const ran = addon.runOnce(...given);
        if (given[1][ETHERNET_BYTES]! >>> 4 === 6) ran.frame[ran.frame.length - 1]! ^= 1;
        return ran;
      },
    };
    expect(() => probe(spoiling)).toThrow('this kernel rewrites IPv6 packets otherwise');
  });
});

it('it loads with CAP_BPF and CAP_NET_ADMIN alone', async () => {
  const file = folder.file('frames.json', JSON.stringify([{ link: 'cpe0', frame: frameOf(fromCpe()) }]));
  const caps = '-all,+bpf,+net_admin';
  const drop = ['setpriv', `--bounding-set=${caps}`, `--inh-caps=${caps}`];
  const driver = network.startScript(
    'router',
    'carry-driver.ts',
    { topology: TOPOLOGY, frames: file, flows: [] },
    ...drop,
  );
  expect((await driver.line<Carried[]>()).map(({ reason }) => reason)).toEqual(['carried-to-itms']);
});

function wrongSum(): Uint8Array {
  const { packet } = fromCpe();
  packet[11]! ^= 1;
  return packet;
}
