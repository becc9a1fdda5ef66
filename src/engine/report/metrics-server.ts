/**
 * HTTP on `metrics.listen`: `/metrics` for Prometheus, `/healthz` (this process answers) and `/readyz` (verdicts flow).
 * GET alone, on loopback unless configured otherwise, with bounds on everything: one request a connection, and a
 * connection has its time. Whoever asks cannot hold up packets, which are another process's anyway. An address that is
 * taken is a warning, not a reason to leave the CPEs waiting.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type EngineLog } from '../shared/engine-log';

const MAX_HEADER_BYTES = 8192;
const MAX_CONNECTIONS = 16;
/** For a request to come whole and for its response to be taken. */
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
  server.maxConnections = MAX_CONNECTIONS;
  // What else is sent with the first one is refused unread.
  server.maxRequestsPerSocket = 1;
  // Node's own time-outs know idle connections and slow requests, but not one who takes the response byte by byte.
  server.on('connection', (socket) => {
    const limit = setTimeout(() => socket.destroy(), CONNECTION_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(limit));
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

async function answer(request: IncomingMessage, response: ServerResponse, options: MetricsOptions): Promise<void> {
  const say = (status: number, body: string, type = TEXT) => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  // A scrape a quarter of a minute needs no kept connection; and a body, which is nobody's business here, goes with it.
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
  if (code === 'EADDRINUSE') return 'somebody listens there already; configure another metrics.listen';
  if (code === 'EADDRNOTAVAIL') return 'the host has no such address; is the interface (lo, too) up?';
  if (code === 'EACCES') return 'permission denied; configure a port above 1023';
  return message;
}
