/**
 * Two bindings that share no code, our addon and the npm package nfqueue, carry the same packets to the same Splitter:
 * verdicts, reasons, the bytes given back and the bytes that arrive on the wires must be the same.
 */
import * as path from 'node:path';
import { buildTcp, type TcpPacket } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { type Topology } from '../../src/splitter/topology';
import { type Binding, type BindingDriverOptions, type TranscriptLine } from './support/binding-driver';
import { ACS, CLIENT, COLLECTOR, type Host, ROUTER_MAC, type Running, SERVER, TestNetwork } from './support/netns';
import { PYTHON } from '../support/tools';

jest.setTimeout(60_000);

const FIRST_QUEUE = 60;
const TOPOLOGY: Topology = {
  cpe: { interfaces: [{ in: 'cpe0', out: 'cpe0' }], address: { ipv4: ACS }, networks: ['10.1.0.0/16'] },
  itms: { interface: 'itms0', address: { ipv4: SERVER } },
  collectors: [{ name: 'c1', interface: 'coll0', address: { ipv4: COLLECTOR } }],
  reportPorts: [7547],
  itmsPorts: [],
};

const [Syn, Ack, Fin, Rst, Psh] = [TcpFlag.Syn, TcpFlag.Ack, TcpFlag.Fin, TcpFlag.Rst, TcpFlag.Psh];
type Ends = Pick<TcpPacket, 'source' | 'sourcePort' | 'destination' | 'destinationPort'>;

function cpe(sourcePort: number, destinationPort: number): Ends {
  return { source: CLIENT, sourcePort, destination: ACS, destinationPort };
}

function server(source: string, sourcePort: number, destinationPort: number): Ends {
  return { source, sourcePort, destination: CLIENT, destinationPort };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** The sender, the packet, and its receiver; undefined when it is dropped. */
type Step = [from: Host, packet: TcpPacket, to: Host | undefined];

/** A session at the ITMS, a Connection Request of the collector, the session it woke, and packets that go nowhere. */
const STORY: Step[] = [
  ['client', { ...cpe(50001, 7547), flags: Syn, sequence: 100 }, 'server'],
  ['server', { ...server(SERVER, 7547, 50001), flags: Syn | Ack, sequence: 900, acknowledgement: 101 }, 'client'],
  ['client', { ...cpe(50001, 7547), flags: Ack | Psh, sequence: 101, payload: 'POST / HTTP/1.1\r\n' }, 'server'],
  ['server', { ...server(SERVER, 7547, 50001), flags: Ack, payload: 'x' }, 'client'],
  ['collector', { ...server(COLLECTOR, 40001, 7547), flags: Syn, sequence: 5 }, 'client'],
  ['client', { ...cpe(7547, 40001), flags: Syn | Ack, sequence: 70, acknowledgement: 6 }, 'collector'],
  [
    'collector',
    {
      ...server(COLLECTOR, 40001, 7547),
      flags: Ack | Psh,
      sequence: 6,
      acknowledgement: 71,
      payload: 'GET / HTTP/1.1\r\n\r\n',
    },
    'client',
  ],
  ['client', { ...cpe(7547, 40001), flags: Ack | Psh, sequence: 71, acknowledgement: 24, payload: OK }, 'collector'],
  [
    'collector',
    { ...server(COLLECTOR, 40001, 7547), flags: Fin | Ack, sequence: 24, acknowledgement: 71 + OK.length },
    'client',
  ],
  ['client', { ...cpe(50002, 7547), flags: Syn, sequence: 200 }, 'collector'],
  ['collector', { ...server(COLLECTOR, 7547, 50002), flags: Syn | Ack, sequence: 800, acknowledgement: 201 }, 'client'],
  [
    'client',
    { ...cpe(50002, 7547), flags: Ack | Psh, sequence: 201, acknowledgement: 801, payload: 'odd' },
    'collector',
  ],
  [
    'client',
    { ...cpe(50002, 7547), flags: Ack | Psh, sequence: 204, acknowledgement: 801, payload: 'x'.repeat(1460) },
    'collector',
  ],
  ['server', { ...server(SERVER, 7547, 50002), flags: Ack }, undefined],
  ['client', { ...cpe(50002, 7547), flags: Fin | Ack, sequence: 1664, acknowledgement: 801 }, 'collector'],
  [
    'collector',
    { ...server(COLLECTOR, 7547, 50002), flags: Fin | Ack, sequence: 801, acknowledgement: 1665 },
    'client',
  ],
  ['collector', { ...server(COLLECTOR, 7547, 50009), flags: Syn }, undefined],
  ['client', { ...cpe(50003, 7547), flags: Syn | Fin }, undefined],
  ['client', { ...cpe(50001, 7547), flags: Rst, sequence: 118 }, 'server'],
];

/** Ethernet for the router in front of the packet. */
function frame(packet: TcpPacket): string {
  const macs = `${ROUTER_MAC.replaceAll(':', '')}020000000002`;
  return `${macs}0800${Buffer.from(buildTcp(packet)).toString('hex')}`;
}

interface Played {
  transcript: TranscriptLine[];
  delivered: (string | undefined)[];
}

async function play(binding: Binding): Promise<Played> {
  const network = new TestNetwork(['client', 'server', 'collector']);
  try {
    network.queueTraffic(FIRST_QUEUE);
    const options: BindingDriverOptions = { binding, firstQueue: FIRST_QUEUE, topology: TOPOLOGY };
    const driver = network.startScript('router', 'binding-driver.ts', options);
    expect(await driver.line()).toEqual({ ready: true });
    const wires = {} as Record<Host, Running>;
    for (const host of ['client', 'server', 'collector'] as const) {
      // The host's own TCP knows nothing of these connections and would answer with resets.
      network.run(host, 'iptables', '-A', 'INPUT', '-p', 'tcp', '-j', 'DROP');
      wires[host] = network.start(host, PYTHON, path.join(__dirname, 'support/raw-wire.py'), 'eth0');
      await wires[host].line();
    }
    const played: Played = { transcript: [], delivered: [] };
    for (const [from, packet, to] of STORY) {
      wires[from].child.stdin!.write(`${frame(packet)}\n`);
      played.transcript.push(await driver.line<TranscriptLine>());
      played.delivered.push(to === undefined ? undefined : await wires[to].line<string>());
    }
    expect(await driver.finish()).toEqual({ packets: STORY.length });
    return played;
  } finally {
    await network.remove();
  }
}

test('the addon and nfqueue agree on every packet of a story', async () => {
  const ours = await play('addon');
  const theirs = await play('nfqueue');

  expect(theirs).toEqual(ours);
  // Agreement on nonsense would be none: these are the decisions that the story is about.
  const isDropped = STORY.map(([, , to]) => to === undefined);
  expect(ours.transcript.map((line) => line.verdict === 'drop')).toEqual(isDropped);
  expect(ours.transcript.map((line) => line.verdict === 'rewritten')).toEqual(isDropped.map((dropped) => !dropped));
  ours.delivered.forEach((packet, index) => {
    if (packet !== undefined) expect(withoutTtl(packet)).toBe(withoutTtl(ours.transcript[index].bytes));
  });
});

/** Forwarding takes one off the TTL and mends the header's checksum. */
function withoutTtl(packet: string): string {
  return `${packet.slice(0, 16)}..${packet.slice(18, 20)}....${packet.slice(24)}`;
}
