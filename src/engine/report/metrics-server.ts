/**
 * HTTP on `metrics.listen`: `/metrics` for Prometheus, `/healthz` (this process answers) and `/readyz` (verdicts flow).
 * GET only, on loopback unless configured otherwise, with bounds on everything: one request a connection, a few seconds for
 * it, and a limited number of connections, of which a newcomer replaces the oldest. So idle connections cannot keep
 * Prometheus out, and no scrape can hold up packets, which are another process's. An address in use is a warning, not a
 * reason to leave the CPEs without an engine.
 */

import { type Socket } from 'node:net';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type EngineLog } from '../shared/engine-log';

const MAX_HEADER_BYTES = 8192;
/** A local process may open thousands a second; a scrape sends its request within a millisecond of its connection. */
const MAX_CONNECTIONS = 128;
/** For a request to arrive whole and for its response to be read. */
const CONNECTION_TIMEOUT_MS = 5000;
const TEXT = 'text/plain; charset=utf-8';

export interface MetricsOptions {
  /** `address:port`, an IPv6 address in brackets. */
  listen: string;
  isReady: () => boolean;
  metrics: { contentType: string; render(): Promise<string> };
  log: EngineLog;
}

export interface MetricsServer {
  /** What it listens at; undefined when it could not. */
  address: string | undefined;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Never rejects: what is wrong with the address is logged. */
export async function serveMetrics(options: MetricsOptions): Promise<MetricsServer> {
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => void answer(request, response, options),
  );
  // Further requests on the connection are refused unread.
  server.maxRequestsPerSocket = 1;
  // The oldest first, as a Set iterates.
  const open = new Set<Socket>();
  // Node's own time-outs cover idle connections and slow requests, but not a response that is read byte by byte.
  server.on('connection', (socket) => {
    const limit = setTimeout(() => socket.destroy(), CONNECTION_TIMEOUT_MS);
    socket.once('close', () => {
      clearTimeout(limit);
      open.delete(socket);
    });
    open.add(socket);
    if (open.size > MAX_CONNECTIONS) makeRoom(open);
  });
  const address = await listen(server, options);
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Not `maxConnections`, which closes the newcomer and keeps those that idle. */
function makeRoom(open: Set<Socket>): void {
  const [oldest] = open;
  open.delete(oldest);
  oldest.destroy();
}

async function answer(request: IncomingMessage, response: ServerResponse, options: MetricsOptions): Promise<void> {
  const say = (status: number, body: string, type = TEXT) => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  // A scrape every 15 s needs no connection kept open; closing it also discards a request body.
  response.shouldKeepAlive = false;
  if (request.method !== 'GET') {
    response.setHeader('allow', 'GET');
    return say(405, 'only GET\n');
  }
  switch (request.url?.split('?', 1)[0]) {
    case '/healthz':
      return say(200, 'ok\n');
    case '/readyz':
      return options.isReady() ? say(200, 'ready\n') : say(503, 'no verdicts flow\n');
    case '/metrics':
      break;
    default:
      return say(404, 'there is /metrics, /healthz and /readyz\n');
  }
  try {
    say(200, await options.metrics.render(), options.metrics.contentType);
  } catch (error) {
    say(500, `${(error as Error).message}\n`);
  }
}

/** Where it listens now; undefined, and said, when it cannot. */
function listen(server: Server, { listen: wanted, log }: MetricsOptions): Promise<string | undefined> {
  const [, ipv6, ipv4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(wanted) ?? [];
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      log.warn(
        { event: 'metrics-unavailable', listen: wanted, code: error.code },
        `no metrics at ${wanted}: ${reasonOf(error)}`,
      );
      resolve(undefined);
    });
    server.listen({ host: ipv6 ?? ipv4, port: Number(port) }, () => {
      server.on('error', () => undefined);
      const bound = server.address();
      resolve(bound !== null && typeof bound === 'object' ? `${ipv6 ? `[${ipv6}]` : ipv4}:${bound.port}` : undefined);
    });
  });
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'another process listens there; configure another metrics.listen';
  if (code === 'EADDRNOTAVAIL') return 'the host has no such address; is the interface (lo, too) up?';
  if (code === 'EACCES') return 'permission denied; configure a port above 1023';
  return message;
}
