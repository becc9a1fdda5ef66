/**
 * A CPE that closes while it has unread data ends its session with a RST, in whatever state the connection is. The RST
 * must count, and leave the grace that a FIN would: the session goes on. Only real kernels send such a RST.
 */
import { TcpFlag } from '../../src/packet/tcp';
import { forgeFromCpe, forgeFromServer, numbersOf } from './support/forge';
import { street } from './support/family';
import { eventually } from './support/run-host';
import { type ReportConnection, TcpStage } from './support/tcp-stage';

const REQUEST = 'POST /acs HTTP/1.1\r\nHost: acs\r\nContent-Length: 9\r\n\r\n<Inform/>';
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<InformResponse/>';
const UNREAD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore';
const cpes = street(2, 20);
let used = 0;
const fresh = (): string => cpes[used++] as string;

let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes, lossy: true, ttl: { unfinished: 60 } });
  stage.wires.keepSights(() => true);
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach());

/** A diverted session whose CPE has not read the collector's last words. */
async function withUnreadData(cpe: string): Promise<ReportConnection> {
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe('c1');
  await connection.cpe.sendTo(connection.far, REQUEST);
  await connection.far.sendTo(connection.cpe, ANSWER);
  await connection.cpe.sendTo(connection.far, REQUEST);
  const { serverNext } = await numbersOf(stage, cpe, connection.cpe.port);
  await connection.far.send(UNREAD);
  await eventually('the unread data at the CPE', async () => {
    const numbers = await numbersOf(stage, cpe, connection.cpe.port);
    return numbers.serverNext !== serverNext || undefined;
  });
  return connection;
}

async function expectEnded(cpe: string, { far }: ReportConnection): Promise<void> {
  expect(await far.receiveAll()).toMatchObject({ ended: 'ECONNRESET' });
  await eventually('the RST', async () => (await phaseOf(cpe)) === 'reset' || undefined);
  expect(await stage.session(cpe)).toBe('c1');
}

async function phaseOf(cpe: string): Promise<string | undefined> {
  return (await stage.entries('connections', cpe))[0]?.phase;
}

test('quiet: nothing else is on its way', async () => {
  const cpe = fresh();
  const connection = await withUnreadData(cpe);
  await connection.cpe.close();
  await expectEnded(cpe, connection);
});

test('in flight: the collector has not acknowledged what the CPE said last', async () => {
  const cpe = fresh();
  const connection = await withUnreadData(cpe);
  await stage.whileDropping('collector', `OUTPUT -p tcp -d ${cpe}`, async () => {
    await connection.cpe.send(REQUEST);
    await connection.cpe.close();
    await expectPhase(cpe, 'reset');
  });
  await expectEnded(cpe, connection);
});

/** Data carries PSH, a RST does not: what was said last is lost, the RST is not. */
test.each([
  ['before us', 'cpe', 'OUTPUT'],
  ['behind us', 'collector', 'INPUT'],
] as const)('lost %s: the collector asks back, and the second RST is exact', async (_, role, chain) => {
  const cpe = fresh();
  const connection = await withUnreadData(cpe);
  await stage.whileDropping(role, `${chain} -p tcp -s ${cpe} --tcp-flags PSH PSH`, async () => {
    await connection.cpe.send(REQUEST);
    await connection.cpe.close();
    await expectPhase(cpe, 'reset');
  });
  await expectEnded(cpe, connection);
});

test('a window that has shrunk below what the CPE has sent', async () => {
  const cpe = fresh();
  const connection = await withUnreadData(cpe);
  const { port } = connection.cpe;
  const { cpeNext, serverNext } = await numbersOf(stage, cpe, port);
  await stage.whileDropping('collector', `INPUT -p tcp -s ${cpe} --tcp-flags PSH PSH`, async () => {
    await connection.cpe.send(REQUEST, { times: 100 });
    // As from the collector: a byte more, none of the CPE's acknowledged, and no room.
    const shrunk = {
      flags: TcpFlag.Ack | 0x08,
      sequence: serverNext,
      acknowledgement: cpeNext,
      payload: 'x',
      window: 0,
    };
    await forgeFromServer(stage, 'c1', cpe, port, shrunk);
    await eventually('the byte at the CPE', async () => {
      return (await numbersOf(stage, cpe, port)).serverNext !== serverNext || undefined;
    });
    await connection.cpe.close();
    await expectPhase(cpe, 'reset');
  });
  const isAt = ({ wire, source, flags, sequence }: (typeof stage.wires.sights)[number]): boolean =>
    wire === 'cpe' && source === cpe && (flags & TcpFlag.Rst) !== 0 && sequence === cpeNext;
  await stage.wires.catchUp();
  expect(stage.wires.sights.some(isAt)).toBe(true);
  await expectEnded(cpe, connection);
});

test('one below the acknowledgement counts after the CPE’s FIN, and not before', async () => {
  const cpe = fresh();
  await stage.wake('c1', cpe);
  const { cpe: near, far, server } = await stage.connect(cpe);
  expect(server).toBe('c1');
  await near.sendTo(far, REQUEST);
  await far.sendTo(near, ANSWER);
  const below = async (): Promise<void> => {
    const { cpeNext, serverNext } = await numbersOf(stage, cpe, near.port);
    const rst = { flags: TcpFlag.Rst | TcpFlag.Ack, sequence: (cpeNext - 1) >>> 0, acknowledgement: serverNext };
    await forgeFromCpe(stage, cpe, near.port, rst);
  };
  await below();
  await far.sendTo(near, ANSWER);
  expect(await phaseOf(cpe)).toBe('established');
  await near.finish();
  expect(await far.receive(1)).toMatchObject({ ended: 'finished' });
  await expectPhase(cpe, 'fin');
  await stage.wires.catchUp();
  await below();
  await expectPhase(cpe, 'reset');
});

async function expectPhase(cpe: string, phase: string): Promise<void> {
  await eventually(`${cpe} in ${phase}`, async () => (await phaseOf(cpe)) === phase || undefined);
}
