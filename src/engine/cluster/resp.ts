/**
 * A connection to Valkey or Redis, as much as the cluster needs. Why no library: docs/decisions/cluster.md. The number of
 * waiting commands is bounded, and a missing answer ends the connection.
 */
import { readFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type StoreSettings } from '../shared/cluster-protocol';
import { BrokenStore, type Reply, ReplyReader, StoreError } from './replies';

const MAX_WAITING = 64;
/** Below TCP's second SYN: a link that has just come up loses the first. */
const CONNECT_MS = 900;
const ANSWER_MS = 3000;

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class Connection {
  private readonly reader = new ReplyReader();
  private readonly waiting: Waiting[] = [];
  private failure: Error | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.hear(bytes));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the store has closed the connection')));
  }

  /** @throws Error, one line */
  static async open(settings: StoreSettings): Promise<Connection> {
    const connection = new Connection(await connected(settings));
    try {
      const { user, passwordFile } = settings;
      if (passwordFile !== undefined) {
        const password = readFileSync(passwordFile, 'utf8').split('\n')[0];
        await connection.ask(user === undefined ? ['AUTH', password] : ['AUTH', user, password]);
      }
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** @throws StoreError when the store refuses; another Error has ended the connection */
  ask(words: readonly (string | number)[], timeoutMs = ANSWER_MS): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      if (this.waiting.length >= MAX_WAITING) return reject(new Error('too many commands wait'));
      const timer = setTimeout(() => this.fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      this.waiting.push({ resolve, reject, timer });
      this.socket.write(encode(words));
    });
  }

  close(why = new Error('closed')): void {
    this.fail(why);
  }

  private hear(bytes: Buffer): void {
    if (this.failure) return;
    try {
      for (const reply of this.reader.read(bytes)) this.answer(reply);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private answer(reply: Reply): void {
    const first = this.waiting.shift();
    if (first === undefined)
      throw new BrokenStore('an answer came without a command: the server is not a store of ours');
    clearTimeout(first.timer);
    if (reply instanceof StoreError) first.reject(reply);
    else first.resolve(reply);
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.socket.destroy();
    for (const { reject, timer } of this.waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}

function connected({ address, tls }: StoreSettings): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const place = placeOf(address);
    const ca = tls?.ca === undefined ? undefined : readFileSync(tls.ca);
    const socket = tls
      ? connectTls({ ...place, ...(ca && { ca }), ...('host' in place && { servername: '' }) })
      : connectPlain(place);
    let timer = setTimeout(() => socket.destroy(new Error('no connection')), CONNECT_MS);
    const settle = () => clearTimeout(timer);
    if (tls) {
      socket.once('connect', () => {
        settle();
        const silent = new Error('no answer to the TLS handshake: does it expect TLS on this port?');
        timer = setTimeout(() => socket.destroy(silent), ANSWER_MS);
      });
    }
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      settle();
      socket.removeListener('error', reject);
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', reject);
    socket.once('close', settle);
  });
}

function placeOf(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith('/')) return { path: address };
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

function encode(words: readonly (string | number)[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    const one = String(word);
    text += `$${Buffer.byteLength(one)}\r\n${one}\r\n`;
  }
  return text;
}
