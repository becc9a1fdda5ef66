/**
 * An attacker on the CPEs' wire forges packets of a CPE, knowing addresses and ports but not sequence numbers. Whatever
 * is sent, each connection continues, and only one server ever answers it.
 */
import { join } from 'node:path';
import { REPORT_PORT } from '../../src/lab/world';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { Parsed, PacketView } from '../../src/packet/view';
import { writeBetweenMarks } from '../prove/marks';
import { fire, forged, KNOWN_SEQUENCES, shotSequences, type Target } from './support/forgers';
import { numbersOf } from './support/forge';
import { ADDRESSES, street } from './support/family';
import { eventually } from './support/run-host';
import { hangUp, type Ends } from './support/tcp-end';
import { REQUEST_PORT, SERVER_ADDRESSES, TcpStage } from './support/tcp-stage';

/** `npm run prove forgers` draws more sequences, by chance, and tries every port. docs/reliability.md */
const COUNT = Number(process.env.ACSPLIT_FORGERS ?? 60);
const IS_PROOF = process.env.ACSPLIT_FORGERS !== undefined;
const SEED = IS_PROOF ? Date.now() & 0x7fffffff : 1;
const SEQUENCES = [...KNOWN_SEQUENCES, ...shotSequences(COUNT, SEED)];
const SHOTS = SEQUENCES.reduce((sum, sequence) => sum + sequence.length, 0);
/** Linux' own range, in which a forger has to look for a connection. */
const PORTS = { from: 32_768, to: 60_999 };
const [PORTS_AT_ONCE, LONGEST_WAIT_MS] = [500, 13_000];
const SYN_ACK = TcpFlag.Syn | TcpFlag.Ack;
const REQUEST = 'request';
const ANSWER = 'answer';
/** Readable, and not the end of a session: `ttl.unfinished` follows its connection. */
const POST = 'POST /acs HTTP/1.1\r\nHost: acs\r\nContent-Length: 9\r\n\r\n<Inform/>';
const BODY = 'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<InformResponse/>';
const cpes = street(2, 20);
let used = 0;
const fresh = (): string => cpes[used++] as string;

if (IS_PROOF) jest.setTimeout(1_200_000);
let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { armed: 1200, unfinished: 1200, activation: 1200 } });
  stage.wires.keepSights(() => true);
});
afterAll(async () => {
  await stage?.close();
  if (!IS_PROOF) return;
  const head = ['| against | packets forged | requests answered |', '|---|---|---|'];
  const text = [...head, ...told.map((cells) => `| ${cells.join(' | ')} |`)].join('\n');
  console.log(`seed ${SEED}\n${text}`);
  writeBetweenMarks(join(__dirname, '../../docs/reliability.md'), 'forgers', text);
});
afterEach(async () => {
  await stage.wires.catchUp();
  expect(stage.wires.shared().filter((text) => !mereShots.has(text.split(' ')[0]!))).toEqual([]);
  expect(answeredByTwo()).toEqual([]);
  // The forged packets themselves come from CPEs.
  const peers = [...stage.wires.cpePeers].filter((peer) => !cpes.includes(peer));
  expect(peers).toEqual([ADDRESSES.acs]);
});

/** CPE-ADDRESS:PORT where no connection stands: packets that belong to none go to the ITMS, SYNs to the collector. */
const mereShots = new Set<string>();

/** SYNs, by CPE, port and number, that two servers have accepted. */
function answeredByTwo(): string[] {
  const servers = new Map<string, Set<string>>();
  for (const { wire, source, sourcePort, destination, destinationPort, flags, acknowledgement } of stage.wires.sights) {
    if (wire !== 'server' || sourcePort !== REPORT_PORT || (flags & SYN_ACK) !== SYN_ACK) continue;
    const key = `${destination}:${destinationPort} ${acknowledgement}`;
    servers.set(key, (servers.get(key) ?? new Set()).add(source));
  }
  return [...servers].filter(([, at]) => at.size > 1).map(([key]) => key);
}

/** Rows of the table; each is written once its test has held. */
const told: (string | number)[][] = [];
function tell(against: string, packets: number, requests: number): void {
  told.push([against, packets, requests]);
}

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
  tell('a diverted session, a request after each sequence', SHOTS, SEQUENCES.length + 2);
});

test('a diverted session, idle', async () => {
  const cpe = fresh();
  const connection = await diverted(cpe);
  await attack(connection, { cpe, port: connection.cpe.port }, false);
  tell('a diverted session, idle', SHOTS, 2);
});

test('a session of the ITMS', async () => {
  const cpe = fresh();
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe('itms');
  await exchange(connection);
  await attack(connection, { cpe, port: connection.cpe.port }, true);
  tell('a session of the ITMS', SHOTS, SEQUENCES.length + 2);
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
  if (IS_PROOF) await new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT_MS));
  expect(await stage.activation(cpe)).not.toMatchObject({ phase: 'armed' });
  await request.cpe.sendTo(request.far, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await hangUp(request, 'far');
  expect(await stage.session(cpe)).toBe('c1');
  tell('a Connection Request that waits 13 s for its answer', SHOTS, 1);
});

/**
 * Four unconfirmed connections at once send a CPE to the ITMS (docs/decisions/proof.md), and so does a collector that owes
 * an answer for 3 s, because TCP limits its challenges. So the forger pauses after each round, until none waits.
 */
const ROUND = 60;
const IN_ROUNDS = SEQUENCES.slice(0, IS_PROOF ? 10 * ROUND : ROUND);
const SHOTS_IN_ROUNDS = IN_ROUNDS.reduce((sum, sequence) => sum + sequence.length, 0);
/** Three, since the CPE's own SYN is the fourth when its RSTs against the forged ones are late. */
const FREE_PORTS = [30_001, 30_002, 30_003];

/** Numbers of forged packets: one may be the very number that a SYN+ACK acknowledges. */
const forgedNumbers = new Set<number>();

/** Sends the sequences from ports on which the CPE has no connection, or none any more. */
async function attackPorts(cpe: string, ports: readonly number[]): Promise<void> {
  const numbers = { isn: 0, cpeNext: 0, serverNext: 0 };
  for (const [n, sequence] of IN_ROUNDS.entries()) {
    if (n > 0 && n % ROUND === 0) await untilNoneWaits(cpe);
    const port = ports[n % ports.length]!;
    mereShots.add(`${cpe}:${port}`);
    const packets = sequence.map((shot) =>
      forged({ ...shot, sequence: 'far', acknowledgement: 'far' }, { cpe, port }, numbers),
    );
    for (const packet of packets) forgedNumbers.add(sequenceOf(packet));
    await fire(stage, packets);
  }
}

function sequenceOf(packet: Uint8Array): number {
  const view = new PacketView();
  expect(view.parse(packet, 0, packet.length)).toBe(Parsed.Ok);
  return view.sequence >>> 0;
}

async function untilNoneWaits(cpe: string): Promise<void> {
  await eventually(`no unconfirmed connection of ${cpe}`, async () => {
    const waiting = (await stage.entries('connections', cpe)).filter(({ phase }) => phase === 'unanswered');
    return waiting.length === 0 || undefined;
  });
}

/** What forged SYNs from the free ports drew: SYN+ACKs on the CPE's wire, and RSTs of its own stack against them. */
async function drawn(cpe: string): Promise<{ synAcks: number; resets: number }> {
  await stage.wires.catchUp();
  const onWire = stage.wires.sights.filter(({ wire }) => wire === 'cpe');
  const synAcks = onWire.filter(
    ({ destination, destinationPort, flags }) =>
      destination === cpe && FREE_PORTS.includes(destinationPort) && (flags & SYN_ACK) === SYN_ACK,
  );
  const acknowledged = new Set(synAcks.map(({ acknowledgement }) => acknowledgement));
  const isHonest = (sequence: number): boolean => acknowledged.has(sequence) && !forgedNumbers.has(sequence);
  const resets = onWire.filter(
    ({ source, sourcePort, flags, sequence }) =>
      source === cpe && FREE_PORTS.includes(sourcePort) && flags === TcpFlag.Rst && isHonest(sequence),
  );
  return { synAcks: synAcks.length, resets: resets.length };
}

test.each([
  ['the CPE’s own stack resets what they draw', false],
  ['the CPE’s firewall swallows what they draw', true],
])('an armed CPE: forged packets spend no activation, where %s', async (what, isSwallowed) => {
  const cpe = fresh();
  await stage.wake('c1', cpe);
  const dropped = `INPUT -p tcp -d ${cpe} --sport ${REPORT_PORT} --dport 30001:30003`;
  const underAttack = async () => {
    await attackPorts(cpe, FREE_PORTS);
    const connection = await stage.connect(cpe);
    expect(connection.server).toBe('c1');
    await exchange(connection);
    await hangUp(connection);
    return drawn(cpe);
  };
  // To the end: servers repeat their SYN+ACKs.
  const { synAcks, resets } = await (isSwallowed ? stage.whileDropping('cpe', dropped, underAttack) : underAttack());
  expect(synAcks).toBeGreaterThan(0);
  if (isSwallowed) expect(resets).toBe(0);
  else expect(resets).toBeGreaterThan(0);
  tell(`an armed CPE, in rounds, where ${what}`, SHOTS_IN_ROUNDS, 1);
});

test('a CPE in grace: its session goes on at the collector', async () => {
  const cpe = fresh();
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe('c1');
  await connection.cpe.sendTo(connection.far, POST);
  await connection.far.sendTo(connection.cpe, BODY);
  await hangUp(connection, 'far');
  await attackPorts(cpe, [connection.cpe.port, ...FREE_PORTS.slice(1)]);
  const next = await stage.connect(cpe);
  expect(next.server).toBe('c1');
  await exchange(next);
  await hangUp(next);
  tell('a CPE in grace, in rounds', SHOTS_IN_ROUNDS, 2);
});

const forgedSequence = (n: number): number => (n * 0x0a00_0001) | 0;

test.each(['itms', 'c1'] as const)(
  'a SYN to the own address of %s, from the port of a session with it',
  async (server) => {
    const cpe = fresh();
    const connection = server === 'c1' ? await diverted(cpe) : await stage.connect(cpe);
    expect(connection.server).toBe(server);
    const syns = Array.from({ length: 20 }, (_, n) =>
      buildTcp({
        source: cpe,
        sourcePort: connection.cpe.port,
        destination: SERVER_ADDRESSES[server],
        destinationPort: REPORT_PORT,
        flags: TcpFlag.Syn,
        sequence: forgedSequence(n),
      }),
    );
    for (const syn of syns) {
      await fire(stage, [syn]);
      await exchange(connection);
    }
    await hangUp(connection);
    // They have reached the server, where they meet the session's own connection.
    await stage.wires.catchUp();
    const arrived = stage.wires.sights.filter(
      ({ wire, source, sourcePort, flags }) =>
        wire === 'server' && source === cpe && sourcePort === connection.cpe.port && flags === TcpFlag.Syn,
    );
    const numbers = new Set(arrived.map(({ sequence }) => sequence | 0));
    expect(syns.filter((_, n) => !numbers.has(forgedSequence(n)))).toEqual([]);
    tell(`a SYN to the own address of ${server}, from a session’s port`, syns.length, syns.length);
  },
);

if (IS_PROOF)
  test('a forger who does not know the port tries all: RST and SYN, FIN and SYN', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    let requests = 0;
    const pairs = KNOWN_SEQUENCES.filter(({ length }) => length === 2);
    for (let port = PORTS.from; port <= PORTS.to; port += PORTS_AT_ONCE) {
      const ports = Array.from({ length: Math.min(PORTS_AT_ONCE, PORTS.to + 1 - port) }, (_, index) => port + index);
      for (const pair of pairs) {
        const numbers = { isn: 0, cpeNext: 0, serverNext: 0 };
        const packets = ports.flatMap((one) => pair.map((shot) => forged(shot, { cpe, port: one }, numbers)));
        await fire(stage, packets);
        await exchange(connection);
        requests++;
      }
    }
    await hangUp(connection);
    tell(
      'a diverted session whose port is not known, all ports',
      2 * pairs.length * (PORTS.to + 1 - PORTS.from),
      requests,
    );
  });
