/**
 * HTTP on `metrics.listen`: `/metrics` for Prometheus, `/healthz` (this process answers) and `/readyz` (verdicts flow).
 * GET alone, on loopback unless configured otherwise, with bounds on everything: whoever asks cannot hold up packets,
 * which are another process's anyway. An address that is taken is a warning, not a reason to leave the CPEs waiting.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type EngineLog } from './engine-log';

const MAX_HEADER_BYTES = 8192;
const MAX_CONNECTIONS = 16;
/** For a request to come whole. */
const REQUEST_TIMEOUT_MS = 5000;
const KEEP_ALIVE_MS = 15_000;
/** For a response to be taken, and for a connection without a word. */
const IDLE_TIMEOUT_MS = 20_000;
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
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void answer(request, response, options),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(IDLE_TIMEOUT_MS, (socket) => socket.destroy());
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
  // A body is nobody's business here: what comes is thrown away with its connection.
  if (request.headers['content-length'] ?? request.headers['transfer-encoding']) response.shouldKeepAlive = false;
  if (request.method !== 'GET') {
    response.setHeader('allow', 'GET');
    response.shouldKeepAlive = false;
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
