/**
 * An attacker on the CPEs' wire forges packets of a CPE, knowing addresses and ports but not sequence numbers. Whatever
 * is sent, each connection continues, and only one server ever answers it.
 */
import { TcpFlag } from '../../src/packet/tcp';
import { fire, forged, KNOWN_SEQUENCES, shotSequences, type Target } from './support/forgers';
import { forgeFromCpe, numbersOf } from './support/forge';
import { street } from './support/family';
import { hangUp, type Ends } from './support/tcp-end';
import { REQUEST_PORT, TcpStage } from './support/tcp-stage';

const SEQUENCES = [...KNOWN_SEQUENCES, ...shotSequences(60, 1)];
const REQUEST = 'request';
const ANSWER = 'answer';
const cpes = street(2, 20);
let used = 0;
const fresh = (): string => cpes[used++] as string;

let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes });
  stage.wires.keepSights(() => true);
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach());

/** A request and its answer. */
async function exchange({ cpe, far }: Ends): Promise<void> {
  await cpe.sendTo(far, REQUEST);
  await far.sendTo(cpe, ANSWER);
}

async function diverted(cpe: string) {
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe('c1');
  await exchange(connection);
  return connection;
}

/** Every sequence against a connection, with an exchange after each where `isBusy`, and one at the end. */
async function attack(connection: Ends, target: Target, isBusy: boolean): Promise<void> {
  // Read off the wire once, before the forger speaks; after that counted, since his packets are on the wire as well.
  const numbers = await numbersOf(stage, target.cpe, target.port);
  const exchangeCounted = async (): Promise<void> => {
    await exchange(connection);
    numbers.cpeNext = (numbers.cpeNext + REQUEST.length) >>> 0;
    numbers.serverNext = (numbers.serverNext + ANSWER.length) >>> 0;
  };
  for (const sequence of SEQUENCES) {
    await fire(
      stage,
      sequence.map((shot) => forged(shot, target, numbers)),
    );
    if (isBusy) await exchangeCounted();
  }
  await exchangeCounted();
  await hangUp(connection);
}

test('a diverted session, busy: every request is answered, by its collector', async () => {
  const cpe = fresh();
  const connection = await diverted(cpe);
  await attack(connection, { cpe, port: connection.cpe.port }, true);
});

test('a diverted session, idle', async () => {
  const cpe = fresh();
  const connection = await diverted(cpe);
  await attack(connection, { cpe, port: connection.cpe.port }, false);
});

test('a session of the ITMS', async () => {
  const cpe = fresh();
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe('itms');
  await exchange(connection);
  await attack(connection, { cpe, port: connection.cpe.port }, true);
});

test('a Connection Request that waits for its answer: the answer arms, and the session is the collector’s', async () => {
  const cpe = fresh();
  const request = await stage.request('c1', cpe);
  await request.far.sendTo(request.cpe, 'GET /wake HTTP/1.1\r\nHost: cpe\r\n\r\n');
  const target = { cpe, port: REQUEST_PORT, acsPort: request.seenFrom };
  for (const sequence of SEQUENCES) {
    await fire(
      stage,
      sequence.map((shot) =>
        forged({ ...shot, sequence: 'far', acknowledgement: 'far' }, target, { isn: 0, cpeNext: 0, serverNext: 0 }),
      ),
    );
  }
  expect(await stage.activation(cpe)).not.toMatchObject({ phase: 'armed' });
  await request.cpe.sendTo(request.far, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await hangUp(request, 'far');
  expect(await stage.session(cpe)).toBe('c1');
});

test('an armed CPE: forged SYNs spend no activation', async () => {
  const cpe = fresh();
  await stage.wake('c1', cpe);
  for (const port of [40_001, 40_002, 40_003]) {
    await forgeFromCpe(stage, cpe, port, { flags: TcpFlag.Syn, sequence: 77 });
  }
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe('c1');
  await exchange(connection);
  await hangUp(connection);
});
