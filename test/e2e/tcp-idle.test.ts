/** Connections that outlive their entry, and those that keep it alive. The lives are short here; what ends is the same. */
import { eventually } from './support/run-host';
import { hangUp, talk } from './support/tcp-end';
import { answerText, SERVER_ADDRESSES, TcpStage } from './support/tcp-stage';
import { street } from './support/family';

const cpes = street(2, 20);
let used = 0;
const fresh = (): string => cpes[used++] as string;

const ESTABLISHED_SECONDS = 3;
const ACK = 0x10;

let stage: TcpStage;
/** Connections that two servers have seen, because their entry expired: said where it happens. */
const torn: string[] = [];

beforeAll(async () => {
  const ttl = { established: ESTABLISHED_SECONDS, grace: 0.5, requestUnanswered: 1, reportUnanswered: 1 };
  stage = await TcpStage.open({ cpes, ttl });
  stage.wires.keepSights(({ flags, payloadBytes }) => flags === ACK && payloadBytes === 0);
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach(torn));

async function divert(cpe: string) {
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe('c1');
  await talk(connection);
  return connection;
}

/** Packets of Connection Requests that nobody remembers, all of them dropped. */
async function unknownRequests(): Promise<number> {
  return (await stage.status()).packets.byReason['request-unknown'] ?? 0;
}

test('keep-alive probes keep an entry for longer than its life; without them, silence ends it', async () => {
  const [kept, silent] = [fresh(), fresh()];
  const [keptConnection, silentConnection] = [await divert(kept), await divert(silent)];
  for (const [name, value] of [['TCP_KEEPIDLE', 1] as const, ['TCP_KEEPINTVL', 1] as const]) {
    await keptConnection.cpe.option('tcp', name, value);
  }
  await keptConnection.cpe.option('socket', 'SO_KEEPALIVE', 1);

  // A probe repeats the byte before the next one, a second apart.
  const probes = (): number =>
    stage.wires.sights.filter(
      ({ wire, source, destination }) => wire === 'server' && source === kept && destination === SERVER_ADDRESSES.c1,
    ).length;
  await stage.wires.catchUp();
  const before = probes();
  await eventually('keep-alive probes for twice the life', async () => {
    await stage.wires.catchUp();
    return probes() >= before + 2 * ESTABLISHED_SECONDS || undefined;
  });
  await talk(keptConnection);
  await hangUp(keptConnection);

  await stage.untilForgotten('connections', silent);
  // Its next packet is nobody's, so the ITMS's (never recreated from data), which resets it: the CPE knows at once.
  torn.push(`${silent}:${silentConnection.cpe.port}`);
  await silentConnection.cpe.send('still there?');
  expect(await silentConnection.cpe.receive(1)).toMatchObject({ ended: 'ECONNRESET' });
  expect(await stage.session(silent)).toBe('itms');
  await silentConnection.far.close();
});

test('after its entry expired, what the collector says on its own does not reach the CPE', async () => {
  const cpe = fresh();
  const { cpe: near, far } = await divert(cpe);
  await stage.untilForgotten('connections', cpe);
  const before = (await stage.status()).packets.byReason['not-owner'] ?? 0;
  await far.send('are you there?');
  await eventually(
    'the drop',
    async () => ((await stage.status()).packets.byReason['not-owner'] ?? 0) > before || undefined,
  );
  expect(await stage.session(cpe)).toBe('itms');
  await far.reset();
  await near.reset();
  torn.push(`${cpe}:${near.port}`);
});

test('a connection to the ITMS has no entry to lose', async () => {
  const cpe = fresh();
  const connection = await stage.connect(cpe);
  await talk(connection);
  const startedMs = (await stage.status()).uptimeMs;
  const lifeMs = 1000 * ESTABLISHED_SECONDS;
  await eventually('the life to pass', async () => (await stage.status()).uptimeMs > startedMs + lifeMs || undefined);
  await talk(connection);
  await hangUp(connection);
});

test.each(['itms', 'c1'] as const)(
  'a Connection Request of %s whose entry expired: what the server says on it goes nowhere, and it asks again',
  async (server) => {
    const cpe = fresh();
    const { cpe: near, far } = await stage.request(server, cpe);
    await stage.untilForgotten('requests', cpe);
    // It may belong to a connection that the CPE opened to the server's own address: not ours to rewrite.
    const before = await unknownRequests();
    await far.send('GET /wake HTTP/1.1\r\n\r\n');
    await eventually('the drop', async () => (await unknownRequests()) > before || undefined);
    await far.reset();
    await near.reset();

    await stage.wake(server, cpe, [401], [200]);
    expect(await stage.session(cpe)).toBe(server);
  },
);

test('a Connection Request of c1 whose entry expired before the answer: it reaches the ITMS and arms nothing', async () => {
  const cpe = fresh();
  const { cpe: near, far } = await stage.request('c1', cpe);
  await far.sendTo(near, 'GET /wake HTTP/1.1\r\n\r\n');
  await stage.untilForgotten('requests', cpe);
  const before = await unknownRequests();
  await near.send(answerText(200));
  // The ITMS’s RST belongs to nobody either.
  await eventually('the drop', async () => (await unknownRequests()) > before || undefined);
  expect(await stage.activation(cpe)).toBeUndefined();
  expect(await stage.session(cpe)).toBe('itms');
  await near.reset();
  await far.close();
});

test('a Connection Request of the ITMS whose entry expired before the answer: the ITMS has it all the same', async () => {
  const cpe = fresh();
  const { cpe: near, far } = await stage.request('itms', cpe);
  await far.sendTo(near, 'GET /wake HTTP/1.1\r\n\r\n');
  await stage.untilForgotten('requests', cpe);
  await near.sendTo(far, answerText(200));
  await far.reset();
  await near.reset();
});

test('a diverted SYN that its collector leaves unanswered past its life: the retransmission after it reaches the ITMS', async () => {
  const cpe = fresh();
  await stage.wake('c1', cpe);
  const near = await stage.whileDropping('collector', `INPUT -p tcp -s ${cpe}`, () => stage.dial(cpe));
  const { server, far } = await stage.accepted(cpe, near.port);
  expect(server).toBe('itms');
  // The dead collector's wire has seen SYNs of it too, but no collector has answered.
  torn.push(`${cpe}:${near.port}`);
  await talk({ cpe: near, far });
  await hangUp({ cpe: near, far });
});
