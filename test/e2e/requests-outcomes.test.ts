/**
 * The outcome of a Connection Request, and which server gets the CPE's next session: connection by connection, on real
 * TCP.
 */
import { hangUp } from './support/tcp-end';
import { GET, REFUSING_PORT, REQUEST_PORT, SERVER_ADDRESSES, TcpStage } from './support/tcp-stage';
import { ADDRESSES, street } from './support/family';

const cpes = street(2, 40);
let used = 0;
/** A CPE that no other test has touched. */
const fresh = (): string => cpes[used++] as string;

describe('Connection Requests and their outcomes', () => {
  let stage: TcpStage;

  beforeAll(async () => {
    stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 } });
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectOneServerEach());

  /** The next session is the collector's, the one after its grace the ITMS's. */
  async function expectOnce(cpe: string, collector: 'c1' | 'c2'): Promise<void> {
    expect(await stage.session(cpe)).toBe(collector);
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
  }

  test.each([
    ['a 200 at once', [[200]]],
    ['a 204', [[204]]],
    ['401 and 200 on one connection', [[401, 200]]],
    ['401 and 200, a connection each', [[401], [200]]],
    ['503, then a 200 on the next attempt', [[503], [200]]],
  ])('%s: the next session is the collector’s, once', async (_, connections) => {
    const cpe = fresh();
    await stage.wake('c1', cpe, ...connections);
    await expectOnce(cpe, 'c1');
  });

  test.each([
    ['a 401 alone', [[401]]],
    ['401 twice', [[401], [401]]],
    ['a 503', [[503]]],
    ['a 404 of some other web server', [[404]]],
  ])('%s: the next session is the ITMS’s', async (_, connections) => {
    const cpe = fresh();
    await stage.wake('c1', cpe, ...connections);
    expect(await stage.activation(cpe)).toMatchObject({ collector: '', phase: 'asked' });
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('refused: the next session is the ITMS’s, and nothing is remembered', async () => {
    const cpe = fresh();
    const peer = stage.peers.collector;
    const order = { from: ADDRESSES.collector, to: cpe, toPort: REFUSING_PORT };
    await expect(peer.ask('connect', order)).rejects.toThrow('ECONNREFUSED');
    expect(await stage.entries('requests', cpe)).toEqual([]);
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('accepted but silent: the collector gives up and closes, nothing is armed', async () => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe);
    await request.far.sendTo(request.cpe, GET);
    await hangUp(request, 'far');
    expect(await stage.session(cpe)).toBe('itms');
    expect(await stage.events(cpe)).toEqual([]);
  });

  test('no answer to the SYN: the next session is the ITMS’s', async () => {
    const cpe = fresh();
    await stage.whileDropping('cpe', `INPUT -p tcp -d ${cpe} --dport ${REQUEST_PORT}`, async () => {
      await expect(stage.request('c1', cpe, { timeoutMs: 200 })).rejects.toThrow('ETIMEDOUT');
      expect(await stage.entries('requests', cpe)).toMatchObject([{ owner: 'c1', phase: 'unanswered' }]);
      expect(await stage.session(cpe)).toBe('itms');
    });
  });

  /** An answer in pieces, what has come of it by then, and the collector's FIN; the events up to there. */
  async function answerInPieces(cpe: string, pieces: readonly string[], phase: 'asked' | 'armed'): Promise<string[]> {
    const request = await stage.request('c1', cpe);
    await request.far.sendTo(request.cpe, GET);
    for (const piece of pieces) await request.cpe.sendTo(request.far, piece);
    expect((await stage.activation(cpe))?.phase).toBe(phase);
    await hangUp(request, 'far');
    return (await stage.events(cpe)).map(({ event }) => event);
  }

  test.each([
    ['is not HTTP', 'OK'],
    ['is a banner before the status line', '220 ready\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['is readable, and a refusal', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'],
  ])('an answer that %s: the FIN arms nothing', async (_, answer) => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe);
    await request.far.sendTo(request.cpe, GET);
    await request.cpe.sendTo(request.far, answer);
    await hangUp(request, 'far');
    expect(await stage.activation(cpe)).toMatchObject({ collector: '', phase: 'asked' });
    expect(await stage.session(cpe)).toBe('itms');
    expect(await stage.events(cpe)).toEqual([]);
  });

  test.each([
    ['broken off before its code', ['HTTP/1.1 ']],
    ['without a code', ['HTTP/1.1 OK\r\n\r\n']],
  ])('a status line %s: the collector’s FIN is all there is to go by, and arms [P9]', async (_, pieces) => {
    const cpe = fresh();
    expect(await answerInPieces(cpe, pieces, 'asked')).toEqual(['answer-split', 'armed-by-fin']);
    await expectOnce(cpe, 'c1');
  });

  test.each([
    ['in two segments', ['HTTP/1', '.1 200 OK\r\n\r\n']],
    ['cut within its code', ['HTTP/1.1 2', '00 OK\r\n\r\n']],
    ['byte by byte', [...'HTTP/1.1 200 OK\r\n\r\n']],
    ['with two spaces', ['HTTP/1.1  200 OK\r\n\r\n']],
    ['after an empty line', ['\r\n', 'HTTP/1.1 200 OK\r\n\r\n']],
    ['of HTTP/1.0, behind a 100', ['HTTP/1.0 100 Continue\r\n\r\n', 'HTTP/1.0 200 OK\r\n\r\n']],
  ])('a 200 %s is read on and arms', async (_, pieces) => {
    const cpe = fresh();
    const events = await answerInPieces(cpe, pieces, 'armed');
    expect(events.filter((event) => event !== 'answer-split')).toEqual(['armed-by-response']);
    await expectOnce(cpe, 'c1');
  });

  test('a collector that keeps its connection alive: the session in between is its own, the one after its late FIN is not', async () => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe);
    await stage.ask(request, 401);
    await stage.ask(request, 200);
    expect(await stage.session(cpe)).toBe('c1');
    await stage.untilOver(cpe);
    await hangUp(request, 'far');
    expect(await stage.session(cpe)).toBe('itms');
    const events = (await stage.events(cpe)).map(({ event }) => event);
    expect(events).toEqual(['armed-by-response', 'diverted', 'closed']);
  });

  test('a collector that keeps its connection alive may wake the CPE again over it: each 200 arms once', async () => {
    const cpe = fresh();
    const request = await stage.request('c1', cpe);
    for (let round = 0; round < 3; round++) {
      await stage.ask(request, 200);
      await expectOnce(cpe, 'c1');
    }
    await hangUp(request, 'far');
    expect(await stage.session(cpe)).toBe('itms');
  });

  describe('the ITMS’s own Connection Requests', () => {
    test('reach the CPE as the ACS address, find their way back, and arm nothing', async () => {
      const cpe = fresh();
      await stage.wake('itms', cpe, [401], [200]);
      expect(await stage.activation(cpe)).toBeUndefined();
      expect(await stage.session(cpe)).toBe('itms');
    });

    test('end an activation: the CPE’s one session is the ITMS’s', async () => {
      const cpe = fresh();
      await stage.wake('c1', cpe);
      await stage.wake('itms', cpe);
      expect(await stage.session(cpe)).toBe('itms');
      expect((await stage.events(cpe)).map(({ event }) => event)).toEqual(['armed-by-response', 'ended-by-itms']);
    });

    test('do not end it with a 401 or a 503', async () => {
      const cpe = fresh();
      await stage.wake('c1', cpe);
      await stage.wake('itms', cpe, [401], [503]);
      await expectOnce(cpe, 'c1');
    });

    test('both requests open at once: each server gets its own answers, and the later 200 decides', async () => {
      for (const [first, second, owner] of [
        ['itms', 'c1', 'c1'],
        ['c1', 'itms', 'itms'],
      ] as const) {
        const cpe = fresh();
        const one = await stage.request(first, cpe);
        const other = await stage.request(second, cpe);
        await stage.ask(other, 401);
        await stage.ask(one, 401);
        await stage.ask(one, 200);
        await stage.ask(other, 200);
        await Promise.all([hangUp(one, 'far'), hangUp(other, 'far')]);
        expect(await stage.session(cpe)).toBe(owner);
        await stage.untilOver(cpe);
        expect(await stage.session(cpe)).toBe('itms');
      }
    });
  });

  describe('two collectors', () => {
    test('contended: the session is the first one’s; the second is told by the event, and may wake the CPE again', async () => {
      const cpe = fresh();
      const [one, other] = [await stage.request('c1', cpe), await stage.request('c2', cpe)];
      await stage.ask(one, 200);
      await stage.ask(other, 200);
      await Promise.all([hangUp(other, 'far'), hangUp(one, 'far')]);
      expect(await stage.session(cpe)).toBe('c1');
      await stage.wake('c2', cpe);
      await expectOnce(cpe, 'c2');
      expect((await stage.events(cpe)).map(({ event, owner }) => `${event} ${owner}`)).toEqual([
        'armed-by-response c1',
        'contended c2',
        'diverted c1',
        'closed c1',
        'armed-by-response c2',
        'diverted c2',
        'closed c2',
      ]);
    });

    test('the second got a 401 only: it is as if it had not asked', async () => {
      const cpe = fresh();
      await stage.wake('c1', cpe);
      await stage.wake('c2', cpe, [401]);
      await expectOnce(cpe, 'c1');
    });
  });

  test('counts: each server accepted what the wires say, and not a packet was dropped', async () => {
    const { packets, tables, queues } = await stage.status();
    expect(packets.dropped).toBe(0);
    expect(queues.map(({ waiting, queueDropped, lost }) => [waiting, queueDropped, lost])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(Object.values(tables).map(({ full }) => full)).toEqual([0, 0, 0]);
    for (const server of ['itms', 'c1', 'c2'] as const) {
      expect(stage.wires.connectionsAt(SERVER_ADDRESSES[server])).toEqual(stage.connectionsOf(server));
    }
  });
});
