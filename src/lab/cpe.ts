/**
 * One simulated CPE with its own address: answers Connection Requests and opens sessions to the one ACS address it knows.
 * It does not know which server answers it.
 */
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { BULK_PATH, receiveBulk, sendBulk, type Bulk } from './bulk';
import { CONNECTION_REQUEST, informText, isInformResponse } from './cwmp';
import { challenge, isAuthorized, type Credentials } from './digest';

export interface CpeSettings {
  address: string;
  /** Port of the Connection Request URL. */
  requestPort: number;
  /** Credentials a Connection Request must present; none: any request succeeds. */
  credentials?: Credentials | undefined;
  /** Milliseconds between a successful Connection Request and the session; null: waits for `informAsAsked`. */
  informDelayMs: number | null;
  /** Answers every Connection Request with 503, like a CPE that is woken too often. (TR-069 3.2.2.1) */
  throttles?: boolean;
}

/** One HTTP answer to a Connection Request; `peer` is the source as the CPE sees it. */
export interface Woken {
  cpe: string;
  peer: string;
  status: number;
}

export interface Session {
  cpe: string;
  eventCode: string;
  /** This CPE's port of each of its connections. */
  ports: number[];
  ok: boolean;
  error?: string;
}

export interface Observer {
  woken(what: Woken): void;
  session(what: Session): void;
}

/** Ports of sessions count up from here and are never reused, so that a 4-tuple in a capture identifies one connection. */
const FIRST_PORT = 20_000;
const REQUEST_TIMEOUT_MS = 50_000;
const IDLE_MS = 120_000;

export class Cpe {
  private readonly server: Server;
  private nextPort = FIRST_PORT;
  private nonce = '';
  /** A Connection Request succeeded and no session has opened since; one session serves all of them. */
  private due = false;
  private inSession = false;

  constructor(
    public settings: CpeSettings,
    private readonly acs: { address: string; port: number },
    private readonly observer: Observer,
  ) {
    this.server = createServer({ keepAliveTimeout: IDLE_MS }, (asked, answer) => {
      const [status, headers] = this.judge(asked);
      answer.writeHead(status, { ...headers, 'Content-Length': 0 }).end();
      this.observer.woken({ cpe: settings.address, peer: peerOf(asked.socket), status });
      if (status === 200) this.openSessionLater();
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.settings.requestPort, this.settings.address, resolve);
    });
  }

  /**
   * One CWMP session: Inform, empty POST, end. With two connections, the second opens after the first has closed, as when
   * a connection ends mid-session. (TR-069 3.4.1)
   */
  async inform(eventCode: string, connections = 1): Promise<Session> {
    const { address } = this.settings;
    const session: Session = { cpe: address, eventCode, ports: [], ok: false };
    this.inSession = true;
    this.due = false;
    try {
      let link = this.open(session);
      const id = `${address}-${this.nextPort}`;
      const inform = informText({ id, serial: address, eventCodes: [eventCode] }, new Date());
      const answer = await link.post('/acs', inform, {});
      if (!isInformResponse(answer.body, id)) throw new Error(`no InformResponse but ${answer.status}`);
      if (connections === 2) {
        await link.close();
        link = this.open(session);
      }
      const end = await link.post('/acs', '', { Cookie: answer.cookie });
      await link.close();
      if (end.status !== 204) throw new Error(`session ended with ${end.status}`);
      session.ok = true;
    } catch (error) {
      session.error = (error as Error).message;
    } finally {
      this.inSession = false;
    }
    this.observer.session(session);
    return session;
  }

  /** Runs the session that a Connection Request asked for; rejects if none did. */
  async informAsAsked(): Promise<Session> {
    if (!this.due) throw new Error(`${this.settings.address} has not been woken`);
    return this.inform(CONNECTION_REQUEST);
  }

  /**
   * Uploads, then downloads, over one connection; returns what this end sent and received.
   * @param paceMs of the download: see `receiveBulk`
   */
  async transfer(bytes: number, seed: number, paceMs?: number): Promise<{ up: Bulk; upSeen: Bulk; down: Bulk }> {
    const link = this.open({ ports: [] });
    const up = await link.upload(BULK_PATH, bytes, seed);
    const down = await link.download(`${BULK_PATH}?bytes=${bytes}&seed=${seed + 1}`, paceMs);
    await link.close();
    return { up: up.sent, upSeen: up.seen, down };
  }

  private open(session: { ports: number[] }): Link {
    const port = this.nextPort++;
    session.ports.push(port);
    return new Link(this.acs, this.settings.address, port);
  }

  private judge(asked: IncomingMessage): [number, Record<string, string>] {
    const { credentials, throttles } = this.settings;
    if (throttles === true || this.inSession) return [503, { 'Retry-After': '30' }];
    if (credentials === undefined) return [200, {}];
    if (isAuthorized(asked.headers.authorization, this.nonce, credentials, 'GET')) {
      this.nonce = '';
      return [200, {}];
    }
    const { header, nonce } = challenge();
    this.nonce = nonce;
    return [401, { 'WWW-Authenticate': header }];
  }

  private openSessionLater(): void {
    const { informDelayMs } = this.settings;
    if (this.due) return;
    this.due = true;
    if (informDelayMs !== null) setTimeout(() => this.due && void this.inform(CONNECTION_REQUEST), informDelayMs);
  }
}

/** One TCP connection to the ACS from a given port, with requests one after another. */
class Link {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  private socket: Socket | undefined;

  constructor(
    private readonly acs: { address: string; port: number },
    private readonly localAddress: string,
    private readonly localPort: number,
  ) {}

  async post(path: string, body: string, headers: Record<string, string>): Promise<Answer> {
    const answer = await this.ask(
      'POST',
      path,
      { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
      (to) => to.end(body),
    );
    const cookie = answer.headers['set-cookie']?.[0] ?? '';
    return { status: answer.statusCode ?? 0, body: await text(answer), cookie };
  }

  async upload(path: string, bytes: number, seed: number): Promise<{ sent: Bulk; seen: Bulk }> {
    let sending: Promise<Bulk> | undefined;
    const answer = await this.ask('POST', path, { 'Content-Length': String(bytes) }, (to) => {
      sending = sendBulk(to, bytes, seed);
      sending.catch((error: Error) => to.destroy(error));
    });
    return { seen: JSON.parse(await text(answer)) as Bulk, sent: await (sending as Promise<Bulk>) };
  }

  async download(path: string, paceMs?: number): Promise<Bulk> {
    return receiveBulk(await this.ask('GET', path, {}, (to) => to.end()), paceMs);
  }

  /** Closes this end and waits until the other end has closed as well. */
  close(): Promise<void> {
    const { socket } = this;
    return new Promise((resolve) => {
      if (socket === undefined || socket.destroyed) return resolve();
      socket.once('close', () => resolve());
      socket.end();
    });
  }

  private ask(
    method: string,
    path: string,
    headers: Record<string, string>,
    send: (to: ReturnType<typeof request>) => void,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { agent, localAddress, localPort } = this;
      const { address: host, port } = this.acs;
      const asked = request({ method, path, headers, host, port, agent, localAddress, localPort });
      asked.setTimeout(REQUEST_TIMEOUT_MS, () => asked.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MS} ms`)));
      asked.once('error', reject);
      asked.once('socket', (socket) => {
        if (this.socket !== undefined && this.socket !== socket)
          asked.destroy(new Error('the ACS closed the connection'));
        this.socket = socket;
      });
      asked.once('response', resolve);
      send(asked);
    });
  }
}

interface Answer {
  status: number;
  body: string;
  cookie: string;
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
