/** An ACS wakes a CPE: one Connection Request, with digest authentication when the CPE asks for it. (TR-069 3.2.2) */
import { Agent, get, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { authorize, type Credentials } from './digest';

export interface ConnectionRequestOrder {
  url: string;
  /** The server's own address to send from. */
  from: string;
  credentials?: Credentials;
  /**
   * HTTP keep-alive: 401 and 200 on one connection, which this end closes only when released. Otherwise each request uses
   * its own connection, closed at once.
   */
  keepAlive?: boolean;
  /** Fixed source port, for tests of port collisions. */
  localPort?: number;
  timeoutMs?: number;
}

export interface ConnectionRequestOutcome {
  /** Status codes in order of arrival: [200], [401, 200], [503], ... */
  statuses: number[];
  /** This end's port of each connection. */
  ports: number[];
  /** The other end of the connections as this end saw it. */
  peer: string;
}

/**
 * Rejects if the CPE cannot be reached; any HTTP status is an outcome. Resolves once all connections are closed.
 * @param released resolves when a kept-alive connection may be closed
 */
export async function sendConnectionRequest(
  order: ConnectionRequestOrder,
  released: Promise<void>,
): Promise<ConnectionRequestOutcome> {
  const { keepAlive = false } = order;
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  const outcome: ConnectionRequestOutcome = { statuses: [], ports: [], peer: '' };
  const closed: Promise<void>[] = [];
  const ask = async (authorization?: string): Promise<IncomingMessage> => {
    const answer = await request(order, agent, authorization, (socket) => {
      const port = socket.localPort as number;
      if (outcome.ports.includes(port)) return;
      outcome.ports.push(port);
      outcome.peer = `${socket.remoteAddress}:${socket.remotePort}`;
      closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
    });
    outcome.statuses.push(answer.statusCode ?? 0);
    return answer;
  };
  try {
    const first = await ask();
    const challenge = first.headers['www-authenticate'];
    if (first.statusCode === 401 && challenge !== undefined && order.credentials !== undefined) {
      await ask(authorize(challenge, order.credentials, 'GET', new URL(order.url).pathname));
    }
    if (keepAlive) await released;
  } finally {
    agent.destroy();
  }
  await Promise.all(closed);
  return outcome;
}

/** @param onSocket called while the connection is open; afterwards the answer no longer has its socket */
function request(
  order: ConnectionRequestOrder,
  agent: Agent,
  authorization: string | undefined,
  onSocket: (socket: Socket) => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { from, localPort, timeoutMs = 20_000 } = order;
    const asked = get(order.url, {
      agent,
      localAddress: from,
      ...(localPort === undefined ? {} : { localPort }),
      headers: authorization === undefined ? {} : { Authorization: authorization },
    });
    asked.setTimeout(timeoutMs, () => asked.destroy(new Error(`${order.url}: no answer within ${timeoutMs} ms`)));
    asked.once('error', reject);
    asked.once('response', (answer: IncomingMessage) => {
      onSocket(answer.socket);
      answer.resume();
      answer.once('end', () => resolve(answer));
      answer.once('error', reject);
    });
  });
}
