/**
 * How a diversion ends, whatever happens to the CPE or the collector. Each case tells after how many attempts, or after
 * which of the configured lives, the CPE is back at the ITMS; no other clock is involved.
 */
import { eventually } from './support/run-host';
import { hangUp, talk } from './support/tcp-end';
import { SERVER_ADDRESSES, TcpStage } from './support/tcp-stage';
import { street } from './support/family';

const cpes = street(2, 70);
let used = 0;
const fresh = (): string => cpes[used++] as string;

/** `unfinished` differs, so that it shows which of them ran. */
const SHORT_GRACE = { grace: 0.5, unfinished: 1.5, retry: 0.5 };
/** So long that no slow machine ends it. */
const LONG_GRACE = { grace: 60, unfinished: 60, retry: 60 };
/** While a diverted SYN has been unanswered for this long, the CPE's other SYNs go to the ITMS. */
const SILENT_MS = 3000;
/** A whole request; the head of its answer tells whether the session continues. */
const REQUEST = 'POST /acs HTTP/1.1\r\nHost: acs\r\nContent-Length: 9\r\n\r\n<Inform/>';

let stage: TcpStage;
/** Connections that two servers may have seen, because their CPE or collector died; recorded where it happens. */
const torn: string[] = [];

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: SHORT_GRACE });
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach(torn));

/** A CPE with a session open at c1. */
async function diverted(cpe: string, fromPort?: number) {
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe, fromPort === undefined ? {} : { fromPort });
  expect(connection.server).toBe('c1');
  await talk(connection);
  return connection;
}

/** The CPE loses power: nothing of it reaches the wire any more, and its kernel forgets the connection. */
async function losePower(cpe: string, end: { reset(): Promise<void> }): Promise<void> {
  await stage.whileDropping('cpe', `OUTPUT -p tcp -s ${cpe}`, () => end.reset());
}

describe('a session over two connections', () => {
  beforeAll(() => stage.restart({ ttl: LONG_GRACE }));

  test.each(['cpe', 'far'] as const)('stays, if the first was closed (by the %s first)', async (first) => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    await hangUp(connection, first);
    expect(await stage.session(cpe)).toBe('c1');
    expect((await stage.status()).packets.byReason['diverted-in-grace']).toBeGreaterThan(0);
  });

  test('stays, if only the collector has closed the first: the CPE opens the second before it closes', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    await connection.far.finish();
    await connection.cpe.receive(1);
    expect(await stage.session(cpe)).toBe('c1');
    await connection.cpe.close();
  });

  test('stays, if the collector has closed the first, and what the CPE still sends upon it draws a RST', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    await connection.far.close();
    await connection.cpe.receive(1);
    await connection.cpe.send('next request');
    const isReset = async () => (await stage.entries('connections', cpe))[0]?.phase === 'reset';
    await eventually('the RST', async () => (await isReset()) || undefined);
    expect(await stage.session(cpe)).toBe('c1');
    await connection.cpe.close();
  });

  test('does not, while the first is open: a second connection beside it is the ITMS’s', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    expect(await stage.session(cpe)).toBe('itms');
    await talk(connection);
    await hangUp(connection);
  });

  /** What the collector has answered last, and whose the CPE's next connection is. */
  const LAST_ANSWERS = [
    ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', 'itms'],
    ['an empty 200', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'itms'],
    ['a 200 with a body', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody', 'c1'],
    ['a 401', 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n', 'c1'],
    ['a 503', 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n', 'itms'],
    ['nothing yet', '', 'c1'],
    ['what cannot be read', 'answer', 'c1'],
  ] as const;

  describe.each(LAST_ANSWERS)('after %s', (_, answer, next) => {
    test.each([
      ['closed', 'cpe'],
      ['closed', 'far'],
      ['reset', 'cpe'],
      ['reset', 'far'],
    ] as const)(`${next === 'c1' ? 'stays' : 'is over'}, if the first was %s (by the %s)`, async (how, by) => {
      const cpe = fresh();
      await stage.wake('c1', cpe);
      const connection = await stage.connect(cpe);
      expect(connection.server).toBe('c1');
      await connection.cpe.sendTo(connection.far, REQUEST);
      if (answer !== '') await connection.far.sendTo(connection.cpe, answer);
      if (how === 'closed') {
        await hangUp(connection, by);
      } else {
        await connection[by].reset();
        expect(await connection[by === 'cpe' ? 'far' : 'cpe'].receive(1)).toMatchObject({ ended: 'ECONNRESET' });
      }
      expect(await stage.session(cpe)).toBe(next);
    });
  });

  test('does not, if nothing at all was said on the first', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    const connection = await stage.connect(cpe);
    expect(connection.server).toBe('c1');
    await hangUp(connection);
    expect(await stage.session(cpe)).toBe('itms');
  });
});

describe('a session after the grace', () => {
  beforeAll(() => stage.restart({ ttl: SHORT_GRACE }));

  test('is the ITMS’s', async () => {
    const cpe = fresh();
    await hangUp(await diverted(cpe));
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
  });
});

describe('a CPE that loses power', () => {
  test('in its session: it boots into the ITMS at once', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    await losePower(cpe, connection.cpe);
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('in its session, and boots with the same port: with the first retransmission of its SYN', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe, 20_001);
    await losePower(cpe, connection.cpe);
    // Its SYN meets the half-open connection at the collector, whose answer lets the CPE reset it (RFC 9293 3.5.1).
    // The collector never accepts the new connection, but its first SYN was seen there.
    torn.push(`${cpe}:20001`);
    expect(await stage.session(cpe, { fromPort: 20_001 })).toBe('itms');
    expect((await stage.status()).packets.byReason['syn-onto-live']).toBe(1);
    expect(await connection.far.receive(1)).toMatchObject({ ended: 'ECONNRESET' });
  });

  test('between its answer and its session: its next session is the collector’s, if it boots while armed', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    expect(await stage.session(cpe)).toBe('c1');
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('for longer than an activation stays armed: the ITMS’s', async () => {
    await stage.restart({ ttl: { ...SHORT_GRACE, armed: 0.5 } });
    const cpe = fresh();
    await stage.wake('c1', cpe);
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
    await stage.restart({ ttl: SHORT_GRACE });
  });
});

describe('a collector that', () => {
  test('refuses costs one attempt', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    await stage.unlisten('c1');
    await expect(stage.dial(cpe)).rejects.toThrow('ECONNREFUSED');
    expect(await stage.entries('connections', cpe)).toEqual([]);
    expect(await stage.session(cpe)).toBe('itms');
    await stage.listen('c1');
  });

  test('is silent: after three seconds the CPE’s other attempts are the ITMS’s', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    await stage.whileDropping('collector', `INPUT -p tcp -s ${cpe}`, async () => {
      const begunMs = Date.now();
      for (const attempts of [1, 2]) {
        await expect(stage.dial(cpe, { timeoutMs: 300 })).rejects.toThrow('ETIMEDOUT');
        const provisional = { owner: 'c1', phase: 'unanswered' };
        if (Date.now() < begunMs + SILENT_MS) {
          expect(await stage.entries('connections', cpe)).toMatchObject(Array(attempts).fill(provisional));
        }
      }
      await eventually('the silence to last', () => Date.now() > begunMs + SILENT_MS + 300 || undefined);
      expect(await stage.session(cpe)).toBe('itms');
      expect((await stage.status()).packets.byReason['collector-silent']).toBe(1);
    });
  });

  test('accepts and says nothing: the ITMS’s after `unfinished`, which begins with the CPE’s FIN', async () => {
    const cpe = fresh();
    await stage.wake('c1', cpe);
    const { cpe: near, far, server } = await stage.connect(cpe);
    expect(server).toBe('c1');
    await near.sendTo(far, 'inform');
    await near.close();
    // Once the FIN has come through, the grace has begun.
    expect(await far.receive(1)).toMatchObject({ ended: 'finished' });
    const begunMs = Date.now();
    await stage.untilOver(cpe);
    expect(Date.now() - begunMs).toBeGreaterThan(1000 * SHORT_GRACE.grace);
    expect(await stage.session(cpe)).toBe('itms');
    await far.close();
  });

  test('dies in the session, with a RST: the ITMS’s after the grace that its last answer leaves', async () => {
    const cpe = fresh();
    const { cpe: near, far } = await diverted(cpe);
    await far.reset();
    expect(await near.receive(1)).toMatchObject({ ended: 'ECONNRESET' });
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('dies in the session, with a FIN, and then refuses: at most two attempts', async () => {
    await stage.restart({ ttl: LONG_GRACE });
    const cpe = fresh();
    const connection = await diverted(cpe);
    await stage.unlisten('c1');
    await hangUp(connection, 'far');
    await expect(stage.dial(cpe)).rejects.toThrow('ECONNREFUSED');
    expect(await stage.session(cpe)).toBe('itms');
    await stage.listen('c1');
    await stage.restart({ ttl: SHORT_GRACE });
  });

  test('dies in the session without a word: when the CPE gives up, one more attempt is the collector’s', async () => {
    const cpe = fresh();
    await stage.restart({ ttl: LONG_GRACE });
    const { cpe: near, far } = await diverted(cpe);
    await stage.whileDropping('collector', `INPUT -p tcp -s ${cpe}`, async () => {
      await near.send('is anybody there?');
      await near.reset();
      // The request waits for its answer, so the session may continue.
      await expect(stage.dial(cpe, { timeoutMs: SILENT_MS + 300 })).rejects.toThrow('ETIMEDOUT');
      expect(await stage.session(cpe)).toBe('itms');
    });
    await far.close();
    await stage.restart({ ttl: SHORT_GRACE });
  });
});

describe('a second collector that wakes the CPE during the first’s session', () => {
  test('gets the next session if the CPE says 200; the running one stays; then the ITMS', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    await stage.wake('c2', cpe, [401], [200]);
    await talk(connection);
    await hangUp(connection);
    expect(await stage.session(cpe)).toBe('c2');
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('gets nothing if the CPE says 503, as the specification has it', async () => {
    const cpe = fresh();
    const connection = await diverted(cpe);
    await stage.wake('c2', cpe, [503]);
    await talk(connection);
    await hangUp(connection);
    await stage.untilOver(cpe);
    expect(await stage.session(cpe)).toBe('itms');
  });

  test('the ITMS that does so gets it too, at once: no grace follows the running one', async () => {
    await stage.restart({ ttl: LONG_GRACE });
    const cpe = fresh();
    const connection = await diverted(cpe);
    await stage.wake('itms', cpe);
    await talk(connection);
    await hangUp(connection);
    expect(await stage.session(cpe)).toBe('itms');
    await stage.restart({ ttl: SHORT_GRACE });
  });
});

test('every connection that a server accepted was on its wire, and no other', async () => {
  await stage.wires.catchUp();
  const { c1, c2, itms } = SERVER_ADDRESSES;
  expect(stage.wires.connectionsAt(c2)).toEqual(stage.connectionsOf('c2'));
  expect(stage.wires.connectionsAt(itms)).toEqual(stage.connectionsOf('itms'));
  // These at c1, which did not accept them: it refused, or was silent.
  const refused = [...stage.wires.connectionsAt(c1)].filter((one) => !stage.connectionsOf('c1').has(one));
  expect(refused).toHaveLength(5);
});
