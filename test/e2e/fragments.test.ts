/** Fragments: with the bundle installed the kernel reassembles them before the queue, and the segment arrives whole. */
import { ADDRESSES, street } from './support/family';
import { numbersOf } from './support/forge';
import { fragments, packet, tcp } from './support/raw-packets';
import { REPORT_PORT } from '../../src/lab/world';
import { type ServerName, SERVER_ADDRESSES, TcpStage } from './support/tcp-stage';

jest.setTimeout(180_000);

const [PSH, ACK] = [0x08, 0x10];
const PAYLOAD = 'a segment that came in pieces, '.repeat(90);
const cpes = street(2, 4);

describe('a segment in fragments', () => {
  let stage: TcpStage;

  beforeAll(async () => {
    stage = await TcpStage.open({ cpes });
    stage.wires.keepSights(() => true);
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectOneServerEach());

  const segment = (source: string, destination: string, ports: [number, number], numbers: [number, number]) => {
    const carried = tcp(...ports, PSH | ACK);
    carried.bytes.writeUInt32BE(numbers[0] >>> 0, 4);
    carried.bytes.writeUInt32BE(numbers[1] >>> 0, 8);
    return packet(source, destination, { ...carried, bytes: Buffer.concat([carried.bytes, Buffer.from(PAYLOAD)]) });
  };

  it.each<[ServerName, string]>([
    ['itms', cpes[0]!],
    ['c1', cpes[1]!],
  ])('of a CPE reaches %s whole', async (server, cpe) => {
    if (server !== 'itms') await stage.wake(server, cpe);
    const connection = await stage.connect(cpe);
    expect(connection.server).toBe(server);
    const { port } = connection.cpe;
    const { cpeNext, serverNext } = await numbersOf(stage, cpe, port);
    const whole = segment(cpe, ADDRESSES.acs, [port, REPORT_PORT], [cpeNext, serverNext]);
    const pieces = fragments(whole, 1024);
    expect(pieces.length).toBe(3);
    // The last one first, as packets that overtake each other do.
    for (const piece of pieces.reverse()) await stage.peers.cpe.ask('packet', { hex: piece.toString('hex') });
    expect(await connection.far.receive(PAYLOAD.length)).toMatchObject({ text: PAYLOAD, ended: null });
  });

  it.each<[ServerName, string]>([
    ['itms', cpes[2]!],
    ['c1', cpes[3]!],
  ])('of %s reaches the CPE whole, from the ACS address', async (server, cpe) => {
    if (server !== 'itms') await stage.wake(server, cpe);
    const connection = await stage.connect(cpe);
    expect(connection.server).toBe(server);
    const { port } = connection.cpe;
    const { cpeNext, serverNext } = await numbersOf(stage, cpe, port);
    const whole = segment(SERVER_ADDRESSES[server], cpe, [REPORT_PORT, port], [serverNext, cpeNext]);
    for (const piece of fragments(whole, 1024)) {
      await stage.peerOf(server).ask('packet', { hex: piece.toString('hex') });
    }
    expect(await connection.cpe.receive(PAYLOAD.length)).toMatchObject({ text: PAYLOAD, ended: null });
  });
});
