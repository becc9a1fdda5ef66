/**
 * The program of a server: the ITMS or a collection server. Serves CWMP sessions on the report port, sends Connection
 * Requests on command, and reports what it sees. The two differ only in their names: the splitter decides which one
 * answers a session.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { BULK_PATH, serveBulk, type Bulk } from './bulk';
import { sendConnectionRequest, type ConnectionRequestOrder } from './connection-request';
import { informResponseText, parseInform } from './cwmp';
import { serve, tell, type Happening } from './lines';

export interface AcsSettings {
  name: string;
  address: string;
  reportPort: number;
}

export type AcsEvent =
  | (Happening & { event: 'ready' })
  /** A connection to the report port, with the peer as this server sees it. */
  | (Happening & Peer & { event: 'connected' })
  | (Happening & Peer & { event: 'inform'; serial: string; eventCodes: string[]; session: string })
  /** A session ended; `connections` is the number of connections it used. */
  | (Happening & Peer & { event: 'ended'; session: string; connections: number })
  /** A request that belongs to no session of this server: the session began at another server. */
  | (Happening & Peer & { event: 'stray' })
  | (Happening & Peer & Bulk & { event: 'bulk'; method: string });

interface Peer {
  peer: string;
  port: number;
}

/** Long enough that a CPE, not the server, closes an idle connection. */
const KEEP_ALIVE_MS = 120_000;

const settings = JSON.parse(process.argv[2] as string) as AcsSettings;
const sessions = new Map<string, Set<Socket>>();

let release: () => void;
let released: Promise<void>;
hold();

const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
  response.setHeader('Server', settings.name);
  serveRequest(request, response).catch(() => response.destroy());
});
server.on('connection', (socket: Socket) => tell('connected', peerOf(socket)));
server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
server.listen(settings.reportPort, settings.address, () => tell('ready', {}));

serve({
  wake: (command) => {
    const order = command as unknown as Omit<ConnectionRequestOrder, 'from'>;
    return sendConnectionRequest({ ...order, from: settings.address }, released);
  },
  /** Closes the connections of kept-alive Connection Requests. */
  release: () => {
    release();
    hold();
    return Promise.resolve();
  },
});

async function serveRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url?.startsWith(BULK_PATH) === true) {
    const peer = peerOf(request.socket);
    const bulk = await serveBulk(request, response);
    return tell('bulk', { ...peer, ...bulk, method: request.method ?? '' });
  }
  serveCwmp(request, response, await text(request));
}

/** An Inform opens a session, a cookie identifies it, and the CPE's empty POST ends it. (TR-069 3.4) */
function serveCwmp(request: IncomingMessage, response: ServerResponse, body: string): void {
  const peer = peerOf(request.socket);
  const inform = parseInform(body);
  if (inform !== undefined) {
    const session = randomUUID();
    sessions.set(session, new Set([request.socket]));
    tell('inform', { ...peer, serial: inform.serial, eventCodes: inform.eventCodes, session });
    response.writeHead(200, { 'Content-Type': 'text/xml; charset="utf-8"', 'Set-Cookie': `session=${session}` });
    response.end(informResponseText(inform.id));
    return;
  }
  const session = /session=([0-9a-f-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
  const sockets = sessions.get(session);
  if (sockets === undefined) {
    tell('stray', peer);
    response.writeHead(400).end();
    return;
  }
  sessions.delete(session);
  tell('ended', { ...peer, session, connections: sockets.add(request.socket).size });
  response.writeHead(204).end();
}

function hold(): void {
  released = new Promise((resolve) => (release = resolve));
}

function peerOf(socket: Socket): Peer {
  return { peer: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
}
