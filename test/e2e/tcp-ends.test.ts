/** How TCP connections begin and end in every lawful way, with either server: the splitter is nowhere to be noticed. */
import { REPORT_PORT } from '../../src/lab/world';
import { TcpFlag } from '../../src/packet/tcp';
import { type Sight } from './support/capture';
import { forgeFromCpe, forgeFromServer, numbersOf } from './support/forge';
import { eventually } from './support/run-host';
import { hangUp, talk } from './support/tcp-end';
import { SERVER_ADDRESSES, TcpStage, type ConnectOptions, type ReportConnection } from './support/tcp-stage';
import { street } from './support/family';

const SERVERS = ['itms', 'c1'] as const;
type Server = (typeof SERVERS)[number];
const BULK_BYTES = 300_000;
/** Several rounds of the sweep over every table of this engine. */
const MANY_SWEEPS_MS = 12_000;

const cpes = street(2, 60);
let used = 0;
const fresh = (): string => cpes[used++] as string;

let stage: TcpStage;
let idle: ReportConnection[];
let idleSinceMs: number;

beforeAll(async () => {
  // Grace so long that a port used again is the collector's again.
  stage = await TcpStage.open({ cpes, ttl: { grace: 60 } });
  stage.wires.keepSights(() => true);
  idle = await Promise.all(SERVERS.map((server) => open(fresh(), server)));
  idleSinceMs = (await stage.status()).uptimeMs;
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach());

async function open(cpe: string, server: Server, options: ConnectOptions = {}): Promise<ReportConnection> {
  if (server === 'c1') await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe, options);
  expect(connection.server).toBe(server);
  return connection;
}

/** A CPE's packets on the wire of a server's report port, both ways. */
async function sightsAt(server: Server, cpe: string): Promise<{ ofCpe: Sight[]; ofServer: Sight[] }> {
  await stage.wires.catchUp();
  const wire = stage.wires.sights.filter((sight) => sight.wire === 'server');
  const address = SERVER_ADDRESSES[server];
  return {
    ofCpe: wire.filter(
      (one) => one.source === cpe && one.destination === address && one.destinationPort === REPORT_PORT,
    ),
    ofServer: wire.filter((one) => one.source === address && one.destination === cpe && one.sourcePort === REPORT_PORT),
  };
}

function has(flags: number): (sight: Sight) => boolean {
  return (sight) => (sight.flags & flags) === flags;
}

async function phaseOf(cpe: string): Promise<string | undefined> {
  return (await stage.entries('connections', cpe))[0]?.phase;
}

describe.each(SERVERS)('with %s', (server) => {
  const phase = (ofDiverted: string): string | undefined => (server === 'c1' ? ofDiverted : undefined);

  test('the CPE closes first, or the server', async () => {
    for (const first of ['cpe', 'far'] as const) {
      const cpe = fresh();
      await hangUp(await open(cpe, server), first);
      expect(await phaseOf(cpe)).toBe(phase('closed'));
    }
  });

  test('a port that the CPE uses again as soon as the server has closed it', async () => {
    const cpe = fresh();
    if (server === 'c1') await stage.wake('c1', cpe);
    for (let round = 0; round < 3; round++) {
      const connection = await stage.connect(cpe, { fromPort: 20_000 });
      expect(connection.server).toBe(server);
      await talk(connection);
      // The server keeps TIME-WAIT; the CPE has forgotten the connection.
      await hangUp(connection, 'far');
    }
  });

  test('a port that the CPE uses again after it has closed it itself', async () => {
    const cpe = fresh();
    const connection = await open(cpe, server, { fromPort: 20_000 });
    await talk(connection);
    await hangUp(connection);
    // A port that was chosen may leave TIME-WAIT at once (tcp(7), timestamps).
    const again = await stage.connect(cpe, { fromPort: 20_000 });
    expect(again.server).toBe(server);
    await talk(again);
    await hangUp(again);
  });

  test('ECN is negotiated through the splitter', async () => {
    for (const role of ['cpe', 'itms', 'collector'] as const) await stage.sysctl(role, 'net.ipv4.tcp_ecn=1');
    const cpe = fresh();
    const connection = await open(cpe, server);
    await talk(connection);
    const { ofCpe, ofServer } = await sightsAt(server, cpe);
    expect(ofCpe.filter(has(TcpFlag.Syn | TcpFlag.Ece | TcpFlag.Cwr))).toHaveLength(1);
    expect(ofServer.filter(has(TcpFlag.Syn | TcpFlag.Ack | TcpFlag.Ece))).toHaveLength(1);
    await hangUp(connection);
    for (const role of ['cpe', 'itms', 'collector'] as const) await stage.sysctl(role, 'net.ipv4.tcp_ecn=2');
  });

  test('FINs that carry data, of both ends', async () => {
    const cpe = fresh();
    const { cpe: near, far } = await open(cpe, server);
    await near.send('last words', { more: true });
    await near.finish();
    expect(await far.receive(100)).toEqual({ text: 'last words', bytes: 10, ended: 'finished' });
    await far.send('goodbye', { more: true });
    await far.finish();
    expect(await near.receive(100)).toEqual({ text: 'goodbye', bytes: 7, ended: 'finished' });
    const { ofCpe, ofServer } = await sightsAt(server, cpe);
    expect(ofCpe.filter(has(TcpFlag.Fin)).map(({ payloadBytes }) => payloadBytes)).toEqual([10]);
    expect(ofServer.filter(has(TcpFlag.Fin)).map(({ payloadBytes }) => payloadBytes)).toEqual([7]);
    expect(await phaseOf(cpe)).toBe(phase('closed'));
  });

  test.each(['cpe', 'far'] as const)('a RST of one end (%s) reaches the other', async (by) => {
    const cpe = fresh();
    const connection = await open(cpe, server);
    await talk(connection);
    await connection[by].reset();
    expect(await connection[by === 'cpe' ? 'far' : 'cpe'].receive(1)).toMatchObject({ ended: 'ECONNRESET' });
    expect(await phaseOf(cpe)).toBe(phase('reset'));
  });

  test.each(['cpe', 'far'] as const)(
    'a half-close (of %s): the other end continues as long as it likes',
    async (by) => {
      const cpe = fresh();
      const connection = await open(cpe, server);
      const [silent, speaking] = by === 'cpe' ? [connection.cpe, connection.far] : [connection.far, connection.cpe];
      await silent.finish();
      expect(await speaking.receive(1)).toMatchObject({ ended: 'finished' });
      expect(await phaseOf(cpe)).toBe(phase('fin'));
      const received = silent.receiveAll();
      await speaking.send('0123456789', { times: BULK_BYTES / 10 });
      await speaking.finish();
      expect(await received).toMatchObject({ bytes: BULK_BYTES, ended: 'finished' });
      expect(await phaseOf(cpe)).toBe(phase('closed'));
    },
  );

  test('both ends close at once: their FINs cross', async () => {
    const cpe = fresh();
    const { cpe: near, far } = await open(cpe, server);
    // A traced CPE's packets all come to the engine.
    await stage.control('packets', { cpe });
    await stage.whileHeld(async () => {
      await near.finish();
      await far.finish();
    });
    expect(await near.receive(1)).toMatchObject({ ended: 'finished' });
    expect(await far.receive(1)).toMatchObject({ ended: 'finished' });
    const { ofCpe, ofServer } = await sightsAt(server, cpe);
    const [finOfCpe, finOfServer] = [ofCpe.find(has(TcpFlag.Fin))!, ofServer.find(has(TcpFlag.Fin))!];
    // Neither end had seen the other's FIN when it sent its own.
    expect(finOfCpe.acknowledgement).toBe(finOfServer.sequence);
    expect(finOfServer.acknowledgement).toBe(finOfCpe.sequence);
    expect(await phaseOf(cpe)).toBe(phase('closed'));
  });

  test('sequence numbers that wrap', async () => {
    const cpe = fresh();
    const connection = await open(cpe, server, { initialSequence: 0xffffff00 });
    const received = connection.far.receiveAll();
    await connection.cpe.send('0123456789', { times: BULK_BYTES / 10 });
    await connection.cpe.finish();
    expect(await received).toMatchObject({ bytes: BULK_BYTES, ended: 'finished' });
    await connection.far.sendTo(connection.cpe, 'all of it');
    await connection.far.finish();
    const { ofCpe } = await sightsAt(server, cpe);
    expect(ofCpe[0]).toMatchObject({ flags: TcpFlag.Syn, sequence: 0xffffff00 });
    expect(ofCpe.at(-1)!.sequence).toBeLessThan(BULK_BYTES);
  });
});

test.each(['cpe', 'far'] as const)(
  'a FIN of %s that comes again after both have closed draws a RST, and the session goes on over another connection',
  async (first) => {
    const cpe = fresh();
    const connection = await open(cpe, 'c1');
    await talk(connection);
    await hangUp(connection, first);
    const { port } = connection.cpe;
    const { cpeNext, serverNext } = await numbersOf(stage, cpe, port);
    const [sequence, acknowledgement] = first === 'cpe' ? [cpeNext, serverNext] : [serverNext, cpeNext];
    const again = { flags: TcpFlag.Fin | TcpFlag.Ack, sequence: (sequence - 1) >>> 0, acknowledgement };
    await (first === 'cpe' ? forgeFromCpe(stage, cpe, port, again) : forgeFromServer(stage, 'c1', cpe, port, again));
    await eventually('the RST', async () => (await phaseOf(cpe)) === 'reset' || undefined);
    const next = await stage.connect(cpe);
    expect(next.server).toBe('c1');
    await talk(next);
    await hangUp(next);
  },
);

describe('TCP Fast Open', () => {
  beforeAll(async () => {
    for (const role of ['cpe', 'itms', 'collector'] as const) await stage.sysctl(role, 'net.ipv4.tcp_fastopen=3');
  });

  /** Bytes that each SYN of a CPE brought to a server. */
  async function inSyns(server: Server, cpe: string): Promise<number[]> {
    return (await sightsAt(server, cpe)).ofCpe.filter(has(TcpFlag.Syn)).map(({ payloadBytes }) => payloadBytes);
  }

  /** A session whose first line may come with the SYN. */
  async function fastSession(cpe: string): Promise<string> {
    const connection = await stage.connect(cpe, { fastOpen: 'inform' });
    expect(await connection.far.receive(6)).toMatchObject({ text: 'inform' });
    await connection.far.sendTo(connection.cpe, 'answer');
    await hangUp(connection);
    return connection.server;
  }

  test('a CPE with the ITMS’s cookie speaks to the ITMS at once, and to a collector, which does not know the cookie, none the worse', async () => {
    const cpe = fresh();
    expect(await fastSession(cpe)).toBe('itms');
    expect(await fastSession(cpe)).toBe('itms');
    expect(await inSyns('itms', cpe)).toEqual([0, 6]);
    await stage.wake('c1', cpe);
    expect(await fastSession(cpe)).toBe('c1');
    // Its data came with the SYN, was not taken, and came again.
    expect(await inSyns('c1', cpe)).toEqual([6]);
  });

  test('a Connection Request that comes with its SYN: the answer arms', async () => {
    const cpe = fresh();
    for (const round of [0, 1]) {
      const get = `GET /${round} HTTP/1.1\r\n\r\n`;
      const request = await stage.request('c1', cpe, { fastOpen: get });
      expect(await request.cpe.receive(get.length)).toMatchObject({ text: get });
      await request.cpe.sendTo(request.far, 'HTTP/1.1 200 OK\r\n\r\n');
      await hangUp(request, 'far');
    }
    await stage.wires.catchUp();
    const syns = stage.wires.sights.filter(
      (sight) => sight.wire === 'cpe' && sight.destination === cpe && sight.flags === TcpFlag.Syn,
    );
    expect(syns.map(({ payloadBytes }) => payloadBytes > 0)).toEqual([false, true]);
    expect(await stage.session(cpe)).toBe('c1');
  });
});

test('connections that were idle all the while, over many sweeps, are where they were', async () => {
  await eventually(
    'many sweeps',
    async () => (await stage.status()).uptimeMs > idleSinceMs + MANY_SWEEPS_MS || undefined,
  );
  for (const connection of idle) {
    await talk(connection);
    await hangUp(connection);
  }
  expect((await stage.status()).packets.dropped).toBe(0);
});
