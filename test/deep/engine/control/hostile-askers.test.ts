/** A client of the control socket or of the metrics port costs a bounded amount, and others are still served. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askEngine } from '../../../../src/engine/control/ask';
import { type ControlServer, serveControl } from '../../../../src/engine/control/control';
import { type MetricsServer, serveMetrics } from '../../../../src/engine/report/metrics-server';
import { Prng } from '../../../sim/prng';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
/** More than both ends' kernel buffers hold. */
const LARGE = 'x'.repeat(32 * MIB);

let directory: string;
let control: ControlServer;
let metrics: MetricsServer;
let rendered = 0;
let asked = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-hostile-'));
  control = await serveControl(join(directory, 'control.sock'), {
    status: () => ++asked,
    large: () => LARGE,
  });
  let isLarge = false;
  metrics = await serveMetrics({
    listen: '127.0.0.1:0',
    // A request to /readyz makes the next rendering large.
    isReady: () => (isLarge = true),
    metrics: {
      contentType: 'text/plain',
      render: () => {
        rendered++;
        const text = isLarge ? LARGE : 'x 1\n';
        isLarge = false;
        return Promise.resolve(text);
      },
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
});
afterAll(async () => {
  await control.close();
  await metrics.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Server {
  name: string;
  connections: number;
  connect: () => Socket;
  /** A request that is answered, whole. */
  request: string;
  /** A proper question, answered. */
  works: () => Promise<void>;
}

function open(connecting: Socket): Socket {
  return connecting.on('error', () => undefined);
}

/** Everything that comes until the end. */
function take(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => resolve(text));
  });
}

const connectToMetrics = () => {
  const [host, port] = (metrics.address ?? '').split(':');
  return open(connect(Number(port), host));
};

const SERVERS: Server[] = [
  {
    name: 'the control socket',
    connections: 32,
    connect: () => open(connect(join(directory, 'control.sock'))),
    request: '{"command":"status"}\n',
    works: async () => {
      expect(await askEngine(join(directory, 'control.sock'), { command: 'status' })).toEqual(expect.any(Number));
    },
  },
  {
    name: "the metrics' port",
    connections: 128,
    connect: connectToMetrics,
    request: 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n',
    works: async () => {
      const socket = connectToMetrics();
      socket.end('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      expect(await take(socket)).toMatch(/^HTTP\/1\.1 200 .*ok\n$/s);
    },
  },
];

describe.each(SERVERS.map((server): [string, Server] => [server.name, server]))('%s', (_, server) => {
  afterEach(() => server.works());

  test('a line without end is cut off', async () => {
    const socket = server.connect();
    const answer = take(socket);
    let sent = 0;
    const pour = () => {
      while (socket.writable && sent < 512 * MIB) {
        sent += 65_536;
        if (!socket.write('x'.repeat(65_536))) return;
      }
    };
    socket.on('connect', pour).on('drain', pour);
    // Answered or not, which is the kernel's to say where the rest is thrown away: at an end.
    await answer;
    expect(sent).toBeLessThan(16 * MIB);
  });

  test('bytes by chance are refused, and carry nothing out', async () => {
    const before = [rendered, asked];
    const chance = new Prng(7547);
    for (let round = 0; round < 150; round++) {
      const socket = server.connect();
      const answer = take(socket);
      socket.end(Uint8Array.from({ length: round * 7 }, () => chance.int32()));
      expect(await answer).toMatch(/^(\{"ok":false,"error":"[^\n]*\n|HTTP\/1\.1 4\d\d .*)?$/s);
    }
    expect([rendered, asked]).toEqual(before);
  });

  test('of a thousand connections at once as many are kept as may be', async () => {
    const sockets = Array.from({ length: 1000 }, () => server.connect());
    const ended = new Set<Socket>();
    for (const socket of sockets) socket.on('close', () => ended.add(socket));
    await until(() => sockets.length - ended.size <= server.connections);
    // None has reached its time yet. The control socket turned the late ones away; the metrics' port closes the oldest, so
    // that a scrape gets in. (In which order the kernel hands over a thousand connections, it does not say.)
    if (server.name === 'the control socket') expect(ended.has(sockets[0]!)).toBe(false);
    else await server.works();
    for (const socket of sockets) socket.destroy();
    await until(() => ended.size === sockets.length);
  });

  test('a thousand requests on one connection are one', async () => {
    const before = rendered + asked;
    const socket = server.connect();
    const answer = take(socket);
    socket.write(server.request.repeat(1000));
    await answer;
    expect(rendered + asked).toBe(before + 1);
  });
});

/** Resolves when the server has ended all of them; each is there at the same time. */
async function outstay(server: Server): Promise<void> {
  const isControl = server.name === 'the control socket';
  if (!isControl) await get('/readyz');
  const deaf = server.connect().pause();
  deaf.write(isControl ? '{"command":"large"}\n' : server.request);
  await new Promise((resolve) => deaf.once('connect', resolve));
  // Its time began before theirs.
  const silent = server.connect();
  const trickling = server.connect();
  let at = 0;
  const drip = setInterval(() => trickling.write(server.request[at++ % (server.request.length - 1)]!), 100);
  // Others are served all the same.
  await server.works();
  await Promise.all([silent, trickling].map((socket) => take(socket)));
  clearInterval(drip);
  // The deaf one learns of its end when it looks, and has got a part.
  let taken = 0;
  deaf.on('data', (chunk: Buffer) => (taken += chunk.length));
  await new Promise((resolve) => deaf.resume().on('close', resolve));
  expect(taken).toBeLessThan(LARGE.length);
}

test('no client stays connected: neither a silent one, nor one that trickles, nor one that does not read the answer', async () => {
  await Promise.all(SERVERS.map(outstay));
});

async function get(path: string): Promise<string> {
  const socket = connectToMetrics();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return take(socket);
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !condition();) {
    if (Date.now() > deadline) throw new Error('waited 30 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
