/**
 * HTTP on `metrics.listen`: `/metrics` for Prometheus, `/healthz` (this process answers), `/readyz` (verdicts flow) and the
 * page. GET only, and on loopback unless configured otherwise. Everything is bounded: one request per connection, a few
 * seconds to complete it, and a limited number of connections; a new one replaces the oldest. So idle connections
 * cannot lock Prometheus out. Scrapes cannot delay packets, which another process decides. An address in use causes a
 * warning only; it must not leave the CPEs without an engine.
 */

import { type Socket } from 'node:net';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type EngineLog } from '../shared/engine-log';

const MAX_HEADER_BYTES = 8192;
/** A local process may open thousands a second; a scraper sends its request within a millisecond of connecting. */
const MAX_CONNECTIONS = 128;
/** For the request to arrive whole and the response to be read. */
const CONNECTION_TIMEOUT_MS = 5000;
const TEXT = 'text/plain; charset=utf-8';

export interface MetricsOptions {
  /** `address:port`, an IPv6 address in brackets. */
  listen: string;
  isReady: () => boolean;
  metrics: { contentType: string; render(): Promise<string> };
  /** Answers what is its own; false for other paths. */
  page?: { answer(request: IncomingMessage, response: ServerResponse): boolean } | undefined;
  log: EngineLog;
}

export interface MetricsServer {
  /** The address it listens on; undefined when it could not listen. */
  address: string | undefined;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Never rejects; problems with the address are logged. */
export async function serveMetrics(options: MetricsOptions): Promise<MetricsServer> {
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => void answer(request, response, options),
  );
  // Further requests on the connection are refused unread.
  server.maxRequestsPerSocket = 1;
  // Oldest first, the order in which a Set iterates.
  const open = new Set<Socket>();
  // Node's own time-outs cover idle connections and slow requests, but not a client that reads the response byte by
  // byte.
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

/** Not `maxConnections`, which would close the new connection and keep the idle ones. */
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
  // A scrape every 15 s does not need keep-alive, and closing also discards a request body.
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
      if (options.page?.answer(request, response)) return;
      return say(404, 'there is /, /metrics, /healthz and /readyz\n');
  }
  try {
    say(200, await options.metrics.render(), options.metrics.contentType);
  } catch (error) {
    say(500, `${(error as Error).message}\n`);
  }
}

/** The address it now listens on; undefined, with a log line, when it cannot. */
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
