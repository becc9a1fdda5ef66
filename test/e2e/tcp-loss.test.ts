/**
 * Packets that are late, lost, doubled or forged, and tables that are lost: a connection stays where it is, or ends at
 * once. Real kernels retransmit; what they would not send is sent raw.
 */
import { TcpFlag } from '../../src/packet/tcp';
import { REPORT_PORT } from '../../src/lab/world';
import { hasFlag } from './support/capture';
import { forgeFromCpe, forgeFromServer, hexOf, numbersOf } from './support/forge';
import { eventually } from './support/run-host';
import { hangUp, talk } from './support/tcp-end';
import { answerText, REQUEST_PORT, SERVER_ADDRESSES, TcpStage, type ServerName } from './support/tcp-stage';
import { ADDRESSES, street } from './support/family';

const [Syn, Ack, Fin, Rst] = [TcpFlag.Syn, TcpFlag.Ack, TcpFlag.Fin, TcpFlag.Rst];
const cpes = street(2, 30);
let used = 0;
const fresh = (): string => cpes[used++] as string;

let stage: TcpStage;
/** Connections whose packets two servers have seen, because the tables were lost: said where it happens. */
const torn: string[] = [];

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 }, lossy: true });
  stage.wires.keepSights(() => true);
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach(torn));

/** An open connection with whichever server. */
async function open(cpe: string, server: 'itms' | 'c1') {
  if (server === 'c1') await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe(server);
  await talk(connection);
  return connection;
}

/** How many packets of a CPE with this flag have reached a server's wire; SYN+ACKs are no SYNs. */
async function countAt(server: ServerName, cpe: string, flag: number): Promise<number> {
  await stage.wires.catchUp();
  return stage.wires.sights.filter(
    (sight) =>
      sight.wire === 'server' &&
      sight.source === cpe &&
      sight.destination === SERVER_ADDRESSES[server] &&
      hasFlag(sight, flag) &&
      !(flag === Syn && hasFlag(sight, Ack)),
  ).length;
}

function untilAt(server: ServerName, cpe: string, flag: number, count: number): Promise<unknown> {
  return eventually(`${count} packets of ${cpe} at ${server}`, async () => {
    return (await countAt(server, cpe, flag)) >= count || undefined;
  });
}

describe('an activation armed between a SYN and its retransmission', () => {
  test('does not take the retransmission: it follows its SYN to the slow ITMS, and the next session is the collector’s', async () => {
    const cpe = fresh();
    const dialled = await stage.whileDropping('itms', `INPUT -p tcp -s ${cpe} --dport ${REPORT_PORT}`, async () => {
      const dialling = stage.dial(cpe);
      await untilAt('itms', cpe, Syn, 1);
      await stage.wake('c1', cpe);
      await untilAt('itms', cpe, Syn, 2);
      return { dialling };
    });
    const near = await dialled.dialling;
    const { server, far } = await stage.accepted(cpe, near.port);
    expect(server).toBe('itms');
    await talk({ cpe: near, far });
    await hangUp({ cpe: near, far });
    expect((await stage.status()).packets.byReason.pinned).toBeGreaterThanOrEqual(1);
    expect(await stage.activation(cpe)).toMatchObject({ collector: 'c1', phase: 'armed' });
    expect(await stage.session(cpe)).toBe('c1');
    expect(await countAt('c1', cpe, Syn)).toBe(1);
  });

  test('nor one whose SYN was answered, if the SYN+ACK was lost', async () => {
    const cpe = fresh();
    const dialled = await stage.whileDropping('itms', `OUTPUT -p tcp -d ${cpe} --sport ${REPORT_PORT}`, async () => {
      const dialling = stage.dial(cpe);
      await untilAt('itms', cpe, Syn, 1);
      await stage.wake('c1', cpe);
      await untilAt('itms', cpe, Syn, 2);
      return { dialling };
    });
    const near = await dialled.dialling;
    const { server, far } = await stage.accepted(cpe, near.port);
    expect(server).toBe('itms');
    await hangUp({ cpe: near, far });
    expect(await stage.session(cpe)).toBe('c1');
  });

  test('a diverted SYN’s retransmissions stay with the collector, even if another server wakes the CPE meanwhile', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    const dialled = await stage.whileDropping(
      'collector',
      `INPUT -p tcp -s ${cpe} --dport ${REPORT_PORT}`,
      async () => {
        const dialling = stage.dial(cpe);
        await untilAt('c1', cpe, Syn, 1);
        await stage.wake('c2', cpe);
        await untilAt('c1', cpe, Syn, 2);
        return { dialling };
      },
    );
    const near = await dialled.dialling;
    const { server, far } = await stage.accepted(cpe, near.port);
    expect(server).toBe('c1');
    // Not confirmed yet, the activation was c1's still.
    expect((await stage.events(cpe)).map(({ event, owner }) => `${event} ${owner}`)).toContain('contended c2');
    await hangUp({ cpe: near, far });
    expect(await stage.session(cpe)).toBe('itms');
    await stage.wake('c2', cpe);
    expect(await stage.session(cpe)).toBe('c2');
  });
});

describe('a lost 200', () => {
  test('arms as it passes; its retransmission, after the session, arms nothing', async () => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe);
    await request.far.sendTo(request.cpe, 'GET /wake HTTP/1.1\r\n\r\n');
    const text = answerText(200);
    await stage.whileDropping('collector', `INPUT -p tcp -s ${cpe} --sport ${REQUEST_PORT}`, async () => {
      await request.cpe.send(text);
      await eventually('the 200 to arm', () => stage.activation(cpe));
      expect(await stage.session(cpe)).toBe('c1');
      await stage.untilOver(cpe);
    });
    expect(await request.far.receive(text.length)).toMatchObject({ text });
    expect(await stage.session(cpe)).toBe('itms');
    await hangUp(request, 'far');
    const events = (await stage.events(cpe)).map(({ event }) => event);
    expect(events.filter((event) => event !== 'answer-repeated')).toEqual(['armed-by-response', 'diverted', 'closed']);
    expect(events).toContain('answer-repeated');
  });

  test('lost before the splitter, its retransmission is the one that arms', async () => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe);
    await request.far.sendTo(request.cpe, 'GET /wake HTTP/1.1\r\n\r\n');
    await stage.whileDropping('cpe', `OUTPUT -p tcp -s ${cpe} --sport ${REQUEST_PORT}`, () =>
      request.cpe.send(answerText(200)),
    );
    expect(await request.far.receive(answerText(200).length)).toMatchObject({ text: answerText(200) });
    await hangUp(request, 'far');
    expect(await stage.session(cpe)).toBe('c1');
  });
});

describe('a lost FIN', () => {
  test.each(['itms', 'c1'] as const)(
    'of the CPE is retransmitted to the same server (%s), which then closes',
    async (server) => {
      const cpe = fresh();
      const { cpe: near, far } = await open(cpe, server);
      const role = server === 'itms' ? 'itms' : 'collector';
      await stage.whileDropping(role, `INPUT -p tcp -s ${cpe} --tcp-flags FIN FIN`, async () => {
        await near.finish();
        await untilAt(server, cpe, Fin, 2);
      });
      expect(await far.receive(1)).toMatchObject({ ended: 'finished' });
      await far.finish();
      expect(await near.receive(1)).toMatchObject({ ended: 'finished' });
      expect((await stage.entries('connections', cpe)).map(({ phase }) => phase)).toEqual(
        server === 'c1' ? ['closed'] : [],
      );
    },
  );
});

describe('a SYN that comes again', () => {
  test('after its diverted connection was closed: to the collector, though another activation stands, which it leaves', async () => {
    const cpe = fresh();
    const connection = await open(cpe, 'c1');
    const { isn } = await numbersOf(stage, cpe, connection.cpe.port);
    await hangUp(connection);
    await stage.untilOver(cpe);
    await stage.wake('c2', cpe);
    await forgeFromCpe(stage, cpe, connection.cpe.port, { flags: Syn, sequence: isn });
    await untilAt('c1', cpe, Syn, 2);
    expect(await stage.activation(cpe)).toMatchObject({ collector: 'c2', phase: 'armed' });
    expect(await stage.session(cpe)).toBe('c2');
  });

  test('after its connection to the ITMS was closed: to the ITMS, though an activation stands, which it leaves', async () => {
    const cpe = fresh();
    const connection = await open(cpe, 'itms');
    const { isn } = await numbersOf(stage, cpe, connection.cpe.port);
    await hangUp(connection);
    await stage.wake('c1', cpe);
    await forgeFromCpe(stage, cpe, connection.cpe.port, { flags: Syn, sequence: isn });
    await untilAt('itms', cpe, Syn, 2);
    expect(await stage.activation(cpe)).toMatchObject({ collector: 'c1', phase: 'armed' });
    expect(await stage.session(cpe)).toBe('c1');
  });

  test('with another number, onto a live diverted connection: its collector answers, and the connection lives on', async () => {
    const cpe = fresh();
    const connection = await open(cpe, 'c1');
    const { cpeNext } = await numbersOf(stage, cpe, connection.cpe.port);
    await stage.wake('c2', cpe);
    await forgeFromCpe(stage, cpe, connection.cpe.port, { flags: Syn, sequence: (cpeNext + 5000) >>> 0 });
    await untilAt('c1', cpe, Syn, 2);
    await talk(connection);
    await hangUp(connection);
    expect(await stage.session(cpe)).toBe('c2');
  });
});

describe('forged', () => {
  /** In the receiver's window but not where it stands: it asks back (RFC 5961). Far outside: it says nothing. */
  const places = { 'in the window': 1000, 'far outside': 2 ** 30 };

  test.each(Object.entries(places))('RSTs of both ends, %s, cost nothing', async (_, off) => {
    for (const server of ['itms', 'c1'] as const) {
      const cpe = fresh();
      const connection = await open(cpe, server);
      const { port } = connection.cpe;
      const { cpeNext, serverNext } = await numbersOf(stage, cpe, port);
      await forgeFromCpe(stage, cpe, port, { flags: Rst, sequence: (cpeNext + off) >>> 0 });
      await untilAt(server, cpe, Rst, 1);
      await talk(connection);
      await forgeFromServer(stage, server, cpe, port, { flags: Rst, sequence: (serverNext + off) >>> 0 });
      await talk(connection);
      await talk(connection);
      const phases = (await stage.entries('connections', cpe)).map(({ phase }) => phase);
      expect(phases).toEqual(server === 'c1' ? ['established'] : []);
      await hangUp(connection);
    }
  });

  test('FINs of both ends cost nothing while the connection speaks; the CPE’s changes nothing', async () => {
    const cpe = fresh();
    const connection = await open(cpe, 'c1');
    const { port } = connection.cpe;
    const { cpeNext, serverNext } = await numbersOf(stage, cpe, port);
    const phase = async () => (await stage.entries('connections', cpe))[0]?.phase;
    await forgeFromCpe(stage, cpe, port, {
      flags: Fin | Ack,
      sequence: (cpeNext + 2 ** 30) >>> 0,
      acknowledgement: serverNext,
    });
    await untilAt('c1', cpe, Fin, 1);
    expect(await phase()).toBe('established');
    // A server comes in by an interface of its own: its FIN counts, wherever it stands.
    await forgeFromServer(stage, 'c1', cpe, port, {
      flags: Fin | Ack,
      sequence: (serverNext + 2 ** 30) >>> 0,
      acknowledgement: cpeNext,
    });
    await eventually('the server’s FIN', async () => (await phase()) === 'fin' || undefined);
    await talk(connection);
    await hangUp(connection);
    expect(await phase()).toBe('closed');
  });

  test('a RST as from the CPE on a Connection Request: the 200 that follows finds its way, and arms', async () => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe);
    await request.far.sendTo(request.cpe, 'GET /wake HTTP/1.1\r\n\r\n');
    const forged = {
      source: cpe,
      sourcePort: REQUEST_PORT,
      destination: ADDRESSES.acs,
      destinationPort: request.seenFrom,
      flags: Rst,
      sequence: 12345,
    };
    await stage.peers.cpe.ask('packet', { hex: hexOf(forged) });
    await untilAt('c1', cpe, Rst, 1);
    await request.cpe.sendTo(request.far, answerText(200));
    await hangUp(request, 'far');
    expect(await stage.session(cpe)).toBe('c1');
  });
});

describe('the loss of all tables', () => {
  test('leaves the ITMS’s connections alone, ends what needs an entry, and all is well again', async () => {
    const [atItms, atCollector, askedByItms, askedByCollector, armed] = [fresh(), fresh(), fresh(), fresh(), fresh()];
    const [plain, diverted] = [await open(atItms, 'itms'), await open(atCollector, 'c1')];
    const ofItms = await stage.request('itms', askedByItms);
    const ofCollector = await stage.request('c1', askedByCollector);
    await stage.wake('c1', armed);

    await stage.restart();
    expect(Object.values((await stage.status()).tables).map(({ count }) => count)).toEqual([0, 0, 0]);

    await talk(plain);
    await hangUp(plain);

    // The ITMS knows nothing of the diverted connection: it resets it, and the CPE's next attempt is the ITMS's.
    torn.push(`${atCollector}:${diverted.cpe.port}`);
    await diverted.cpe.send('still there?');
    expect(await diverted.cpe.receive(1)).toMatchObject({ ended: 'ECONNRESET' });
    expect(await stage.session(atCollector)).toBe('itms');
    await diverted.far.close();

    // What a server says on a Connection Request that nobody remembers goes nowhere; it asks again.
    const unknown = async () => (await stage.status()).packets.byReason['request-unknown'] ?? 0;
    for (const [server, { cpe: near, far }, cpe] of [
      ['itms', ofItms, askedByItms],
      ['c1', ofCollector, askedByCollector],
    ] as const) {
      const before = await unknown();
      await far.send('GET /wake HTTP/1.1\r\n\r\n');
      await eventually('the drop', async () => (await unknown()) > before || undefined);
      await far.reset();
      await near.reset();
      expect(await stage.session(cpe)).toBe('itms');
      await stage.wake(server, cpe, [401], [200]);
      expect(await stage.session(cpe)).toBe(server);
    }

    expect(await stage.session(armed)).toBe('itms');
    await stage.wake('c1', armed, [401], [200]);
    expect(await stage.session(armed)).toBe('c1');
  });
});
