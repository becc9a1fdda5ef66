/**
 * Whole sessions, decided before anything is measured: V8 compiles code that runs often, as it does in an engine that
 * has run for a day. Uses CPEs that take no part in the measurement.
 */
import { PacketBatch } from '../../src/packet/batch';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { type Decider } from '../../src/engine/worker/verdict-loop';
import { liveCpe, PORTS } from './population';

const SESSIONS = 4000;
const BATCH = 64;
const ACS = '10.1.0.1';
const SERVERS = { itms: { queue: 1, address: '10.2.0.2' }, collector: { queue: 2, address: '10.3.0.2' } } as const;
const Syn = TcpFlag.Syn;
const Ack = TcpFlag.Ack;
const Fin = TcpFlag.Fin;

type Server = (typeof SERVERS)[keyof typeof SERVERS];
type Line = [from: 'cpe' | 'server', flags: number, payload?: string];

const REQUEST: readonly Line[] = [
  ['server', Syn],
  ['cpe', Syn | Ack],
  ['server', Ack, 'GET / HTTP/1.1\r\n\r\n'],
  ['cpe', Ack, 'HTTP/1.1 200 OK\r\n\r\n'],
  ['server', Fin | Ack],
  ['cpe', Fin | Ack],
];
const SESSION: readonly Line[] = [
  ['cpe', Syn],
  ['server', Syn | Ack],
  ['cpe', Ack, 'POST / HTTP/1.1\r\n\r\n'],
  ['server', Ack, 'HTTP/1.1 200 OK\r\n\r\n'],
  ['cpe', Fin | Ack],
  ['server', Fin | Ack],
  ['cpe', Ack],
];

/** @param firstCpe number of a live CPE from which on none is in any table */
export function rehearse(decider: Decider, firstCpe: number, nowMs: number): void {
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(BATCH)), BATCH);
  batch.count = 0;
  const decide = () => {
    decider.decide(batch, nowMs);
    batch.count = 0;
  };
  const play = (cpe: number, server: Server, ports: [ofCpe: number, ofServer: number], lines: readonly Line[]) => {
    for (const [from, flags, payload = ''] of lines) {
      const [queue, source, destination] = from === 'cpe' ? [0, cpe, ACS] : [server.queue, server.address, cpe];
      const [sourcePort, destinationPort] = from === 'cpe' ? ports : [ports[1], ports[0]];
      batch.push(queue, buildTcp({ source, destination, sourcePort, destinationPort, flags, sequence: cpe, payload }));
      if (batch.count === BATCH) decide();
    }
  };
  for (let n = 0; n < SESSIONS; n++) {
    const cpe = liveCpe(firstCpe + n);
    if (n % 2 === 0) play(cpe, SERVERS.collector, [PORTS.request, PORTS.collector], REQUEST);
    play(cpe, n % 2 === 0 ? SERVERS.collector : SERVERS.itms, [PORTS.cpe, PORTS.report], SESSION);
  }
  decide();
}
